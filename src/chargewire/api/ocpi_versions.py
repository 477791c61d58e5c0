"""`/ocpi/{cpo,emsp}/versions` and the details of 2.1.1 (version_information_endpoint). TOKEN_A is good for them."""

from typing import Any

import msgspec
from litestar import Response, get

from chargewire.api.context import Asking, api_of
from chargewire.api.faults import JSON
from chargewire.api.gate import Partner, enter_partner
from chargewire.api.paging import base_url
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.versions import Endpoint, Version, VersionDetails
from chargewire.protocols.platform.envelope import of_object
from chargewire.sharing.subscription import ROAMED


@get("/versions")
async def cpo_versions(request: Asking) -> Response[bytes]:
    """The versions that our CPOs speak."""
    return _versions(request, enter_partner(request, "CPO"))


@get("/versions")
async def emsp_versions(request: Asking) -> Response[bytes]:
    """The versions that our eMSPs speak."""
    return _versions(request, enter_partner(request, "EMSP"))


@get("/2.1.1")
async def cpo_details(request: Asking) -> Response[bytes]:
    """Where the modules of a CPO of ours are."""
    return _details(request, enter_partner(request, "CPO"))


@get("/2.1.1")
async def emsp_details(request: Asking) -> Response[bytes]:
    """Where the modules of an eMSP of ours are."""
    return _details(request, enter_partner(request, "EMSP"))


def ocpi_url(request: Asking, partner: Partner) -> str:
    """Where the interface of our role begins, without a slash at the end."""
    return f"{base_url(request, partner.api.settings.public_url)}/ocpi/{partner.roaming.role.lower()}"


def answer(request: Asking, data: Any, status: int = 200) -> Response[bytes]:
    """One object, or a list, in the envelope."""
    body: Any = of_object(msgspec.json.encode(data), moment(api_of(request).now()))
    return Response(body, status_code=status, media_type=JSON)


def _versions(request: Asking, partner: Partner) -> Response[bytes]:
    return answer(request, [Version("2.1.1", f"{ocpi_url(request, partner)}/2.1.1")])


def _details(request: Asking, partner: Partner) -> Response[bytes]:
    """Addresses end in a slash as in the specification's examples: some partners put what follows right behind them."""
    here, roaming = f"{ocpi_url(request, partner)}/2.1.1", partner.roaming
    shared, written = ROAMED[roaming.role]
    modules = ["credentials", *(module for module in (*shared, *written) if roaming.about(module))]
    return answer(request, VersionDetails("2.1.1", tuple(Endpoint(module, f"{here}/{module}/") for module in modules)))


CPO = [cpo_versions, cpo_details]
EMSP = [emsp_versions, emsp_details]
