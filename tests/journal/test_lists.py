"""Lists of objects: order, filters, pages, counts, and that nothing is skipped or doubled while others write."""

import asyncio
from collections.abc import Iterator
from itertools import count

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from chargewire.journal import open_journal, plans
from chargewire.journal.memory import Journal, ListQuery, Ref, Stored, Unit
from journal.units import put

OWNERS = ("NL-AAA", "NL-BBB", "NL-CCC")
STATES = ("", "ACTIVE", "COMPLETED")
RUNS: Iterator[int] = count()


async def crawl(journal: Journal, query: ListQuery) -> list[Stored]:
    rows: list[Stored] = []
    while True:
        page = await journal.walk(query)
        assert len(page.rows) <= query.limit
        rows += page.rows
        if page.next is None:
            return rows
        query = replace(query, after=tuple(page.next))


async def fill(journal: Journal, number: int = 60, kind: str = "session") -> list[Ref]:
    refs = [Ref(kind, OWNERS[n % 3], f"S{n}") for n in range(number)]
    for n, ref in enumerate(refs):
        unit = put(ref, n, place=f"L{n}", state=STATES[n % 2 + 1], counterparty="NL-EMS" if n % 5 == 0 else "")
        await journal.append(unit)
    return refs


def query(**more: object) -> ListQuery:
    return ListQuery(**{"kind": "session", "owners": OWNERS, "limit": 7, **more})  # type: ignore[arg-type]


async def test_a_crawl_gives_everything_in_the_order_of_creation(journal: Journal) -> None:
    refs = await fill(journal)
    assert [row.ref for row in await crawl(journal, query())] == refs


async def test_only_the_owners_that_were_asked_for_are_given(journal: Journal) -> None:
    refs = await fill(journal)
    rows = await crawl(journal, query(owners=("NL-BBB", "NL-ZZZ")))
    assert [row.ref for row in rows] == [ref for ref in refs if ref.owner == "NL-BBB"]
    assert await crawl(journal, query(owners=())) == []
    assert (await journal.walk(query(owners=(), count=True))).total == 0


async def test_states_and_counterparty_filter(journal: Journal) -> None:
    refs = await fill(journal)
    active = await crawl(journal, query(states=("ACTIVE", "UNHEARD-OF")))
    assert [row.ref for row in active] == refs[::2]
    of_emsp = await crawl(journal, query(counterparty="NL-EMS", states=("COMPLETED",)))
    assert [row.ref for row in of_emsp] == [ref for n, ref in enumerate(refs) if n % 5 == 0 and n % 2 == 1]


async def test_an_object_that_changes_its_state_changes_its_list(journal: Journal) -> None:
    refs = await fill(journal, 6)
    await journal.append(put(refs[0], "done", expect=1, state="INVALID"))
    assert [row.ref for row in await crawl(journal, query(states=("INVALID",)))] == [refs[0]]
    assert refs[0] not in [row.ref for row in await crawl(journal, query(states=("ACTIVE",)))]
    assert [row.ref for row in await crawl(journal, query())] == refs  # its creation stays what it was


async def test_deleted_objects_are_left_out_unless_asked_for(journal: Journal) -> None:
    refs = await fill(journal, 6)
    await journal.append(put(refs[2], "gone", expect=1, deleted=True))
    assert [row.ref for row in await crawl(journal, query())] == refs[:2] + refs[3:]
    assert [row.ref for row in await crawl(journal, query(with_deleted=True))] == refs
    assert await journal.count(query()) == 5


async def test_times_begin_inclusive_and_end_exclusive(journal: Journal) -> None:
    refs = await fill(journal, 12)
    rows = await crawl(journal, query())
    third, ninth = rows[3], rows[9]
    by_creation = query(created_from=third.created_at, created_to=ninth.created_at)
    assert [row.ref for row in await crawl(journal, by_creation)] == refs[3:9]
    by_update = query(updated_from=third.last_updated, updated_to=ninth.last_updated)
    assert [row.ref for row in await crawl(journal, by_update)] == refs[3:9]
    await journal.append(put(refs[0], "new", expect=1))
    assert [row.ref for row in await crawl(journal, query(updated_from=ninth.last_updated))] == [refs[0], *refs[9:]]


async def test_a_page_says_how_many_there_are_when_asked(journal: Journal) -> None:
    await fill(journal)
    assert (await journal.walk(query())).total is None
    page = await journal.walk(query(count=True, limit=5))
    assert (page.total, len(page.rows)) == (60, 5)
    assert page.next is not None
    second = await journal.walk(query(count=True, limit=5, after=tuple(page.next)))
    assert second.total == 60  # of the whole list, not of what is left


async def test_the_last_page_has_no_next(journal: Journal) -> None:
    await fill(journal, 14)
    page = await journal.walk(query(limit=14))
    assert (len(page.rows), page.next) == (14, None)


async def test_an_offset_skips(journal: Journal) -> None:
    refs = await fill(journal)
    for owners in (OWNERS, OWNERS[:1]):
        wanted = [ref for ref in refs if ref.owner in owners]
        page = await journal.walk(query(owners=owners, offset=5, limit=10))
        assert [row.ref for row in page.rows] == wanted[5:15]
        assert page.next is not None
        rest = await crawl(journal, query(owners=owners, after=tuple(page.next)))
        assert [row.ref for row in rest] == wanted[15:]
    assert (await journal.walk(query(offset=1000))).rows == []


@pytest.mark.parametrize("few", [0, 10_000])
async def test_a_filter_gives_the_same_however_it_is_read(journal: Journal, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "FEW", few)
    refs = await fill(journal)
    moved = refs[40:10:-3]
    since = (await journal.append(put(moved[0], "new", expect=1))).stamp
    for ref in moved[1:]:
        await journal.append(put(ref, "new", expect=1, place="L3"))
    for more in ({"count": True}, {"known_total": len(moved)}, {"updated_to": since + 10**9}):
        rows = await crawl(journal, query(updated_from=since, limit=3, **more))
        assert [row.ref for row in rows] == sorted(moved, key=refs.index)
    await journal.append(put(Ref("session", "NL-AAA", "new"), 1))
    rows = await crawl(journal, query(updated_from=since, limit=3))
    assert [row.ref.key for row in rows] == [*(ref.key for ref in sorted(moved, key=refs.index)), "new"]


async def test_a_list_of_many_owners_is_merged(journal: Journal) -> None:
    refs = [Ref("session", f"NL-{n % 900:03}", f"S{n}") for n in range(1000)]
    for start in range(0, len(refs), 250):
        await asyncio.gather(*(journal.append(put(ref, 1)) for ref in refs[start : start + 250]))
    owners = tuple(f"NL-{n:03}" for n in range(900))
    assert [row.ref for row in await crawl(journal, query(owners=owners, limit=400))] == refs
    assert await journal.count(query(owners=owners)) == 1000
    page = await journal.walk(query(owners=owners, limit=10, offset=950))
    assert [row.ref for row in page.rows] == refs[950:960]


async def test_nothing_is_skipped_or_doubled_while_others_write(journal: Journal) -> None:
    refs = await fill(journal, 90)
    writing = True

    async def disturb(which: int) -> None:
        version, n = 1, 0
        while writing:
            n += 1
            ref = refs[which]
            version = (await journal.append(put(ref, n, expect=version, state=STATES[n % 2 + 1]))).versions[0]
            await journal.append(put(Ref("session", OWNERS[n % 3], f"new-{which}-{n}"), n, place=f"L{n}"))

    disturbing = [asyncio.create_task(disturb(which)) for which in (3, 50, 80)]
    try:
        for _ in range(5):
            seen = [row.ref for row in await crawl(journal, query(limit=11))]
            assert len(seen) == len(set(seen))
            assert [ref for ref in seen if ref in refs] == refs
    finally:
        writing = False
        await asyncio.gather(*disturbing)
    everything = [row.ref for row in await crawl(journal, query(limit=500))]
    assert len(everything) == len(set(everything)) == await journal.count(query())


async def test_a_crawl_that_follows_the_writers_misses_nothing(journal: Journal) -> None:
    """New objects come at the end: whoever keeps asking for what follows has seen everything in the end."""
    seen: list[Ref] = []
    done = asyncio.Event()

    async def write(place: int) -> None:
        for n in range(60):
            await journal.append(put(Ref("session", OWNERS[place % 3], f"{place}-{n}"), n, place=f"L{place}"))

    async def follow() -> None:
        after = None
        while True:
            finished = done.is_set()
            page = await journal.walk(query(after=after, limit=1000))
            seen.extend(row.ref for row in page.rows)
            if page.rows:
                after = (page.rows[-1].created_at, 2**62)
            elif finished:
                return
            await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(place) for place in range(16)))
    done.set()
    await following
    assert len(seen) == len(set(seen)) == 16 * 60


QUERIES = st.fixed_dictionaries(
    {
        "owners": st.sets(st.sampled_from(OWNERS), min_size=1).map(lambda owners: tuple(sorted(owners))),
        "states": st.sets(st.sampled_from(STATES)).map(tuple),
        "counterparty": st.sampled_from(["", "NL-EMS"]),
        "with_deleted": st.booleans(),
        "updated_from": st.none() | st.integers(0, 30),
        "updated_to": st.none() | st.integers(0, 30),
        "created_from": st.none() | st.integers(0, 30),
        "created_to": st.none() | st.integers(0, 30),
        "limit": st.integers(1, 9),
    }
)
OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(OWNERS), st.integers(0, 6), st.sampled_from(STATES), st.sampled_from(["", "NL-EMS"]), st.booleans()
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS, QUERIES)
def test_a_list_is_what_a_filter_over_everything_gives(
    journal_url: str,
    objects: list[tuple[str, int, str, str, bool]],
    filters: dict[str, object],
) -> None:
    kind = f"kind{next(RUNS)}"

    async def story() -> None:
        journal = await open_journal(journal_url)
        stamps = [journal.complete_until()]
        for n, (owner, key, state, counterparty, deleted) in enumerate(objects):
            ref = Ref(kind, owner, str(key))
            before = (await journal.get_many([ref])).get(ref)
            more = {"state": state, "counterparty": counterparty, "deleted": deleted}
            unit = put(ref, n, expect=before.version if before else 0, **more)
            stamps.append((await journal.append(unit)).stamp)
        given = {
            name: stamps[value % len(stamps)] if name.endswith(("_from", "_to")) and isinstance(value, int) else value
            for name, value in filters.items()
        }
        asked = ListQuery(kind=kind, **given)  # type: ignore[arg-type]
        refs = [Ref(kind, owner, str(key)) for owner in OWNERS for key in range(7)]
        stored = sorted((await journal.get_many(refs)).values(), key=lambda each: each.created_at)
        wanted = [each for each in stored if _matches(each, asked)]
        assert await crawl(journal, asked) == wanted
        assert await journal.count(asked) == len(wanted)
        await journal.close()

    asyncio.run(story())


def _matches(stored: Stored, query: ListQuery) -> bool:
    return (
        stored.ref.owner in query.owners
        and (not query.states or stored.state in query.states)
        and query.counterparty in ("", stored.counterparty)
        and (query.with_deleted or not stored.deleted)
        and (query.updated_from or 0) <= stored.last_updated < (query.updated_to or 2**62)
        and (query.created_from or 0) <= stored.created_at < (query.created_to or 2**62)
    )


async def test_an_unknown_kind_is_an_empty_list(journal: Journal) -> None:
    assert (await journal.walk(ListQuery(kind="nothing", owners=OWNERS, count=True))) == ([], None, 0)


async def test_a_touched_object_is_found_by_its_new_time(journal: Journal) -> None:
    from chargewire.journal.memory import Touch

    refs = await fill(journal, 9)
    committed = await journal.append(Unit(place="L1", touches=[Touch(refs[4])]))
    assert [row.ref for row in await crawl(journal, query(updated_from=committed.stamp))] == [refs[4]]
