"""What an OCPP 1.6 station says of itself: who it is, that it lives, what its connectors do (§4.2, §4.6, §4.9)."""

from msgspec import Struct

from chargewire.charging.facts import Beat, Booted, Fact, Now, Reply, StatusReported, Told, Welcome
from chargewire.charging.location import Boot, Status
from chargewire.protocols.ocpp.dialect import CannotSay, encode
from chargewire.protocols.ocpp.moments import EPOCH, Moment, read_moment, utc, written
from chargewire.protocols.ocpp.v16.words import (
    ChargePointErrorCode,
    ChargePointStatus,
    RegistrationStatus,
    Text20,
    Text25,
    Text50,
    Text255,
)


class BootNotification(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    charge_point_vendor: Text20
    charge_point_model: Text20
    charge_point_serial_number: Text25 | None = None
    charge_box_serial_number: Text25 | None = None
    firmware_version: Text50 | None = None
    iccid: Text20 | None = None
    imsi: Text20 | None = None
    meter_type: Text25 | None = None
    meter_serial_number: Text25 | None = None


class BootNotificationAnswer(Struct, frozen=True, rename="camel"):
    status: RegistrationStatus
    current_time: str
    interval: int  # s


class HeartbeatAnswer(Struct, frozen=True, rename="camel"):
    current_time: str


class StatusNotification(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    connector_id: int
    error_code: ChargePointErrorCode
    status: ChargePointStatus
    info: Text50 | None = None
    timestamp: Moment | None = None
    vendor_id: Text255 | None = None
    vendor_error_code: Text50 | None = None


STATUSES: dict[str, Status] = {
    word: Status(word)
    for word in (
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
        "Occupied",  # OCPP 1.5, which some firmware never forgot
    )
}


def booted(message: BootNotification) -> Booted:
    return Booted(
        Boot(
            vendor=message.charge_point_vendor,
            model=message.charge_point_model,
            serial_number=_said(message.charge_point_serial_number),
            box_serial_number=_said(message.charge_box_serial_number),
            firmware_version=_said(message.firmware_version),
            iccid=_said(message.iccid),
            imsi=_said(message.imsi),
            meter_type=_said(message.meter_type),
            meter_serial_number=_said(message.meter_serial_number),
        )
    )


def beat(_: object) -> Beat:
    return Beat()


def status_reported(message: StatusNotification) -> Fact:
    """A status without connector changes nothing: it must not be taken for the station as a whole."""
    if message.connector_id is None:
        return Told(about="StatusNotification without connector")
    return StatusReported(
        connector_number=message.connector_id,
        status=STATUSES.get(message.status, Status.UNKNOWN),
        at=utc(message.timestamp),
        error_code=message.error_code or "NoError",
        info=_said(message.info),
        vendor_id=_said(message.vendor_id),
        vendor_error_code=_said(message.vendor_error_code),
    )


def boot_answer(reply: Reply) -> bytes:
    """Accepted, or Pending for a station that waits for its operator (OCPP 1.6 §4.2)."""
    if not isinstance(reply, Welcome):
        raise CannotSay("a boot is answered with a welcome")
    status: RegistrationStatus = "Accepted" if reply.accepted else "Pending"
    return encode(BootNotificationAnswer(status, written(reply.now), reply.interval_s))


def heartbeat_answer(reply: Reply) -> bytes:
    """Our time: for many stations this is what sets their clock."""
    if not isinstance(reply, Now):
        raise CannotSay("a heartbeat is answered with the time")
    return encode(HeartbeatAnswer(written(reply.now)))


def boot_notification(told: Booted) -> BootNotification:
    boot = told.boot
    return BootNotification(
        charge_point_vendor=boot.vendor,
        charge_point_model=boot.model,
        charge_point_serial_number=boot.serial_number,
        charge_box_serial_number=boot.box_serial_number,
        firmware_version=boot.firmware_version,
        iccid=boot.iccid,
        imsi=boot.imsi,
        meter_type=boot.meter_type,
        meter_serial_number=boot.meter_serial_number,
    )


def status_notification(told: StatusReported) -> StatusNotification:
    if told.status.value not in STATUSES or told.status == Status.OCCUPIED:
        raise CannotSay(f"OCPP 1.6 has no status {told.status.value}")
    return StatusNotification(
        connector_id=told.connector_number,
        error_code=told.error_code,  # type: ignore[arg-type]
        status=told.status.value,  # type: ignore[arg-type]
        info=told.info,
        timestamp=told.at,
        vendor_id=told.vendor_id,
        vendor_error_code=told.vendor_error_code,
    )


def welcome_of(answer: BootNotificationAnswer) -> Welcome:
    now = read_moment(answer.current_time) or EPOCH
    return Welcome(accepted=answer.status == "Accepted", now=now, interval_s=answer.interval or 0)


def now_of(answer: HeartbeatAnswer) -> Now:
    return Now(read_moment(answer.current_time) or EPOCH)


def _said(text: str | None) -> str | None:
    """None for what only looks like something: "", and the "null" of stations that print their pointers (lbbrhzn #1155)."""
    return text if text and text != "null" else None
