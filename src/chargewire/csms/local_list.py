"""The local authorization lists of stations: what each has is remembered, and it is told what has changed.

A list follows what is known of tokens: whatever changes who may charge marks stations; a marked one waits a moment (what comes
in a row is one change), then for its turn. What a station could not take is tried again ever later; one that keeps no list is
left alone until it boots anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic

import msgspec
from msgspec import Struct

from chargewire.charging.commands import Command, ForgetTokens, GetLocalListVersion, ListedToken, Order, ReadConfiguration
from chargewire.charging.errors import ChargingError, StationOffline, Unknown
from chargewire.charging.local_list import applied, difference, messages, wanted_list
from chargewire.charging.location import Location, Station
from chargewire.charging.token import Token
from chargewire.csms.directory import Directory
from chargewire.csms.list_limits import KEYS, NO_WORD, Met, met_as
from chargewire.csms.port import Clock
from chargewire.journal.memory import Journal, JournalError, ListQuery, Ref, Unit, Write
from chargewire.log import event, trouble

AT_ONCE = 8  # stations that are told at the same time
MANY = 1000  # tokens: more are looked through beside the loop
SETTLE_S = 2.0
RETRY_S = 60.0
RETRY_MOST_S = 3600.0
FORGET_EVERY_S = 60.0
replace = msgspec.structs.replace
_station = msgspec.json.Decoder(Station)
_location = msgspec.json.Decoder(Location)
_token = msgspec.json.Decoder(Token)


class StationList(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a station's list is. Journal kind `locallist`, owner = the CPO, key = the station id.

    `state`: sent · sending (until it answers nobody knows what it has) · failed (tried again later) · unsupported (until it
    boots anew). `version` is the highest that it was ever sent: versions only rise.
    """

    version: int = 0
    state: str = ""
    why: str = ""
    listed: dict[str, ListedToken] = {}
    left_out: int = 0  # tokens that the station has no room for, or that are too long for an idTag


_list = msgspec.json.Decoder(StationList)
Ask = Callable[[str, Command], Awaitable[Order]]
"""Tell a station something and wait for what comes of it. Raises ChargingError."""


class LocalLists:
    """`arrived`, `booted`, `left`, `changed` and `token_changed` are told what happens; the rest it does by itself."""

    def __init__(self, journal: Journal, directory: Directory, ask: Ask, clock: Clock, settle_s: float = SETTLE_S) -> None:
        self._journal = journal
        self._directory = directory
        self._ask = ask
        self._clock = clock
        self._settle_s = settle_s
        self._here: dict[str, str] = {}  # connected stations → their CPO, "" until it is known
        self._met: dict[str, Met] = {}  # what they have said since they are connected
        self._booted: set[str] = set()
        self._due: set[str] = set()
        self._forget: set[str] = set()
        self._forgot_at: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tokens: dict[str, list[Token]] = {}  # by CPO, until something changes
        self._changes = 0
        directory.on_change(lambda ref: self.changed())

    def arrived(self, station_id: str) -> None:
        """A station is connected."""
        self.left(station_id)
        self._here[station_id] = ""
        self._mark([station_id])

    def booted(self, station_id: str) -> None:
        """A station has started anew: it may keep a list by now, or have lost the one that it had."""
        self._booted.add(station_id)
        self._met.pop(station_id, None)
        self._mark([station_id])

    def left(self, station_id: str) -> None:
        """A station is gone."""
        self._here.pop(station_id, None)
        self._met.pop(station_id, None)
        self._due.discard(station_id)
        if task := self._tasks.pop(station_id, None):
            task.cancel()

    def changed(self, station_ids: Iterable[str] | None = None) -> None:
        """Who may charge has changed: at some stations, or (None) anywhere."""
        if station_ids is None:
            self._tokens.clear()
            self._changes += 1
        self._mark(self._here if station_ids is None else station_ids)

    def token_changed(self, emsp: str, *, good: bool) -> None:
        """A token of an eMSP was written. One that is no good (any more) is not to be let in from a station's cache either."""
        cpos = {"", *(cpo.party for cpo in self._directory.cpos() if emsp in self._directory.accepted_emsps(cpo.party))}
        for cpo in cpos:
            self._tokens.pop(cpo, None)
        self._changes += 1
        stations = [station_id for station_id, cpo in self._here.items() if cpo in cpos]
        if not good:
            self._forget.update(stations)
        self._mark(stations)

    async def stop(self) -> None:
        """Let go; what was not told is told when the stations are here again."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _mark(self, station_ids: Iterable[str]) -> None:
        for station_id in station_ids:
            if station_id in self._here:
                self._due.add(station_id)
                task = self._tasks.get(station_id)
                if task is None or task.done():
                    self._tasks[station_id] = asyncio.create_task(self._serve(station_id))

    async def _serve(self, station_id: str) -> None:
        """Tell one station as long as there is something to tell."""
        failures = 0
        while station_id in self._due:
            await asyncio.sleep(self._settle_s)
            self._due.discard(station_id)
            async with self._turn:
                done = await self._told(station_id)
            if done:
                failures = 0
                continue
            self._met.pop(station_id, None)
            await asyncio.sleep(min(RETRY_S * 2**failures, RETRY_MOST_S))
            failures += 1
            self._due.add(station_id)

    async def _told(self, station_id: str) -> bool:
        try:
            await self._forget_tokens(station_id)
            return await self._bring(station_id)
        except (StationOffline, Unknown):
            return True  # it comes again
        except (ChargingError, JournalError) as error:
            trouble("locallist.failed", station_id=station_id, why=error)
        except Exception as error:  # one station's trouble is not the others'
            trouble("locallist.failed", cause=error, station_id=station_id)
        return False

    async def _forget_tokens(self, station_id: str) -> None:
        """Have the station empty its cache, not more often than now and then; if it did not hear, with what comes next."""
        if station_id not in self._forget:
            return
        left_s = self._forgot_at.get(station_id, -FORGET_EVERY_S) + FORGET_EVERY_S - monotonic()
        if left_s > 0:
            asyncio.get_running_loop().call_later(left_s, self._mark, [station_id])
            return
        self._forget.discard(station_id)
        self._forgot_at[station_id] = monotonic()
        heard = False
        try:
            order = await self._ask(station_id, ForgetTokens())
            heard = order.answer is not None or (order.error or "").startswith(NO_WORD)
        finally:
            if not heard:
                self._forget.add(station_id)

    async def _bring(self, station_id: str) -> bool:
        """Bring a station's list up to date; False if it did not get there."""
        stored = await self._journal.find("station", station_id.lower())
        if stored is None:
            return True
        station, owner = _station.decode(stored.body), stored.ref.owner
        self._here[station_id] = owner
        cpo = self._directory.cpo(owner)
        keeping = _Keeping(self._journal, Ref("locallist", owner, station.id), station.location_id)
        known = await keeping.read()
        on = cpo is not None and cpo.local_list
        if not on and not known.listed and known.state not in ("sending", "failed"):  # what it may have is taken back
            return True
        if known.state == "unsupported" and station_id not in self._booted:
            return True
        met = self._met.get(station_id) or met_as(
            await self._ask(station_id, ReadConfiguration(keys=KEYS)), await self._ask(station_id, GetLocalListVersion())
        )
        self._booted.discard(station_id)
        if isinstance(met, str):
            await keeping.write(replace(known, state="unsupported", why=met, listed={}, left_out=0))
            return True
        self._met[station_id] = met
        return await self._send(station, keeping, met, await self._tokens_of(owner) if on else [])

    async def _send(self, station: Station, keeping: "_Keeping", met: Met, tokens: Sequence[Token]) -> bool:
        known = keeping.known
        place = await self._journal.get(Ref("location", keeping.ref.owner, station.location_id))
        location = _location.decode(place.body) if place else None
        given = (tokens, location, met.limits, known.listed, self._clock())
        wanted = await asyncio.to_thread(wanted_list, *given) if len(tokens) > MANY else wanted_list(*given)
        full = known.state != "sent" or met.version != known.version
        changes = tuple(wanted.listed.values()) if full else difference(known.listed, wanted.listed)
        sends = messages(changes, max(known.version, met.version, 0) + 1, met.limits.chunk, full=full)
        if not sends:
            await keeping.write(replace(known, left_out=wanted.left_out))
            return True
        last, listed = sends[-1].version, dict(known.listed)
        await keeping.write(replace(known, state="sending", why="", version=last, left_out=wanted.left_out))
        for message in sends:
            order = await self._ask(station.id, message)
            status = order.answer.status if order.answer else order.error or order.state
            if status != "Accepted":
                unsupported = status.startswith(NO_WORD)
                state = "unsupported" if unsupported else "failed"
                await keeping.write(replace(keeping.known, state=state, why=status))
                event("locallist.refused", station_id=station.id, version=message.version, why=status)
                return unsupported
            listed = applied(listed, message)
        await keeping.write(replace(keeping.known, state="sent", listed=listed))
        self._met[station.id] = Met(met.limits, last)
        event("locallist.sent", station_id=station.id, version=last, full=full, tokens=len(listed))
        return True

    async def _tokens_of(self, cpo: str) -> list[Token]:
        """The tokens that a CPO accepts; of those with the same uid the one that would be asked (`registry.find_token`)."""
        if cpo in self._tokens:
            return self._tokens[cpo]
        changes = self._changes
        tokens: dict[str, Token] = {}
        for emsp in self._directory.asked_in_turn(cpo):
            query = ListQuery(kind="token", owners=(emsp,), limit=1000)
            while True:
                page = await self._journal.walk(query)
                for stored in page.rows:
                    token = _token.decode(stored.body)
                    before = tokens.get(token.uid.casefold())
                    if before is None or (token.valid and not before.valid):
                        tokens[token.uid.casefold()] = token
                if page.next is None:
                    break
                query = replace(query, after=tuple(page.next))
        if self._changes == changes:  # nobody wrote one while we read
            self._tokens[cpo] = list(tokens.values())
        return list(tokens.values())


class _Keeping:
    """The remembered list of one station."""

    def __init__(self, journal: Journal, ref: Ref, place: str) -> None:
        self._journal = journal
        self.ref = ref
        self._place = place
        self._version = 0
        self.known = StationList()

    async def read(self) -> StationList:
        stored = (await self._journal.get_many([self.ref])).get(self.ref)
        if stored is not None:
            self._version = stored.version
            self.known = StationList() if stored.deleted else _list.decode(stored.body)
        return self.known

    async def write(self, now: StationList) -> None:
        """Keep it, unless it is what is kept already. Raises LostRace."""
        if now != self.known:
            write = Write(ref=self.ref, content=now, expect=self._version, what="list", state=now.state)
            self._version = (await self._journal.append(Unit(place=self._place, writes=[write]))).versions[0]
            self.known = now
