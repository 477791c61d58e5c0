"""What stations tell us and what they are told back, in our words; no protocol version in sight.

A fact is what one message means. `at` is the station's own clock as it was sent (None: not sent, or not readable);
correcting it is `csms`' business, who knows when it was heard.
"""

from datetime import datetime

from msgspec import Struct

from chargewire.charging.location import Boot, Status
from chargewire.charging.reading import Reading
from chargewire.charging.token import Allowed


class Booted(Struct, frozen=True, tag=True):
    boot: Boot


class Beat(Struct, frozen=True, tag=True):
    """A sign of life."""


class StatusReported(Struct, frozen=True, tag=True, kw_only=True):
    connector_number: int  # 0 = the station as a whole
    status: Status
    at: datetime | None = None
    error_code: str = "NoError"
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class TokenShown(Struct, frozen=True, tag=True):
    """A driver asks to be let in (OCPP Authorize)."""

    token_uid: str


class SessionStarted(Struct, frozen=True, tag=True, kw_only=True):
    connector_number: int
    token_uid: str
    register_wh: int | None
    at: datetime | None
    reservation_id: int | None = None


class Metered(Struct, frozen=True, tag=True, kw_only=True):
    """Readings of a connector; `transaction_id` is None when the station named none that can be one of ours."""

    connector_number: int
    readings: tuple[Reading, ...]
    transaction_id: str | None = None


class SessionEnded(Struct, frozen=True, tag=True, kw_only=True):
    transaction_id: str | None
    register_wh: int | None
    at: datetime | None
    reason: str = "Local"
    token_uid: str | None = None
    readings: tuple[Reading, ...] = ()


class Told(Struct, frozen=True, tag=True, kw_only=True):
    """Something that changes nothing here: vendor data, firmware or diagnostics progress. Stored as a message only."""

    about: str


Fact = Booted | Beat | StatusReported | TokenShown | SessionStarted | Metered | SessionEnded | Told


class Welcome(Struct, frozen=True):
    """Answer to `Booted`."""

    accepted: bool  # False: parked, not known to any location yet (OCPP Pending)
    now: datetime
    interval_s: int


class Now(Struct, frozen=True):
    """Answer to `Beat`."""

    now: datetime


class Verdict(Struct, frozen=True):
    """Answer to `TokenShown` and `SessionEnded` (None: no token was named)."""

    allowed: Allowed | None
    expires_at: datetime | None = None
    group_id: str | None = None  # tokens of a group stop each other's sessions


class Begun(Struct, frozen=True):
    """Answer to `SessionStarted`."""

    transaction_id: str
    allowed: Allowed
    expires_at: datetime | None = None
    group_id: str | None = None


class Noted(Struct, frozen=True):
    """Answer to everything else."""

    known: bool = True


Reply = Welcome | Now | Verdict | Begun | Noted
