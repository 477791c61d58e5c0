"""A database with many finished sessions, written through the journal as the CSMS writes them."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench import places
from chargewire.charging.location import Connector, Evse, GeoLocation, Location
from chargewire.charging.session import Period, Session, SessionStatus, Started, Stopped
from chargewire.charging.token import TokenRef
from chargewire.journal.memory import Journal, Ref, Unit, Write

CPOS = ("NL-BE1", "NL-BE2", "NL-BE3")
NETWORK = "bench"
UNIT = 250  # sessions written together
AT_ONCE = 16  # units on their way
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def session(number: int) -> Session:
    """A session of an hour and 11 kWh with its four quarters."""
    start = _BEGIN + timedelta(minutes=number % 500_000)
    station, cpo = f"BENCH-{number % 1000}", CPOS[number % len(CPOS)]
    evse_uid = f"{cpo}-E{station}-1"
    connector = Connector(
        id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_3_PHASE", voltage=230, amperage=16
    )
    location = Location(
        id=f"bench-{number % 100}",
        type="ON_STREET",
        name="Bench",
        address="Teststraat 1",
        city="Amsterdam",
        postal_code="1011AB",
        country="NLD",
        coordinates=GeoLocation("52.370000", "4.890000"),
        time_zone="Europe/Amsterdam",
        station_ids=(station,),
        evse_uids=(evse_uid,),
    )
    started = Started(
        session_id=f"{cpo.replace('-', '')}{number:012d}",
        station_id=station,
        connector_number=1,
        transaction_id=str(number + 1),
        at=start,
        register_wh=number * 10,
        token=TokenRef(uid=f"04{number % 10_000:06X}", auth_id=f"NL-EMS-C{number % 10_000:08d}-X", emsp="NL-EMS"),
        token_accepted=True,
        auth_method="WHITELIST",
        location=location,
        evse=Evse(
            uid=evse_uid,
            location_id=location.id,
            station_id=station,
            evse_id=evse_uid.replace("-", "*"),
            connectors=(connector,),
        ),
        connector=connector,
        currency="EUR",
    )
    periods = tuple(
        Period(start=start + timedelta(minutes=15 * quarter), energy_wh=2750, charging_s=900) for quarter in range(4)
    )
    return Session(
        id=started.session_id,
        status=SessionStatus.COMPLETED,
        started=started,
        energy_wh=11_000,
        periods=periods,
        stopped=Stopped(at=start + timedelta(hours=1), register_wh=number * 10 + 11_000),
        total_cost=Decimal("3.85"),
    )


def units(count: int) -> Iterator[Unit]:
    """All sessions, in units."""
    for first in range(0, count, UNIT):
        writes = []
        for number in range(first, min(first + UNIT, count)):
            made = session(number)
            ref = Ref("session", CPOS[number % len(CPOS)], made.id)
            writes.append(Write(ref=ref, content=made, expect=0, what="end", state=made.status.value))
        yield Unit(place="bench", writes=writes)


def make_parties(http: str) -> str:
    """The network and the CPOs of the sessions; gives the token of a subscription to all of them."""
    places.ask(http, "PUT", f"/admin/v1/networks/{NETWORK}", {"name": "Bench"})
    for party in CPOS:
        places.ask(http, "PUT", f"/admin/v1/cpos/{party}", {"network_id": NETWORK, "name": f"Bench CPO {party}"})
    return places.subscribe(http)


async def fill(journal: Journal, count: int) -> None:
    """Write them; several units are on their way at once, so that they share commits."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def write(unit: Unit) -> None:
        try:
            await journal.append(unit)
        finally:
            gate.release()

    async with asyncio.TaskGroup() as writers:
        for unit in units(count):
            await gate.acquire()
            writers.create_task(write(unit))
