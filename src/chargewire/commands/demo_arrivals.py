"""What has arrived at the demo's receiver, and whether it was meant for whom it reached."""

from pathlib import Path

import msgspec

from chargewire.commands.received import Received

_EACH = ("PUT sessions", "PATCH sessions", "POST cdrs", "PUT locations", "PATCH locations", "PUT notifications")
EXPECTED = frozenset(f"{customer} {what}" for customer in ("analytics", "city", "smart", "production") for what in _EACH)
"""What each customer has to be told at least once: `customer METHOD module`."""

_OWNERS = {"city": "NL/BBB", "smart": "NL/CCC"}
_line = msgspec.json.Decoder(Received)


def arrived(folder: Path) -> set[str]:
    """What was received so far, as in `EXPECTED`."""
    return {f"{each.folder} {each.method} {each.module}" for each in _all(folder)}


def broken_scope(folder: Path) -> list[str]:
    """Requests that told a customer of a CPO that it has no grant for."""
    wrong = []
    for each in _all(folder):
        owner = _OWNERS.get(each.folder)
        if owner and each.module in ("sessions", "locations") and "/".join(each.object[:2]) != owner:
            wrong.append(f"{each.method} {each.path}")
    return wrong


def _all(folder: Path) -> list[Received]:
    found = []
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            try:
                found.append(_line.decode(line))
            except msgspec.MsgspecError:
                continue  # a line that is being written
    return found
