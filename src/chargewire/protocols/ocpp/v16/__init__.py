"""OCPP 1.6-J: the core profile in both directions, and what real stations make of it."""

from chargewire.protocols.ocpp.dialect import Dialect, Row, nothing, row
from chargewire.protocols.ocpp.v16 import metering, notices, presence, transactions
from chargewire.protocols.ocpp.v16.commands import COMMANDS
from chargewire.protocols.ocpp.v16.words import Empty

ROWS: dict[str, Row] = {
    "Authorize": row(transactions.Authorize, transactions.token_shown, transactions.authorize_answer),
    "BootNotification": row(presence.BootNotification, presence.booted, presence.boot_answer),
    "DataTransfer": row(notices.DataTransfer, notices.data_transferred, notices.data_transfer_answer),
    "DiagnosticsStatusNotification": row(notices.DiagnosticsStatusNotification, notices.diagnostics_told, nothing),
    "FirmwareStatusNotification": row(notices.FirmwareStatusNotification, notices.firmware_told, nothing),
    "Heartbeat": row(Empty, presence.beat, presence.heartbeat_answer),
    "LogStatusNotification": row(notices.LogStatusNotification, notices.log_told, nothing),
    "MeterValues": row(metering.MeterValues, metering.metered, nothing),
    "SecurityEventNotification": row(notices.SecurityEventNotification, notices.security_told, nothing),
    "StartTransaction": row(
        transactions.StartTransaction,
        transactions.session_started,
        transactions.start_answer,
    ),
    "StatusNotification": row(presence.StatusNotification, presence.status_reported, nothing),
    "StopTransaction": row(transactions.StopTransaction, transactions.session_ended, transactions.stop_answer),
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
