"""What can go wrong, in the domain's words.

ChargingError
├── Unknown            no such object, or none that the asker may see: the two look the same
│   └── UnknownStation, UnknownLocation, UnknownSession, UnknownSubscription …
├── Refused            understood and not allowed; `field` names what is wrong, if one thing is
├── AlreadyDone        can be done once, and was
├── StationOffline     not delivered: the same command may work later
└── MemoryUnavailable  the journal cannot write now (full disk, database away); nothing was kept
"""


class ChargingError(Exception):
    """Base of all that the domain raises."""


class Unknown(ChargingError):
    """No such object, or none that the asker may see."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"unknown {what} {name!r}")
        self.what = what
        self.name = name


class Refused(ChargingError):
    """Understood and not allowed. `field` is the path of the input that is wrong, `None` if it is no single one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


class AlreadyDone(ChargingError):
    """It can be done once, and was."""


class StationOffline(ChargingError):
    """The station is not connected: the same command may work later."""


class MemoryUnavailable(ChargingError):
    """The journal cannot write now; nothing of what was asked is kept."""
