"""OCPP 1.6 from the station's side of the wire: what a virtual station writes and reads."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from chargewire.charging import commands as ours
from chargewire.charging.facts import (
    Beat,
    Booted,
    Fact,
    Metered,
    Noted,
    Reply,
    SessionEnded,
    SessionStarted,
    StatusReported,
    TokenShown,
)
from chargewire.protocols.ocpp.dialect import CannotSay, UnknownAction, checked, encode
from chargewire.protocols.ocpp.repair import repaired
from chargewire.protocols.ocpp.rpc import EMPTY, Call
from chargewire.protocols.ocpp.v16 import commands, local_list, metering, presence, profiles, transactions
from chargewire.protocols.ocpp.v16.notices import DataTransfer
from chargewire.protocols.ocpp.v16.words import Empty

SUBPROTOCOL = "ocpp1.6"

ProfileRequest: TypeAlias = profiles.SetChargingProfile | profiles.ClearChargingProfile | profiles.GetCompositeSchedule
Asked: TypeAlias = ours.Command | commands.RemoteStartTransaction | ProfileRequest
"""What a station can be asked. A remote start stays a wire struct where it brings a charging profile along."""

_CALLS: Mapping[type, tuple[str, type[Struct], Callable[[Any], Struct]]] = {
    Beat: ("Heartbeat", Empty, lambda _: Empty()),
    Booted: ("BootNotification", presence.BootNotification, presence.boot_notification),
    Metered: ("MeterValues", metering.MeterValues, metering.meter_values),
    SessionEnded: ("StopTransaction", transactions.StopTransaction, transactions.stop_transaction),
    SessionStarted: ("StartTransaction", transactions.StartTransaction, transactions.start_transaction),
    StatusReported: ("StatusNotification", presence.StatusNotification, presence.status_notification),
    TokenShown: ("Authorize", transactions.Authorize, transactions.authorize),
}

_REPLIES: Mapping[str, tuple[type[Struct], Callable[[Any], Reply]]] = {
    "Authorize": (transactions.AuthorizeAnswer, transactions.verdict_of),
    "BootNotification": (presence.BootNotificationAnswer, presence.welcome_of),
    "Heartbeat": (presence.HeartbeatAnswer, presence.now_of),
    "StartTransaction": (transactions.StartTransactionAnswer, transactions.begun_of),
    "StopTransaction": (transactions.StopTransactionAnswer, transactions.verdict_of),
}


def _start(asked: commands.RemoteStartTransaction) -> Asked:
    if asked.charging_profile is not None:
        return asked
    return ours.StartCharging(token_uid=asked.id_tag, connector_number=asked.connector_id)


def _same(asked: Any) -> Asked:
    return asked  # type: ignore[no-any-return]


_ASKED: Mapping[str, tuple[type[Struct], Callable[[Any], Asked]]] = {
    "ChangeAvailability": (
        commands.ChangeAvailability,
        lambda m: ours.SetAvailability(operative=m.type == "Operative", connector_number=m.connector_id),
    ),
    "ChangeConfiguration": (commands.ChangeConfiguration, lambda m: ours.WriteConfiguration(key=m.key, value=m.value)),
    "ClearCache": (Empty, lambda _: ours.ForgetTokens()),
    "ClearChargingProfile": (profiles.ClearChargingProfile, _same),
    "DataTransfer": (
        DataTransfer,
        lambda m: ours.TransferData(vendor_id=m.vendor_id, message_id=m.message_id, data=m.data),
    ),
    "GetCompositeSchedule": (profiles.GetCompositeSchedule, _same),
    "GetConfiguration": (commands.GetConfiguration, lambda m: ours.ReadConfiguration(keys=m.key)),
    "GetLocalListVersion": (Empty, lambda _: ours.GetLocalListVersion()),
    "RemoteStartTransaction": (commands.RemoteStartTransaction, _start),
    "RemoteStopTransaction": (
        commands.RemoteStopTransaction,
        lambda m: ours.StopCharging(transaction_id=str(m.transaction_id)),
    ),
    "Reset": (commands.Reset, lambda m: ours.Restart(hard=m.type == "Hard")),
    "SendLocalList": (local_list.SendLocalList, local_list.list_sent),
    "SetChargingProfile": (profiles.SetChargingProfile, _same),
    "TriggerMessage": (
        commands.TriggerMessage,
        lambda m: ours.Trigger(message=m.requested_message, connector_number=m.connector_id),
    ),
    "UnlockConnector": (commands.UnlockConnector, lambda m: ours.Unlock(connector_number=m.connector_id)),
}


def write_call(fact: Fact) -> tuple[str, bytes]:
    """Action and payload of what a station tells. Raises CannotSay if it would not pass the schema."""
    found = _CALLS.get(type(fact))
    if found is None:
        raise CannotSay(f"a station has no message for {type(fact).__name__}")
    action, wire, write = found
    return action, checked(write(fact), wire)


def read_reply(action: str, payload: bytes | Raw) -> Reply:
    """What the CSMS answered to a call of ours. Reads leniently: other makes of CSMS have their habits too."""
    found = _REPLIES.get(action)
    if found is None:
        return Noted()
    wire, mean = found
    try:
        return mean(msgspec.json.decode(payload, type=wire))
    except (msgspec.MsgspecError, ValueError):
        message, _ = repaired(wire, bytes(payload))
        try:
            return mean(message)
        except ValueError:  # a word that 1.6 does not have
            return Noted()


def read_asked(call: Call) -> Asked:
    """What the CSMS wants. Raises UnknownAction (answer NotImplemented), msgspec.ValidationError (answer the fault)."""
    found = _ASKED.get(call.action)
    if found is None:
        raise UnknownAction(call.action)
    wire, mean = found
    payload = call.payload if bytes(call.payload) != b"null" else EMPTY
    return mean(msgspec.json.decode(payload, type=wire))


def write_answer(answer: ours.Answer) -> bytes:
    """The payload that answers a command: `status` beside `details`; without status (GetConfiguration) the details alone."""
    return encode({"status": answer.status, **answer.details} if answer.status else answer.details)
