"""A location as its owner's words: objects within objects, each with its own `last_updated` (2.1.1 mod_locations).

What happens to a connector has happened to its EVSE, and what happens to an EVSE to its location: the `last_updated` of a
lower object raises those above it by maximum, else somebody who asks for changes since then would lose it. Times stay in the
words in which they came, and so do ids that are numbers where they should be text.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chargewire.charging.errors import Unknown

Content = dict[str, Any]
_STAMP = "last_updated"


def stamp_of(content: Content) -> datetime | None:
    """The object's own `last_updated`; None if it has none that can be read. A time without offset is UTC (2.1.1 types)."""
    text = content.get(_STAMP)
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if at is None else (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def newest(content: Content) -> datetime | None:
    """The newest `last_updated` of an object and of everything in it."""
    return max((at for each in _all(content) if (at := stamp_of(each)) is not None), default=None)


def evses_of(location: Content) -> list[Content]:
    """The EVSEs of a location."""
    return _parts(location, "evses")


def evse_of(location: Content, uid: str) -> Content:
    """An EVSE of a location. Raises Unknown."""
    return _found(location, "evses", "uid", uid, "EVSE")


def connector_of(evse: Content, connector_id: str) -> Content:
    """A connector of an EVSE. Raises Unknown."""
    return _found(evse, "connectors", "id", connector_id, "connector")


def with_evse(location: Content, evse: Content) -> Content:
    """The location with an EVSE in place of the one of the same uid, or with one more."""
    return _raised(_with(location, "evses", "uid", evse), evse)


def with_connector(evse: Content, connector: Content) -> Content:
    """The EVSE with a connector in place of the one of the same id, or with one more."""
    return _raised(_with(evse, "connectors", "id", connector), connector)


def _raised(content: Content, part: Content) -> Content:
    own, its = stamp_of(content), stamp_of(part)
    return {**content, _STAMP: part[_STAMP]} if its is not None and (own is None or its > own) else content


def _with(content: Content, parts: str, name: str, part: Content) -> Content:
    before, wanted = _parts(content, parts), str(part[name])
    if any(str(each.get(name)) == wanted for each in before):
        return {**content, parts: [part if str(each.get(name)) == wanted else each for each in before]}
    return {**content, parts: [*before, part]}


def _found(content: Content, parts: str, name: str, wanted: str, what: str) -> Content:
    found = next((each for each in _parts(content, parts) if str(each.get(name)) == wanted), None)
    if found is None:
        raise Unknown(what, wanted)
    return found


def _parts(content: Content, name: str) -> list[Content]:
    """What is within an object. It stands there as it came: one object alone, or what is no object and was read as nothing."""
    said = content.get(name)
    parts = said if isinstance(said, list) else [said]
    return [each for each in parts if isinstance(each, dict) and each]  # an empty one says nothing


def _all(content: Content) -> Iterator[Content]:
    yield content
    for evse in _parts(content, "evses"):
        yield evse
        yield from _parts(evse, "connectors")
