"""Meter readings: what a station measured, at which moment of its own clock."""

from datetime import datetime

from msgspec import Struct


class Sample(Struct, frozen=True, array_like=True, gc=False):
    """One measured value; the defaults are OCPP's own (OCPP 1.6 §7.43 SampledValue). `value` is text as it was sent."""

    value: str
    measurand: str = "Energy.Active.Import.Register"
    unit: str = "Wh"
    context: str = "Sample.Periodic"
    phase: str | None = None
    location: str = "Outlet"
    format: str = "Raw"


class Reading(Struct, frozen=True, array_like=True, gc=False):
    """All that was sampled at one moment. `at` is the station's clock, corrected when it was known to be wrong."""

    at: datetime
    samples: tuple[Sample, ...]
