"""Commands of OCPI 2.1.1 (mod_commands): asked by the eMSP, answered at once whether they are passed on, and later by POST."""

from msgspec import Struct

from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.tokens import Token


class ReserveNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    response_url: words.Url
    token: Token
    expiry_date: words.DateTime
    reservation_id: int
    location_id: words.Id39
    evse_uid: words.Id39 | None = None


class StartSession(Struct, frozen=True, kw_only=True, omit_defaults=True):
    response_url: words.Url
    token: Token
    location_id: words.Id39
    evse_uid: words.Id39 | None = None


class StopSession(Struct, frozen=True, kw_only=True):
    response_url: words.Url
    session_id: words.Id36


class UnlockConnector(Struct, frozen=True, kw_only=True):
    response_url: words.Url
    location_id: words.Id39
    evse_uid: words.Id39
    connector_id: words.Id36


class CommandResponse(Struct, frozen=True, kw_only=True):
    """Both the direct answer and the result that follows (2.1.1-d2: an object; before, a bare string)."""

    result: words.CommandResponseType


COMMANDS: dict[words.CommandType, type[ReserveNow | StartSession | StopSession | UnlockConnector]] = {
    "RESERVE_NOW": ReserveNow,
    "START_SESSION": StartSession,
    "STOP_SESSION": StopSession,
    "UNLOCK_CONNECTOR": UnlockConnector,
}
