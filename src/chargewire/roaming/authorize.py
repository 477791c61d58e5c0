"""Asking a partner whether its driver may charge, in real time (OCPI 2.1.1 mod_tokens, POST authorize)."""

import asyncio
from urllib.parse import quote

import msgspec

from chargewire.charging.errors import Refused
from chargewire.charging.token import Allowed, Token
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.csms.directory import Directory
from chargewire.log import event, trouble
from chargewire.protocols.ocpi.codes import NOT_ENOUGH
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.tokens import ALLOWED_OF, AuthorizationInfo, LocationReferences
from chargewire.roaming.calls import Declined, PartnerCalls, PartnerError
from chargewire.sharing.keys import Keys

ASK_S = 5.0  # a driver stands there, and stations give up after 30 s


class PartnersWord:
    """Implements `csms.port.Authority`."""

    def __init__(self, directory: Directory, calls: PartnerCalls, keys: Keys) -> None:
        self._directory = directory
        self._calls = calls
        self._keys = keys

    async def ask(self, cpo: str, emsp: str, token: Token, place: tuple[str, str] | None) -> Allowed | None:
        """The eMSP's word; None if there is none in time."""
        connection = self._directory.connection_with(cpo, emsp)
        roaming = connection.roaming if connection else None
        if roaming is None or "tokens" not in roaming.endpoints:
            return None
        url = f"{roaming.endpoints['tokens'].rstrip('/')}/{quote(token.uid, safe='')}/authorize?type={token.type}"
        where = LocationReferences(location_id=place[0], evse_uids=(place[1],) if place[1] else ()) if place else None
        body = msgspec.json.encode(where) if where else None
        try:
            async with asyncio.timeout(ASK_S):
                said = self._keys.open(roaming.token, PARTNER_TOKEN)
                reply = await self._calls.call("POST", url, said, encoding=roaming.token_encoding, body=body)
            info = reading.read_answer(AuthorizationInfo, reply.data).value
        except Declined as error:
            trouble("partner.not_authorized", partner=emsp, why=error)
            if error.status == 404:  # it does not know the token (any more)
                return Allowed.INVALID
            return Allowed.INVALID if error.code == NOT_ENOUGH else None
        except (TimeoutError, PartnerError, Refused) as error:
            trouble("partner.not_asked", partner=emsp, why=error or "no answer in time")
            return None
        event("partner.authorized", partner=emsp, allowed=info.allowed)
        if place and info.location and not _holds(info.location, place):
            return Allowed.INVALID
        return ALLOWED_OF[info.allowed]


def _holds(where: LocationReferences, place: tuple[str, str]) -> bool:
    """Whether an answer holds at the place that was asked about: it may name the EVSEs where it does."""
    location_id, evse_uid = place
    named = {uid.casefold() for uid in where.evse_uids}
    return where.location_id.casefold() == location_id.casefold() and (
        not named or not evse_uid or evse_uid.casefold() in named
    )
