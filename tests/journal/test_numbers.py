"""Whatever is written, in whatever batches: the journal does what a dictionary would, and numbers it without gaps."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from msgspec import Struct

from chargewire.journal import open_journal
from chargewire.journal.memory import Committed, Journal, LogQuery, LostRace, Name, NameTaken, Ref, Unit
from journal.units import message, put, reading


class Step(Struct, frozen=True):
    """One unit: (object, how far the expected version is off, content, state) …, readings, messages, a name for the first."""

    writes: list[tuple[int, int, int, str]]
    readings: int
    messages: int
    name: int | None


WRITES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, -1, 1]), st.integers(0, 2), st.sampled_from(["", "ACTIVE"])),
    max_size=3,
    unique_by=lambda write: write[0],
)
STEPS = st.builds(Step, WRITES, st.integers(0, 2), st.integers(0, 1), st.none() | st.integers(0, 2))
BATCHES = st.lists(st.lists(STEPS, min_size=1, max_size=8), max_size=4)
OWNERS: Iterator[int] = count()


class Model:
    """What should be there, decided unit by unit."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.objects: dict[int, tuple[int, int, str]] = {}  # version, content, state
        self.names: dict[int, int] = {}
        self.changes: list[tuple[str, int]] = []
        self.readings = self.messages = 0

    def unit(self, step: Step, expected: Sequence[int]) -> Unit:
        writes = [
            put(self._ref(key), content, expect=expect, state=state).writes[0]
            for (key, _, content, state), expect in zip(step.writes, expected, strict=True)
        ]
        names = [Name("n", f"{self.owner}/{step.name}", writes[0].ref)] if writes and step.name is not None else []
        return Unit(
            place=self.owner,
            writes=writes,
            names=names,
            readings=[reading(self.owner)] * step.readings,
            messages=[message(self.owner)] * step.messages,
        )

    def expected(self, step: Step) -> list[int]:
        return [max(0, self.objects.get(key, (0, 0, ""))[0] + off) for key, off, _, _ in step.writes]

    def keep(self, step: Step, expected: Sequence[int]) -> tuple[int, ...] | type[Exception]:
        if any(self.objects.get(write[0], (0,))[0] != expect for write, expect in zip(step.writes, expected, strict=True)):
            return LostRace
        if step.writes and step.name is not None and self.names.setdefault(step.name, step.writes[0][0]) != step.writes[0][0]:
            return NameTaken
        for key, _, content, state in step.writes:
            version, *before = self.objects.get(key, (0, None, None))
            if before != [content, state]:
                self.objects[key] = (version + 1, content, state)
                self.changes.append((str(key), version + 1))
        self.readings += step.readings
        self.messages += step.messages
        return tuple(self.objects[key][0] for key, *_ in step.writes)

    def _ref(self, key: int) -> Ref:
        return Ref("session", self.owner, str(key))


async def _write(journal: Journal, model: Model, batches: Sequence[Sequence[Step]]) -> None:
    for batch in batches:
        told, answers = [], []
        for step in batch:
            expected = model.expected(step)
            told.append(journal.append(model.unit(step, expected)))
            answers.append(model.keep(step, expected))
        for result, answer in zip(await asyncio.gather(*told, return_exceptions=True), answers, strict=True):
            if isinstance(result, Committed):
                assert result.versions == answer
            else:
                assert type(result) is answer


async def _check(journal: Journal, model: Model, before: int) -> None:
    part = journal.part_of(model.owner)
    changes = await journal.changes(part, before)
    assert [(change.ref.key, change.version) for change in changes] == model.changes
    assert [change.seq for change in changes] == list(range(before + 1, before + 1 + len(changes)))
    refs = [Ref("session", model.owner, str(key)) for key in range(4)]
    stored = await journal.get_many(refs)
    found = {int(ref.key): (each.version, int(each.body), each.state) for ref, each in stored.items()}
    assert found == model.objects
    for name, key in model.names.items():
        named = await journal.find("n", f"{model.owner}/{name}")
        assert named is not None
        assert named.ref.key == str(key)
    query = LogQuery(owners=(model.owner,))
    readings, messages = (await journal.readings(query)).rows, (await journal.messages(query)).rows
    assert (len(readings), len(messages)) == (model.readings, model.messages)
    for rows in (readings, messages):
        numbers = [row.seq for row in rows]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        heard = [row.heard_at for row in rows]
        assert heard == sorted(set(heard))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES)
def test_the_journal_does_what_a_dictionary_would(journal_url: str, batches: list[list[Step]]) -> None:
    async def story() -> None:
        journal = await open_journal(journal_url)
        try:
            model = Model(f"owner{next(OWNERS)}")
            before = (await journal.heads())[journal.part_of(model.owner)]
            await _write(journal, model, batches)
            await _check(journal, model, before)
        finally:
            await journal.close()

    asyncio.run(story())
