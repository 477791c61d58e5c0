"""The configuration keys of a virtual station (OCPP 1.6 §9): what they hold, and what may be written to them."""

from typing import Literal

from msgspec import Struct

from chargewire.simulator.meter import MEASURANDS, REGISTER
from chargewire.simulator.profiles import MAX_INSTALLED, MAX_PERIODS, MAX_STACK_LEVEL

Kind = Literal["number", "flag", "measurands", "text"]
Written = Literal["Accepted", "Rejected", "NotSupported", "RebootRequired"]


class Key(Struct, frozen=True):
    """One key. `secret`: it can be written and is never shown."""

    kind: Kind
    default: str
    readonly: bool = False
    secret: bool = False


KEYS: dict[str, Key] = {
    "AllowOfflineTxForUnknownId": Key("flag", "true"),
    "AuthorizationKey": Key("text", "", secret=True),
    "AuthorizeRemoteTxRequests": Key("flag", "false"),
    "ChargeProfileMaxStackLevel": Key("number", str(MAX_STACK_LEVEL), readonly=True),
    "ChargingScheduleAllowedChargingRateUnit": Key("text", "Current,Power", readonly=True),
    "ChargingScheduleMaxPeriods": Key("number", str(MAX_PERIODS), readonly=True),
    "ClockAlignedDataInterval": Key("number", "0"),
    "ConnectionTimeOut": Key("number", "60"),
    "GetConfigurationMaxKeys": Key("number", "100", readonly=True),
    "HeartbeatInterval": Key("number", "300"),
    "LocalAuthListEnabled": Key("flag", "true"),
    "LocalAuthListMaxLength": Key("number", "1000", readonly=True),
    "LocalAuthorizeOffline": Key("flag", "true"),
    "LocalPreAuthorize": Key("flag", "false"),
    "MaxChargingProfilesInstalled": Key("number", str(MAX_INSTALLED), readonly=True),
    "MeterValuesAlignedData": Key("measurands", REGISTER),
    "MeterValuesSampledData": Key("measurands", ",".join(MEASURANDS)),
    "MeterValueSampleInterval": Key("number", "60"),
    "NumberOfConnectors": Key("number", "1", readonly=True),
    "ResetRetries": Key("number", "1"),
    "SendLocalListMaxLength": Key("number", "100", readonly=True),
    "StopTransactionOnEVSideDisconnect": Key("flag", "true"),
    "StopTransactionOnInvalidId": Key("flag", "true"),
    "StopTxnAlignedData": Key("measurands", ""),
    "StopTxnSampledData": Key("measurands", ""),
    "SupportedFeatureProfiles": Key("text", "Core,LocalAuthListManagement,RemoteTrigger,SmartCharging", readonly=True),
    "TransactionMessageAttempts": Key("number", "5"),
    "TransactionMessageRetryInterval": Key("number", "10"),
    "UnlockConnectorOnEVSideDisconnect": Key("flag", "true"),
    "WebSocketPingInterval": Key("number", "60"),
}
_NAMES = {name.lower(): name for name in KEYS}


class Configuration:
    """The values of one station; names are compared without case, as OCPP's CiString asks for."""

    __slots__ = ("_changed",)

    def __init__(self, **values: str) -> None:
        self._changed = dict(values)

    def text(self, name: str) -> str:
        """A value as it is written. Raises KeyError for a key that does not exist."""
        return self._changed[name] if name in self._changed else KEYS[name].default

    def number(self, name: str) -> int:
        return int(self.text(name))

    def flag(self, name: str) -> bool:
        return self.text(name).lower() == "true"

    def names(self, name: str) -> tuple[str, ...]:
        """The items of a list."""
        return tuple(item for item in self.text(name).split(",") if item)

    def set(self, name: str, value: str) -> None:
        """Set a value from inside: nothing is checked."""
        self._changed[name] = value

    def write(self, name: str, value: str) -> Written:
        """Answer a ChangeConfiguration."""
        known = _NAMES.get(name.lower())
        if known is None:
            return "NotSupported"
        key = KEYS[known]
        if key.readonly or not _fits(key.kind, value):
            return "Rejected"
        self._changed[known] = value
        return "Accepted"

    def shown(self, names: tuple[str, ...]) -> tuple[list[dict[str, object]], list[str]]:
        """Answer a GetConfiguration: the keys asked for (none: all) and the names nobody knows."""
        known = [_NAMES[name.lower()] for name in names if name.lower() in _NAMES] if names else sorted(KEYS)
        rows: list[dict[str, object]] = []
        for name in known:
            row: dict[str, object] = {"key": name, "readonly": KEYS[name].readonly}
            rows.append(row if KEYS[name].secret else row | {"value": self.text(name)})
        return rows, [name for name in names if name.lower() not in _NAMES]


def _fits(kind: Kind, value: str) -> bool:
    if kind == "number":
        return value.isascii() and value.isdigit() and len(value) < 10
    if kind == "flag":
        return value.lower() in ("true", "false")
    if kind == "measurands":
        return all(item in MEASURANDS for item in value.split(",") if item)  # one that is unknown spoils the list (§9.1.17)
    return len(value) <= 500
