"""Everything that can be set for `chargewire serve`. Options, environment (`CHARGEWIRE_…`) and file carry the same names."""

from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from chargewire.charging.errors import Refused

ENVIRONMENTS = ("acceptance", "production")


class Settings(Struct, frozen=True, kw_only=True):
    """See the command's `--help`, which is where each setting is explained."""

    environment: str = "acceptance"
    data: Path = Path("data")
    database: str | None = None  # None: SQLite in `data`
    key_file: Path | None = None  # None: in `data`
    host: str = "127.0.0.1"
    port: int = 8000
    ocpp_port: int = 9000
    public_url: str | None = None
    public_ocpp_url: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxy: tuple[str, ...] = ()
    admin_token: str | None = None
    allow_private_endpoints: bool | None = None  # None: on in acceptance, off in production
    allow_open_stations: bool | None = None  # likewise
    park_unknown_stations: bool = False
    open_status: bool = False
    heartbeat_s: int = 60
    workers: int = 1
    message_days: int = 30
    change_days: int = 30
    reading_days: int = 396
    cdr_days: int = 3653

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data / 'chargewire.sqlite'}"

    @property
    def key_path(self) -> Path:
        return self.key_file or self.data / "instance.key"

    @property
    def private_endpoints(self) -> bool:
        return self._or_acceptance(self.allow_private_endpoints)

    @property
    def open_stations(self) -> bool:
        return self._or_acceptance(self.allow_open_stations)

    def _or_acceptance(self, given: bool | None) -> bool:
        return self.environment == "acceptance" if given is None else given


def checked(settings: Settings) -> Settings:
    """The settings, if they make sense together. Raises Refused with the option's name."""
    if settings.environment not in ENVIRONMENTS:
        raise Refused(f"must be one of {', '.join(ENVIRONMENTS)}", "--environment")
    if settings.workers < 1:
        raise Refused("must be 1 or more", "--workers")
    if settings.workers > 1:
        raise Refused("several workers are not built yet; run one process (more than one will need PostgreSQL)", "--workers")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise Refused("--tls-cert and --tls-key go together", "--tls-cert")
    if settings.admin_token is not None and not settings.admin_token.strip():
        raise Refused("must not be empty: it would let everybody in", "--admin-token")
    for url, schemes, option in (
        (settings.public_url, ("http", "https"), "--public-url"),
        (settings.public_ocpp_url, ("ws", "wss"), "--public-ocpp-url"),
    ):
        if url is not None and not (urlsplit(url).scheme in schemes and urlsplit(url).hostname and url.isprintable()):
            raise Refused(f"must be a URL with {' or '.join(schemes)}", option)
    return settings
