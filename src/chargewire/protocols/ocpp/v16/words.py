"""The types and enumerations that the messages of OCPP 1.6 share (OCPP 1.6 §7)."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

IdToken: TypeAlias = Annotated[str, Meta(max_length=20)]
Text20: TypeAlias = Annotated[str, Meta(max_length=20)]
Text25: TypeAlias = Annotated[str, Meta(max_length=25)]
Text50: TypeAlias = Annotated[str, Meta(max_length=50)]
Text255: TypeAlias = Annotated[str, Meta(max_length=255)]
Text500: TypeAlias = Annotated[str, Meta(max_length=500)]

INT32_MAX = 2**31 - 1

AuthorizationStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
RegistrationStatus = Literal["Accepted", "Pending", "Rejected"]
Acceptance = Literal["Accepted", "Rejected"]

ChargePointStatus = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
ChargePointErrorCode = Literal[
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
]
Reason = Literal[
    "DeAuthorized",
    "EmergencyStop",
    "EVDisconnected",
    "HardReset",
    "Local",
    "Other",
    "PowerLoss",
    "Reboot",
    "Remote",
    "SoftReset",
    "UnlockCommand",
]
Context = Literal[
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
]
Measurand = Literal[
    "Current.Export",
    "Current.Import",
    "Current.Offered",
    "Energy.Active.Export.Interval",
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Interval",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Interval",
    "Energy.Reactive.Import.Register",
    "Frequency",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Factor",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "RPM",
    "SoC",
    "Temperature",
    "Voltage",
]
Phase = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
MeasuredAt = Literal["Body", "Cable", "EV", "Inlet", "Outlet"]
Unit = Literal[
    "Wh",
    "kWh",
    "varh",
    "kvarh",
    "W",
    "kW",
    "VA",
    "kVA",
    "var",
    "kvar",
    "A",
    "V",
    "K",
    "Celcius",  # as the first schema misspelled it
    "Celsius",
    "Fahrenheit",
    "Percent",
]


class Empty(Struct, frozen=True, forbid_unknown_fields=True):
    """A message without fields."""


class IdTagInfo(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What a token is worth (OCPP 1.6 §7.27). `expiry_date` is text: we write milliseconds."""

    status: AuthorizationStatus
    expiry_date: str | None = None
    parent_id_tag: IdToken | None = None


def transaction_id(number: int | None) -> str | None:
    """A transaction id that can be one of ours, as text; else None.

    −1 comes from stations that never heard our answer (errata 3.18), 0 from some that forgot it (mobilityhouse #478),
    9223372036854775807 and −16 from Alfen's (ocpp-go #188): all of them mean "I do not know".
    """
    return str(number) if number is not None and 0 < number <= INT32_MAX else None
