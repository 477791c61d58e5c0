"""Whether a token may charge."""

from datetime import datetime

from chargewire.charging.token import Allowed, Token


def verdict(token: Token | None, at: datetime) -> Allowed:
    """What to answer a driver who shows `token` at `at`; None: nobody whom the station serves knows it.

    OCPI 2.1.1 mod_tokens, Token.valid: false means "not allowed to charge", which OCPP 1.6 (§7.2 AuthorizationStatus)
    calls Blocked; Invalid is for identifiers that are unknown. A token is expired from `expires_at` on, inclusive.
    Concurrent use is not decided here: that takes the sessions that are running.
    """
    if token is None:
        return Allowed.INVALID
    if not token.valid:
        return Allowed.BLOCKED
    if token.expires_at is not None and token.expires_at <= at:
        return Allowed.EXPIRED
    return Allowed.ACCEPTED
