"""Commands to stations: asked for, carried out by whoever holds the socket, answered, all of it in the journal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Any

import msgspec

from chargewire.charging.commands import Answer, Command, Order, StartCharging, shown
from chargewire.charging.errors import MemoryUnavailable, StationOffline, Unknown
from chargewire.charging.location import Station
from chargewire.charging.token import TokenRef
from chargewire.csms.ids import new_id
from chargewire.csms.port import Clock, PartnersOrder
from chargewire.journal.memory import Journal, ListQuery, LostRace, Name, NewMessage, Ref, Stored, Unit, Write
from chargewire.journal.stamps import to_stamp
from chargewire.log import event

START_TIMEOUT_S = 120.0  # a remote start that was accepted and has begun no session by then has failed (habit 25)
CARRIED_OUT_S = 60.0  # a station that has just come says something first, which may take 20 s
MOST_INVITED = 10_000
replace = msgspec.structs.replace
_order = msgspec.json.Decoder(Order)
_station = msgspec.json.Decoder(Station)


def kept(order: Order) -> Order:
    """An order as the journal keeps it: without secrets."""
    return replace(order, command=shown(order.command))


class Orders:
    """Implements `port.CommandDesk`, and the order half of `port.StationDesk`."""

    def __init__(
        self, journal: Journal, is_connected: Callable[[str], bool], clock: Clock, accepted: Callable[[Order], Awaitable[None]]
    ) -> None:
        """`accepted` is told of every command that a station has accepted, before the order says so."""
        self._journal = journal
        self._is_connected = is_connected
        self._clock = clock
        self._accepted = accepted
        self._queue: asyncio.Queue[Order] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaited: dict[str, asyncio.Future[Order]] = {}
        self._starting: dict[tuple[str, str], tuple[float, Order]] = {}  # (station, token) → deadline, order
        self._invited: dict[tuple[str, str], tuple[float, Order]] = {}  # (station, token) → deadline, whose token is let in
        self.on_settled: Callable[[Order], None] = lambda order: None  # told once of every order of a partner that is over

    async def order(
        self, station_id: str, command: Command, *, asked_by: str, timeout_s: float = 30, partner: PartnersOrder | None = None
    ) -> Order:
        """Ask a station to do something; returns at once. Raises Unknown, StationOffline."""
        stored = await self._journal.find("station", station_id.lower())
        station = _station.decode(stored.body) if stored else None
        if stored is None or station is None or station.removed:
            raise Unknown("station", station_id)
        if not self._is_connected(station.id):
            raise StationOffline(f"station {station.id} is not connected")
        order = Order(
            id=new_id(),
            station_id=station.id,
            command=command,
            asked_by=asked_by,
            expires_at=self._clock() + timedelta(seconds=timeout_s),
            connection_id=partner.connection_id if partner else "",
            reply_to=partner.reply_to if partner else "",
            token=partner.token if partner else None,
        )
        ref = Ref("command", stored.ref.owner, order.id)
        await self._journal.append(
            Unit(
                place=station.location_id,
                writes=[Write(ref=ref, content=kept(order), expect=0, what="asked", state=order.state)],
                names=[Name("command", order.id, ref)],
            )
        )
        self._invite(order, timeout_s)
        self._queue.put_nowait(order)
        event("command.asked", station_id=station.id, command=type(command).__name__, order_id=order.id)
        return kept(order)

    async def carried_out(self, station_id: str, command: Command) -> Order:
        """Have a station do something for us, and wait for what comes of it. Raises Unknown, StationOffline, TimeoutError."""
        order = await self.order(station_id, command, asked_by="chargewire", timeout_s=CARRIED_OUT_S)
        over: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._awaited[order.id] = over
        try:
            async with asyncio.timeout(2 * CARRIED_OUT_S):
                return await over
        finally:
            del self._awaited[order.id]

    def invited(self, station_id: str, token_uid: str) -> TokenRef | None:
        """Whom a partner's command has just started at a station: nobody is asked about it again (2.1.1 mod_commands)."""
        deadline, order = self._invited.get((station_id, token_uid.casefold()), (0.0, None))
        return order.token if order is not None and deadline > monotonic() else None

    async def unanswered(self, owners: tuple[str, ...], since: int) -> list[Order]:
        """Orders of partners that are over, and whose result was not told yet; since a stamp."""
        query = ListQuery(
            kind="command", owners=owners, states=("ANSWERED", "FAILED", "TIMEOUT"), updated_from=since, limit=1000
        )
        return [order async for order in self._listed(query) if order.reply_to and order.replied is None]

    async def replied(self, order_id: str, error: str | None = None) -> None:
        """The partner was told the result; or it was given up, for the reason that `error` says."""
        while True:
            stored = await self._stored(order_id)
            order = replace(_order.decode(stored.body), replied=self._clock(), reply_error=error)
            write = Write(ref=stored.ref, content=order, expect=stored.version, what="replied", state=order.state)
            with suppress(LostRace):
                await self._journal.append(Unit(place="commands", writes=[write]))
                return

    def _invite(self, order: Order, timeout_s: float) -> None:
        if order.token is not None and isinstance(order.command, StartCharging):
            if len(self._invited) > MOST_INVITED:
                now = monotonic()
                self._invited = {key: each for key, each in self._invited.items() if each[0] > now}
            key = (order.station_id, order.command.token_uid.casefold())
            self._invited[key] = (monotonic() + timeout_s + START_TIMEOUT_S, order)

    def _uninvite(self, order: Order) -> None:
        """The station will not start: whoever comes now is asked about as anybody is."""
        if isinstance(order.command, StartCharging):
            key = (order.station_id, order.command.token_uid.casefold())
            if key in self._invited and self._invited[key][1].id == order.id and key not in self._starting:
                del self._invited[key]

    async def order_state(self, order_id: str) -> Order:
        """What became of an order. Raises Unknown."""
        return _order.decode((await self._stored(order_id)).body)

    async def next_orders(self, station_ids: Callable[[str], bool]) -> list[Order]:
        """Waits for orders; those of stations that have left meanwhile have failed."""
        order = await self._queue.get()
        if station_ids(order.station_id):
            return [order]
        try:
            await self._become(replace(order, state="FAILED", error="the station went offline"))
        except MemoryUnavailable:
            self._queue.put_nowait(order)  # its end is told when it can be
            raise
        return []

    async def settle(
        self, order: Order, *, action: str, message_id: str, call: bytes, answer: bytes, result: Answer | None, error: str
    ) -> None:
        """Keep the exchange and what came of it."""
        if result is not None:
            settled = replace(order, state="ANSWERED", answer=result)
        else:
            settled = replace(order, state="TIMEOUT" if error == "timeout" else "FAILED", error=error)
        if result is not None and result.status == "Accepted" and isinstance(order.command, StartCharging):
            key = (order.station_id, order.command.token_uid.casefold())
            self._starting[key] = (monotonic() + START_TIMEOUT_S, settled)
        if result is not None and result.status in ("Accepted", "RebootRequired"):
            await self._accepted(order)
        elif settled.state != "TIMEOUT":  # what is late may come all the same
            self._uninvite(order)
        await self._become(settled, action=action, message_id=message_id, call=call, answer=answer)

    def started(self, station_id: str, _connector: int, token_uid: str, session_id: str) -> None:
        """A session began: if a remote start asked for it, the order learns its id."""
        found = self._starting.pop((station_id, token_uid.casefold()), None)
        if found and found[1].answer:
            answer = replace(found[1].answer, details=found[1].answer.details | {"session_id": session_id})
            self._later(self._become(replace(found[1], answer=answer)))

    async def expire(self) -> None:
        """Tell the remote starts that no session followed."""
        for key, (deadline, order) in list(self._starting.items()):
            if monotonic() > deadline:
                await self._become(replace(order, state="TIMEOUT", error="accepted, but no session followed"))
                self._starting.pop(key, None)

    async def give_up_old(self, owners: tuple[str, ...]) -> None:
        """After a start: what was under way when the process ended will not be answered any more."""
        query = ListQuery(kind="command", owners=owners, states=("PENDING", "ANSWERED", "TIMEOUT"), limit=1000)
        since = to_stamp(self._clock() - timedelta(seconds=START_TIMEOUT_S))
        async for order in self._listed(replace(query, updated_from=since)):
            if order.answer is None or order.answer.status == "Accepted":
                self._invite(order, 0)  # the station may still begin what it was asked to
        for order in [order async for order in self._listed(replace(query, states=("PENDING",)))]:
            await self._become(replace(order, state="TIMEOUT", error="the platform was restarted"))

    async def _listed(self, query: ListQuery) -> AsyncIterator[Order]:
        while query.owners:
            page = await self._journal.walk(query)
            for stored in page.rows:
                yield _order.decode(stored.body)
            if page.next is None:
                return
            query = replace(query, after=tuple(page.next))

    async def _become(
        self, order: Order, *, action: str = "", message_id: str = "", call: bytes = b"", answer: bytes = b""
    ) -> None:
        while True:
            stored = await self._stored(order.id)
            before = _order.decode(stored.body)
            order = replace(order, replied=before.replied, reply_error=before.reply_error)
            station = await self._journal.find("station", order.station_id.lower())
            place = _station.decode(station.body).location_id if station else ""
            message = NewMessage(
                owner=stored.ref.owner,
                station=order.station_id,
                location=place,
                evse="",
                direction="out",
                action=action,
                message_id=message_id,
                call=call,
                answer=answer,
                level="Warning" if order.error else "Info",
            )
            write = Write(
                ref=stored.ref, content=kept(order), expect=stored.version, what=order.state.lower(), state=order.state
            )
            try:
                await self._journal.append(Unit(place=place, writes=[write], messages=[message] if action else []))
            except LostRace:
                continue
            event("command.settled", station_id=order.station_id, order_id=order.id, state=order.state, error=order.error)
            if order.reply_to and before.state == "PENDING":  # what follows later is no second result
                self.on_settled(order)
            if (waiting := self._awaited.get(order.id)) and not waiting.done():
                waiting.set_result(order)
            return

    async def _stored(self, order_id: str) -> Stored:
        stored = await self._journal.find("command", order_id)
        if stored is None:
            raise Unknown("command", order_id)
        return stored

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
