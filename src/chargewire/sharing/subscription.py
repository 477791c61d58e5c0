"""Who may see what: networks, their CPOs and eMSPs, and the subscriptions with their grants and endpoints."""

from datetime import datetime

from msgspec import Struct

from chargewire.charging.location import BusinessDetails

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
PUSHED = {  # modules that a platform subscription's endpoints are pushed, by dialect
    "platform": ("locations", "sessions", "cdrs", "notifications"),
    "ocpi-2.1.1": ("locations", "sessions", "cdrs", "tariffs"),
}
ROAMED = {  # modules of OCPI 2.1.1 by our role: those that we own and share, and those that the partner writes to us
    "CPO": (("locations", "sessions", "cdrs", "tariffs"), ("tokens", "commands")),
    "EMSP": (("tokens",), ("locations", "sessions", "cdrs", "tariffs", "commands")),
}
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
    local_list: bool = False  # its stations are sent the tokens that they may accept by themselves (OCPP SendLocalList)
    drop_flagged: tuple[str, ...] = ()  # flags (`charging.flags`) with which a CDR is dropped instead of published


class Emsp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who issues tokens. Journal kind `emsp`, owner "" and key = the party. Accepted at the CPOs of its networks."""

    party: str
    name: str
    network_ids: tuple[str, ...] = ()
    retail_tariff_id: str | None = None  # what its drivers pay, unless their token says otherwise


class Grant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some CPOs or eMSPs × modules × directions. `cpos`/`emsps`: ("*",) = all of the network's, now and later."""

    modules: dict[str, tuple[str, ...]]
    cpos: tuple[str, ...] = ()
    emsps: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one module of a subscription is pushed to. `token` is sealed under the instance key.

    `dialect`: "platform", or "ocpi-2.1.1" (strict OCPI objects and verbs).
    """

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
    invites: bool = False  # TOKEN_A of a handshake: good for versions, details and credentials only, dead once it is used


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a handshake, for people to read."""

    at: datetime
    what: str  # "GET versions", "POST credentials", "credentials answered" …
    ok: bool
    detail: str = ""


class Roaming(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The OCPI half of a subscription that is a roaming connection: one party of ours, one of theirs (OCPI 2.1.1).

    `state`: invited (they have our TOKEN_A) · asked (we have theirs) · connected · unregistered (DELETE credentials).
    """

    role: str  # ours: CPO | EMSP
    party: str  # ours
    state: str = "invited"
    modules: tuple[str, ...] = ()  # of ROAMED, those that this connection is about; () = all
    bundle: str = ""  # connections that were made in one step carry the same name
    token_encoding: str = "raw"  # noqa: S105  (how we write our token to them: raw | base64)
    versions_url: str = ""  # theirs
    version: str = ""
    partner: str = ""  # their party, as their credentials say; "" before
    expected: str = ""  # the party that they must turn out to be; "" = any
    business: BusinessDetails | None = None
    endpoints: dict[str, str] = {}  # theirs, by module
    token: str = ""  # what we say to them: sealed
    steps: tuple[Step, ...] = ()  # of the last handshake
    ready_at: datetime | None = None  # a partner that registers knows our answer a moment later: nothing goes to it before
    pull_every_s: int = 6 * 3600  # how often we ask for their lists; 0 = never

    def about(self, module: str) -> bool:
        """Whether the connection is about a module."""
        return not self.modules or module in self.modules


class Subscription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API connection: a platform subscription, or with `roaming` one made by an OCPI handshake.

    Journal kind `subscription`, owner "" and key `id`. Its tokens are found by the further name (`subscription-token`, hash).
    A roaming connection has no grants: what may be seen follows from its role and its two parties. It is `live` once it is
    connected, and its endpoints are those that the partner named.
    """

    id: str
    name: str
    network_id: str
    grants: tuple[Grant, ...] = ()
    endpoints: dict[str, Endpoint] = {}  # by module
    profile: str = "compatible"  # compatible | extended
    state: str = "live"  # requested | scoped | acceptance | validated | production | live | suspended | ended
    tokens: tuple[IssuedToken, ...] = ()
    roaming: Roaming | None = None
