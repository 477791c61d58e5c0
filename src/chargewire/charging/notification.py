"""Station notifications: what a station said of itself, passed on as it was said."""

from datetime import datetime

from msgspec import Struct


class StationNotification(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One OCPP StatusNotification. Journal kind `notification`, owner = the CPO, key = `{station_id}/{id}`."""

    id: str
    station_id: str
    location_id: str
    action: str  # OCPP action
    message_id: str  # as it was on the wire
    payload: str  # JSON text, secrets masked
    at: datetime  # heard
    evse_uid: str = ""  # "" for the station as a whole
    direction: str = "in"  # in: from the station; out: to it
    level: str = "Info"  # Info | Error
