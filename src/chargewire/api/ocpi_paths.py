"""Paths under `/ocpi` as partners write them: ids may hold a slash, and slashes come in pairs."""

import re
from urllib.parse import unquote

from chargewire.api.context import Asking

_SLASH = "\ue000"  # stands for a slash within an id until it is read: a character that no text may hold as one of its own
_ESCAPED = re.compile("%2f", re.IGNORECASE)


def ocpi_path(path: str, raw_path: bytes) -> str:
    """The path as it is routed; `raw_path` is it before escapes were resolved.

    2.1.1 lets any printable character stand in an id. Some partners put `/…` behind an address that ends in a slash.
    """
    raw = raw_path.decode("latin-1")
    if _ESCAPED.search(raw):
        path = unquote(_ESCAPED.sub("%EE%80%80", raw)).replace("\0", "\ufffd")
    return re.sub("/+", "/", path)


def named(request: Asking, name: str) -> str:
    """What a segment of the path says."""
    return str(request.path_params[name]).replace(_SLASH, "/")
