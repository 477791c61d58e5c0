"""The Platform API's language: `/api/{version}/…` and its pushes, in the words of its published description.

What each function gives is JSON that goes out as it is. Times of the journal (`Stamp`) may be microseconds or text.
"""

from chargewire.protocols.platform.cdrs import cdr_json
from chargewire.protocols.platform.notifications import notification_json
from chargewire.protocols.platform.places import StampedEvse, connector_json, evse_json, evse_patch, location_json
from chargewire.protocols.platform.sessions import session_json, session_patch

__all__ = [
    "StampedEvse",
    "cdr_json",
    "connector_json",
    "evse_json",
    "evse_patch",
    "location_json",
    "notification_json",
    "session_json",
    "session_patch",
]
