"""What we own and a partner pulls: as CPO locations, sessions, CDRs and tariffs, as eMSP tokens (OCPI 2.1.1 mod_*, GET)."""

from typing import Any

import msgspec
from litestar import Response, get

from chargewire.api.context import Asking
from chargewire.api.faults import JSON
from chargewire.api.gate import Partner, enter_partner
from chargewire.api.ocpi_paging import ListAsked, SinceAsked, answer_list
from chargewire.api.ocpi_paths import named
from chargewire.api.paging import PageSent
from chargewire.charging.cdr import Cdr
from chargewire.charging.location import Status
from chargewire.charging.session import Session
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import Token
from chargewire.csms.seen import SeenPlace
from chargewire.journal.memory import Stored
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import cdrs, locations, sessions, tariffs, tokens
from chargewire.protocols.platform.envelope import of_object

_session = msgspec.json.Decoder(Session)
_cdr = msgspec.json.Decoder(Cdr)
_tariff = msgspec.json.Decoder(Tariff)
_token = msgspec.json.Decoder(Token)


@get("/2.1.1/locations", opt={"query": ListAsked, "answer": list[locations.Location]})
async def list_locations(request: Asking) -> PageSent:
    """Published locations that have an EVSE which is not REMOVED."""
    partner = enter_partner(request, "CPO", "locations")
    views = partner.api.views
    return await answer_list(request, partner, views.count_locations, views.locations, _place)


@get("/2.1.1/locations/{location_id:str}", opt={"answer": locations.Location})
async def get_location(request: Asking) -> Response[bytes]:
    """One published location, also if all its EVSEs are REMOVED: who has it can learn that here."""
    partner = enter_partner(request, "CPO", "locations")
    return _one(partner, _place(await _location(request, partner)))


@get("/2.1.1/locations/{location_id:str}/{evse_uid:str}", opt={"answer": locations.Evse})
async def get_evse(request: Asking) -> Response[bytes]:
    """One EVSE of a location."""
    partner = enter_partner(request, "CPO", "locations")
    place = await _location(request, partner)
    seen = place.evse(named(request, "evse_uid"))
    status = Status.REMOVED if seen.evse.location_id != place.location.id else None  # it has gone to another location
    return _one(partner, locations.evse_json(seen.evse, seen.last_updated, status=status))


@get("/2.1.1/locations/{location_id:str}/{evse_uid:str}/{connector_id:str}", opt={"answer": locations.Connector})
async def get_connector(request: Asking) -> Response[bytes]:
    """One connector of an EVSE."""
    partner = enter_partner(request, "CPO", "locations")
    place = await _location(request, partner)
    seen = place.connector(named(request, "evse_uid"), named(request, "connector_id"))
    return _one(partner, locations.connector_json(*seen))


@get("/2.1.1/sessions", opt={"query": SinceAsked, "answer": list[sessions.Session]})
async def list_sessions(request: Asking) -> PageSent:
    """Sessions of the partner's drivers, running ones too."""
    partner = enter_partner(request, "CPO", "sessions")
    views = partner.api.views
    return await answer_list(request, partner, views.count_sessions, views.sessions, _session_json, SinceAsked)


@get("/2.1.1/cdrs", opt={"query": ListAsked, "answer": list[cdrs.Cdr]})
async def list_cdrs(request: Asking) -> PageSent:
    """CDRs of the partner's drivers. Credits are left out, what stands for a credited CDR says so in its `remark`."""
    partner = enter_partner(request, "CPO", "cdrs")
    views = partner.api.views
    return await answer_list(request, partner, views.count_uncredited, views.cdrs, _cdr_json)


@get("/2.1.1/tariffs", opt={"query": ListAsked, "answer": list[tariffs.Tariff]})
async def list_tariffs(request: Asking) -> PageSent:
    """Tariffs that partners are charged by."""
    partner = enter_partner(request, "CPO", "tariffs")
    views = partner.api.views
    return await answer_list(request, partner, views.count_tariffs, views.tariffs, _tariff_json)


@get("/2.1.1/tokens", opt={"query": ListAsked, "answer": list[tokens.Token]})
async def list_tokens(request: Asking) -> PageSent:
    """Tokens of our eMSP, invalid ones too."""
    partner = enter_partner(request, "EMSP", "tokens")
    views = partner.api.views
    return await answer_list(request, partner, views.count_tokens, views.tokens, _token_json)


async def _location(request: Asking, partner: Partner) -> SeenPlace:
    return await partner.api.views.location(partner.scope, named(request, "location_id"))


def _place(place: SeenPlace) -> bytes:
    evses = (locations.StampedEvse(seen.evse, seen.last_updated) for seen in place.evses)
    return locations.location_json(place.location, evses, place.last_updated)


def _session_json(stored: Stored) -> bytes:
    return sessions.session_json(_session.decode(stored.body), stored.last_updated)


def _cdr_json(stored: Stored) -> bytes:
    return cdrs.cdr_json(_cdr.decode(stored.body), stored.last_updated)


def _tariff_json(stored: Stored) -> bytes:
    return tariffs.tariff_json(_tariff.decode(stored.body), stored.last_updated)


def _token_json(stored: Stored) -> bytes:
    return tokens.token_json(_token.decode(stored.body), stored.last_updated)


def _one(partner: Partner, data: bytes) -> Response[bytes]:
    return Response(of_object(data, moment(partner.api.now())), media_type=JSON)


CPO: list[Any] = [list_locations, get_location, get_evse, get_connector, list_sessions, list_cdrs, list_tariffs]
EMSP: list[Any] = [list_tokens]
