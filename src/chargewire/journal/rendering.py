"""Rendered pages: the JSON of an object in the hot dialect, made when it is written and kept beside it.

Reading a list is then copying bytes. A page made by an older version of the dialect, or of an object whose
`last_updated` was raised since, is made again from the body when it is read.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.journal.memory import CREATED, STAMP, JournalError, Renderer

STALE = -1  # dialect of a page that must be made again


class Rendering(Struct, frozen=True):
    """How objects of one kind are rendered. Raise `version` (≥ 1) whenever `render` writes something else.

    `lasting`: whether an object is worth rendering when it is written; others are rendered when somebody reads them.
    """

    version: int
    type: type[Struct]
    render: Renderer
    lasting: Callable[[Any], bool] = lambda _: True


Renderers = Mapping[str, Rendering]


def wire_time(stamp: int) -> bytes:
    """A stamp in milliseconds, rounded down: `2026-11-24T06:12:00.123Z`."""
    second, micros = divmod(stamp, 1_000_000)
    return b"%s.%03dZ" % (_second(second), micros // 1000)


@lru_cache(maxsize=4096)
def _second(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def fill(page: bytes, created_at: int, last_updated: int) -> bytes:
    """Put the two times where their placeholders stand."""
    return page.replace(STAMP, wire_time(last_updated)).replace(CREATED, wire_time(created_at))


def rendered_again(rendering: Rendering, body: bytes, created_at: int, last_updated: int) -> bytes:
    """The page of a stored body."""
    content = msgspec.json.decode(body, type=rendering.type)
    return fill(rendering.render(content), created_at, last_updated)


def rendering_of(renderers: Renderers, kind: str) -> Rendering:
    """Raises JournalError if the kind has no pages."""
    try:
        return renderers[kind]
    except KeyError:
        raise JournalError(f"objects of kind {kind!r} have no rendered pages") from None
