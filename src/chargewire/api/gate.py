"""Who may come in: subscriptions by their token, operators by the admin token (header, or the status page's cookie)."""

import hmac
from base64 import b64decode

from msgspec import Struct

from chargewire.api.context import Api, Asking, api_of
from chargewire.api.faults import NotIn, NotThere, Suspended
from chargewire.sharing.scope import Scope
from chargewire.sharing.subscription import Roaming, Subscription

COOKIE = "chargewire_admin"
SEALED_AS = "admin-cookie"


class Partner(Struct, frozen=True):
    """A roaming partner that calls. `invited`: with its TOKEN_A, which is good for versions and credentials only."""

    api: Api
    connection: Subscription
    roaming: Roaming
    scope: Scope
    invited: bool

    @property
    def party(self) -> str:
        """Whose objects the partner writes: the party of its own credentials."""
        return self.roaming.partner


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


def enter_partner(request: Asking, role: str, module: str = "", direction: str = "pull") -> Partner:
    """Let a roaming partner in to the interface of our `role` ("CPO" or "EMSP").

    Without a module: to versions, version details and credentials, for which TOKEN_A is good, too. Its token may come raw or
    in Base64 (OCPI 2.1.1 transport_and_format says raw; many partners do the other). Raises NotIn, Suspended, NotThere.
    """
    api, token = api_of(request), bearer(request)
    found = api.directory.partner_by_token(token) or api.directory.partner_by_token(decoded(token))
    if found is None:
        raise NotIn
    connection, issued = found
    roaming = connection.roaming
    if roaming is None or roaming.role != role or (issued.invites and module):
        raise NotIn
    if connection.state == "suspended":
        raise Suspended
    scope = api.directory.scope(connection.id)
    if scope is None or (module and not scope.granted(module, direction)):
        raise NotThere
    return Partner(api, connection, roaming, scope, issued.invites)


def decoded(token: str) -> str:
    """What a token in Base64 says, without the line end that the specification's own sample encodes; "" if it is none."""
    try:
        return b64decode(token, validate=True).decode("ascii").strip()
    except ValueError:
        return ""


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
