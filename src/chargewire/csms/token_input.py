"""Tokens as an operator writes them: OCPI 2.1.1 mod_tokens, with the customer they belong to."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chargewire.charging.errors import Refused
from chargewire.charging.party import party_of_contract
from chargewire.charging.token import Token
from chargewire.csms.intake import read
from chargewire.csms.parties import check_id, check_party
from chargewire.csms.registry import Kept, Registry
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import Emsp


class TokenInput(Struct, frozen=True, kw_only=True):
    """A token. What is left out is said by the URL (`uid`), the eMSP (`issuer`) or the usual case."""

    auth_id: Annotated[str, Meta(min_length=1, max_length=36)]
    uid: str | None = None
    type: Literal["RFID", "OTHER"] = "RFID"
    issuer: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    valid: bool = True
    whitelist: Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"] = "ALLOWED"
    visual_number: Annotated[str, Meta(max_length=64)] | None = None
    language: Annotated[str, Meta(min_length=2, max_length=2)] | None = None
    expires_at: datetime | None = None
    customer_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    group_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    retail_tariff_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None


async def put_token(registry: Registry, party: str | None, uid: str, body: bytes) -> Kept:
    """Make or change a token of an eMSP; without a party it is the one that the contract in `auth_id` names.

    An eMSP that nobody has heard of is made; it belongs to the network of the CPO with the same party code, if there is one.
    Raises Refused.
    """
    given = read(body, TokenInput)
    uid = check_id(uid, given.uid, "uid", 36)
    if party is None and (party := party_of_contract(given.auth_id)) is None:
        raise Refused("names no eMSP; put the token under /tokens/{emsp}/{uid}", "auth_id")
    emsp = await _emsp(registry, check_party(party))
    if given.expires_at is not None and given.expires_at.tzinfo is None:
        raise Refused("must say its offset from UTC, or Z", "expires_at")
    token = Token(
        uid=uid,
        type=given.type,
        auth_id=given.auth_id,
        issuer=given.issuer or emsp.name,
        valid=given.valid,
        whitelist=given.whitelist,
        visual_number=given.visual_number,
        language=given.language,
        expires_at=given.expires_at,
        customer_id=given.customer_id,
        group_id=given.group_id,
        retail_tariff_id=given.retail_tariff_id,
    )
    return await registry.keep(Ref("token", emsp.party, uid), token, place=f"tokens/{emsp.party}")


async def _emsp(registry: Registry, party: str) -> Emsp:
    emsp = registry.directory.emsp(party)
    if emsp is None and registry.directory.is_partner(party):
        return Emsp(party=party, name=party)  # not ours: its whitelists count, and it is asked
    if emsp is None:
        cpo = registry.directory.cpo(party)
        emsp = Emsp(party=party, name=cpo.name if cpo else party, network_ids=(cpo.network_id,) if cpo else ())
        await registry.keep(Ref("emsp", "", party), emsp)
    return emsp
