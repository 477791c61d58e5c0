"""What a lane remembers of a key over a restart: text in a deferred row, and the row that says whose objects were walked."""

import msgspec

from chargewire.journal.memory import Deferred, Ref
from chargewire.push.rules import Told

WALKED = "walked"  # state, and kind, of the row that names the owners whose objects the endpoint was told of from the beginning


class Memo(msgspec.Struct, array_like=True):
    flags: int = 0
    told: Told | None = None


_memo = msgspec.json.Decoder(Memo)
_owners = msgspec.json.Decoder(list[str])


def memo_text(flags: int, told: Told | None) -> str:
    return msgspec.json.encode(Memo(flags, told)).decode()


def memo_of(row: Deferred) -> Memo:
    """What a row remembers; nothing if it cannot be read."""
    try:
        return _memo.decode(row.memo)
    except msgspec.DecodeError:
        return Memo()


def walked_row(endpoint: str, part: int, owners: frozenset[str]) -> Deferred:
    """The row that remembers `owners`. Its due time puts it before all others."""
    memo = msgspec.json.encode(sorted(owners)).decode()
    return Deferred(endpoint=endpoint, part=part, ref=Ref(WALKED, "", str(part)), due=0, state=WALKED, memo=memo)


def walked_owners(row: Deferred) -> frozenset[str]:
    return frozenset(_owners.decode(row.memo))
