"""Charging profiles that a station has installed, and the limit that follows from them at a moment (OCPP 1.6 §3.13).

Per moment and purpose leads the profile of the highest stack level that has a period running now. A TxProfile, which
needs a transaction, hides the TxDefaultProfile; one of the connector's own hides that of connector 0. The limit is the
smaller of what leads there and of the ChargePointMaxProfile, after conversion to W. A is per phase, W the total.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from chargewire.protocols.ocpp.v16.profiles import (
    ChargingProfile,
    ChargingSchedule,
    ClearChargingProfile,
    RateUnit,
    SchedulePeriod,
)
from chargewire.simulator.outlet import NOMINAL_V

MAX_STACK_LEVEL = 10
MAX_PERIODS = 24
MAX_INSTALLED = 20
ALL_PHASES = 3
_RECURS = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}


class Limit(Struct, frozen=True):
    """A limit as a profile gives it: `value` in `unit`, on `phases` phases."""

    value: float
    unit: RateUnit
    phases: int = ALL_PHASES

    def watts(self, phases: int = ALL_PHASES) -> float:
        """W in all, where `phases` can be used."""
        return self.value if self.unit == "W" else self.value * NOMINAL_V * min(self.phases, phases)

    def amps(self, phases: int = ALL_PHASES) -> float:
        """A per phase, where `phases` can be used."""
        return self.value if self.unit == "A" else self.value / (NOMINAL_V * min(self.phases, phases))


class Running(Struct, frozen=True):
    """A transaction as profiles see it."""

    since: datetime
    transaction_id: int | None = None


class Profiles:
    """The profiles of one station, by connector (0 = the station)."""

    def __init__(self) -> None:
        self._installed: list[tuple[int, ChargingProfile]] = []

    def install(self, connector: int, profile: ChargingProfile, running: Running | None) -> bool:
        """Take a profile in; it replaces the one with its id, and the one with its purpose and level there.

        False if it breaks a rule: ChargePointMaxProfile only for 0, TxProfile only for a connector with a transaction (and
        for no other one), periods from 0 upwards, levels and numbers within what the station can keep.
        """
        if not _sound(connector, profile, running):
            return False
        kept = [each for each in self._installed if not _replaces(connector, profile, *each)]
        if len(kept) >= MAX_INSTALLED:
            return False
        self._installed = [*kept, (connector, profile)]
        return True

    def clear(self, which: ClearChargingProfile) -> bool:
        """Drop the profiles meant; False if there was none (§5.5)."""
        kept = [each for each in self._installed if not _meant(which, *each)]
        dropped = len(kept) < len(self._installed)
        self._installed = kept
        return dropped

    def transaction_over(self, connector: int) -> None:
        """A TxProfile dies with its transaction."""
        self._installed = [
            each for each in self._installed if each[0] != connector or each[1].charging_profile_purpose != "TxProfile"
        ]

    def __bool__(self) -> bool:
        return bool(self._installed)

    def connector_limit(self, connector: int, at: datetime, running: Running | None) -> Limit | None:
        """What TxProfile or TxDefaultProfile allow a connector; None: no limit."""
        tx = self._leading("TxProfile", connector, at, running) if running else None
        return (
            tx or self._leading("TxDefaultProfile", connector, at, running) or self._leading("TxDefaultProfile", 0, at, running)
        )

    def station_limit(self, at: datetime) -> Limit | None:
        """What ChargePointMaxProfile allows all connectors together; None: no limit."""
        return self._leading("ChargePointMaxProfile", 0, at, None)

    def moments(self, begin: datetime, end: datetime, running: Running | None) -> list[datetime]:
        """Every moment within [begin, end) at which a limit may change; `begin` is one of them."""
        found = {begin}
        for _, profile in self._installed:
            found.update(moment for moment in _edges(profile, begin, end, running) if begin < moment < end)
        return sorted(found)

    def _leading(self, purpose: str, connector: int, at: datetime, running: Running | None) -> Limit | None:
        best: tuple[int, Limit] | None = None
        for where, profile in self._installed:
            if where != connector or profile.charging_profile_purpose != purpose:
                continue
            period = _period(profile, at, running)
            if period is not None and (best is None or profile.stack_level > best[0]):
                unit = profile.charging_schedule.charging_rate_unit
                best = (profile.stack_level, Limit(period.limit, unit, period.number_phases or ALL_PHASES))
        return best[1] if best else None


def composite(
    profiles: Profiles, connector: int, begin: datetime, seconds: int, unit: RateUnit, running: Running | None, fallback: Limit
) -> ChargingSchedule:
    """The limits of the next while as one schedule (GetCompositeSchedule, §5.7); where nothing limits it is `fallback`."""
    periods: list[SchedulePeriod] = []
    for moment in profiles.moments(begin, begin + timedelta(seconds=seconds), running):
        limits = (profiles.connector_limit(connector, moment, running), profiles.station_limit(moment))
        limit = _smallest([each for each in limits if each] or [fallback])
        value = round(limit.amps() if unit == "A" else limit.watts(), 1)
        phases = limit.phases if limit.phases != ALL_PHASES else None
        if not periods or (periods[-1].limit, periods[-1].number_phases) != (value, phases):
            start = int((moment - begin).total_seconds())
            periods.append(SchedulePeriod(start_period=start, limit=value, number_phases=phases))
    return ChargingSchedule(
        charging_rate_unit=unit, charging_schedule_period=tuple(periods), duration=seconds, start_schedule=begin
    )


def _smallest(limits: Sequence[Limit]) -> Limit:
    """The limit that holds, in W, on as many phases as all of them leave."""
    phases = min(limit.phases for limit in limits)
    return Limit(min(limit.watts(phases) for limit in limits), "W", phases)


def _sound(connector: int, profile: ChargingProfile, running: Running | None) -> bool:
    periods = profile.charging_schedule.charging_schedule_period
    starts = [period.start_period for period in periods]
    if starts[0] != 0 or starts != sorted(set(starts)) or any(period.limit < 0 for period in periods):
        return False
    if not 0 <= profile.stack_level <= MAX_STACK_LEVEL or len(periods) > MAX_PERIODS or connector < 0:
        return False
    if profile.charging_profile_kind == "Recurring" and profile.recurrency_kind is None:
        return False
    if profile.charging_profile_purpose == "ChargePointMaxProfile":
        return connector == 0
    if profile.charging_profile_purpose == "TxProfile":
        known = running is not None and profile.transaction_id in (None, running.transaction_id)
        return connector > 0 and known
    return True


def _replaces(connector: int, new: ChargingProfile, where: int, old: ChargingProfile) -> bool:
    same_place = (connector, new.charging_profile_purpose, new.stack_level) == (
        where,
        old.charging_profile_purpose,
        old.stack_level,
    )
    return new.charging_profile_id == old.charging_profile_id or same_place


def _meant(which: ClearChargingProfile, where: int, profile: ChargingProfile) -> bool:
    if which.id is not None:
        return profile.charging_profile_id == which.id
    return (
        which.connector_id in (None, where)
        and which.charging_profile_purpose in (None, profile.charging_profile_purpose)
        and which.stack_level in (None, profile.stack_level)
    )


def _period(profile: ChargingProfile, at: datetime, running: Running | None) -> SchedulePeriod | None:
    """The period that runs at a moment."""
    if (profile.valid_from and at < profile.valid_from) or (profile.valid_to and at >= profile.valid_to):
        return None
    begin = _began(profile, at, running)
    if begin is None or begin > at:
        return None
    elapsed = (at - begin).total_seconds()
    schedule = profile.charging_schedule
    if schedule.duration is not None and elapsed >= schedule.duration:
        return None
    found = None
    for period in schedule.charging_schedule_period:
        if period.start_period > elapsed:
            break
        found = period
    return found


def _began(profile: ChargingProfile, at: datetime, running: Running | None) -> datetime | None:
    """When the schedule that counts at a moment began.

    A recurring one acts before its first time too, as it does in libocpp: only `validFrom` keeps it waiting.
    """
    if profile.charging_profile_kind == "Relative":
        return running.since if running else None
    start = profile.charging_schedule.start_schedule
    if start is None:  # an Absolute one should have it; stations take the transaction's start then
        return profile.valid_from or (running.since if running else None)
    if profile.charging_profile_kind == "Recurring" and profile.recurrency_kind:
        every = _RECURS[profile.recurrency_kind]
        return start + (at - start) // every * every
    return start


def _edges(profile: ChargingProfile, begin: datetime, end: datetime, running: Running | None) -> Iterable[datetime]:
    yield from (edge for edge in (profile.valid_from, profile.valid_to) if edge)
    start = _began(profile, begin, running)
    every = _RECURS.get(profile.recurrency_kind or "") if profile.charging_profile_kind == "Recurring" else None
    schedule = profile.charging_schedule
    while start is not None and start < end:
        yield start
        yield from (start + timedelta(seconds=period.start_period) for period in schedule.charging_schedule_period)
        if schedule.duration is not None:
            yield start + timedelta(seconds=schedule.duration)
        start = start + every if every else None
