"""A virtual OCPP 1.6-J station: connects, boots, tells what its charger does and does what it is told (OCPP 1.6 §4, §5)."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.charging.facts import (
    Fact,
    Reply,
    StatusReported,
    TokenShown,
    Verdict,
)
from chargewire.charging.location import Boot
from chargewire.charging.token import Allowed
from chargewire.protocols.ocpp.dialect import UnknownAction
from chargewire.protocols.ocpp.rpc import Call, Failure, MessageId, Result, answered, refused
from chargewire.protocols.ocpp.v16.station import read_asked, read_reply, write_answer, write_call
from chargewire.simulator.charger import Charger
from chargewire.simulator.configuration import Configuration
from chargewire.simulator.habits import Habits
from chargewire.simulator.known import KnownTokens
from chargewire.simulator.life import live
from chargewire.simulator.link import Address, Link, NoAnswer, Offline, Refused
from chargewire.simulator.obey import obey
from chargewire.simulator.outbox import Outbox
from chargewire.simulator.outlet import Outlet, ac

STEP_S = 1.0
BACK_OFF_S = 1.0
SOFT_RESET_S = 10.0  # for the outbox to become empty
BOOT = Boot(vendor="Chargewire", model="Virtual 1.6", serial_number=None, firmware_version="1.0")

Say = Callable[[str, str], None]


class Plan(Struct, frozen=True, kw_only=True):
    """What a station is. `speed`: physics runs so many times faster than the clock; all that is told carries real time."""

    outlets: Sequence[Outlet] = (ac(11_040),)
    speed: float = 1.0
    settings: dict[str, str] = {}  # configuration keys that differ from the defaults
    habits: tuple[str, ...] = ()
    boot: Boot = BOOT
    outbox: Path | None = None
    registers_wh: tuple[int, ...] = ()
    back_off_s: float = BACK_OFF_S
    answer_s: float = 30.0
    step_s: float = STEP_S


class Station:
    """One station. `run` is its life; the rest may be called while it lives, by drivers and scripts."""

    def __init__(
        self,
        address: Address,
        plan: Plan,
        *,
        say: Say = lambda station_id, text: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.id = address.station_id
        self.plan = plan
        self.habits = Habits(plan.habits)
        self.configuration = Configuration(NumberOfConnectors=str(len(plan.outlets)), **plan.settings)
        self.outbox = Outbox(plan.outbox)
        self.charger = Charger(
            plan.outlets,
            self.outbox,
            self.configuration,
            now=now,
            report=self._report,
            say=self.say,
            speed=plan.speed,
            forgetful="register-reset" in self.habits,
            registers_wh=plan.registers_wh,
        )
        self.link = Link(address, self, plan.answer_s)
        self.ready = asyncio.Event()  # connected and accepted
        self.known_tokens = KnownTokens(self.configuration)
        self.on_remote_start: Callable[[int], None] | None = None  # a driver who asked by app comes to the connector
        self._say = say
        self.booted = False
        self.stay_away_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, text: str) -> None:
        """Tell whoever watches."""
        self._say(self.id, text)

    async def run(self) -> None:
        """Live until cancelled: connect again and again, deliver what waits, let time pass."""
        try:
            await live(self)
        finally:
            for task in self._tasks:
                task.cancel()
            self.link.close()
            self.outbox.close()

    async def authorize(self, token_uid: str) -> bool:
        """Ask whether a token may charge; without connection what is known of it counts (OCPP 1.6 §4.1)."""
        if self.configuration.flag("LocalPreAuthorize") and self._known(token_uid) is Allowed.ACCEPTED:
            return True
        try:
            reply = await self.tell(TokenShown(token_uid))
        except (Offline, NoAnswer, Refused):
            return self._may_offline(token_uid)
        allowed = reply.allowed if isinstance(reply, Verdict) and reply.allowed else Allowed.INVALID
        self.known_tokens.remember(token_uid, allowed, reply.group_id if isinstance(reply, Verdict) else None)
        if allowed is not Allowed.ACCEPTED:
            self.say(f"token {token_uid} is refused: {allowed.value}")
        return allowed is Allowed.ACCEPTED

    def _known(self, token_uid: str) -> Allowed | None:
        return self.known_tokens.allowed(token_uid, self.charger.clock())

    def _may_offline(self, token_uid: str) -> bool:
        """List and cache first; a token in neither is let in if AllowOfflineTxForUnknownId says so (§3.5.1, §9.1)."""
        known = self._known(token_uid) if self.configuration.flag("LocalAuthorizeOffline") else None
        allowed = known is Allowed.ACCEPTED or (known is None and self.configuration.flag("AllowOfflineTxForUnknownId"))
        if not allowed:
            self.say(f"token {token_uid} is refused while offline")
        return allowed

    async def present(self, number: int, token_uid: str) -> bool:
        """A driver holds a card before a connector: it starts charging, or ends what this card, or one of its group, began.

        False if the card is refused or there is nothing to start. Without a car the connector waits for one.
        """
        plug = self.charger.plugs[number]
        if plug.transaction and await self._may_end(plug.transaction.token_uid, token_uid):
            self.charger.stop(number, "Local", token_uid)
            return True
        if not plug.free or not await self.authorize(token_uid) or not plug.free:
            return False
        self.begin(number, token_uid)
        return True

    async def _may_end(self, begun_with: str, token_uid: str) -> bool:
        if begun_with.casefold() == token_uid.casefold():
            return True
        await self.authorize(token_uid)  # its group is learnt with the answer (§4.1)
        return self.known_tokens.one_group(begun_with, token_uid)

    def begin(self, number: int, token_uid: str) -> None:
        """Start charging for a token that is good, as soon as there is a car."""
        plug = self.charger.plugs[number]
        if plug.car:
            self.charger.start(number, token_uid)
            return
        plug.awaited = token_uid
        self.charger.show(plug)
        self.later(self._await_car(number, token_uid))

    async def tell(self, fact: Fact) -> Reply:
        """Tell the CSMS one thing and hear its answer. Raises Offline, NoAnswer, Refused."""
        reply: Reply | None = None
        for told in self.habits.told(fact):
            action, payload = write_call(told)
            answer = await self.link.ask(action, self.habits.written(action, payload))
            reply = read_reply(action, answer) if reply is None else reply
        assert reply is not None
        return reply

    async def reset(self, hard: bool) -> None:
        """Start anew (§5.14): running transactions end, and what was not delivered is kept."""
        for number in self.charger.plugs:
            self.charger.stop(number, "HardReset" if hard else "SoftReset")
        if not hard:
            with suppress(TimeoutError):
                async with asyncio.timeout(SOFT_RESET_S):
                    await self.outbox.emptied()
        self.booted = False
        self.say("resets")
        self.link.close()

    def disconnect(self, stay_away_s: float = 0.0) -> None:
        """Lose the connection and do not come back for a while."""
        self.stay_away_s = stay_away_s
        self.link.cut()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something while life goes on."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # what the link asks of its owner

    def called(self, call: Call) -> None:
        """Answer a call of the CSMS, then do what it wants."""
        if "deaf" in self.habits:
            return
        try:
            asked = read_asked(call)
        except UnknownAction:
            self.link.send(refused(call, "NotImplemented", f"no {call.action} here"))
            return
        except msgspec.MsgspecError as error:
            self.link.send(refused(call, "FormationViolation", str(error)))
            return
        answer, work = obey(self, asked)
        self.say(f"told to {call.action}: {answer.status or 'answered'}")
        self.link.send(answered(call, write_answer(answer)))
        if work:
            self.later(work)

    def hung_up(self) -> None:
        self.ready.clear()

    def loses(self, answer: Result | Failure) -> bool:
        return self.habits.loses_answer()

    def message_id(self, text: str) -> MessageId:
        return self.habits.message_id(text)

    async def _await_car(self, number: int, token_uid: str) -> None:
        """Start when a car comes in time; else forget the token (ConnectionTimeOut, §9.1.6)."""
        plug = self.charger.plugs[number]
        deadline = asyncio.get_running_loop().time() + self.configuration.number("ConnectionTimeOut")
        while plug.awaited == token_uid and asyncio.get_running_loop().time() < deadline:
            if plug.car and plug.free:
                self.charger.start(number, token_uid)
                return
            await asyncio.sleep(0.1)
        if plug.awaited == token_uid:
            plug.awaited = None
            self.charger.show(plug)

    def _report(self, fact: StatusReported) -> None:
        if self.ready.is_set():
            self.later(self.tell_if_possible(fact))

    async def tell_if_possible(self, fact: Fact) -> None:
        """Tell what is worth telling only now."""
        try:
            await self.tell(fact)
        except (Offline, NoAnswer, Refused) as error:
            self.say(f"not told: {type(fact).__name__} ({error})")
