"""`/ocpi/emsp/2.1.1/tokens/{uid}/authorize`: a partner asks whether a driver of ours may charge (2.1.1 mod_tokens, POST)."""

import msgspec
from litestar import Response, post

from chargewire.api.context import Asking
from chargewire.api.gate import enter_partner
from chargewire.api.ocpi_faults import json_body
from chargewire.api.ocpi_paths import named
from chargewire.api.ocpi_versions import answer
from chargewire.charging.errors import Unknown
from chargewire.charging.token import Allowed, Token
from chargewire.charging.tokens import verdict
from chargewire.journal.memory import Ref
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.tokens import ALLOWED, AuthorizationInfo, LocationReferences

_token = msgspec.json.Decoder(Token)


@post("/2.1.1/tokens/{token_uid:str}/authorize", status_code=200, opt={"body": LocationReferences})
async def authorize(request: Asking) -> Response[bytes]:
    """Whether a token of the connection's eMSP may charge now; where the driver stands may be told in the body."""
    partner = enter_partner(request, "EMSP", "tokens")
    body, token_uid = await request.body(), named(request, "token_uid")
    where = reading.read(LocationReferences, await json_body(request)).value if body.strip() else None
    stored = await partner.api.journal.get(Ref("token", partner.roaming.party, token_uid))
    if stored is None:
        raise Unknown("token", token_uid)
    allowed = verdict(_token.decode(stored.body), partner.api.now())
    here = _sayable(where) if where and allowed is Allowed.ACCEPTED else None  # where the driver may charge
    return answer(request, AuthorizationInfo(allowed=ALLOWED[allowed], location=here))


def _sayable(where: LocationReferences) -> LocationReferences | None:
    """A place as 2.1.1 can say it; None for one with ids that are too long for it, which is read all the same."""
    try:
        return msgspec.convert(msgspec.to_builtins(where), LocationReferences)
    except msgspec.ValidationError:
        return None


EMSP = [authorize]
