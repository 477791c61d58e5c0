"""Meter values of OCPP 1.6 (§4.7, §7.33, §7.43). The path that most messages take: nothing here is done twice."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from chargewire.charging.facts import Metered
from chargewire.charging.reading import Reading, Sample
from chargewire.protocols.ocpp.moments import EPOCH, Moment, utc
from chargewire.protocols.ocpp.v16.words import Context, Measurand, MeasuredAt, Phase, Unit, transaction_id

ENERGY = "Energy.Active.Import.Register"

UNITS: dict[str, str] = {
    "Current.Export": "A",
    "Current.Import": "A",
    "Current.Offered": "A",
    "Energy.Reactive.Export.Interval": "varh",
    "Energy.Reactive.Export.Register": "varh",
    "Energy.Reactive.Import.Interval": "varh",
    "Energy.Reactive.Import.Register": "varh",
    "Frequency": "Hertz",
    "Power.Active.Export": "W",
    "Power.Active.Import": "W",
    "Power.Factor": "",
    "Power.Offered": "W",
    "Power.Reactive.Export": "var",
    "Power.Reactive.Import": "var",
    "RPM": "",
    "SoC": "Percent",
    "Temperature": "Celsius",
    "Voltage": "V",
}
"""What is meant where the unit is left out; for energy it is Wh (OCPP 1.6 §7.43)."""


class SampledValue(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    value: str
    context: Context | None = None
    format: Literal["Raw", "SignedData"] | None = None
    measurand: Measurand | None = None
    phase: Phase | None = None
    location: MeasuredAt | None = None
    unit: Unit | Literal["Hertz"] | None = None  # Hertz came with an erratum, and only into one of the two schemas


class MeterValue(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, gc=False):
    timestamp: Moment
    sampled_value: Annotated[tuple[SampledValue, ...], Meta(min_length=1)]


class MeterValues(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    connector_id: int
    meter_value: Annotated[tuple[MeterValue, ...], Meta(min_length=1)]
    transaction_id: int | None = None


def metered(message: MeterValues) -> Metered:
    """Readings of a connector, or with connector 0 of the station's main meter."""
    return Metered(
        connector_number=message.connector_id or 0,
        readings=readings(message.meter_value),
        transaction_id=transaction_id(message.transaction_id),
    )


def readings(values: tuple[MeterValue, ...]) -> tuple[Reading, ...]:
    """Meter values in our words; a reading without readable time is at `EPOCH`."""
    return tuple(
        [Reading(utc(value.timestamp) or EPOCH, tuple([_sample(each) for each in value.sampled_value])) for value in values]
    )


def _sample(sent: SampledValue) -> Sample:
    measurand = sent.measurand or ENERGY
    return Sample(
        sent.value,
        measurand,
        sent.unit or UNITS.get(measurand, "Wh"),
        sent.context or "Sample.Periodic",
        sent.phase,
        sent.location or "Outlet",
        sent.format or "Raw",
    )


def meter_values(told: Metered) -> MeterValues:
    """The message in which a station tells its readings."""
    return MeterValues(
        connector_id=told.connector_number,
        meter_value=as_wire(told.readings),
        transaction_id=int(told.transaction_id) if told.transaction_id is not None else None,
    )


def as_wire(readings: tuple[Reading, ...]) -> tuple[MeterValue, ...]:
    """Readings as meter values, with every default left out."""
    return tuple(
        MeterValue(timestamp=each.at, sampled_value=tuple(_sampled_value(sample) for sample in each.samples))
        for each in readings
    )


def _sampled_value(sample: Sample) -> SampledValue:
    default = Sample("")
    return SampledValue(
        value=sample.value,
        measurand=sample.measurand if sample.measurand != default.measurand else None,  # type: ignore[arg-type]
        unit=sample.unit if sample.unit and sample.unit != UNITS.get(sample.measurand, "Wh") else None,  # type: ignore[arg-type]
        context=sample.context if sample.context != default.context else None,  # type: ignore[arg-type]
        phase=sample.phase,  # type: ignore[arg-type]
        location=sample.location if sample.location != default.location else None,  # type: ignore[arg-type]
        format=sample.format if sample.format != default.format else None,  # type: ignore[arg-type]
    )
