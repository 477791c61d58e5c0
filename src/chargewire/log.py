"""Log lines are events with fields: `station.silent station_id=CS-1 for_s=180`. Tokens, keys and passwords stay out."""

import logging

_QUOTED = frozenset(" '\"=")
_log = logging.getLogger("chargewire")


def event(name: str, /, **fields: object) -> None:
    """Log something that happened."""
    if _log.isEnabledFor(logging.INFO):
        _log.info("%s %s", name, _written(fields))


def trouble(name: str, /, *, cause: BaseException | None = None, **fields: object) -> None:
    """Log something that should not have happened; `cause` with its traceback."""
    _log.warning("%s %s", name, _written(fields), exc_info=cause)


def _written(fields: dict[str, object]) -> str:
    return " ".join(f"{name}={_plain(str(value))}" for name, value in fields.items())


def _plain(text: str) -> str:
    """Quoted if it is not one plain word: what stations and customers send makes no line of its own."""
    return text if text.isprintable() and not _QUOTED.intersection(text) else repr(text)
