"""Bad habits of real stations, to be switched on by name: what a CSMS has to live with.

A habit changes what is told (`told`), how it is written (`written`), or what becomes of answers; everything else of the
station stays as it is. The places where each was seen are named beside it.
"""

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec.structs import replace

from chargewire.charging.facts import Fact, Metered, SessionEnded, SessionStarted, StatusReported
from chargewire.charging.reading import Reading
from chargewire.protocols.ocpp.rpc import MessageId
from chargewire.simulator.meter import REGISTER

_Dated = TypeVar("_Dated", SessionStarted, SessionEnded, StatusReported)

HABITS: dict[str, str] = {
    "resend-start": "sends each start a second time, as if the answer had been lost (SteVe #81, MicroOcpp #237)",
    "resend-stop": "sends each stop a second time, with a register that is 7 Wh further (SteVe #955)",
    "double-meter": "sends each reading twice (lbbrhzn #361)",
    "unset-clock": "has a clock that began in 1970 when it was switched on (MicroOcpp #311)",
    "local-time": "marks its local time, two hours ahead, as UTC (SteVe #136)",
    "register-reset": "begins its register at 0 for each session and after each boot (Java-OCA-OCPP #331)",
    "numbers": "writes values as JSON numbers and registers with a fraction (mobilityhouse #377)",
    "kilowatt-hours": "means Wh and writes kWh (OpenEVSE #703)",
    "number-ids": "writes message ids as numbers (open-ocpp-simu #24)",
    "lost-answers": "does not hear every third answer, and repeats itself (mobilityhouse #186)",
    "deaf": "never answers what the CSMS asks (lbbrhzn #1503)",
    "minus-one": "forgets the transaction id and writes -1 (libocpp #495)",
    "zero-id": "writes transaction id 0 into its readings (mobilityhouse #478)",
    "huge-id": "writes 9223372036854775807 for a transaction id that it does not know (ocpp-go #188)",
    "no-id": "leaves the transaction id out of its readings (MicroOcpp #66)",
    "eager-boot": "boots again at every connection (lbbrhzn #1510)",
    "long-words": "writes more into a field than it may hold, and words that nobody knows (mobilityhouse #128)",
}


class Habits:
    """The habits of one station."""

    def __init__(self, names: Collection[str] = (), switched_on: datetime | None = None) -> None:
        """Raises ValueError for a habit that does not exist."""
        unknown = set(names) - set(HABITS)
        if unknown:
            raise ValueError(f"no such habit: {', '.join(sorted(unknown))}")
        self._names = frozenset(names)
        self._switched_on = switched_on or datetime.now(UTC)
        self._answers = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def told(self, fact: Fact) -> tuple[Fact, ...]:
        """What is told instead of a fact, one or more times."""
        if not self._names:
            return (fact,)
        fact = self._dated(fact)
        if isinstance(fact, SessionStarted) and "resend-start" in self:
            return (fact, fact)
        if isinstance(fact, SessionEnded) and "resend-stop" in self:
            return (fact, replace(fact, register_wh=(fact.register_wh or 0) + 7))
        if isinstance(fact, Metered) and "double-meter" in self:
            return (fact, fact)
        return (fact,)

    def written(self, action: str, payload: bytes) -> bytes:
        """How a message is written."""
        changes = [change for name, actions, change in _WRITING if name in self._names and action in actions]
        if not changes:
            return payload
        message = json.loads(payload)
        for change in changes:
            change(message)
        return json.dumps(message, separators=(",", ":")).encode()

    def message_id(self, text: str) -> MessageId:
        return int(text) if "number-ids" in self else text

    def loses_answer(self) -> bool:
        """True for each third answer of a station that does not hear them all."""
        self._answers += 1
        return "lost-answers" in self and self._answers % 3 == 0

    def _dated(self, fact: Fact) -> Fact:
        if "unset-clock" not in self and "local-time" not in self:
            return fact
        if isinstance(fact, Metered):
            return replace(fact, readings=self._readings(fact.readings))
        if isinstance(fact, SessionEnded):
            return self._at(replace(fact, readings=self._readings(fact.readings)))
        if isinstance(fact, SessionStarted):
            return self._at(fact)
        if isinstance(fact, StatusReported):
            return self._at(fact)
        return fact

    def _at(self, fact: _Dated) -> _Dated:
        return replace(fact, at=self._moment(fact.at)) if fact.at else fact

    def _readings(self, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
        return tuple(replace(reading, at=self._moment(reading.at)) for reading in readings)

    def _moment(self, at: datetime) -> datetime:
        if "unset-clock" in self:
            return datetime(1970, 1, 1, tzinfo=UTC) + max(at - self._switched_on, timedelta())
        return at + timedelta(hours=2)


def _numbers(message: dict[str, Any]) -> None:
    for name in ("meterStart", "meterStop"):
        if name in message:
            message[name] = message[name] + 0.4
    for sample in _samples(message):
        sample["value"] = float(sample["value"])


def _kilowatt_hours(message: dict[str, Any]) -> None:
    for sample in _samples(message):
        if sample.get("measurand", REGISTER) == REGISTER:
            sample["unit"] = "kWh"


def _transaction_id(value: int | None) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        if value is None:
            message.pop("transactionId", None)
        elif "transactionId" in message:
            message["transactionId"] = value

    return change


def _long_words(message: dict[str, Any]) -> None:
    if "chargePointModel" in message:
        message["chargePointModel"] = str(message["chargePointModel"]).ljust(30, "+")
        message["chargeBoxSerialNumber"] = "0123456789-0123456789-0123456789"
    if "errorCode" in message:
        message |= {"errorCode": "Error" if message["errorCode"] != "NoError" else "NoError", "info": "null", "extra": True}
    for sample in _samples(message):
        sample["context"] = "Sample.Whatever"


def _samples(message: dict[str, Any]) -> list[dict[str, Any]]:
    values = [*message.get("meterValue", ()), *message.get("transactionData", ())]
    return [sample for value in values for sample in value["sampledValue"]]


_METERED = ("MeterValues",)
_SESSION = ("StartTransaction", "MeterValues", "StopTransaction")
_WRITING: tuple[tuple[str, tuple[str, ...], Callable[[dict[str, Any]], None]], ...] = (
    ("numbers", _SESSION, _numbers),
    ("kilowatt-hours", _METERED, _kilowatt_hours),
    ("minus-one", ("MeterValues", "StopTransaction"), _transaction_id(-1)),
    ("zero-id", _METERED, _transaction_id(0)),
    ("huge-id", _METERED, _transaction_id(2**63 - 1)),
    ("no-id", _METERED, _transaction_id(None)),
    ("long-words", ("BootNotification", "StatusNotification", *_METERED), _long_words),
)
