"""Who may come in: subscriptions by their token, operators by the admin token (header, or the status page's cookie)."""

import hmac

from msgspec import Struct

from chargewire.api.context import Api, Asking, api_of
from chargewire.api.faults import NotIn, NotThere, Suspended
from chargewire.sharing.scope import Scope

COOKIE = "chargewire_admin"
SEALED_AS = "admin-cookie"


class Caller(Struct, frozen=True):
    """A subscription that asks for a module that it has been granted."""

    api: Api
    scope: Scope


def enter(request: Asking, module: str) -> Caller:
    """Let a subscription in to pull a module. Raises NotIn, Suspended, NotThere."""
    api = api_of(request)
    subscription = api.directory.by_token(bearer(request))
    if subscription is None:
        raise NotIn
    if subscription.state in ("suspended", "ended"):
        raise Suspended
    scope = api.directory.scope(subscription.id)
    if scope is None or not scope.granted(module, "pull"):
        raise NotThere
    return Caller(api, scope)


def admin(request: Asking) -> Api:
    """Let an operator in. Raises NotIn."""
    api = api_of(request)
    token = api.settings.admin_token
    if not token or not hmac.compare_digest(bearer(request).encode(), token.encode()):
        raise NotIn
    return api


def viewer(request: Asking) -> Api:
    """Let somebody in who only looks: by the admin token, by the cookie of a login, or everybody if that is switched on."""
    api = api_of(request)
    if api.settings.open_status or is_logged_in(request):
        return api
    return admin(request)


def is_logged_in(request: Asking) -> bool:
    """Whether the request carries the cookie of a login with the present admin token."""
    api, cookie = api_of(request), request.cookies.get(COOKIE, "")
    token = api.settings.admin_token
    return bool(cookie and token) and api.keys.matches(cookie, f"{SEALED_AS}:{token}")


def cookie_for(api: Api, token: str) -> str | None:
    """The cookie of a login; None if the token is wrong."""
    right = api.settings.admin_token
    if not right or not hmac.compare_digest(token.encode(), right.encode()):
        return None
    return api.keys.hash(f"{SEALED_AS}:{right}")


def bearer(request: Asking) -> str:
    """What follows `Token` in the Authorization header; raw, not Base64 (OCPI 2.1.1 transport_and_format). "" if absent."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "token" else ""
