"""Station notifications (the log of OCPP messages) as the Platform API writes them."""

from uuid import NAMESPACE_OID, uuid5

import msgspec
from msgspec import Struct

from chargewire.charging.notification import StationNotification
from chargewire.protocols.platform.moments import Stamp, stamped

_encode = msgspec.json.Encoder().encode
DIRECTIONS = {"in": "ToGsop", "out": "ToChargePoint"}
CALL, CALL_RESULT = "2", "3"  # OCPP-J 1.6 §4.1.3, MessageTypeId


class Notification(Struct, frozen=True, kw_only=True):
    """One OCPP message. `charge_station_message_payload` is JSON in a string; the deprecated twins of fields are kept."""

    id: str
    charge_station_notification_id: str
    charge_station_id: str
    location_id: str | None
    charge_location_id: str | None
    charge_station_message_payload: str
    evse_id: str | None
    created: str
    direction: str
    level: str
    message_type: str
    message_action: str
    deprecated_action: str = msgspec.field(name="MessageAction")


_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def notification(given: StationNotification, message_type: str, created: Stamp, identity: str) -> Notification:
    """One message as a record."""
    return Notification(
        id=identity,
        charge_station_notification_id=given.message_id,
        charge_station_id=given.station_id,
        location_id=given.location_id or None,
        charge_location_id=given.location_id or None,
        charge_station_message_payload=_payload(given.payload, given.level, given.action),
        evse_id=given.evse_uid or None,
        created=stamped(created),
        direction=DIRECTIONS[given.direction],
        level=given.level,
        message_type=message_type,
        message_action=given.action,
        deprecated_action=given.action,
    )


def notification_json(given: StationNotification, created: Stamp, *, message_type: str = CALL) -> bytes:
    """A notification as it is pushed."""
    return _encode(notification(given, message_type, created, str(uuid5(NAMESPACE_OID, given.id))))


def logged_json(given: StationNotification, message_type: str, created: Stamp, part: int, number: int) -> bytes:
    """A message of the log as it is listed; its id follows from its place in the log."""
    identity = f"{part:08x}-{number >> 48 & 0xFFFF:04x}-4{int(message_type):03x}-8000-{number & 0xFFFFFFFFFFFF:012x}"
    return _encode(notification(given, message_type, created, identity))


def _payload(payload: str, level: str, action: str) -> str:
    """The payload with the level, and for a status the vendor's code under the name that readers look for."""
    try:
        fields = _object.decode(payload)
    except msgspec.DecodeError:
        return payload
    if action == "StatusNotification":
        fields["VendorErrorCode"] = fields.get("vendorErrorCode", msgspec.Raw(b"null"))
    fields["level"] = msgspec.Raw(_encode(level))
    return _encode(fields).decode()
