"""`/ocpi/{cpo,emsp}/2.1.1/credentials`: a partner registers, changes what it said, or leaves (2.1.1 credentials)."""

from litestar import Response, delete, get, post, put

from chargewire.api.context import Asking
from chargewire.api.faults import NotIn
from chargewire.api.gate import Partner, bearer, decoded, enter_partner
from chargewire.api.ocpi_faults import Handshake, WrongState, json_body, said
from chargewire.api.ocpi_versions import answer, ocpi_url
from chargewire.protocols.ocpi.codes import SUCCESS
from chargewire.roaming.handshake import AlreadyRegistered
from chargewire.roaming.steps import HandshakeFailed

PATH = "/2.1.1/credentials"


@get(PATH)
async def cpo_credentials(request: Asking) -> Response[bytes]:
    """The credentials that the partner has from a CPO of ours."""
    return _shown(request, enter_partner(request, "CPO"))


@get(PATH)
async def emsp_credentials(request: Asking) -> Response[bytes]:
    """The credentials that the partner has from an eMSP of ours."""
    return _shown(request, enter_partner(request, "EMSP"))


@post(PATH, status_code=200)
async def register_with_cpo(request: Asking) -> Response[bytes]:
    """Register with a CPO of ours: we call back, then answer with the token to use from now on."""
    return await _taken_in(request, enter_partner(request, "CPO"), new=True)


@post(PATH, status_code=200)
async def register_with_emsp(request: Asking) -> Response[bytes]:
    """Register with an eMSP of ours: we call back, then answer with the token to use from now on."""
    return await _taken_in(request, enter_partner(request, "EMSP"), new=True)


@put(PATH)
async def renew_with_cpo(request: Asking) -> Response[bytes]:
    """Give new credentials to a CPO of ours, and get new ones."""
    return await _taken_in(request, enter_partner(request, "CPO"), new=False)


@put(PATH)
async def renew_with_emsp(request: Asking) -> Response[bytes]:
    """Give new credentials to an eMSP of ours, and get new ones."""
    return await _taken_in(request, enter_partner(request, "EMSP"), new=False)


@delete(PATH, status_code=200)
async def leave_cpo(request: Asking) -> Response[bytes]:
    """Unregister from a CPO of ours; no token is good any more."""
    return await _left(request, enter_partner(request, "CPO"))


@delete(PATH, status_code=200)
async def leave_emsp(request: Asking) -> Response[bytes]:
    """Unregister from an eMSP of ours; no token is good any more."""
    return await _left(request, enter_partner(request, "EMSP"))


def _shown(request: Asking, partner: Partner) -> Response[bytes]:
    """The token is the one that it came with: of the others we keep no more than a hash."""
    token = bearer(request)
    if partner.api.directory.partner_by_token(token) is None:
        token = decoded(token)
    own = partner.api.office.handshakes.own(partner.roaming, token, f"{ocpi_url(request, partner)}/versions")
    return answer(request, own)


async def _taken_in(request: Asking, partner: Partner, *, new: bool) -> Response[bytes]:
    handshakes, url = partner.api.office.handshakes, f"{ocpi_url(request, partner)}/versions"
    if not new and partner.invited and partner.roaming.state == "connected":
        raise NotIn
    try:
        take = handshakes.registered if new else handshakes.renewed
        return answer(request, await take(partner.connection.id, await json_body(request), url))
    except AlreadyRegistered as error:
        raise WrongState(str(error)) from error
    except HandshakeFailed as error:
        raise Handshake(error.code, error.message) from error


async def _left(request: Asking, partner: Partner) -> Response[bytes]:
    try:
        await partner.api.office.handshakes.left(partner.connection.id)
    except AlreadyRegistered as error:
        raise WrongState(str(error)) from error
    return said(request, SUCCESS, "Success")


CPO = [cpo_credentials, register_with_cpo, renew_with_cpo, leave_cpo]
EMSP = [emsp_credentials, register_with_emsp, renew_with_emsp, leave_emsp]
