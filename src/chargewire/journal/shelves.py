"""Which lists exist. A shelf holds the objects of one kind, owner, state and deletedness in the order of their creation."""

from collections.abc import Iterable

from chargewire.journal.memory import ListQuery

Shelf = tuple[str, str, str, bool]  # kind, owner, state, deleted


class Shelves:
    """Grows only. Written by one thread, read by any."""

    def __init__(self, shelves: Iterable[Shelf] = ()) -> None:
        self._by_kind: dict[str, dict[str, tuple[Shelf, ...]]] = {}
        for shelf in shelves:
            self.add(shelf)

    def __contains__(self, shelf: Shelf) -> bool:
        return shelf in self._by_kind.get(shelf[0], {}).get(shelf[1], ())

    def add(self, shelf: Shelf) -> None:
        """Remember a shelf."""
        owners = self._by_kind.setdefault(shelf[0], {})
        owners[shelf[1]] = (*owners.get(shelf[1], ()), shelf)

    def of_kind(self, kind: str) -> list[Shelf]:
        """All shelves of a kind."""
        return [shelf for shelves in list(self._by_kind.get(kind, {}).values()) for shelf in shelves]

    def asked_for(self, query: ListQuery) -> list[Shelf]:
        """The shelves that a query is about."""
        owners = self._by_kind.get(query.kind)
        if not owners:
            return []
        return [
            shelf
            for owner in dict.fromkeys(query.owners)
            for shelf in owners.get(owner, ())
            if (not query.states or shelf[2] in query.states) and (query.with_deleted or not shelf[3])
        ]
