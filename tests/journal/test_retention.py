"""Whole days are dropped, the rest stays, numbers go on."""

from chargewire.journal import open_journal
from chargewire.journal.memory import ListQuery, LogQuery, Name, Ref, Unit
from journal.units import message, put, reading

DAY = 86_400_000_000
NOON = 20_000 * DAY + DAY // 2
OWNER = "NL-AAA"


class Clock:
    """One that is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


async def test_days_that_are_too_old_are_dropped(journal_url: str) -> None:
    clock = Clock()
    journal = await open_journal(journal_url, clock=clock)
    for day in range(10):
        clock.now = NOON + day * DAY
        for n in range(5):
            ref = Ref("cdr", OWNER, f"{day}-{n}")
            await journal.append(
                Unit(
                    place=f"L{n}",
                    writes=put(ref, 1).writes,
                    names=[Name("session", ref.key, ref)],
                    readings=[reading(message_id=f"{day}")],
                    messages=[message(message_id=f"{day}")],
                )
            )
    dropped = await journal.retain({"message": 3, "change": 4, "reading": 5, "cdr": 6})
    assert dropped == {"message": 30, "change": 25, "reading": 20, "cdr": 15}
    logs = LogQuery(owners=(OWNER,), limit=1000)
    assert {row.message_id for row in (await journal.messages(logs)).rows} == {"6", "7", "8", "9"}
    assert {row.message_id for row in (await journal.readings(logs)).rows} == {"4", "5", "6", "7", "8", "9"}
    left = (await journal.walk(ListQuery(kind="cdr", owners=(OWNER,), limit=1000))).rows
    assert {row.ref.key[0] for row in left} == set("3456789")
    assert await journal.find("session", "0-0") is None
    assert await journal.find("session", "9-0") is not None
    assert await journal.retain({"message": 3, "cdr": 6}) == {"message": 0, "cdr": 0}
    await journal.close()


async def test_numbers_go_on_after_everything_was_dropped(journal_url: str) -> None:
    clock = Clock()
    journal = await open_journal(journal_url, clock=clock)
    first = await journal.append(Unit(place="L1", messages=[message()] * 2500))
    clock.now += 100 * DAY
    assert await journal.retain({"message": 1}) == {"message": 2500}
    await journal.append(Unit(place="L1", messages=[message()]))
    (row,) = (await journal.messages(LogQuery(owners=(OWNER,)))).rows
    assert (row.seq, row.heard_at > first.stamp) == (2501, True)
    await journal.close()


async def test_an_object_that_was_dropped_can_be_written_anew(journal_url: str) -> None:
    clock = Clock()
    journal = await open_journal(journal_url, clock=clock)
    ref = Ref("cdr", OWNER, "C1")
    await journal.append(Unit(place="L1", writes=put(ref, 1).writes, names=[Name("session", "S1", ref)]))
    clock.now += 10 * DAY
    assert await journal.retain({"cdr": 2}) == {"cdr": 1}
    assert (await journal.append(Unit(place="L1", writes=put(ref, 1).writes))).versions == (1,)
    await journal.close()
