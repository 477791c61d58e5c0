"""One station's conversation: each call in its turn, decided on what is held of the station, answered once it is durable."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic

import msgspec

from chargewire.charging.clock import sensible
from chargewire.charging.errors import MemoryUnavailable
from chargewire.charging.facts import (
    Beat,
    Booted,
    Metered,
    Noted,
    Now,
    Reply,
    SessionEnded,
    SessionStarted,
    StatusReported,
    TokenShown,
    Welcome,
)
from chargewire.charging.location import ConnectorState
from chargewire.charging.notification import StationNotification
from chargewire.csms import sessions
from chargewire.csms.draft import Draft
from chargewire.csms.holding import Holding, load_holding
from chargewire.csms.ids import new_id
from chargewire.csms.port import Clock, Heard
from chargewire.csms.sessions import Desk
from chargewire.journal.memory import Journal, LostRace, NameTaken, NewMessage, Ref, Write
from chargewire.log import event, trouble

ATTEMPTS = 8  # decisions of one call before giving up; each needs somebody else to have written in between
replace = msgspec.structs.replace


class Link:
    """A connected station (implements `port.StationLink`). Whatever goes wrong, what is held is dropped and read again."""

    def __init__(self, journal: Journal, desk: Desk, station_id: str, clock: Clock, interval_s: int) -> None:
        self._journal = journal
        self._desk = desk
        self.station_id = station_id
        self._clock = clock
        self._interval_s = interval_s
        self._held: Holding | None = None
        self._turn = asyncio.Lock()
        self.heard_at = monotonic()
        self.connected_at: float | None = None  # until it was asked what it did not tell
        self.on_boot: Callable[[str], None] | None = None  # station
        self.on_start: Callable[[str, int, str, str], None] | None = None  # station, connector, token, session

    async def hear(self, heard: Heard) -> bytes:
        """The answer's payload, after the commit that holds the call and all that follows from it."""
        self.heard_at = monotonic()
        async with self._turn:
            return await self._deciding(lambda held: self._exchange(held, heard))

    def untold(self) -> list[int]:
        """The connectors whose state is not known."""
        held = self._held
        return [number for number in held.evse_of if number not in held.station.connectors] if held else []

    async def write_due(self) -> None:
        """Write what has been heard of running sessions and was not written yet, unless the station is just speaking."""
        held = self._held
        if held is None or self._turn.locked() or not any(run.due() for run in held.by_transaction.values()):
            return
        async with self._turn:
            with suppress(MemoryUnavailable):
                await self._deciding(self._write_sessions)

    async def change(self, make: Callable[[Holding, Draft, Desk], None]) -> None:
        """Change what is known of the station for a reason that no message gave."""

        async def decide(held: Holding) -> bytes:
            draft = Draft(held.place)
            held.mend(draft)
            make(held, draft, self._desk)
            await draft.commit(self._journal)
            return b""

        async with self._turn:
            await self._deciding(decide)

    async def reread(self) -> None:
        """Somebody has written the station anew: the next thing that it says is decided on what it is by then."""
        async with self._turn:
            if self._held is not None and any(run.dirty for run in self._held.by_transaction.values()):
                with suppress(MemoryUnavailable):
                    await self._deciding(self._write_sessions)
            self._held = None

    async def close(self, reason: str) -> None:
        """The socket is gone; what had been heard is written."""
        await self.reread()
        event("station.left", station_id=self.station_id, reason=reason)

    async def _deciding(self, decide: Callable[[Holding], Awaitable[bytes]]) -> bytes:
        for _ in range(ATTEMPTS):
            held, self._held = self._held, None
            if held is None:
                held = await load_holding(self._journal, self.station_id)
            try:
                answer = await decide(held)
            except (LostRace, NameTaken):
                continue
            self._held = held
            return answer
        trouble("station.undecided", station_id=self.station_id)
        raise MemoryUnavailable(f"{ATTEMPTS} decisions for {self.station_id} lost their race")

    async def _exchange(self, held: Holding, heard: Heard) -> bytes:
        draft = Draft(held.place, heard.message_id)
        held.mend(draft)
        heard_at = self._clock()
        reply, flags = await self._decide(held, draft, heard, heard_at)
        answer = heard.answer(reply)
        number = getattr(heard.fact, "connector_number", 0)
        draft.message(
            NewMessage(
                owner=held.owner,
                station=held.station.id,
                location=held.place,
                evse=held.evse_uid(number),
                direction="in",
                action=heard.action,
                message_id=heard.message_id,
                call=heard.call,
                answer=answer,
                level="Warning" if flags or heard.flags else "Info",
            )
        )
        await draft.commit(self._journal)
        if flags:
            event("station.odd", station_id=held.station.id, action=heard.action, flags=",".join([*flags, *heard.flags]))
        if self.on_boot and isinstance(heard.fact, Booted):
            self.on_boot(held.station.id)
        if (
            self.on_start
            and isinstance(heard.fact, SessionStarted)
            and (session_id := held.station.running.get(heard.fact.connector_number))
        ):
            self.on_start(held.station.id, heard.fact.connector_number, heard.fact.token_uid, session_id)
        return answer

    async def _decide(self, held: Holding, draft: Draft, heard: Heard, heard_at: datetime) -> tuple[Reply, list[str]]:
        desk = self._desk
        match heard.fact:
            case Metered() as fact:
                return await sessions.meter(desk, held, draft, fact, heard_at)
            case Beat():
                return Now(heard_at), []
            case StatusReported() as fact:
                return self._take_status(held, draft, fact, heard, heard_at)
            case SessionStarted() as fact:
                return await sessions.begin(desk, held, draft, fact, heard_at)
            case SessionEnded() as fact:
                return await sessions.finish(desk, held, draft, fact, heard_at)
            case TokenShown(token_uid):
                return await sessions.admit(desk, held, token_uid, heard_at)
            case Booted(boot):
                held.become(draft, replace(held.station, boot=boot))
                return Welcome(accepted=True, now=heard_at, interval_s=self._interval_s), []
            case _:
                return Noted(), []

    def _take_status(
        self, held: Holding, draft: Draft, fact: StatusReported, heard: Heard, heard_at: datetime
    ) -> tuple[Noted, list[str]]:
        number = fact.connector_number
        at, flag = sensible(fact.at, heard_at)
        flags = [flag] if flag else []
        if number == 0 or number in held.evse_of:  # a station does not make itself bigger than it was declared
            state = ConnectorState(
                status=fact.status,
                at=at,
                error_code=fact.error_code,
                info=fact.info,
                vendor_id=fact.vendor_id,
                vendor_error_code=fact.vendor_error_code,
            )
            held.become(draft, replace(held.station, connectors=held.station.connectors | {number: state}))
        else:
            flags.append("connector-undeclared")
        notification = StationNotification(
            id=new_id(),
            station_id=held.station.id,
            location_id=held.place,
            evse_uid=held.evse_uid(number),
            action=heard.action,
            message_id=heard.message_id,
            direction="in",
            payload=heard.call.decode(errors="replace"),
            at=heard_at,
            level="Error" if fact.status == "Faulted" else "Info",
        )
        ref = Ref("notification", held.owner, f"{held.station.id}/{notification.id}")
        draft.write(Write(ref=ref, content=notification, expect=0, what="new"))
        return Noted(), flags

    async def _write_sessions(self, held: Holding) -> bytes:
        draft = Draft(held.place)
        for run in held.by_transaction.values():
            if run.dirty:
                draft.write(run.write(run.session(), "progress"), run.written, place=run.place)
        await draft.commit(self._journal)
        return b""


def end_if_removed(held: Holding, draft: Draft, desk: Desk) -> None:
    """Close what runs at a station that was removed: it is not let in any more, so nobody else will."""
    if held.station.removed:
        for run in list(held.by_transaction.values()):
            sessions.close(desk, held, draft, run, run.tally.closed_from_last(), ["station-removed"])
