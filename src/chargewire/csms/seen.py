"""What a look at shared objects gives: part of a list, and a place with all that stands there."""

from typing import Any, NamedTuple

from msgspec import Struct

from chargewire.charging.errors import Unknown
from chargewire.charging.location import Connector, Evse, Location


class Window(Struct, frozen=True, kw_only=True):
    """Which part of a list: `updated_from` inclusive, `updated_to` exclusive (µs); `after` is the `next` of a `Part`."""

    updated_from: int | None = None
    updated_to: int | None = None
    offset: int = 0
    limit: int = 100
    after: tuple[Any, ...] | None = None
    known_total: int | None = None  # of the whole list, if it has just been counted


class Part(NamedTuple):
    """Part of a list. `next`: where to go on (JSON-able), None at its end."""

    rows: list[Any]
    next: list[Any] | None


class SeenEvse(NamedTuple):
    evse: Evse
    last_updated: int


class SeenPlace(Struct, frozen=True):
    """A location with its EVSEs. An EVSE whose `location_id` is another one has gone there."""

    owner: str
    location: Location
    evses: tuple[SeenEvse, ...]
    last_updated: int

    def evse(self, uid: str) -> SeenEvse:
        """Raises Unknown."""
        found = next((each for each in self.evses if each.evse.uid.lower() == uid.lower()), None)
        if found is None:
            raise Unknown("EVSE", uid)
        return found

    def connector(self, uid: str, connector_id: str) -> tuple[Connector, int]:
        """Raises Unknown."""
        seen = self.evse(uid)
        found = next((each for each in seen.evse.connectors if each.id == connector_id), None)
        if found is None:
            raise Unknown("connector", connector_id)
        return found, seen.last_updated
