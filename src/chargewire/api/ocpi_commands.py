"""`/ocpi/cpo/2.1.1/commands/{command}`, where partners command our stations, and `/ocpi/emsp/…`, where they tell results."""

from litestar import Response, post
from litestar.params import FromPath

from chargewire.api.context import Asking
from chargewire.api.gate import enter_partner
from chargewire.api.ocpi_faults import json_body, said
from chargewire.api.ocpi_versions import answer
from chargewire.charging.errors import Unknown
from chargewire.protocols.ocpi.codes import SUCCESS, UNKNOWN_LOCATION
from chargewire.protocols.ocpi.v211.commands import CommandResponse


@post("/2.1.1/commands/{command:str}", status_code=200)
async def take_command(request: Asking, command: FromPath[str]) -> Response[bytes]:
    """START_SESSION, STOP_SESSION or UNLOCK_CONNECTOR: whether it is passed on; the result is posted to `response_url`."""
    partner = enter_partner(request, "CPO", "commands", "write")
    try:
        result = await partner.api.office.commands.take(partner.connection, command, await json_body(request))
    except Unknown as error:
        return said(request, UNKNOWN_LOCATION, str(error))
    return answer(request, CommandResponse(result=result))  # type: ignore[arg-type]


@post("/2.1.1/commands/{command:str}/{command_id:str}", status_code=200)
async def take_result(request: Asking, command: FromPath[str], command_id: FromPath[str]) -> Response[bytes]:
    """What a partner's station said to a command of ours."""
    partner = enter_partner(request, "EMSP", "commands", "write")
    await partner.api.office.commands.heard(partner.connection, command, command_id, await json_body(request))
    return said(request, SUCCESS, "Success")


CPO = [take_command]
EMSP = [take_result]
