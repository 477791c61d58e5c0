"""Writing: what is acknowledged, what is refused, how it is numbered."""

import asyncio

import msgspec
import pytest

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Journal, LostRace, Name, NameTaken, Ref, Touch, Unit, Unstorable
from journal.units import message, put, reading

CAR = Ref("session", "NL-AAA", "S1")
OTHER = Ref("session", "NL-AAA", "S2")


async def test_what_was_written_is_there(journal: Journal) -> None:
    committed = await journal.append(put(CAR, {"a": 1}, state="ACTIVE", counterparty="NL-EMS"))
    stored = await journal.get(CAR)
    assert stored is not None
    assert (committed.versions, stored.version, stored.seq) == ((1,), 1, 1)
    assert (stored.ref, stored.state, stored.counterparty, stored.body) == (CAR, "ACTIVE", "NL-EMS", b'{"a":1}')
    assert stored.created_at == stored.last_updated == committed.stamp
    assert stored.part == committed.part == journal.part_of("L1")


async def test_a_version_that_was_not_read_is_not_overwritten(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    with pytest.raises(LostRace):
        await journal.append(put(CAR, 2))
    assert (await journal.append(put(CAR, 2, expect=1))).versions == (2,)
    with pytest.raises(LostRace):
        await journal.append(put(CAR, 3, expect=1))
    with pytest.raises(LostRace):
        await journal.append(put(OTHER, 3, expect=1))


async def test_of_two_units_in_one_batch_the_first_wins_the_race(journal: Journal) -> None:
    first, second = await asyncio.gather(journal.append(put(CAR, 1)), journal.append(put(CAR, 2)), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, LostRace)


async def test_units_of_one_batch_follow_each_other(journal: Journal) -> None:
    committed = await asyncio.gather(*(journal.append(put(CAR, n, expect=n)) for n in range(20)))
    assert [each.versions for each in committed] == [(n + 1,) for n in range(20)]
    stored = await journal.get(CAR)
    assert stored is not None
    assert (stored.version, stored.body, stored.seq) == (20, b"19", 20)


async def test_of_many_writers_that_race_across_partitions_one_wins(journal: Journal) -> None:
    tries = [put(CAR, n, place=f"L{n}") for n in range(40)]
    results = await asyncio.gather(*map(journal.append, tries), return_exceptions=True)
    assert [isinstance(result, LostRace) for result in results].count(False) == 1


async def test_equal_content_is_no_change(journal: Journal) -> None:
    first = await journal.append(put(CAR, 1))
    again = await journal.append(put(CAR, 1, expect=1))
    assert again.versions == (1,)
    assert [change.version for change in await journal.changes(first.part, 0)] == [1]
    stored = await journal.get(CAR)
    assert stored is not None
    assert stored.last_updated == first.stamp


@pytest.mark.parametrize("more", [{"state": "ACTIVE"}, {"counterparty": "NL-EMS"}, {"deleted": True}])
async def test_another_state_or_counterparty_is_a_change(journal: Journal, more: dict[str, object]) -> None:
    await journal.append(put(CAR, 1))
    assert (await journal.append(put(CAR, 1, expect=1, **more))).versions == (2,)


async def test_keys_are_compared_without_case_and_keep_the_case_they_came_with(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    small = Ref("session", "NL-AAA", "s1")
    assert (await journal.append(put(small, 2, expect=1))).versions == (2,)
    stored = await journal.get(small)
    assert stored is not None
    assert stored.ref == CAR
    assert {change.ref for change in await journal.changes(stored.part, 0)} == {CAR}
    assert set(await journal.get_many([small, OTHER])) == {small}


async def test_what_was_deleted_is_gone_and_can_be_made_anew(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    await journal.append(put(CAR, 1, expect=1, deleted=True))
    assert await journal.get(CAR) is None
    assert (await journal.get_many([CAR]))[CAR].deleted
    committed = await journal.append(put(CAR, 2))
    stored = await journal.get(CAR)
    assert stored is not None
    assert (committed.versions, stored.version, stored.created_at) == ((3,), 3, committed.stamp)


async def test_a_unit_is_kept_as_a_whole_or_not_at_all(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    unit = Unit(
        place="L1",
        writes=[*put(OTHER, 1).writes, *put(CAR, 2).writes],
        readings=[reading()],
        messages=[message()],
        names=[Name("transaction", "CS-1/1", OTHER)],
    )
    with pytest.raises(LostRace):
        await journal.append(unit)
    assert await journal.get(OTHER) is None
    assert await journal.find("transaction", "CS-1/1") is None
    assert (await journal.heads())[journal.part_of("L1")] == 1


async def test_a_unit_may_not_write_an_object_twice(journal: Journal) -> None:
    with pytest.raises(ValueError, match="once"):
        await journal.append(Unit(place="L1", writes=[*put(CAR, 1).writes, *put(CAR, 2, expect=1).writes]))


async def test_a_name_belongs_to_one_object(journal: Journal) -> None:
    given = Unit(place="L1", writes=put(CAR, 1).writes, names=[Name("transaction", "CS-1/17", CAR)])
    await journal.append(given)
    await journal.append(Unit(place="L1", names=given.names))  # once more: no news
    found = await journal.find("transaction", "cs-1/17")
    assert found is not None
    assert found.ref == CAR
    with pytest.raises(NameTaken) as refused:
        await journal.append(Unit(place="L1", writes=put(OTHER, 1).writes, names=[Name("transaction", "CS-1/17", OTHER)]))
    assert refused.value.holder == CAR
    assert await journal.get(OTHER) is None


async def test_of_two_units_that_give_one_name_the_first_has_it(journal: Journal) -> None:
    units = [Unit(place=f"L{n}", names=[Name("station", "CS-1", Ref("station", "NL-AAA", f"{n}"))]) for n in range(20)]
    units += [Unit(place="L0", names=[Name("station", "CS-1", Ref("station", "NL-AAA", f"x{n}"))]) for n in range(20)]
    results = await asyncio.gather(*map(journal.append, units), return_exceptions=True)
    assert [isinstance(result, NameTaken) for result in results].count(False) == 1


async def test_an_object_under_a_new_owner_takes_its_name_along(journal: Journal) -> None:
    new = Ref("session", "NL-BBB", "S1")
    await journal.append(Unit(place="L1", writes=put(CAR, 1).writes, names=[Name("transaction", "17", CAR)]))
    await journal.append(Unit(place="L1", writes=put(new, 1).writes, names=[Name("transaction", "17", new, held_by=CAR)]))
    found = await journal.find("transaction", "17")
    assert found is not None
    assert found.ref == new
    with pytest.raises(NameTaken):
        await journal.append(Unit(place="L1", names=[Name("transaction", "17", OTHER, held_by=CAR)]))


async def test_a_touch_raises_the_time_and_nothing_else(journal: Journal) -> None:
    place = Ref("location", "NL-AAA", "L1")
    first = await journal.append(put(place, 1))
    evse = Unit(place="L1", writes=put(Ref("evse", "NL-AAA", "E1"), 1).writes, touches=[Touch(place)])
    second = await journal.append(evse)
    stored = await journal.get(place)
    assert stored is not None
    assert (stored.version, stored.created_at, stored.last_updated) == (1, first.stamp, second.stamp)
    assert len(await journal.changes(first.part, 0)) == 2


async def test_a_touch_of_what_does_not_exist_does_nothing(journal: Journal) -> None:
    await journal.append(Unit(place="L1", touches=[Touch(Ref("location", "NL-AAA", "L9"))]))
    assert await journal.get(Ref("location", "NL-AAA", "L9")) is None


async def test_every_stamp_is_used_once_and_they_rise_with_the_numbers(journal: Journal) -> None:
    units = [
        Unit(
            place="L1",
            writes=[*put(Ref("evse", "NL-AAA", f"E{n}"), n).writes, *put(Ref("session", "NL-AAA", f"S{n}"), n).writes],
            readings=[reading()],
        )
        for n in range(50)
    ]
    committed = await asyncio.gather(*map(journal.append, units))
    changes = await journal.changes(journal.part_of("L1"), 0)
    assert [change.seq for change in changes] == list(range(1, 101))
    stamps = [change.at for change in changes]
    assert stamps == sorted(set(stamps))
    assert [each.stamp for each in committed] == sorted(each.stamp for each in committed)


@pytest.mark.parametrize(
    "bad",
    [
        put(Ref("session", "NL-AAA", "bad"), 1, expect=0, state="\ud800"),
        Unit(place="L1", readings=[msgspec.structs.replace(reading(), at=2**70)]),
    ],
    ids=["text that is none", "a number out of range"],
)
async def test_one_bad_unit_costs_nobody_else(journal: Journal, bad: Unit) -> None:
    good = [put(Ref("session", "NL-AAA", f"S{n}"), n) for n in range(30)]
    results = await asyncio.gather(*map(journal.append, [*good[:11], bad, *good[11:]]), return_exceptions=True)
    assert isinstance(results.pop(11), Unstorable)
    assert not [result for result in results if isinstance(result, BaseException)]
    assert [change.seq for change in await journal.changes(journal.part_of("L1"), 0)] == list(range(1, 31))


async def test_a_closed_journal_takes_nothing_more(journal: Journal) -> None:
    pending = asyncio.ensure_future(journal.append(put(CAR, 1)))
    await asyncio.sleep(0)
    await journal.close()
    assert (await pending).versions == (1,)
    with pytest.raises(MemoryUnavailable):
        await journal.append(put(OTHER, 1))


async def test_whoever_gives_up_waiting_disturbs_nobody(journal: Journal) -> None:
    impatient = asyncio.ensure_future(journal.append(put(CAR, 1)))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await journal.append(put(OTHER, 1))).versions == (1,)
