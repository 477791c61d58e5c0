"""How a list that is filtered by last_updated is read: by that index and sorted, or by creation, passing over the rest.

Both give the same rows in the same order, so a crawl may change over at any page.
"""

from chargewire.journal.memory import ListQuery

FEW = 10_000  # objects that are better sorted than searched for


def by_update(query: ListQuery) -> bool | None:
    """Whether to read by last_updated; None: only if the filter leaves no more than FEW, which is not known yet."""
    if query.updated_from is None:
        return False  # what was updated before some moment was created before it: the walk begins with it
    if query.after is not None and int(query.after[0]) >= query.updated_from:
        return False  # from here on everything matches: nothing is updated before it is created
    if query.after is not None and len(query.after) > 2:
        return bool(query.after[2])  # as the first page of the crawl found
    return None if query.known_total is None else query.known_total <= FEW
