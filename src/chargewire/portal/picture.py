"""What is going on, gathered for the status page: one picture a second, however many people look."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.charging.cdr import Cdr
from chargewire.charging.location import Evse, Location, Station
from chargewire.charging.session import Session
from chargewire.csms.directory import Directory
from chargewire.journal.memory import Journal, ListQuery, Ref, Stored
from chargewire.protocols.platform.moments import kwh, moment, number
from chargewire.protocols.platform.status import STATUS

FRESH_S = 0.9
MOST_STATIONS, MOST_SESSIONS, MOST_CDRS = 300, 200, 25
RECENT = timedelta(hours=24)

_station = msgspec.json.Decoder(Station)
_evse = msgspec.json.Decoder(Evse)
_location = msgspec.json.Decoder(Location)
_session = msgspec.json.Decoder(Session)
_cdr = msgspec.json.Decoder(Cdr)


class Plug(Struct, frozen=True):
    uid: str
    status: str


class StationRow(Struct, frozen=True, kw_only=True):
    id: str
    cpo: str
    place: str
    city: str
    online: bool
    plugs: list[Plug]


class SessionRow(Struct, frozen=True, kw_only=True):
    """`power_kw` is what flowed between the last two looks, at first the highest measured in this quarter of an hour."""

    id: str
    cpo: str
    station: str
    evse: str
    token: str
    started: str
    kwh: float
    power_kw: float | None
    parked: bool
    state_of_charge: int | None
    cost: float | None
    currency: str


class CdrRow(Struct, frozen=True, kw_only=True):
    id: str
    cpo: str
    station: str
    stopped: str
    kwh: float
    minutes: int
    cost: float | None
    currency: str


class SubscriptionRow(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    state: str
    profile: str
    scope: str
    modules: list[str]
    deliveries: list[dict[str, Any]]


class Picture(Struct, frozen=True, kw_only=True):
    """Everything on the page; counts are of all, lists are cut."""

    environment: str
    at: str
    ocpp_url: str | None
    stations_total: int
    stations: list[StationRow]
    sessions_total: int
    sessions: list[SessionRow]
    cdrs_total: int
    cdrs: list[CdrRow]
    subscriptions: list[SubscriptionRow]
    parked: list[str]


class Studio:
    """Takes pictures, at most one a second."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        environment: str,
        ocpp_url: str | None,
        push_status: Callable[[], Any] | None,
    ) -> None:
        self._journal = journal
        self._directory = directory
        self._environment = environment
        self._ocpp_url = ocpp_url
        self._push_status = push_status
        self._taken: tuple[float, bytes] | None = None
        self._taking = asyncio.Lock()
        self._flow: dict[str, tuple[datetime, int, float | None]] = {}  # session → reading, Wh then, kW since the one before

    async def picture(self) -> bytes:
        """The latest picture as JSON."""
        async with self._taking:
            if self._taken is None or monotonic() - self._taken[0] >= FRESH_S:
                picture = await self._take()
                self._taken = (monotonic(), msgspec.json.encode(picture))
            return self._taken[1]

    async def _take(self) -> Picture:
        owners = tuple(sorted(cpo.party for cpo in self._directory.cpos()))
        now = datetime.now(UTC)
        stations = ListQuery(kind="station", owners=owners, limit=MOST_STATIONS)
        running = ListQuery(kind="session", owners=owners, states=("ACTIVE",), limit=MOST_SESSIONS)
        since = int((now - RECENT).timestamp() * 1_000_000)
        cdrs = ListQuery(kind="cdr", owners=owners, created_from=since, limit=MOST_CDRS)
        cdrs_total = await self._journal.count(cdrs)
        newest = msgspec.structs.replace(cdrs, offset=max(0, cdrs_total - MOST_CDRS))
        parked = await self._journal.walk(ListQuery(kind="parked", owners=("",), limit=20))
        return Picture(
            environment=self._environment,
            at=moment(now),
            ocpp_url=self._ocpp_url,
            stations_total=await self._journal.count(stations),
            stations=await self._stations((await self._journal.walk(stations)).rows),
            sessions_total=await self._journal.count(running),
            sessions=self._sessions((await self._journal.walk(running)).rows),
            cdrs_total=cdrs_total,
            cdrs=[_cdr_row(stored) for stored in reversed((await self._journal.walk(newest)).rows)],
            subscriptions=self._subscriptions(),
            parked=[stored.ref.key for stored in parked.rows],
        )

    async def _stations(self, rows: Sequence[Stored]) -> list[StationRow]:
        read = [(stored.ref.owner, _station.decode(stored.body)) for stored in rows]
        read = [(owner, station) for owner, station in read if not station.removed]
        refs = {Ref("location", owner, station.location_id) for owner, station in read}
        refs |= {Ref("evse", owner, uid) for owner, station in read for uid in station.evse_uids}
        found = await self._journal.get_many(list(refs)) if refs else {}
        listed = []
        for owner, station in read:
            home = found.get(Ref("location", owner, station.location_id))
            place = _location.decode(home.body) if home else None
            evses = [found.get(Ref("evse", owner, uid)) for uid in station.evse_uids]
            plugs = [_evse.decode(evse.body) for evse in evses if evse]
            listed.append(
                StationRow(
                    id=station.id,
                    cpo=owner,
                    place=(place.name or place.id) if place else "",
                    city=place.city if place else "",
                    online=station.online,
                    plugs=[Plug(evse.uid, STATUS[evse.status]) for evse in plugs],
                )
            )
        return sorted(listed, key=lambda row: (row.cpo, row.id))

    def _sessions(self, rows: Sequence[Stored]) -> list[SessionRow]:
        read = [(stored.ref.owner, _session.decode(stored.body)) for stored in rows]
        self._flow = {session.id: flow for _, session in read if (flow := self._flowing(session))}
        return [
            SessionRow(
                id=session.id,
                cpo=owner,
                station=session.started.station_id,
                evse=session.started.evse.uid,
                token=session.started.token.visual_number or session.started.token.auth_id,
                started=moment(session.started.at),
                kwh=kwh(session.energy_wh),
                power_kw=self._flow[session.id][2] if session.id in self._flow else None,
                parked=session.parked_since is not None,
                state_of_charge=session.state_of_charge,
                cost=number(session.total_cost),
                currency=session.started.currency,
            )
            for owner, session in reversed(read)
        ]

    def _flowing(self, session: Session) -> tuple[datetime, int, float | None] | None:
        at = session.last_reading_at
        before = self._flow.get(session.id)
        if at is None or (before and before[0] == at):
            return before
        measured_w = session.periods[-1].max_power_w if session.periods else None
        power_kw = None if measured_w is None else measured_w / 1000
        passed_s = (at - before[0]).total_seconds() if before else 0.0
        if before and passed_s > 0:  # a virtual car may charge faster than the clock: never more than was measured
            flowed_kw = (session.energy_wh - before[1]) * 3.6 / passed_s
            power_kw = flowed_kw if power_kw is None else min(flowed_kw, power_kw)
        return at, session.energy_wh, None if power_kw is None else round(power_kw, 2)

    def _subscriptions(self) -> list[SubscriptionRow]:
        told: Any = msgspec.to_builtins(self._push_status()) if self._push_status else []
        rows = []
        for subscription in self._directory.subscriptions():
            modules: set[str] = set()
            scopes: list[str] = []
            for grant in subscription.grants:
                modules |= set(grant.modules)
                scopes += ["all CPOs" if party == "*" else party for party in grant.cpos]
                scopes += ["all eMSPs" if party == "*" else party for party in grant.emsps]
            rows.append(
                SubscriptionRow(
                    id=subscription.id,
                    name=subscription.name,
                    state=subscription.state,
                    profile=subscription.profile,
                    scope=", ".join(dict.fromkeys(scopes)),
                    modules=sorted(modules),
                    deliveries=[each for each in told if each.get("subscription_id") == subscription.id],
                )
            )
        return sorted(rows, key=lambda row: row.name)


def _cdr_row(stored: Stored) -> CdrRow:
    cdr = _cdr.decode(stored.body)
    return CdrRow(
        id=cdr.id,
        cpo=stored.ref.owner,
        station=cdr.station_id,
        stopped=moment(cdr.stop),
        kwh=kwh(cdr.energy_wh),
        minutes=round(cdr.total_time_s / 60),
        cost=number(cdr.cost.excl_vat),
        currency=cdr.currency,
    )
