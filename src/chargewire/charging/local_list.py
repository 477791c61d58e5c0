"""What a station's local authorization list should hold, and how it gets there in pieces (OCPP 1.6 §3.5.2, §5.15)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from chargewire.charging.commands import ListedToken, SendLocalList
from chargewire.charging.location import Location
from chargewire.charging.token import Allowed, Token
from chargewire.charging.tokens import may_charge_at, verdict

MOST_ID_TAG = 20  # characters of an idTag
USUAL_CHUNK = 50  # entries of a message where the station does not say how many it takes
USUAL_LENGTH = 500

Listed = Mapping[str, ListedToken]
"""A list by the case-folded uid."""


class ListLimits(Struct, frozen=True, kw_only=True):
    """What a station has said of itself (OCPP 1.6 §9.3). `asks_first`: LocalPreAuthorize is off, so it asks us while it can."""

    chunk: int = USUAL_CHUNK
    length: int = USUAL_LENGTH
    asks_first: bool = False


class Wanted(Struct, frozen=True):
    """`left_out`: tokens that belong on the list and are too long for an idTag, or too many for the station."""

    listed: dict[str, ListedToken]
    left_out: int


def wanted_list(
    tokens: Iterable[Token], location: Location | None, limits: ListLimits, before: Collection[str], at: datetime
) -> Wanted:
    """The list that a station should have.

    On it are the tokens that need no word of their eMSP: ALWAYS and ALLOWED, and ALLOWED_OFFLINE where the station asks us as
    long as it can (OCPI 2.1.1 mod_tokens, WhitelistType). One that was on it `before` and is not good any more is listed as
    what it is now, so that it is refused also where unknown tokens are let in. A list that is too long loses bad ones first.
    """
    good: dict[str, ListedToken] = {}
    bad: dict[str, ListedToken] = {}
    too_long = 0
    for token in tokens:
        key = token.uid.casefold()
        allowed = _listed_as(token, location, limits, at)
        if allowed is Allowed.ACCEPTED:
            if len(token.uid) > MOST_ID_TAG:
                too_long += 1
                continue
            bad.pop(key, None)
            if key not in good:
                good[key] = ListedToken(uid=token.uid, allowed=allowed, expires_at=token.expires_at, group_id=token.group_id)
        elif allowed is not None and key in before and key not in good:
            bad[key] = ListedToken(uid=token.uid, allowed=allowed)
    kept = [*sorted(good.items()), *sorted(bad.items())][: limits.length]
    return Wanted(dict(kept), too_long + max(0, len(good) - limits.length))


def difference(before: Listed, wanted: Listed) -> tuple[ListedToken, ...]:
    """What makes one list of another; what is to be taken off comes first, so that no list is too long on its way."""
    gone = [ListedToken(uid=token.uid) for key, token in before.items() if key not in wanted]
    return (*gone, *(token for key, token in wanted.items() if before.get(key) != token))


def applied(before: Listed, sent: SendLocalList) -> dict[str, ListedToken]:
    """The list of a station that has accepted a message."""
    listed = {} if sent.full else dict(before)
    for token in sent.tokens:
        listed.pop(token.uid.casefold(), None)
        if token.allowed is not None:
            listed[token.uid.casefold()] = token
    return listed


def messages(changes: Sequence[ListedToken], version: int, chunk: int, *, full: bool) -> list[SendLocalList]:
    """The messages that bring a whole list (also an empty one), or changes; the first one has `version`, the next one more."""
    size = max(chunk, 1)
    pieces = [tuple(changes[start : start + size]) for start in range(0, len(changes), size)] or ([()] if full else [])
    return [SendLocalList(version=version + n, full=full and n == 0, tokens=piece) for n, piece in enumerate(pieces)]


def _listed_as(token: Token, location: Location | None, limits: ListLimits, at: datetime) -> Allowed | None:
    """As what a token may stand on a list; None: not at all."""
    allowed = verdict(token, at)
    if allowed is not Allowed.ACCEPTED:
        return allowed
    if location is not None and not may_charge_at(token, location):
        return Allowed.INVALID
    by_itself = token.whitelist in ("ALWAYS", "ALLOWED") or (token.whitelist == "ALLOWED_OFFLINE" and limits.asks_first)
    return allowed if by_itself else None
