"""What one fact is going to change, gathered before it is written."""

from collections.abc import Callable

from chargewire.journal.memory import Journal, Name, NewMessage, NewReading, Ref, Touch, Unit, Write

Then = Callable[[int], None]


class Draft:
    """Writes by place. One place is one unit, kept or not kept as a whole; it is nearly always just one.

    A session stays in the partition of the location where it began. If its station has moved elsewhere meanwhile, that
    gives two units: sessions first, so that a repeat after a crash finds them and adds nothing.
    """

    def __init__(self, place: str, message_id: str = "") -> None:
        self.place = place
        self.message_id = message_id  # of the call that all this comes from
        self._writes: dict[str, dict[Ref, tuple[Write, Then | None]]] = {}
        self._touches: list[Touch] = []
        self._names: dict[str, list[Name]] = {}
        self._readings: list[NewReading] = []
        self._messages: list[NewMessage] = []

    def write(self, write: Write, then: Then | None = None, *, place: str | None = None) -> None:
        """Add a write, in place of an earlier one of the same object; `then` gets the version that it has once it is durable."""
        self._writes.setdefault(place or self.place, {})[write.ref] = (write, then)

    def touch(self, ref: Ref) -> None:
        self._touches.append(Touch(ref))

    def name(self, kind: str, name: str, ref: Ref, *, place: str | None = None) -> None:
        self._names.setdefault(place or self.place, []).append(Name(kind, name, ref))

    def reading(self, reading: NewReading) -> None:
        self._readings.append(reading)

    def message(self, message: NewMessage) -> None:
        self._messages.append(message)

    async def commit(self, journal: Journal) -> None:
        """Returns once all is durable. Raises LostRace or NameTaken if it has to be decided again."""
        places = [*(place for place in self._writes if place != self.place), self.place]
        for place in places:
            writes = self._writes.get(place, {}).values()
            here = place == self.place
            if not (writes or (here and (self._touches or self._readings or self._messages))):
                continue
            committed = await journal.append(
                Unit(
                    place=place,
                    writes=[write for write, _ in writes],
                    names=self._names.get(place, ()),
                    touches=self._touches if here else (),
                    readings=self._readings if here else (),
                    messages=self._messages if here else (),
                )
            )
            for (_, then), version in zip(writes, committed.versions, strict=True):
                if then:
                    then(version)
