"""The CSMS: lets stations in, gives each its conversation, and does what no message asks for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import msgspec
from msgspec import Struct

from chargewire.charging.commands import Answer, Order, Trigger, WriteConfiguration
from chargewire.charging.errors import MemoryUnavailable, StationOffline, Unknown
from chargewire.charging.location import Evse, Station, Status
from chargewire.charging.token import Token
from chargewire.csms.directory import Directory
from chargewire.csms.draft import Draft
from chargewire.csms.holding import Holding
from chargewire.csms.knocks import Knocks, ParkedLink
from chargewire.csms.link import Link, end_if_removed
from chargewire.csms.local_list import LocalLists
from chargewire.csms.orders import Orders
from chargewire.csms.port import Admission, Authority, Clock, StationLink
from chargewire.csms.sessions import Desk
from chargewire.csms.signed import SignedUrl, nowhere
from chargewire.csms.tariff_versions import begin_versions
from chargewire.csms.waiting import price_waiting
from chargewire.journal.memory import Journal, ListQuery, Ref
from chargewire.journal.stamps import to_stamp
from chargewire.log import event, trouble
from chargewire.sharing.keys import Keys

_station = msgspec.json.Decoder(Station)
_evse = msgspec.json.Decoder(Evse)
replace = msgspec.structs.replace


ASK_AFTER_S = 30.0
HOUR_S, DAY = 3600.0, timedelta(days=1)
ARRIVING = 16  # stations whose sessions are read at the same time: a storm of thousands holds nobody else up


class CsmsSettings(Struct, frozen=True, kw_only=True):
    """`heartbeat_s`: what stations are told; silent for three of them, and at least 180 s, a station is offline."""

    heartbeat_s: int = 60
    park_unknown: bool = False
    silent_at_least_s: float = 180.0
    tick_s: float = 0.25
    list_settle_s: float = 2.0  # what is written of tokens in so short a time is one change of the stations' lists

    @property
    def silent_after_s(self) -> float:
        return max(3.0 * self.heartbeat_s, self.silent_at_least_s)


class Csms:
    """Implements `port.StationDesk`; its `orders` implement `port.CommandDesk`."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        keys: Keys,
        settings: CsmsSettings | None = None,
        clock: Clock = lambda: datetime.now(UTC),
        signed_url: SignedUrl = nowhere,
    ) -> None:
        self._journal = journal
        self._directory = directory
        self._keys = keys
        self._settings = settings or CsmsSettings()
        self._clock = clock
        self._desk = Desk(journal, directory, clock, signed_url)
        self._knocks = Knocks(journal, clock)
        self._links: dict[str, Link] = {}
        self._arriving = asyncio.Semaphore(ARRIVING)
        self._heard: dict[str, float] = {}  # stations that count as online and have no open socket → last sign of life
        self._housework: asyncio.Task[None] | None = None
        self._price_all_at = 0.0
        self.orders = Orders(journal, self.is_connected, clock, self._command_accepted)
        self._desk.judge.invited = self.orders.invited
        self._lists = LocalLists(journal, directory, self.orders.carried_out, clock, self._settings.list_settle_s)

    def ask_partners(self, authority: Authority) -> None:
        """From now on, ask roaming partners about their tokens where that is wanted."""
        self._desk.judge.authority = authority

    async def start(self) -> None:
        """Take up what a former process left: its online stations have as long as any other to be heard."""
        await self.orders.give_up_old(self._owners())
        now = monotonic()
        async for station in self._stations():
            if station.online:
                self._heard[station.id] = now
        self._housework = asyncio.create_task(self._keep_house())

    async def stop(self) -> None:
        """Write what was heard and not yet written."""
        await self._lists.stop()
        if self._housework:
            self._housework.cancel()
        for link in list(self._links.values()):
            await link.close("shutdown")

    def is_connected(self, station_id: str) -> bool:
        """Whether the station's socket is open here."""
        return station_id in self._links

    def connected(self) -> int:
        """How many stations' sockets are open here."""
        return len(self._links)

    async def admit(self, identity: str) -> Admission | None:
        """What is known of an identity; None if it is refused."""
        stored = await self._journal.find("station", identity.lower())
        station = _station.decode(stored.body) if stored else None
        if stored is None or station is None or station.removed:
            await self._knocks.note(identity, parked=self._settings.park_unknown)
            return Admission(station_id=identity, known=False, parked=True) if self._settings.park_unknown else None
        found = await self._journal.get_many([Ref("evse", stored.ref.owner, uid) for uid in station.evse_uids])
        evses = [_evse.decode(each.body) for each in found.values()]
        numbers = sorted(c.connector_id for evse in evses if evse.status != Status.REMOVED for c in evse.connectors)
        return Admission(
            station_id=station.id,
            known=True,
            password_hash=station.password_hash,
            location_id=station.location_id,
            connector_numbers=tuple(numbers),
        )

    async def connect(self, admission: Admission, protocol: str, address: str) -> StationLink:
        """The newest socket of a station is its conversation; links given out earlier are dead."""
        if not admission.known:
            return ParkedLink(self._journal, self._knocks, admission.station_id, self._clock)
        link = Link(self._journal, self._desk, admission.station_id, self._clock, self._settings.heartbeat_s)
        link.on_start = self.orders.started
        link.on_boot = self._lists.booted
        link.connected_at = monotonic()
        old = self._links.get(admission.station_id)
        self._links[link.station_id] = link
        if old:
            await old.close("superseded")
        try:
            async with self._arriving:
                await link.change(_online(protocol))
        except BaseException:  # it never was here: nobody will sign it off
            if self._links.get(link.station_id) is link:
                del self._links[link.station_id]
                self._heard[link.station_id] = monotonic()
            raise
        if self._links.get(link.station_id) is link:
            self._lists.arrived(link.station_id)
        event("station.connected", station_id=link.station_id, protocol=protocol, address=address)
        return _Registered(link, self)

    async def next_orders(self, station_ids: Callable[[str], bool]) -> list[Order]:
        """Waits for orders of stations connected here."""
        return await self.orders.next_orders(station_ids)

    async def settle(
        self, order: Order, *, action: str, message_id: str, call: bytes, answer: bytes, result: Answer | None, error: str
    ) -> None:
        """Keep what came of an order."""
        await self.orders.settle(
            order, action=action, message_id=message_id, call=call, answer=answer, result=result, error=error
        )

    async def left(self, link: Link, reason: str) -> None:
        """A socket is gone. The station stays online until it has been silent for long enough."""
        await link.close(reason)
        if self._links.get(link.station_id) is link:
            del self._links[link.station_id]
            self._heard[link.station_id] = monotonic()
            self._lists.left(link.station_id)

    def token_written(self, emsp: str, token: Token) -> None:
        """A token was made or changed: stations that judge by themselves are to hear of it."""
        self._lists.token_changed(emsp, good=token.valid)

    async def rewritten(self, station_ids: Sequence[str]) -> None:
        """An operator has written these stations, or the place where they stand, anew."""
        self._lists.changed(station_ids)
        for station_id in station_ids:
            if link := self._links.get(station_id):
                await link.reread()
                continue
            link = Link(self._journal, self._desk, station_id, self._clock, self._settings.heartbeat_s)
            with suppress(Unknown):
                await link.change(end_if_removed)

    def _offline(self, held: Holding, draft: Draft, desk: Desk) -> None:
        if not self.is_connected(held.station.id):  # it may have come back while this was decided
            end_if_removed(held, draft, desk)
            held.become(draft, replace(held.station, online=False))

    async def _command_accepted(self, order: Order) -> None:
        """A password that the station took is its password from now on, the old one is dead (OCPP 1.6 security, A00)."""
        command, link = order.command, self._links.get(order.station_id)
        if link and isinstance(command, WriteConfiguration) and command.key.casefold() == "authorizationkey":
            await link.change(_password(self._keys.hash(command.value)))
            event("station.password_changed", station_id=order.station_id)

    async def _ask_states(self) -> None:
        """A station that has told nothing of a connector since it is here is asked, once (habits 20 and 30)."""
        for link in list(self._links.values()):
            if link.connected_at and monotonic() - link.connected_at > ASK_AFTER_S:
                link.connected_at = None
                for number in link.untold():
                    command = Trigger(message="StatusNotification", connector_number=number)
                    with suppress(StationOffline):
                        await self.orders.order(link.station_id, command, asked_by="chargewire")

    def _owners(self) -> tuple[str, ...]:
        return tuple(cpo.party for cpo in self._directory.cpos())

    async def _stations(self) -> AsyncIterator[Station]:
        query = ListQuery(kind="station", owners=self._owners(), limit=1000)
        while True:
            page = await self._journal.walk(query)
            for stored in page.rows:
                yield _station.decode(stored.body)
            if page.next is None:
                return
            query = replace(query, after=tuple(page.next))

    async def _keep_house(self) -> None:
        """Write running sessions that are due; tell silent stations and starts that never came; price what waits."""
        turn = 0
        while True:
            await asyncio.sleep(self._settings.tick_s)
            turn += 1
            try:
                for count, link in enumerate(list(self._links.values())):
                    try:
                        await link.write_due()
                    except Exception as error:  # one station's trouble is not the others'
                        trouble("csms.not_written", cause=error, station_id=link.station_id)
                    if count % 200 == 199:
                        await asyncio.sleep(0)
                if turn % 8 == 0:
                    await self._tell_silent()
                    await self.orders.expire()
                    await self._ask_states()
                if turn % 20 == 0:
                    await begin_versions(self._journal, self._directory, self._clock())
                    await self._price_waiting()
            except MemoryUnavailable as error:
                trouble("memory.unavailable", why=error)
                await asyncio.sleep(1)
            except Exception as error:
                trouble("csms.housework", cause=error)

    async def _price_waiting(self) -> None:
        """What has waited for less than a day is tried at each turn, the rest once an hour."""
        all_of_it = monotonic() >= self._price_all_at
        if all_of_it:
            self._price_all_at = monotonic() + HOUR_S
        since = None if all_of_it else to_stamp(self._clock() - DAY)
        await price_waiting(self._journal, self._directory, self._owners(), since)

    async def _tell_silent(self) -> None:
        now, limit = monotonic(), self._settings.silent_after_s
        for station_id, heard_at in list(self._heard.items()):
            if station_id in self._links:
                del self._heard[station_id]
            elif now - heard_at > limit:
                link = Link(self._journal, self._desk, station_id, self._clock, self._settings.heartbeat_s)
                with suppress(Unknown):
                    await link.change(self._offline)
                self._heard.pop(station_id, None)  # only now: if it could not be written it is told at the next turn
                event("station.silent", station_id=station_id, for_s=round(now - heard_at))


class _Registered:
    """A link that signs itself off."""

    __slots__ = ("_csms", "_link", "hear")

    def __init__(self, link: Link, csms: Csms) -> None:
        self._link = link
        self._csms = csms
        self.hear = link.hear

    async def close(self, reason: str) -> None:
        await self._csms.left(self._link, reason)


def _online(protocol: str) -> Callable[[Holding, Draft, Desk], None]:
    def make(held: Holding, draft: Draft, _: Desk) -> None:
        held.become(draft, replace(held.station, online=True, protocol=protocol))

    return make


def _password(password_hash: str) -> Callable[[Holding, Draft, Desk], None]:
    def make(held: Holding, draft: Draft, _: Desk) -> None:
        held.become(draft, replace(held.station, password_hash=password_hash))

    return make
