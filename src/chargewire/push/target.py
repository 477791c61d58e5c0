"""One endpoint as the dispatcher runs it: its rules, its gate, its lanes, and how a request to it is written."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

import chargewire
from chargewire.outgoing.http import Origin
from chargewire.push.gate import Gate
from chargewire.push.lane import Lane
from chargewire.push.ocpi import OcpiCdrRules, OcpiPlaceRules, OcpiSessionRules, TariffRules, TokenRules
from chargewire.push.places import PlaceRules
from chargewire.push.records import CdrRules, ExtendedCdrRules, NotificationRules
from chargewire.push.rules import SECOND, Pacing, Rules, Send
from chargewire.push.sessions import SessionRules
from chargewire.sharing.subscription import Endpoint, Subscription

RULES: Mapping[tuple[str, str], Rules] = {
    ("platform", "sessions"): SessionRules(),
    ("platform", "locations"): PlaceRules(),
    ("platform", "cdrs"): CdrRules(),
    ("platform", "notifications"): NotificationRules(),
    ("ocpi-2.1.1", "sessions"): OcpiSessionRules(),
    ("ocpi-2.1.1", "locations"): OcpiPlaceRules(),
    ("ocpi-2.1.1", "cdrs"): OcpiCdrRules(),
    ("ocpi-2.1.1", "tariffs"): TariffRules(),
    ("ocpi-2.1.1", "tokens"): TokenRules(),
}
"""By the endpoint's dialect and its module."""
EXTENDED: Mapping[tuple[str, str], Rules] = {("platform", "cdrs"): ExtendedCdrRules()}
"""Those that differ for a subscription with the extended profile."""
RECEIVING = ("live", "acceptance", "validated", "production")  # states of a subscription that is sent its data


class EndpointStatus(Struct, frozen=True, kw_only=True):
    """How far one endpoint has been told.

    `lag_changes`: changes that the cursor has not passed. `lag_s`: age of the oldest that is neither told nor held back.
    `waiting`: objects that are told later, `refused` of them because the receiver said no; `parked`: not before they change.
    """

    endpoint: str
    subscription_id: str
    module: str
    url: str
    state: str  # ok | trying | paused | gone | elsewhere (another process tells it)
    lag_changes: int
    lag_s: float
    in_flight: int
    waiting: int
    parked: int
    delivered: int
    failed: int
    last_error: str
    last_error_at: int  # µs since 1970, 0 = never
    failures_in_a_row: int


class Target:
    """Named `{subscription}/{module}`."""

    def __init__(self, subscription_id: str, module: str, dialect: str, window: int) -> None:
        self.id = f"{subscription_id}/{module}"
        self.subscription_id = subscription_id
        self.module = module
        self.dialect = dialect
        self.rules = RULES[dialect, module]
        self.gate = Gate(window)
        self.lanes: dict[int, Lane] = {}  # those that are ours, by partition
        self.epochs: dict[int, int] = {}  # under which epoch of its shard each of them was opened
        self.cursors: dict[int, int] = {}  # where those of others stood when we looked
        self.url = ""
        self.origin = Origin(False, "", 0)
        self.pacing = Pacing()
        self.delivered = 0
        self.failed = 0
        self.alive = True
        self._configured: tuple[str, str] = ("", "")
        self._path = ""
        self._head = ""

    def configure(self, subscription: Subscription, endpoint: Endpoint, token: str) -> None:
        """Take over what was decided about the endpoint; from the next request on it counts."""
        self.gate.paused = endpoint.paused or subscription.state not in RECEIVING
        self.pacing = Pacing(endpoint.min_patch_s * SECOND, endpoint.full_patch_s * SECOND)
        about = self.dialect, self.module
        self.rules = EXTENDED.get(about, RULES[about]) if subscription.profile == "extended" else RULES[about]
        for lane in self.lanes.values():
            lane.pacing, lane.rules = self.pacing, self.rules
        if self._configured == (endpoint.url, token):
            return
        if self._configured[0]:
            self.gate.reset()
        if subscription.roaming is not None and subscription.roaming.ready_at is not None:
            self.gate.hold(int(subscription.roaming.ready_at.timestamp() * SECOND))
        self._configured = (endpoint.url, token)
        self.url = endpoint.url
        parts = urlsplit(endpoint.url)
        tls = parts.scheme == "https"
        host = parts.hostname or ""
        self.origin = Origin(tls, host, parts.port or (443 if tls else 80))
        self._path = parts.path
        self._head = (
            f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
            f"Authorization: Token {token}\r\n"
            "Content-Type: application/json\r\n"
            "Accept: application/json\r\n"
            f"User-Agent: chargewire/{chargewire.__version__}\r\n"
        )

    def wire(self, send: Send, request_id: str) -> bytes:
        """The request as it goes out."""
        head = (
            f"{send.method} {self._target(send.path)} HTTP/1.1\r\n{self._head}"
            f"X-Request-ID: {request_id}\r\n{self.signed(send)}Content-Length: {len(send.body)}\r\n\r\n"
        )
        return head.encode("ascii") + send.body

    def _target(self, path: str) -> str:
        """What is posted goes to the endpoint's path as it was given: with a slash at its end it may be another one."""
        return self._path.rstrip("/") + path if path else self._path or "/"

    def signed(self, send: Send) -> str:
        """Header lines that prove where the request comes from; none as long as endpoints have no signing key."""
        return ""

    def stop(self) -> None:
        """It is no more, or no more ours: what still comes of it counts for nothing."""
        self.alive = False
        self.lanes.clear()

    def status(self, positions: Mapping[int, int], now: int) -> EndpointStatus:
        """`positions` are the partitions' newest changes."""
        gate, lanes = self.gate, self.lanes.values()
        cursors = self.cursors | {part: lane.cursor for part, lane in self.lanes.items()}
        oldest = min((stamp for lane in lanes if (stamp := lane.oldest())), default=now)
        return EndpointStatus(
            endpoint=self.id,
            subscription_id=self.subscription_id,
            module=self.module,
            url=self.url,
            state=self._state(),
            lag_changes=sum(max(positions.get(part, 0) - cursor, 0) for part, cursor in cursors.items()),
            lag_s=round(max(now - oldest, 0) / SECOND, 3),
            in_flight=gate.in_flight,
            waiting=sum(lane.waiting for lane in lanes),
            parked=sum(lane.parked for lane in lanes),
            delivered=self.delivered,
            failed=self.failed,
            last_error=gate.last_error,
            last_error_at=gate.last_error_at,
            failures_in_a_row=gate.failures,
        )

    def _state(self) -> str:
        if self.gate.paused:
            return "paused"
        if self.gate.stopped:
            return "gone"
        if not self.lanes:
            return "elsewhere"
        return "trying" if self.gate.failures else "ok"
