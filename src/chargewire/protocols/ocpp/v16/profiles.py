"""Charging profiles of OCPP 1.6 (§7.8–7.14), and the messages that carry them (§5.7, §5.16, §5.5).

One decimal at most in a limit (the schema's multipleOf 0.1); A is per phase, W is the total.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from chargewire.protocols.ocpp.moments import Moment

Purpose = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
Kind = Literal["Absolute", "Recurring", "Relative"]
Recurrency = Literal["Daily", "Weekly"]
RateUnit = Literal["A", "W"]


class SchedulePeriod(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    start_period: int  # s from the start of the schedule
    limit: float
    number_phases: int | None = None  # left out it is 3


class ChargingSchedule(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    charging_rate_unit: RateUnit
    charging_schedule_period: Annotated[tuple[SchedulePeriod, ...], Meta(min_length=1)]
    duration: int | None = None  # s
    start_schedule: Moment | None = None
    min_charging_rate: float | None = None


class ChargingProfile(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    charging_profile_id: int
    stack_level: int
    charging_profile_purpose: Purpose
    charging_profile_kind: Kind
    charging_schedule: ChargingSchedule
    transaction_id: int | None = None
    recurrency_kind: Recurrency | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None


class SetChargingProfile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    connector_id: int
    cs_charging_profiles: ChargingProfile


class ClearChargingProfile(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """No field: all. An id: that one. Else all that match every field given."""

    id: int | None = None
    connector_id: int | None = None
    charging_profile_purpose: Purpose | None = None
    stack_level: int | None = None


class GetCompositeSchedule(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    connector_id: int
    duration: int  # s
    charging_rate_unit: RateUnit | None = None


class CompositeSchedule(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """The answer to GetCompositeSchedule."""

    status: Literal["Accepted", "Rejected"]
    connector_id: int | None = None
    schedule_start: Moment | None = None
    charging_schedule: ChargingSchedule | None = None
