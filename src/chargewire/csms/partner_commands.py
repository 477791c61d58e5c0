"""What a partner's command means here: which station it goes to, and what came of it in OCPI's words (2.1.1 mod_commands)."""

import msgspec
from msgspec import Struct

from chargewire.charging.commands import Order, StartCharging, StopCharging, Unlock
from chargewire.charging.errors import Unknown
from chargewire.charging.location import Evse, Location, Station, Status
from chargewire.charging.session import Session, SessionStatus
from chargewire.charging.token import Token
from chargewire.charging.tokens import may_charge_at
from chargewire.journal.memory import Journal, Ref

ACCEPTED, REJECTED, NOT_SUPPORTED, TIMEOUT, UNKNOWN_SESSION = (
    "ACCEPTED",
    "REJECTED",
    "NOT_SUPPORTED",
    "TIMEOUT",
    "UNKNOWN_SESSION",
)
FREE = (Status.PREPARING, Status.FINISHING, Status.AVAILABLE, Status.UNKNOWN)  # the first of these: a car is plugged in there
_evse = msgspec.json.Decoder(Evse)
_location = msgspec.json.Decoder(Location)
_session = msgspec.json.Decoder(Session)
_station = msgspec.json.Decoder(Station)
_YES = ("Accepted", "Unlocked")


class Errand(Struct, frozen=True):
    """A command for one station."""

    station_id: str
    command: StartCharging | StopCharging | Unlock


async def to_start(journal: Journal, party: str, location_id: str, evse_uid: str | None, token: Token) -> Errand | None:
    """A start at an EVSE of a published place, the named one or one that is free; None if there is none.

    None also if the token is blocked, or not among those that the place is for. Raises Unknown.
    """
    location, standing = await _standing(journal, party, location_id)
    evses = [evse for evse in standing if evse_uid is None or evse.uid.casefold() == evse_uid.casefold()]
    if evse_uid is not None and not evses:
        raise Unknown("location", f"{location_id}/{evse_uid}")
    free = [evse for evse in evses if evse_uid is not None or evse.status in FREE]
    if not free or not token.valid or not may_charge_at(token, location):
        return None
    best = min(free, key=lambda evse: FREE.index(evse.status) if evse.status in FREE else len(FREE))
    number = min(connector.connector_id for connector in best.connectors)
    return Errand(best.station_id, StartCharging(token_uid=token.uid, connector_number=number))


async def to_stop(journal: Journal, party: str, partner: str, session_id: str) -> Errand | None:
    """A stop of a running session of the partner's driver; None if there is none: a foreign one is as unknown as any."""
    stored = await journal.get(Ref("session", party, session_id))
    if stored is None or stored.counterparty != partner or stored.state not in (SessionStatus.ACTIVE, SessionStatus.PENDING):
        return None
    started = _session.decode(stored.body).started
    return Errand(started.station_id, StopCharging(transaction_id=started.transaction_id))


async def to_unlock(
    journal: Journal, party: str, partner: str, location_id: str, evse_uid: str, connector_id: str
) -> Errand | None:
    """An unlock of a connector of a published place. Raises Unknown.

    None while somebody else's driver charges there: an unlock would end that (OCPP 1.6 §5.18).
    """
    _, standing = await _standing(journal, party, location_id)
    for evse in standing:
        for connector in evse.connectors if evse.uid.lower() == evse_uid.lower() else ():
            if connector.id == connector_id:
                if not await _is_free_to(journal, party, partner, evse.station_id, connector.connector_id):
                    return None
                return Errand(evse.station_id, Unlock(connector_number=connector.connector_id))
    raise Unknown("location", f"{location_id}/{evse_uid}/{connector_id}")


def result_of(order: Order) -> str:
    """What came of an order: a start that is accepted means that the station will try (2.1.1 mod_commands)."""
    if order.answer is not None:
        status = order.answer.status
        return ACCEPTED if status in _YES else NOT_SUPPORTED if status == "NotSupported" else REJECTED
    if order.state == "TIMEOUT":
        return TIMEOUT
    unknown = (order.error or "").startswith(("NotImplemented", "NotSupported"))
    return NOT_SUPPORTED if unknown else REJECTED


async def _standing(journal: Journal, party: str, location_id: str) -> tuple[Location, list[Evse]]:
    stored = await journal.get(Ref("location", party, location_id))
    location = _location.decode(stored.body) if stored else None
    if stored is None or location is None or not location.publish:
        raise Unknown("location", location_id)
    found = await journal.get_many([Ref("evse", party, uid) for uid in location.evse_uids])
    evses = [_evse.decode(each.body) for each in found.values() if not each.deleted]
    return location, [evse for evse in evses if evse.status is not Status.REMOVED and evse.location_id == location.id]


async def _is_free_to(journal: Journal, party: str, partner: str, station_id: str, number: int) -> bool:
    """Whether nobody charges at a connector but a driver of the partner."""
    stored = await journal.get(Ref("station", party, station_id))
    session_id = _station.decode(stored.body).running.get(number) if stored else None
    running = await journal.get(Ref("session", party, session_id)) if session_id else None
    return running is None or running.counterparty == partner
