"""Sessions, CDRs, readings and messages that are put into a journal as the CSMS would."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from chargewire.charging.cdr import Cdr, Cost, LineItem
from chargewire.charging.location import Connector, Evse, GeoLocation, Location
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Period, Session, SessionStatus, Started, Stopped
from chargewire.charging.tariff import Element, PriceComponent, Tariff
from chargewire.charging.token import TokenRef
from chargewire.journal.memory import Journal, NewMessage, NewReading, Ref, Unit, Write

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
CONNECTOR = Connector(
    id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_3_PHASE", voltage=230, amperage=16
)
TARIFF = Tariff(id="T1", currency="EUR", elements=(Element((PriceComponent("ENERGY", Decimal("0.30"), 1),)),))


def session(key: str, station: str = "CS-A", emsp: str | None = None, **more: object) -> Session:
    """A session of half an hour and 3.5 kWh, finished unless `status` says otherwise."""
    place = Location(
        id=f"LOC-{station[-1]}",
        type="ON_STREET",
        address="Stationsplein 1",
        city="Utrecht",
        postal_code="3511CE",
        country="NLD",
        coordinates=GeoLocation("52.089400", "5.110100"),
        time_zone="Europe/Amsterdam",
        name="Station square",
    )
    evse = Evse(uid=f"NL-AAA-E{station}-1", location_id=place.id, station_id=station, connectors=(CONNECTOR,))
    started = Started(
        session_id=key,
        station_id=station,
        connector_number=1,
        transaction_id=key,
        at=START,
        register_wh=1000,
        token=TokenRef(uid="04AABBCC", auth_id="NL-EMS-C1", emsp=emsp, customer_id="customer-1"),
        token_accepted=True,
        auth_method="AUTH_REQUEST",
        location=place,
        evse=evse,
        connector=CONNECTOR,
        currency="EUR",
        tariff=TARIFF,
    )
    made = Session(
        id=key,
        status=SessionStatus.COMPLETED,
        started=started,
        energy_wh=3500,
        periods=(
            Period(start=START, energy_wh=2500, charging_s=900, max_current_a=Decimal("16"), max_power_w=11000),
            Period(start=START + timedelta(minutes=15), energy_wh=1000, charging_s=360, max_power_w=10000),
            Period(start=START + timedelta(minutes=21), parking_s=540),
        ),
        stopped=Stopped(at=START + timedelta(minutes=30), register_wh=4500),
        total_cost=Decimal("1.05"),
    )
    return msgspec.structs.replace(made, **more)


def cdr(of: Session) -> Cdr:
    """The CDR of a finished session."""
    started, stopped = of.started, of.stopped
    assert stopped is not None
    line = LineItem(
        tariff_id="T1",
        start=started.at,
        type="ENERGY",
        volume=Decimal("3.5"),
        price=Decimal("0.30"),
        cost=Decimal("1.05"),
        element=0,
    )
    return Cdr(
        id=f"{of.id}-cdr",
        session_id=of.id,
        start=started.at,
        stop=stopped.at,
        station_id=started.station_id,
        location=started.location,
        evse=started.evse,
        connector=started.connector,
        token=started.token,
        auth_method=started.auth_method,
        currency="EUR",
        energy_wh=of.energy_wh,
        total_time_s=1800,
        parking_time_s=540,
        periods=of.periods,
        cost=Cost(currency="EUR", excl_vat=Decimal("1.05"), lines=(line,)),
        tariff=TARIFF,
        max_power_w=11000,
    )


async def keep_session(journal: Journal, owner: str, of: Session) -> None:
    """Write a session, and its CDR if it is finished."""
    emsp = of.started.token.emsp or ""
    writes = [Write(ref=Ref("session", owner, of.id), content=of, expect=0, state=of.status.value, counterparty=emsp)]
    if of.status == SessionStatus.COMPLETED:
        record = cdr(of)
        writes.append(Write(ref=Ref("cdr", owner, record.id), content=record, expect=0, counterparty=emsp))
    await journal.append(Unit(place=of.started.location.id, writes=writes))


async def keep_reading(journal: Journal, owner: str, station: str, number: int, samples: tuple[Sample, ...]) -> None:
    """Write one MeterValues message."""
    reading = Reading(START + timedelta(minutes=number), samples)
    new = NewReading(
        owner=owner,
        station=station,
        evse=f"{owner}-E{station}-1",
        connector=1,
        session="",
        at=int(reading.at.timestamp() * 1_000_000),
        samples=msgspec.json.encode((reading,)),
        message_id=f"mv-{number}",
    )
    await journal.append(Unit(place=f"LOC-{station[-1]}", readings=[new]))


async def keep_message(journal: Journal, owner: str, station: str, number: int, action: str = "Heartbeat") -> None:
    """Write one exchange."""
    call = b'{"connectorId":1,"errorCode":"NoError","status":"Available"}' if action == "StatusNotification" else b"{}"
    new = NewMessage(
        owner=owner,
        station=station,
        location=f"LOC-{station[-1]}",
        evse="",
        direction="in",
        action=action,
        message_id=f"m-{number}",
        call=call,
        answer=b'{"currentTime":"2026-11-24T06:00:00Z"}',
    )
    await journal.append(Unit(place=f"LOC-{station[-1]}", messages=[new]))
