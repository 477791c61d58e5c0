"""What one fact is going to change, gathered before it is written."""

from collections.abc import Callable

from chargewire.journal.memory import Journal, Name, NewMessage, NewReading, Ref, Touch, Unit, Write

Then = Callable[[int], None]
Writes = dict[Ref, tuple[Write, Then | None]]


class Draft:
    """Writes by place. One place is one unit, kept or not kept as a whole; it is nearly always just one.

    A session stays in the partition of the location where it began. If its station has moved elsewhere meanwhile, that
    gives two units: sessions first, so that a repeat after a crash finds them and adds nothing.
    """

    __slots__ = ("_elsewhere", "_messages", "_names", "_readings", "_touches", "_writes", "message_id", "place")

    def __init__(self, place: str, message_id: str = "") -> None:
        self.place = place
        self.message_id = message_id  # of the call that all this comes from
        self._writes: Writes | None = None
        self._elsewhere: dict[str, Writes] | None = None
        self._names: tuple[Name, ...] = ()
        self._touches: tuple[Touch, ...] = ()
        self._readings: tuple[NewReading, ...] = ()
        self._messages: tuple[NewMessage, ...] = ()

    def write(self, write: Write, then: Then | None = None, *, place: str | None = None) -> None:
        """Add a write, in place of an earlier one of the same object; `then` gets the version once it is durable."""
        if place is None or place == self.place:
            self._writes = self._writes or {}
            self._writes[write.ref] = (write, then)
        else:
            self._elsewhere = self._elsewhere or {}
            self._elsewhere.setdefault(place, {})[write.ref] = (write, then)

    def touch(self, ref: Ref) -> None:
        self._touches = (*self._touches, Touch(ref))

    def name(self, kind: str, name: str, ref: Ref, held_by: Ref | None = None) -> None:
        self._names = (*self._names, Name(kind, name, ref, held_by))

    def reading(self, reading: NewReading) -> None:
        self._readings = (*self._readings, reading)

    def message(self, message: NewMessage) -> None:
        self._messages = (*self._messages, message)

    async def commit(self, journal: Journal) -> None:
        """Returns once all is durable. Raises LostRace or NameTaken if it has to be decided again."""
        for place, writes in (self._elsewhere or {}).items():
            await _append(journal, Unit(place=place, writes=[write for write, _ in writes.values()]), writes)
        writes = self._writes or {}
        if not (writes or self._touches or self._readings or self._messages):
            return
        unit = Unit(
            place=self.place,
            writes=[write for write, _ in writes.values()] if writes else (),
            names=self._names,
            touches=self._touches,
            readings=self._readings,
            messages=self._messages,
        )
        await _append(journal, unit, writes)


async def _append(journal: Journal, unit: Unit, writes: Writes) -> None:
    committed = await journal.append(unit)
    if writes:
        for (_, then), version in zip(writes.values(), committed.versions, strict=True):
            if then:
                then(version)
