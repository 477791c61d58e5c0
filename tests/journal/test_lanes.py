"""What push keeps: shards and their epochs, cursors, deferred keys."""

import asyncio

import pytest

from chargewire.journal.memory import Deferred, Fenced, Journal, LanePosition, Ref

CAR = Ref("session", "NL-AAA", "S1")


def later(key: str, due: int, **more: object) -> Deferred:
    return Deferred(endpoint="E1", part=0, ref=Ref("session", "NL-AAA", key), due=due, **more)  # type: ignore[arg-type]


async def test_shards_are_claimed_once_and_renewed_with_the_same_epoch(journal: Journal) -> None:
    mine = await journal.claim_shards("me", 8, 30)
    assert mine == dict.fromkeys(range(8), 1)
    assert await journal.claim_shards("me", 8, 30) == mine
    assert await journal.claim_shards("you", 8, 30) == {}


async def test_a_lease_that_is_over_is_taken_with_a_new_epoch(journal: Journal) -> None:
    await journal.claim_shards("me", 4, 0.02)
    await asyncio.sleep(0.05)
    assert await journal.claim_shards("you", 4, 30) == dict.fromkeys(range(4), 2)
    assert await journal.claim_shards("me", 4, 30) == {}


async def test_cursors_and_deferred_keys_are_kept_together(journal: Journal) -> None:
    epochs = await journal.claim_shards("me", 2, 30)
    again, done = later("a", 30, attempts=1, code="422"), ("E1", later("b", 0).ref)
    await journal.save_lanes(epochs, [LanePosition("E1", 0, 7)], [later("a", 20), later("b", 10)], [])
    await journal.save_lanes(epochs, [LanePosition("E1", 0, 9)], [again], [done])
    assert await journal.lanes("E1") == [LanePosition("E1", 0, 9)]
    assert await journal.deferred("E1", 0) == [again]


async def test_who_lost_a_shard_saves_nothing(journal: Journal) -> None:
    old = await journal.claim_shards("me", 2, 0.02)
    await asyncio.sleep(0.05)
    new = await journal.claim_shards("you", 2, 30)
    with pytest.raises(Fenced):
        await journal.save_lanes(old, [LanePosition("E1", 0, 7)], [later("a", 1)], [])
    assert await journal.lanes("E1") == []
    assert await journal.deferred("E1", 0) == []
    await journal.save_lanes(new, [LanePosition("E1", 0, 8)], [], [])
    with pytest.raises(Fenced):
        await journal.save_lanes({7: 1}, [], [], [])


async def test_deferred_keys_come_by_due_time_and_parked_ones_last(journal: Journal) -> None:
    items = [later("parked", 1, state="parked", memo='{"a":1}', error="no"), later("late", 30), later("soon", 5)]
    await journal.save_lanes({}, [], items, [])
    assert [item.ref.key for item in await journal.deferred("E1", 0)] == ["soon", "late", "parked"]
    assert [item.ref.key for item in await journal.deferred("E1", 0, limit=1)] == ["soon"]
    assert (await journal.deferred("E1", 0))[2] == items[0]
    assert await journal.deferred("E1", 1) == await journal.deferred("E2", 0) == []


async def test_an_endpoint_is_forgotten(journal: Journal) -> None:
    await journal.save_lanes({}, [LanePosition("E1", 0, 7), LanePosition("E2", 0, 7)], [later("a", 1)], [])
    await journal.drop_lanes("E1")
    assert await journal.lanes("E1") == []
    assert await journal.deferred("E1", 0) == []
    assert await journal.lanes("E2") == [LanePosition("E2", 0, 7)]
