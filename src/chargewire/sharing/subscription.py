"""Who may see what: networks, their CPOs and eMSPs, and the subscriptions with their grants and endpoints."""

from datetime import datetime

from msgspec import Struct

MODULES = (
    "locations",
    "sessions",
    "cdrs",
    "metervalues",
    "notifications",
    "tokens",
    "tariffs",
    "stations",
    "smartcharging",
    "remotecommands",
    "crm",
)
PUSHED = ("locations", "sessions", "cdrs", "notifications")
DIRECTIONS = ("pull", "push", "write")


class Network(Struct, frozen=True, kw_only=True):
    """The customer organisation. Journal kind `network`, owner "" and key `id`."""

    id: str
    name: str


class Cpo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operator inside a network. Journal kind `cpo`, owner "" and key = the party, `NL-AAA`."""

    party: str
    network_id: str
    name: str
    currency: str = "EUR"
    time_zone: str = "Europe/Amsterdam"
    publish_all_cdrs: bool = True


class Emsp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who issues tokens. Journal kind `emsp`, owner "" and key = the party. Accepted at the CPOs of its networks."""

    party: str
    name: str
    network_ids: tuple[str, ...] = ()


class Grant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some CPOs or eMSPs × modules × directions. `cpos`/`emsps`: ("*",) = all of the network's, now and later."""

    modules: dict[str, tuple[str, ...]]
    cpos: tuple[str, ...] = ()
    emsps: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one module of a subscription is pushed to. `token` is sealed under the instance key."""

    url: str
    token: str
    dialect: str = "platform"
    min_patch_s: int = 60
    full_patch_s: int = 900
    paused: bool = False


class IssuedToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token that we accept, as HMAC-SHA-256 under the instance key (hex). `until`: end of the overlap after a rotation."""

    hash: str
    created_at: datetime
    until: datetime | None = None


class Subscription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A platform subscription. Journal kind `subscription`, owner "" and key `id`.

    Its tokens are found by the further name (`subscription-token`, hash).
    """

    id: str
    name: str
    network_id: str
    grants: tuple[Grant, ...] = ()
    endpoints: dict[str, Endpoint] = {}  # by module
    profile: str = "compatible"  # compatible | extended
    state: str = "live"  # requested | scoped | acceptance | validated | production | live | suspended | ended
    tokens: tuple[IssuedToken, ...] = ()
