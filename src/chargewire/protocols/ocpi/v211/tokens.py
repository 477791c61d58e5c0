"""Tokens and real-time authorization of OCPI 2.1.1 (mod_tokens)."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from chargewire.charging import token as domain
from chargewire.protocols.ocpi.moments import Stamp, moment, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.parts import DisplayText
from chargewire.protocols.ocpi.v211.texts import clipped, filled, language

_encode = msgspec.json.Encoder().encode


class Token(Struct, frozen=True, kw_only=True, omit_defaults=True):
    uid: words.Id36
    type: words.TokenType
    auth_id: words.Id36
    visual_number: words.Text64 | None = None
    issuer: words.Text64
    valid: bool
    whitelist: words.WhitelistType
    language: words.Language | None = None
    last_updated: words.DateTime


class LocationReferences(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the driver stands."""

    location_id: words.Id39
    evse_uids: tuple[words.Id39, ...] = ()
    connector_ids: tuple[words.Id36, ...] = ()


class AuthorizationInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The eMSP's word, and where it holds."""

    allowed: words.Allowed
    location: LocationReferences | None = None
    info: DisplayText | None = None


ALLOWED: dict[domain.Allowed, words.Allowed] = {
    domain.Allowed.ACCEPTED: "ALLOWED",
    domain.Allowed.BLOCKED: "BLOCKED",
    domain.Allowed.EXPIRED: "EXPIRED",
    domain.Allowed.INVALID: "NOT_ALLOWED",
    domain.Allowed.CONCURRENT: "NOT_ALLOWED",
}
ALLOWED_OF: dict[words.Allowed, domain.Allowed] = {
    "ALLOWED": domain.Allowed.ACCEPTED,
    "BLOCKED": domain.Allowed.BLOCKED,
    "EXPIRED": domain.Allowed.EXPIRED,
    "NO_CREDIT": domain.Allowed.BLOCKED,
    "NOT_ALLOWED": domain.Allowed.INVALID,
}


def token(given: domain.Token, last_updated: Stamp) -> Token:
    """A token; `last_updated` is what its issuer said, if it is a partner's."""
    return Token(
        uid=given.uid,
        type=given.type,  # type: ignore[arg-type]
        auth_id=given.auth_id,
        visual_number=clipped(given.visual_number, 64),
        issuer=filled(given.issuer, 64),
        valid=given.valid,
        whitelist=given.whitelist,  # type: ignore[arg-type]
        language=language(given.language),
        last_updated=moment(given.said_at) if given.said_at else stamped(last_updated),
    )


def token_json(given: domain.Token, last_updated: Stamp) -> bytes:
    """A token as it is listed and pushed."""
    return _encode(token(given, last_updated))


def token_of(given: Token) -> domain.Token:
    """What a partner says of a token."""
    return domain.Token(
        uid=given.uid,
        type=given.type,
        auth_id=given.auth_id,
        issuer=given.issuer,
        valid=given.valid,
        whitelist=given.whitelist,
        visual_number=given.visual_number,
        language=given.language,
        said_at=datetime.fromisoformat(given.last_updated.removesuffix("Z")).replace(tzinfo=UTC),
    )
