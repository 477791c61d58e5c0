"""What a station can be told to do, and what came of it. Commands and answers travel through the journal."""

import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from chargewire.charging.token import Allowed, TokenRef


class StartCharging(Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    token_uid: str
    connector_number: int | None = None


class StopCharging(Struct, frozen=True, tag=True, kw_only=True):
    transaction_id: str


class Restart(Struct, frozen=True, tag=True, kw_only=True):
    hard: bool = False


class Unlock(Struct, frozen=True, tag=True, kw_only=True):
    connector_number: int


class SetAvailability(Struct, frozen=True, tag=True, kw_only=True):
    operative: bool
    connector_number: int = 0  # 0 = the whole station


class ReadConfiguration(Struct, frozen=True, tag=True, kw_only=True):
    keys: tuple[str, ...] = ()  # () = all


class WriteConfiguration(Struct, frozen=True, tag=True, kw_only=True):
    key: str
    value: str


class ForgetTokens(Struct, frozen=True, tag=True, kw_only=True):
    """Clear the station's authorization cache."""


class Trigger(Struct, frozen=True, tag=True, kw_only=True):
    message: str  # BootNotification, StatusNotification, MeterValues, Heartbeat …
    connector_number: int | None = None


class TransferData(Struct, frozen=True, tag=True, kw_only=True):
    vendor_id: str
    message_id: str | None = None
    data: str | None = None


class ListedToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token as a station's local authorization list has it. `allowed`: None takes it off the list."""

    uid: str
    allowed: Allowed | None = None
    expires_at: datetime | None = None
    group_id: str | None = None


class SendLocalList(Struct, frozen=True, tag=True, kw_only=True):
    """Tell a station which tokens it may judge by itself: all of them (`full`), or what is new since the version before."""

    version: int
    full: bool
    tokens: tuple[ListedToken, ...] = ()


class GetLocalListVersion(Struct, frozen=True, tag=True, kw_only=True):
    """Ask which version of the list a station has: 0 = none, -1 = it keeps no list."""


Command = (
    StartCharging
    | StopCharging
    | Restart
    | Unlock
    | SetAvailability
    | ReadConfiguration
    | WriteConfiguration
    | ForgetTokens
    | Trigger
    | TransferData
    | SendLocalList
    | GetLocalListVersion
)


_SECRET = re.compile(r"password|secret|authorizationkey|\bpin\b|apnpass|vpnpass", re.IGNORECASE)


def shown(command: Command) -> Command:
    """A command as it may be kept and shown: without the value of a key that is a secret, and without a whole list of tokens,
    which is in the message that was sent."""
    if isinstance(command, SendLocalList):
        return SendLocalList(version=command.version, full=command.full)
    if isinstance(command, WriteConfiguration) and _SECRET.search(command.key):
        return WriteConfiguration(key=command.key, value="***")
    return command


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the station said: `status` in the protocol's word (Accepted, Rejected, Unlocked …), and what else came."""

    status: str
    details: dict[str, Any] = {}


class Order(Struct, frozen=True, kw_only=True):
    """A command on its way. Journal kind `command`, owner = the CPO, key = `id`, state = `state`.

    One that a roaming partner asked for has its `connection_id`, and `reply_to`, where the result is to be told; `replied` is
    when that was done, or given up, for what `reply_error` says. `token`: who is let in by it without being asked about again.
    """

    id: str
    station_id: str
    command: Command
    asked_by: str
    expires_at: datetime
    state: str = "PENDING"  # PENDING | SENT | ANSWERED | FAILED | TIMEOUT
    answer: Answer | None = None
    error: str | None = None
    connection_id: str = ""
    reply_to: str = ""
    replied: datetime | None = None
    reply_error: str | None = None
    token: TokenRef | None = None
