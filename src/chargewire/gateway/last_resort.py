"""What a station is told when something of ours broke on its message: enough for its queue to go on (habit 22)."""

import secrets
from datetime import datetime

from chargewire.charging.facts import (
    Beat,
    Begun,
    Booted,
    Fact,
    Metered,
    Noted,
    Now,
    Reply,
    SessionEnded,
    SessionStarted,
    StatusReported,
    Told,
    Verdict,
    Welcome,
)
from chargewire.charging.token import Allowed

ASK_AGAIN_S = 60


def last_resort(fact: Fact, now: datetime) -> Reply | None:
    """A reply that denies nothing; None where only an error is honest: no driver is let in, or turned away, by a fault of ours.

    A start gets an id that belongs to nothing: what follows under it is kept as what it is.
    """
    match fact:
        case SessionStarted():
            return Begun(str(secrets.randbelow(2**31 - 1) + 1), Allowed.ACCEPTED)
        case SessionEnded():
            return Verdict(None)
        case Metered() | StatusReported() | Told():
            return Noted(known=False)
        case Beat():
            return Now(now)
        case Booted():
            return Welcome(accepted=False, now=now, interval_s=ASK_AGAIN_S)
    return None
