"""The status of an EVSE in the Platform API's words."""

from chargewire.charging.location import Status

STATUS: dict[Status, str] = {
    Status.UNKNOWN: "UNKNOWN",
    Status.FAULTED: "OUTOFORDER",
    Status.UNAVAILABLE: "OUTOFORDER",
    Status.AVAILABLE: "AVAILABLE",
    Status.RESERVED: "RESERVED",
    Status.PREPARING: "AVAILABLE",
    Status.FINISHING: "CHARGING",
    Status.SUSPENDED_EVSE: "CHARGING",
    Status.SUSPENDED_EV: "CHARGING",
    Status.OCCUPIED: "CHARGING",
    Status.CHARGING: "CHARGING",
    Status.REMOVED: "REMOVED",
}
