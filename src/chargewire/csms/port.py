"""What the gateway and the API may ask of the CSMS. `desk.Csms` implements it."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from chargewire.charging.commands import Answer, Command, Order
from chargewire.charging.facts import Fact, Reply
from chargewire.charging.token import Allowed, Token, TokenRef


class Admission(Struct, frozen=True, kw_only=True):
    """What is known of a WebSocket identity before it is let in.

    `known`: some location has it. `parked`: unknown but accepted by option, to be shown to the operator; its messages are
    kept, its sessions are not made. `password_hash`: None if the station has no password.
    """

    station_id: str  # as it was registered, whatever case the URL had
    known: bool
    parked: bool = False
    password_hash: str | None = None
    location_id: str = ""
    connector_numbers: tuple[int, ...] = ()


class Heard(Struct, frozen=True, kw_only=True):
    """One call of a station: what it means, and how to answer it on the wire."""

    fact: Fact
    action: str
    message_id: str
    call: bytes  # the JSON payload as it came, secrets masked: it is kept as a message
    answer: Callable[[Reply], bytes]  # JSON payload of the answer; called before the commit, which holds it
    flags: tuple[str, ...] = ()  # what was wrong with it and was let pass ("value-as-number" …)


class StationLink(Protocol):
    """One station as the CSMS knows it while its socket is open. Calls are awaited one after the other, in order."""

    async def hear(self, heard: Heard) -> bytes:
        """The answer's JSON payload, once everything that the call changes is durable. Raises MemoryUnavailable."""

    async def close(self, reason: str) -> None:
        """The socket is gone."""


class StationDesk(Protocol):
    """The CSMS as the gateway sees it."""

    async def admit(self, identity: str) -> Admission | None:
        """None: unknown, and unknown ones are refused (which is noted for the operator)."""

    async def connect(self, admission: Admission, protocol: str, address: str) -> StationLink:
        """The station's socket is open. A later `connect` of the same station makes earlier links dead."""

    async def next_orders(self, station_ids: Callable[[str], bool]) -> list[Order]:
        """Waits for orders, and gives those for the stations that are connected here."""

    async def settle(
        self,
        order: Order,
        *,
        action: str,
        message_id: str,
        call: bytes,
        answer: bytes,
        result: Answer | None,
        error: str,
    ) -> None:
        """Keep what came of an order: the station's answer, or why there is none (`timeout`, `offline`, or other words)."""


class Authority(Protocol):
    """Asks a token's eMSP, in real time, whether the driver may charge (OCPI 2.1.1 mod_tokens, authorize)."""

    async def ask(self, cpo: str, emsp: str, token: Token, place: tuple[str, str] | None) -> Allowed | None:
        """The eMSP's word; None if it has no real-time answer to give (not connected, unreachable, or too late).

        `place`: location id and EVSE uid, if they are known.
        """


class PartnersOrder(Struct, frozen=True, kw_only=True):
    """What is different about a command that a roaming partner asks for (`charging.commands.Order`)."""

    connection_id: str
    reply_to: str
    token: TokenRef | None = None


class CommandDesk(Protocol):
    """The CSMS as the API sees it."""

    async def order(
        self, station_id: str, command: Command, *, asked_by: str, timeout_s: float = 30, partner: PartnersOrder | None = None
    ) -> Order:
        """Ask a station to do something; returns at once. Raises UnknownStation, StationOffline."""

    async def order_state(self, order_id: str) -> Order:
        """What became of an order."""


Clock = Callable[[], datetime]
