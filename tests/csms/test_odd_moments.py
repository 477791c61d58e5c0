"""What happens to a station when its operator, its clock or our memory do something at a bad moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from chargewire.charging.commands import Restart
from chargewire.charging.errors import MemoryUnavailable
from chargewire.charging.location import Status
from chargewire.charging.session import SessionStatus
from chargewire.csms.knocks import MOST_NEW
from chargewire.csms.parties import put_cpo
from chargewire.csms.places import put_location
from chargewire.journal.memory import Journal, ListQuery, LogQuery, Unit, Write
from csms.floor import CPO, Floor, _location

T0 = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
UNSET = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
minute = timedelta(minutes=1)
OTHER = "NL-BBB"


async def put(floor: Floor, **change: Any) -> None:
    floor.registry.on_stations = floor.csms.rewritten
    await put_location(floor.registry, "LOC1", msgspec.json.encode(_location() | change))


async def to_other_cpo(floor: Floor) -> None:
    await put_cpo(floor.registry, OTHER, b'{"network_id": "demo", "name": "Other"}')
    await put(floor, cpo=OTHER)


async def test_a_clock_that_is_never_set_does_not_swallow_the_next_session(floor: Floor) -> None:
    first = await floor.starts(register_wh=0, at=UNSET)
    assert await floor.starts(register_wh=0, at=UNSET) == first
    await floor.stops(first.transaction_id, 1000, at=T0)
    second = await floor.starts(register_wh=0, at=UNSET)
    assert second.transaction_id != first.transaction_id
    assert await floor.starts(register_wh=0, at=UNSET) == second
    await floor.stops(second.transaction_id, 1500, at=T0)
    assert [cdr.energy_wh for cdr in await floor.cdrs()] == [1000, 1500]


async def test_a_session_whose_location_goes_to_another_cpo_keeps_all_its_readings(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.meters(begun.transaction_id, 100, at=T0 + minute)
    await to_other_cpo(floor)
    await floor.meters(begun.transaction_id, 700, at=T0 + 2 * minute)
    await floor.restart()
    await floor.stops(begun.transaction_id, 600, at=T0 + 3 * minute)
    (session,) = await floor.sessions()
    assert [row.at for row in await floor.readings(session.id)] == [int((T0 + n * minute).timestamp() * 1e6) for n in (1, 2)]
    assert session.status == SessionStatus.COMPLETED


async def test_what_a_station_says_after_it_went_to_another_cpo_is_that_ones_alone(floor: Floor) -> None:
    await floor.starts(at=T0)
    before = len((await floor.journal.messages(LogQuery(owners=(CPO,)))).rows)
    await to_other_cpo(floor)
    await floor.meters(None, 100, at=T0 + minute)
    assert len((await floor.journal.messages(LogQuery(owners=(CPO,)))).rows) == before
    assert len((await floor.journal.messages(LogQuery(owners=(OTHER,)))).rows) == 1


async def test_a_station_that_is_removed_while_it_charges_still_ends_its_session(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await put(floor, stations=[])
    await floor.stops(begun.transaction_id, 1000, at=T0 + minute)
    assert [cdr.energy_wh for cdr in await floor.cdrs()] == [1000]
    assert await floor.status() == Status.REMOVED


async def test_a_station_that_is_removed_while_it_is_away_leaves_no_session_open(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.meters(begun.transaction_id, 400, at=T0 + minute)
    await floor.leaves()
    await put(floor, stations=[])
    (session,) = await floor.sessions()
    assert (session.status, session.energy_wh) == (SessionStatus.COMPLETED, 400)
    assert "station-removed" in session.flags
    assert await floor.csms.admit("CS-1") is None


async def test_a_meter_beyond_all_money_ends_its_session_and_is_shown(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 10**18, at=T0 + minute)
    (session,) = await floor.sessions()
    assert session.status == SessionStatus.COMPLETED
    begun = await floor.starts(register_wh=0, at=T0 + 2 * minute)
    await floor.stops(begun.transaction_id, 9 * 10**18, at=T0 + 3 * minute)
    assert {session.status for session in await floor.sessions()} == {SessionStatus.COMPLETED}
    assert await floor.price_waiting() == 0


class Broken:
    """A journal that cannot write for a while."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.broken = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def append(self, unit: Any) -> Any:
        if self.broken:
            raise MemoryUnavailable("for a test")
        return await self._journal.append(unit)


async def test_a_station_that_is_silent_while_nothing_can_be_written_is_told_later(floor: Floor) -> None:
    await floor.says(Status.AVAILABLE)
    await floor.leaves()
    broken = floor.csms._journal = Broken(floor.journal)
    with pytest.raises(MemoryUnavailable):
        await floor.silence()
    assert await floor.status() == Status.AVAILABLE
    broken.broken = False
    await floor.silence()
    assert await floor.status() == Status.UNKNOWN


async def test_a_station_that_could_not_be_written_down_does_not_count_as_connected(floor: Floor) -> None:
    await floor.leaves()
    await floor.silence()
    broken = floor.csms._journal = Broken(floor.journal)
    with pytest.raises(MemoryUnavailable):
        await floor.connects()
    assert not floor.csms.is_connected("CS-1")
    broken.broken = False
    await floor.connects()
    assert floor.csms.is_connected("CS-1")


async def test_an_order_of_a_station_that_left_ends_once_it_can_be_written(floor: Floor) -> None:
    order = await floor.csms.orders.order("CS-1", Restart(), asked_by="test")
    broken = floor.csms.orders._journal = Broken(floor.journal)

    def nobody(_: str) -> bool:
        return False

    with pytest.raises(MemoryUnavailable):
        await floor.csms.next_orders(nobody)
    broken.broken = False
    assert await floor.csms.next_orders(nobody) == []
    assert (await floor.csms.orders.order_state(order.id)).state == "FAILED"


async def test_a_session_that_is_not_there_any_more_holds_its_station_up_no_longer(floor: Floor) -> None:
    await floor.starts(register_wh=0, at=T0)
    (stored,) = (await floor.journal.walk(ListQuery(kind="session", owners=(CPO,)))).rows
    gone = Write(ref=stored.ref, content=stored.body, expect=stored.version, what="deleted", deleted=True)
    await floor.journal.append(Unit(place="LOC1", writes=[gone]))
    await floor.restart()
    await floor.says(Status.AVAILABLE)
    await floor.starts(register_wh=5, at=T0 + minute)


async def test_names_that_somebody_makes_up_fill_no_disk(floor: Floor) -> None:
    for number in range(MOST_NEW + 50):
        assert await floor.csms.admit(f"X-{number}") is None
    assert await floor.journal.count(ListQuery(kind="parked", owners=("",))) == MOST_NEW


class BrokenAt(Broken):
    """A journal that cannot write at one place."""

    def __init__(self, journal: Journal, place: str) -> None:
        super().__init__(journal)
        self._place = place

    async def append(self, unit: Any) -> Any:
        if self.broken and unit.place == self._place:
            raise MemoryUnavailable("for a test")
        return await self._journal.append(unit)


@pytest.mark.parametrize("killed", [True, False])
async def test_a_stop_that_was_half_written_when_its_station_had_moved_is_finished_by_its_repetition(
    floor: Floor, killed: bool
) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    floor.registry.on_stations = floor.csms.rewritten
    await put_location(floor.registry, "LOC2", msgspec.json.encode(_location()))
    link: Any = floor.link
    broken = link._link._journal = BrokenAt(floor.journal, "LOC2")
    with pytest.raises(MemoryUnavailable):
        await floor.stops(begun.transaction_id, 1000, at=T0 + minute)
    assert len(await floor.cdrs()) == 1
    broken.broken = False
    if killed:
        await floor.restart()
    await floor.stops(begun.transaction_id, 1000, at=T0 + minute)
    assert [cdr.energy_wh for cdr in await floor.cdrs()] == [1000]
    assert (await floor.station()).running == {}
    assert await floor.status() != Status.CHARGING
    again = await floor.starts(register_wh=1000, at=T0 + 2 * minute)
    assert again.transaction_id != begun.transaction_id
