"""What a CSMS asks of an OCPP 1.6 station (§5), as structs and from our words."""

from typing import Literal

from msgspec import Struct

from chargewire.charging import commands as ours
from chargewire.protocols.ocpp.dialect import CannotSay, Saying
from chargewire.protocols.ocpp.v16.local_list import SendLocalList, send_local_list
from chargewire.protocols.ocpp.v16.notices import DataTransfer
from chargewire.protocols.ocpp.v16.profiles import ChargingProfile
from chargewire.protocols.ocpp.v16.words import Empty, IdToken, Text50, Text500

Triggerable = Literal[
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
]


class RemoteStartTransaction(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    id_tag: IdToken
    connector_id: int | None = None
    charging_profile: ChargingProfile | None = None


class RemoteStopTransaction(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    transaction_id: int


class Reset(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    type: Literal["Hard", "Soft"]


class UnlockConnector(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    connector_id: int


class ChangeAvailability(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    connector_id: int
    type: Literal["Inoperative", "Operative"]


class GetConfiguration(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    key: tuple[Text50, ...] = ()


class ChangeConfiguration(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    key: Text50
    value: Text500


class TriggerMessage(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    requested_message: Triggerable
    connector_id: int | None = None


def _start(command: ours.StartCharging) -> RemoteStartTransaction:
    """Always with a connector: without one, stations with several refuse (lbbrhzn #514)."""
    if command.connector_number is None or command.connector_number < 1:
        raise CannotSay("a remote start needs a connector")
    return RemoteStartTransaction(id_tag=command.token_uid, connector_id=command.connector_number)


def _stop(command: ours.StopCharging) -> RemoteStopTransaction:
    try:
        return RemoteStopTransaction(int(command.transaction_id))
    except ValueError as error:
        raise CannotSay(f"transaction id {command.transaction_id!r} is not a number") from error


def _availability(command: ours.SetAvailability) -> ChangeAvailability:
    return ChangeAvailability(command.connector_number, "Operative" if command.operative else "Inoperative")


def _trigger(command: ours.Trigger) -> TriggerMessage:
    return TriggerMessage(command.message, command.connector_number)  # type: ignore[arg-type]


def _transfer(command: ours.TransferData) -> DataTransfer:
    return DataTransfer(vendor_id=command.vendor_id, message_id=command.message_id, data=command.data)


COMMANDS: dict[type, Saying] = {
    ours.StartCharging: Saying(action="RemoteStartTransaction", wire=RemoteStartTransaction, write=_start),
    ours.StopCharging: Saying(action="RemoteStopTransaction", wire=RemoteStopTransaction, write=_stop),
    ours.Restart: Saying(action="Reset", wire=Reset, write=lambda command: Reset("Hard" if command.hard else "Soft")),
    ours.Unlock: Saying(
        action="UnlockConnector", wire=UnlockConnector, write=lambda command: UnlockConnector(command.connector_number)
    ),
    ours.SetAvailability: Saying(action="ChangeAvailability", wire=ChangeAvailability, write=_availability),
    ours.ReadConfiguration: Saying(
        action="GetConfiguration", wire=GetConfiguration, write=lambda command: GetConfiguration(command.keys)
    ),
    ours.WriteConfiguration: Saying(
        action="ChangeConfiguration",
        wire=ChangeConfiguration,
        write=lambda command: ChangeConfiguration(command.key, command.value),
    ),
    ours.ForgetTokens: Saying(action="ClearCache", wire=Empty, write=lambda _: Empty()),
    ours.GetLocalListVersion: Saying(action="GetLocalListVersion", wire=Empty, write=lambda _: Empty()),
    ours.SendLocalList: Saying(action="SendLocalList", wire=SendLocalList, write=send_local_list),
    ours.Trigger: Saying(action="TriggerMessage", wire=TriggerMessage, write=_trigger),
    ours.TransferData: Saying(action="DataTransfer", wire=DataTransfer, write=_transfer),
}
