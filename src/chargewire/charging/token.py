"""Tokens: what a driver shows to a station, and what that allows (OCPI 2.1.1 mod_tokens)."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Token(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token of an eMSP. Journal kind `token`, owner = the eMSP, key = `uid` (compared without case)."""

    uid: str
    type: str  # RFID | OTHER
    auth_id: str
    issuer: str
    valid: bool
    whitelist: str  # ALWAYS | ALLOWED | ALLOWED_OFFLINE | NEVER
    visual_number: str | None = None
    language: str | None = None
    expires_at: datetime | None = None
    customer_id: str | None = None
    group_id: str | None = None  # tokens of a group stop each other's sessions (OCPP parentIdTag)
    retail_tariff_id: str | None = None  # of its eMSP; None: the eMSP's own default
    said_at: datetime | None = None  # `last_updated` as a roaming partner said it


class Allowed(StrEnum):
    """The answer to a driver; every protocol has its own words for it."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT = "ConcurrentTx"


class TokenRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The token of a session as it was when the session began."""

    uid: str
    auth_id: str
    emsp: str | None = None
    visual_number: str | None = None
    customer_id: str | None = None
    group_id: str | None = None
    type: str = "RFID"  # RFID | OTHER
