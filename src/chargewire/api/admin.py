"""`/admin/v1`: networks, parties, locations, tariffs and tokens; PUT makes or changes, and may be repeated."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from litestar import Response, delete, get, put
from litestar.params import FromPath

from chargewire.api.admin_lists import ListAsked, answer, answer_list, plain, plain_owned, stored_at, times, whole_of
from chargewire.api.context import Api, Asking
from chargewire.api.gate import admin
from chargewire.charging.errors import Unknown
from chargewire.charging.location import Evse, Station
from chargewire.csms.described import describe_list, describe_locations, describe_station
from chargewire.csms.parties import CpoInput, EmspInput, NetworkInput, put_cpo, put_emsp, put_network
from chargewire.csms.place_input import LocationInput
from chargewire.csms.places import put_location
from chargewire.csms.registry import Kept
from chargewire.csms.tariff_input import TariffInput, put_tariff
from chargewire.csms.tariff_versions import drop_tariff, upcoming
from chargewire.csms.token_input import TokenInput, put_token
from chargewire.journal.memory import Ref, Stored

_evse = msgspec.json.Decoder(Evse)
_station = msgspec.json.Decoder(Station)


@get("/networks", opt={"query": ListAsked})
async def list_networks(request: Asking) -> Response[bytes]:
    """All networks."""
    return await answer_list(request, admin(request), "network", plain)


@get("/networks/{network_id:str}")
async def get_network(request: Asking, network_id: FromPath[str]) -> Response[bytes]:
    """One network."""
    return await _one(admin(request), Ref("network", "", network_id), "network")


@put("/networks/{network_id:str}", opt={"body": NetworkInput})
async def write_network(request: Asking, network_id: FromPath[str]) -> Response[bytes]:
    """Make or change a network."""
    api = admin(request)
    return await _kept(api, await put_network(api.registry, network_id, await request.body()))


@get("/cpos", opt={"query": ListAsked})
async def list_cpos(request: Asking) -> Response[bytes]:
    """All CPOs."""
    return await answer_list(request, admin(request), "cpo", plain)


@get("/cpos/{party:str}")
async def get_cpo(request: Asking, party: FromPath[str]) -> Response[bytes]:
    """One CPO."""
    return await _one(admin(request), Ref("cpo", "", party), "CPO")


@put("/cpos/{party:str}", opt={"body": CpoInput})
async def write_cpo(request: Asking, party: FromPath[str]) -> Response[bytes]:
    """Make or change a CPO."""
    api = admin(request)
    return await _kept(api, await put_cpo(api.registry, party, await request.body()))


@get("/emsps", opt={"query": ListAsked})
async def list_emsps(request: Asking) -> Response[bytes]:
    """All eMSPs."""
    return await answer_list(request, admin(request), "emsp", plain)


@get("/emsps/{party:str}")
async def get_emsp(request: Asking, party: FromPath[str]) -> Response[bytes]:
    """One eMSP."""
    return await _one(admin(request), Ref("emsp", "", party), "eMSP")


@put("/emsps/{party:str}", opt={"body": EmspInput})
async def write_emsp(request: Asking, party: FromPath[str]) -> Response[bytes]:
    """Make or change an eMSP."""
    api = admin(request)
    return await _kept(api, await put_emsp(api.registry, party, await request.body()))


@get("/locations", opt={"query": ListAsked})
async def list_locations(request: Asking) -> Response[bytes]:
    """All locations, with what stands there."""
    api = admin(request)
    return await answer_list(request, api, "location", partial(describe_locations, api.journal))


@get("/locations/{location_id:str}")
async def get_location(request: Asking, location_id: FromPath[str]) -> Response[bytes]:
    """One location, with what stands there."""
    api = admin(request)
    stored = await api.journal.find("location", location_id.lower())
    if stored is None:
        raise Unknown("location", location_id)
    (described,) = await describe_locations(api.journal, [stored])
    return answer(described | times(stored))


@put("/locations/{location_id:str}", opt={"body": LocationInput})
async def write_location(request: Asking, location_id: FromPath[str]) -> Response[bytes]:
    """Make or change a location with everything that stands there; an EVSE or station that is left out is REMOVED."""
    api = admin(request)
    kept = await put_location(api.registry, location_id, await request.body())
    stored = await stored_at(api, "location", [kept.ref])
    (described,) = await describe_locations(api.journal, [stored])
    return answer(described | times(stored), 201 if kept.created else 200)


@get("/stations", opt={"query": ListAsked})
async def list_stations(request: Asking) -> Response[bytes]:
    """All stations, with their connection and status."""
    api = admin(request)

    async def describe(rows: Any) -> list[dict[str, Any]]:
        return [await _station_described(api, stored) for stored in rows]

    return await answer_list(request, api, "station", describe)


@get("/stations/{station_id:str}")
async def get_station(request: Asking, station_id: FromPath[str]) -> Response[bytes]:
    """One station."""
    api = admin(request)
    stored = await api.journal.find("station", station_id.lower())
    if stored is None:
        raise Unknown("station", station_id)
    return answer(await _station_described(api, stored) | times(stored))


@get("/parked", opt={"query": ListAsked})
async def list_parked(request: Asking) -> Response[bytes]:
    """Stations that knocked and that no location has."""
    return await answer_list(request, admin(request), "parked", plain)


@get("/tariffs", opt={"query": ListAsked})
async def list_tariffs(request: Asking) -> Response[bytes]:
    """All tariffs, with their versions to come."""
    api = admin(request)
    return await answer_list(request, api, "tariff", partial(_tariffs_described, api))


@get("/tariffs/{party:str}/{tariff_id:str}")
async def get_tariff(request: Asking, party: FromPath[str], tariff_id: FromPath[str]) -> Response[bytes]:
    """One tariff, with its versions to come."""
    api = admin(request)
    return await _tariff(api, Ref("tariff", party.upper(), tariff_id))


@put("/tariffs/{party:str}/{tariff_id:str}", opt={"body": TariffInput})
async def write_tariff(request: Asking, party: FromPath[str], tariff_id: FromPath[str]) -> Response[bytes]:
    """Make or change a tariff of a CPO, or a retail tariff of an eMSP; with `valid_from` one version of it."""
    api = admin(request)
    kept = await put_tariff(api.registry, party, tariff_id, await request.body())
    return await _tariff(api, kept.ref, 201 if kept.created else 200)


@delete("/tariffs/{party:str}/{tariff_id:str}", status_code=204)
async def delete_tariff(request: Asking, party: FromPath[str], tariff_id: FromPath[str]) -> None:
    """Delete a tariff with all its versions; partners are told. Sessions keep the one that they began with."""
    await drop_tariff(admin(request).registry, party.upper(), tariff_id)


@get("/tokens", opt={"query": ListAsked})
async def list_tokens(request: Asking) -> Response[bytes]:
    """All tokens."""
    return await answer_list(request, admin(request), "token", plain_owned)


@get("/tokens/{party:str}/{uid:str}")
async def get_token(request: Asking, party: FromPath[str], uid: FromPath[str]) -> Response[bytes]:
    """One token of an eMSP."""
    return await _one(admin(request), Ref("token", party.upper(), uid), "token")


@put("/tokens/{uid:str}", opt={"body": TokenInput})
async def write_token(request: Asking, uid: FromPath[str]) -> Response[bytes]:
    """Make or change a token of the eMSP that its `auth_id` names."""
    api = admin(request)
    return await _kept(api, await put_token(api.registry, None, uid, await request.body()))


@put("/tokens/{party:str}/{uid:str}", opt={"body": TokenInput})
async def write_token_of(request: Asking, party: FromPath[str], uid: FromPath[str]) -> Response[bytes]:
    """Make or change a token of an eMSP."""
    api = admin(request)
    return await _kept(api, await put_token(api.registry, party, uid, await request.body()))


async def _one(api: Api, ref: Ref, what: str) -> Response[bytes]:
    stored = await stored_at(api, what, [ref])
    return answer(whole_of(stored) | times(stored))


async def _tariff(api: Api, ref: Ref, status: int = 200) -> Response[bytes]:
    stored = await stored_at(api, "tariff", [ref])
    (described,) = await _tariffs_described(api, [stored])
    return answer({name: value for name, value in described.items() if name != "owner"} | times(stored), status)


async def _tariffs_described(api: Api, rows: Sequence[Stored]) -> list[dict[str, Any]]:
    """Tariffs with whose they are, and with their versions to come, if there are any."""
    described = await plain_owned(rows)
    for owner in {stored.ref.owner for stored in rows}:
        ours = [(stored, told) for stored, told in zip(rows, described, strict=True) if stored.ref.owner == owner]
        coming = await upcoming(api.journal, owner, [stored.ref.key for stored, _ in ours], api.registry.now())
        for stored, told in ours:
            if versions := coming.get(stored.ref.key):
                told["upcoming"] = msgspec.to_builtins(versions)
    return described


async def _kept(api: Api, kept: Kept) -> Response[bytes]:
    """What was written, 201 if it was made."""
    stored = await stored_at(api, kept.ref.kind, [kept.ref])
    return answer(whole_of(stored) | times(stored), 201 if kept.created else 200)


async def _station_described(api: Api, stored: Stored) -> dict[str, Any]:
    station = _station.decode(stored.body)
    told = Ref("locallist", stored.ref.owner, station.id)
    found = await api.journal.get_many([*(Ref("evse", stored.ref.owner, uid) for uid in station.evse_uids), told])
    local_list = found.pop(told, None)
    evses = [_evse.decode(each.body) for each in found.values()]
    place = {"cpo": stored.ref.owner, "location_id": station.location_id, "removed": station.removed}
    return place | describe_station(station, evses) | {"local_list": describe_list(local_list)}
