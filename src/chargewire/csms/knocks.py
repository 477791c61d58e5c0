"""Stations that nobody knows: they are refused, and shown to the operator; or parked, if that is switched on."""

from datetime import datetime
from time import monotonic

import msgspec
from msgspec import Struct

from chargewire.charging.facts import (
    Beat,
    Begun,
    Booted,
    Noted,
    Now,
    Reply,
    SessionEnded,
    SessionStarted,
    TokenShown,
    Verdict,
    Welcome,
)
from chargewire.charging.location import Boot
from chargewire.charging.token import Allowed
from chargewire.csms.ids import new_transaction_id
from chargewire.csms.port import Clock, Heard
from chargewire.journal.memory import Journal, LostRace, NewMessage, Ref, Unit, Write
from chargewire.log import event

WRITE_EVERY_S = 60.0
MOST = 1000  # identities remembered between two writes: a scan of the address space fills no memory
MOST_NEW = 200  # new identities that are written down in a minute; the others are refused as well, and forgotten
PARKED_INTERVAL_S = 30  # when a parked station may ask again whether it is known by now


class Knock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unknown identity at the door. Journal kind `parked`, owner "" and key `station_id`."""

    station_id: str
    first_at: datetime
    last_at: datetime
    times: int = 1
    parked: bool = False  # accepted meanwhile; its messages are kept, it makes no sessions
    boot: Boot | None = None


_knock = msgspec.json.Decoder(Knock)


class Knocks:
    """Keeps who knocked, at most one write a minute for each."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._counted: dict[str, tuple[float, int]] = {}  # identity → last write, knocks since
        self._minute = (monotonic(), 0)  # when it began, new names since

    async def note(self, station_id: str, *, parked: bool, boot: Boot | None = None) -> None:
        """Remember a knock."""
        written_at, times = self._counted.get(station_id, (-WRITE_EVERY_S, 0))
        if boot is None and monotonic() - written_at < WRITE_EVERY_S:
            self._counted[station_id] = (written_at, times + 1)
            return
        if station_id not in self._counted and not self._has_room():
            return
        if len(self._counted) >= MOST:
            del self._counted[next(iter(self._counted))]
        self._counted[station_id] = (monotonic(), 0)
        await self._write(station_id, times + 1, parked, boot)
        event("station.unknown", station_id=station_id, parked=parked)

    def _has_room(self) -> bool:
        """Whether one more name may be written down this minute: somebody who makes names up fills neither disk nor log."""
        now = monotonic()
        if now - self._minute[0] >= WRITE_EVERY_S:
            self._minute = (now, 0)
        self._minute = (self._minute[0], self._minute[1] + 1)
        return self._minute[1] <= MOST_NEW

    async def _write(self, station_id: str, times: int, parked: bool, boot: Boot | None) -> None:
        ref, now = Ref("parked", "", station_id), self._clock()
        stored = await self._journal.get(ref)
        old = _knock.decode(stored.body) if stored else Knock(station_id=station_id, first_at=now, last_at=now, times=0)
        knock = msgspec.structs.replace(old, last_at=now, times=old.times + times, parked=parked, boot=boot or old.boot)
        write = Write(ref=ref, content=knock, expect=stored.version if stored else 0, what="knock")
        try:
            await self._journal.append(Unit(place="parked", writes=[write]))
        except LostRace:
            self._counted.pop(station_id, None)  # the next knock counts


class ParkedLink:
    """The conversation with a parked station (implements `port.StationLink`): everything is kept, nothing follows."""

    def __init__(self, journal: Journal, knocks: Knocks, station_id: str, clock: Clock) -> None:
        self._journal = journal
        self._knocks = knocks
        self.station_id = station_id
        self._clock = clock

    async def hear(self, heard: Heard) -> bytes:
        """An answer that neither denies a message nor accepts a driver."""
        if isinstance(heard.fact, Booted):
            await self._knocks.note(self.station_id, parked=True, boot=heard.fact.boot)
        answer = heard.answer(self._reply(heard))
        message = NewMessage(
            owner="",
            station=self.station_id,
            location="",
            evse="",
            direction="in",
            action=heard.action,
            message_id=heard.message_id,
            call=heard.call,
            answer=answer,
        )
        await self._journal.append(Unit(place="parked", messages=[message]))
        return answer

    async def close(self, reason: str) -> None:
        """The socket is gone."""

    def _reply(self, heard: Heard) -> Reply:
        match heard.fact:
            case Booted():
                return Welcome(accepted=False, now=self._clock(), interval_s=PARKED_INTERVAL_S)
            case Beat():
                return Now(self._clock())
            case TokenShown():
                return Verdict(Allowed.INVALID)
            case SessionStarted():
                return Begun(new_transaction_id(), Allowed.INVALID)
            case SessionEnded():
                return Verdict(None)
            case _:
                return Noted()
