"""Writing: what is acknowledged, what is refused, how it is numbered."""

import asyncio

import msgspec
import pytest

from chargewire.journal.memory import Journal, LostRace, Name, NameTaken, Ref, Unit, Write

CAR = Ref("session", "NL-AAA", "S1")


def put(ref: Ref, content: object, expect: int = 0, **more: object) -> Unit:
    return Unit(place="L1", writes=[Write(ref=ref, content=msgspec.json.encode(content), expect=expect, **more)])


async def test_what_was_written_is_there(journal: Journal) -> None:
    committed = await journal.append(put(CAR, {"a": 1}, state="ACTIVE", counterparty="NL-EMS"))
    stored = await journal.get(CAR)
    assert stored is not None
    assert (committed.versions, stored.version, stored.seq) == ((1,), 1, 1)
    assert (stored.ref, stored.state, stored.counterparty, stored.body) == (CAR, "ACTIVE", "NL-EMS", b'{"a":1}')
    assert stored.created_at == stored.last_updated == committed.stamp


async def test_a_version_that_was_not_read_is_not_overwritten(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    with pytest.raises(LostRace):
        await journal.append(put(CAR, 2))
    assert (await journal.append(put(CAR, 2, expect=1))).versions == (2,)
    with pytest.raises(LostRace):
        await journal.append(put(CAR, 3, expect=1))


async def test_of_two_units_in_one_batch_the_first_wins_the_race(journal: Journal) -> None:
    first, second = await asyncio.gather(journal.append(put(CAR, 1)), journal.append(put(CAR, 2)), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, LostRace)


async def test_equal_content_is_no_change(journal: Journal) -> None:
    await journal.append(put(CAR, 1))
    again = await journal.append(put(CAR, 1, expect=1))
    assert again.versions == (1,)
    assert [change.version for change in await journal.changes(journal.part_of("L1"), 0)] == [1]


async def test_a_name_belongs_to_one_object(journal: Journal) -> None:
    name = Name("transaction", "CS-1/17", CAR)
    await journal.append(Unit(place="L1", writes=put(CAR, 1).writes, names=[name]))
    found = await journal.find("transaction", "cs-1/17")
    assert found is not None
    assert found.ref == CAR
    other = Ref("session", "NL-AAA", "S2")
    with pytest.raises(NameTaken) as refused:
        await journal.append(Unit(place="L1", writes=put(other, 1).writes, names=[Name("transaction", "CS-1/17", other)]))
    assert refused.value.holder == CAR
    assert await journal.get(other) is None
