"""OCPP 1.6-J: the core profile in both directions, and what real stations make of it."""

from chargewire.protocols.ocpp.dialect import Dialect, Row, nothing, row
from chargewire.protocols.ocpp.rpc import EMPTY
from chargewire.protocols.ocpp.v16 import metering, notices, presence, transactions
from chargewire.protocols.ocpp.v16.commands import COMMANDS
from chargewire.protocols.ocpp.v16.words import Empty


def _empty() -> bytes:
    return EMPTY


ROWS: dict[str, Row] = {
    "Authorize": row(transactions.Authorize, transactions.token_shown, transactions.authorize_answer),
    "BootNotification": row(presence.BootNotification, presence.booted, presence.boot_answer, presence.boot_last_resort),
    "DataTransfer": row(notices.DataTransfer, notices.data_transferred, notices.data_transfer_answer),
    "DiagnosticsStatusNotification": row(notices.DiagnosticsStatusNotification, notices.diagnostics_told, nothing, _empty),
    "FirmwareStatusNotification": row(notices.FirmwareStatusNotification, notices.firmware_told, nothing, _empty),
    "Heartbeat": row(Empty, presence.beat, presence.heartbeat_answer, presence.heartbeat_last_resort),
    "LogStatusNotification": row(notices.LogStatusNotification, notices.log_told, nothing, _empty),
    "MeterValues": row(metering.MeterValues, metering.metered, nothing, _empty),
    "SecurityEventNotification": row(notices.SecurityEventNotification, notices.security_told, nothing, _empty),
    "StartTransaction": row(
        transactions.StartTransaction,
        transactions.session_started,
        transactions.start_answer,
        transactions.start_last_resort,
    ),
    "StatusNotification": row(presence.StatusNotification, presence.status_reported, nothing, _empty),
    "StopTransaction": row(transactions.StopTransaction, transactions.session_ended, transactions.stop_answer, _empty),
}

SECRETS = frozenset(
    {
        "ChangeConfiguration",
        "DataTransfer",
        "GetConfiguration",
        "GetDiagnostics",
        "GetLog",
        "SignedUpdateFirmware",
        "UpdateFirmware",
    }
)

DIALECT = Dialect(subprotocol="ocpp1.6", rows=ROWS, commands=COMMANDS, secrets=SECRETS)
