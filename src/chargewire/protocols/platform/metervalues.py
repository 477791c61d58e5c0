"""Meter values as the Platform API writes them: one flat record per sampled value, OCPP names without dots."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import isfinite

import msgspec
from msgspec import Struct

from chargewire.charging.reading import Reading, Sample
from chargewire.protocols.platform.moments import Stamp, moment, stamped

_encode = msgspec.json.Encoder().encode
EVSE_METER, STATION_METER = "EVSE", "S0"


class MeterValue(Struct, frozen=True, kw_only=True):
    """One sampled value. `evse_id` holds the EVSE's uid; `created` is our clock, `timestamp` the station's."""

    meter_value_uid: str
    value: float | None
    unit: str
    evse_id: str | None
    charge_station_id: str
    location_id: str | None
    meter_type: str
    created: str
    timestamp: str
    message_id: str
    session_id: str | None
    connector_id: int
    connector_id_twin: int = msgspec.field(name="connector_ID")
    context: str
    measurand: str
    phase: str
    format: str
    location: str
    meter_id: str | None = None


class Source(Struct, frozen=True, kw_only=True):
    """Where a MeterValues message came from."""

    station_id: str
    location_id: str | None
    evse_uid: str
    connector: int
    session_id: str
    message_id: str
    created: Stamp
    uid: str  # of the message


class Filter(Struct, frozen=True, kw_only=True):
    """Which values are wanted; names may be written with or without dots, in any case. `meter_type`: EVSE or S0."""

    phase: str | None = None
    measurand: str | None = None
    context: str | None = None
    unit: str | None = None
    meter_type: str | None = None

    def wants_meter(self, source: Source) -> bool:
        """Whether values of this meter are wanted at all."""
        return self.meter_type is None or self.meter_type == _meter(source)

    def wants(self) -> Callable[[Sample], bool]:
        """The test that a value has to pass."""
        asked: Mapping[str, str | None] = {name: _plain(value) for name, value in self._named().items() if value}
        return lambda sample: all(_plain(undotted(getattr(sample, name) or "None")) == value for name, value in asked.items())

    def _named(self) -> dict[str, str | None]:
        return {"phase": self.phase, "measurand": self.measurand, "context": self.context, "unit": self.unit}


def records(source: Source, readings: tuple[Reading, ...], wanted: Callable[[Sample], bool]) -> Iterator[bytes]:
    """The values of one MeterValues message, in the order they were sent; numbered, so that a value has one uid for ever."""
    created, number = stamped(source.created), 0
    for reading in readings:
        at = moment(reading.at)
        for sample in reading.samples:
            number += 1
            if wanted(sample):
                yield _encode(_record(source, sample, number, created, at))


@lru_cache(maxsize=1024)
def undotted(name: str) -> str:
    """`Energy.Active.Import.Register` → `EnergyActiveImportRegister`."""
    return name.replace(".", "")


def _record(source: Source, sample: Sample, number: int, created: str, at: str) -> MeterValue:
    return MeterValue(
        meter_value_uid=f"{source.uid}-{number}",
        value=_number(sample.value),
        unit=sample.unit,
        evse_id=source.evse_uid or None,
        charge_station_id=source.station_id,
        location_id=source.location_id,
        meter_type=_meter(source),
        created=created,
        timestamp=at,
        message_id=source.message_id,
        session_id=source.session_id or None,
        connector_id=source.connector,
        connector_id_twin=source.connector,
        context=undotted(sample.context),
        measurand=undotted(sample.measurand),
        phase=sample.phase or "None",
        format=sample.format,
        location=sample.location,
    )


def _meter(source: Source) -> str:
    return EVSE_METER if source.evse_uid or source.connector else STATION_METER


def _number(text: str) -> float | None:
    """To 5 decimals; None for what is no number, such as signed data."""
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value, 5) if isfinite(value) else None


def _plain(text: str | None) -> str | None:
    return None if text is None else undotted(text).lower()
