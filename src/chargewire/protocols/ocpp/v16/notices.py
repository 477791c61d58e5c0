"""OCPP 1.6 messages that are kept and change nothing: vendor data, firmware, diagnostics, security events (§4.3–4.5)."""

from typing import Literal

from msgspec import Struct

from chargewire.charging.facts import Noted, Reply, Told
from chargewire.protocols.ocpp.dialect import encode
from chargewire.protocols.ocpp.moments import Moment
from chargewire.protocols.ocpp.v16.words import Text50, Text255

DataTransferStatus = Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]


class DataTransfer(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Vendor data, in both directions (OCPP 1.6 §4.3, §5.6)."""

    vendor_id: Text255
    message_id: Text50 | None = None
    data: str | None = None


class DataTransferAnswer(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    status: DataTransferStatus
    data: str | None = None


class FirmwareStatusNotification(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    status: Literal["Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing", "Installed"]


class DiagnosticsStatusNotification(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    status: Literal["Idle", "Uploaded", "UploadFailed", "Uploading"]


class SecurityEventNotification(
    Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True
):
    """From the security whitepaper for 1.6-J (ed. 2, §4.9)."""

    type: Text50
    timestamp: Moment
    tech_info: Text255 | None = None


class LogStatusNotification(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    status: str
    request_id: int | None = None


def data_transferred(message: DataTransfer) -> Told:
    about = f"DataTransfer {message.vendor_id}"
    return Told(about=f"{about} {message.message_id}" if message.message_id else about)


def firmware_told(message: FirmwareStatusNotification) -> Told:
    return Told(about=f"firmware {message.status}")


def diagnostics_told(message: DiagnosticsStatusNotification) -> Told:
    return Told(about=f"diagnostics {message.status}")


def security_told(message: SecurityEventNotification) -> Told:
    return Told(about=f"security {message.type}")


def log_told(message: LogStatusNotification) -> Told:
    return Told(about=f"log {message.status}")


def data_transfer_answer(reply: Reply) -> bytes:
    """Kept is accepted, unless the desk says that it knows nothing of such data."""
    known = reply.known if isinstance(reply, Noted) else True
    return encode(DataTransferAnswer(status="Accepted" if known else "UnknownVendorId"))
