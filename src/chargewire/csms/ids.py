"""Names that we give. All of them sort by the time they were made, so that what is new lies together on disk."""

import secrets
import time

from chargewire.charging.party import split_party
from chargewire.journal.memory import Ref

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter that reads like a digit
_INT32 = 2**31 - 1


def new_id() -> str:
    """22 characters: 10 of milliseconds, 12 random (60 bits)."""
    return _base32(time.time_ns() // 1_000_000, 10) + _base32(secrets.randbits(60), 12)


def new_session_id(owner: str) -> str:
    """A session id of a CPO: its country code and party id, then `new_id` (27 characters; OCPI allows 36)."""
    return "".join(split_party(owner)) + new_id()


def new_transaction_id() -> str:
    """An OCPP 1.6 transaction id: a random positive int32, so that ids of a lost database never come again (1.6 §4.8)."""
    return str(secrets.randbelow(_INT32) + 1)


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(digits)))


def session_ref(session_id: str) -> Ref:
    """Where a session is: its owner is in its name and never changes."""
    return Ref("session", f"{session_id[:2]}-{session_id[2:5]}", session_id)
