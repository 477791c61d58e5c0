"""Whether a token may charge, and where."""

from datetime import datetime

from chargewire.charging.location import Location
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


def may_charge_at(token: Token, location: Location) -> bool:
    """Whether a token is among those that a closed place is for; a place without rules is for all.

    Rules as in the Platform API: CustomerExternalId names a customer, ClosedGroups and HomeToken a contract (or a group).
    """
    return not location.auth_rules or any(
        rule.value == token.customer_id
        if rule.type == "CustomerExternalId"
        else rule.value.casefold() in (token.auth_id.casefold(), (token.group_id or "").casefold())
        for rule in location.auth_rules
    )
