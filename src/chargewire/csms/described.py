"""Objects as an operator reads them back: the shape that is written, and what has become of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chargewire.charging.location import Evse, Location, Station, Status
from chargewire.charging.token import Allowed
from chargewire.csms.local_list import StationList
from chargewire.journal.memory import Journal, Ref, Stored
from chargewire.sharing.subscription import Subscription

_location = msgspec.json.Decoder(Location)
_station = msgspec.json.Decoder(Station)
_list = msgspec.json.Decoder(StationList)
_evse = msgspec.json.Decoder(Evse)


async def describe_locations(journal: Journal, stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """Locations with their stations and EVSEs; what a PUT may hold, and status, connection and boot data beside it."""
    read = [(each, _location.decode(each.body)) for each in stored]
    refs = [Ref("station", each.ref.owner, key) for each, location in read for key in location.station_ids]
    refs += [Ref("evse", each.ref.owner, key) for each, location in read for key in location.evse_uids]
    found = await journal.get_many(refs) if refs else {}
    return [_described(each, location, found) for each, location in read]


def describe_station(station: Station, evses: Sequence[Evse]) -> dict[str, Any]:
    """A station; its password is never shown."""
    plain: dict[str, Any] = msgspec.to_builtins(station, str_keys=True)
    return {
        "id": station.id,
        **station.details,
        "online": station.online,
        "protocol": station.protocol,
        "has_password": station.password_hash is not None,
        "boot": plain.get("boot"),
        "evses": [_evse_described(evse) for evse in evses],
    }


def describe_list(stored: Stored | None) -> dict[str, Any] | None:
    """What became of a station's local authorization list; None if it was never sent one."""
    if stored is None or stored.deleted:
        return None
    known = _list.decode(stored.body)
    accepted = sum(token.allowed is Allowed.ACCEPTED for token in known.listed.values())
    return {
        "state": known.state,
        "version": known.version,
        "accepted": accepted,
        "refused": len(known.listed) - accepted,
        "left_out": known.left_out,
        "why": known.why,
    }


def describe_subscription(subscription: Subscription) -> dict[str, Any]:
    """A subscription without any token."""
    return {
        "id": subscription.id,
        "name": subscription.name,
        "network_id": subscription.network_id,
        "profile": subscription.profile,
        "state": subscription.state,
        "type": "roaming" if subscription.roaming else "platform",
        "grants": [
            {"cpos": _members(grant.cpos), "emsps": _members(grant.emsps), "modules": grant.modules}
            for grant in subscription.grants
        ],
        "endpoints": {
            module: {name: value for name, value in msgspec.structs.asdict(endpoint).items() if name != "token"}
            for module, endpoint in subscription.endpoints.items()
        },
        "tokens": [{"created_at": token.created_at, "until": token.until} for token in subscription.tokens],
    }


def describe_connection(connection: Subscription) -> dict[str, Any]:
    """A roaming connection without any token."""
    roaming = connection.roaming
    assert roaming is not None, connection.id
    plain: dict[str, Any] = msgspec.to_builtins(roaming)
    plain.pop("token", None)
    return {
        "id": connection.id,
        "name": connection.name,
        "network_id": connection.network_id,
        "state": roaming.state if connection.state in ("live", "requested") else connection.state,
        **{name: value for name, value in msgspec.structs.asdict(roaming).items() if name not in ("token", "state", "steps")},
        "pushes": sorted(connection.endpoints),
        "steps": plain.get("steps", []),
    }


def _described(stored: Stored, location: Location, found: dict[Ref, Stored]) -> dict[str, Any]:
    owner = stored.ref.owner
    evses: dict[str, list[Evse]] = {}
    removed = []
    for uid in location.evse_uids:
        evse = _evse.decode(found[ref].body) if (ref := Ref("evse", owner, uid)) in found else None
        if evse is not None and evse.status != Status.REMOVED and evse.location_id == location.id:
            evses.setdefault(evse.station_id.lower(), []).append(evse)
        else:
            removed.append(uid)
    plain: dict[str, Any] = msgspec.to_builtins(location)
    for name in ("station_ids", "evse_uids"):
        plain.pop(name, None)
    stations = [
        describe_station(_station.decode(found[ref].body), evses.get(key.lower(), ()))
        for key in location.station_ids
        if (ref := Ref("station", owner, key)) in found
    ]
    return {"cpo": owner, **plain, "publish": location.publish, "stations": stations, "removed_evses": removed}


def _evse_described(evse: Evse) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(evse)
    for name in ("location_id", "station_id"):
        plain.pop(name)
    return {**plain, "status": evse.status.value}


def _members(parties: tuple[str, ...]) -> str | tuple[str, ...]:
    return "all" if parties == ("*",) else parties
