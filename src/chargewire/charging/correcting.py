"""Corrections: a CDR never changes. It is taken back by a credit, which repeats it with negated costs (as OCPI 2.2.1 mod_cdrs
has it), and what should have been said stands in a new CDR beside it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from msgspec.structs import replace

from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.checks import checked
from chargewire.charging.energy import connector_power_w
from chargewire.charging.errors import Refused
from chargewire.charging.flags import (
    CORRECTED,
    IMPLAUSIBLE_COST,
    IMPLAUSIBLE_DURATION,
    IMPLAUSIBLE_ENERGY,
    IMPLAUSIBLE_POWER,
    NEGATIVE_COST,
)
from chargewire.charging.plausible import implausible, max_power_w
from chargewire.charging.session import Period

JUDGED = (IMPLAUSIBLE_POWER, IMPLAUSIBLE_DURATION, IMPLAUSIBLE_ENERGY, IMPLAUSIBLE_COST, NEGATIVE_COST)
"""Flags that follow from what a CDR says, and not from how it was measured."""


def credit_id_of(cdr_id: str) -> str:
    """The id of the credit of a CDR: it follows from the CDR's, so that none is taken back twice."""
    return sha256(b"credit " + cdr_id.encode()).hexdigest()[:32]


def correction_id_of(cdr_id: str) -> str:
    """The id of the CDR that stands for one that was taken back."""
    return sha256(b"correction " + cdr_id.encode()).hexdigest()[:32]


def credit_for(cdr: Cdr, reason: str) -> Cdr:
    """What takes a CDR back. Raises Refused for a credit."""
    if cdr.credit:
        raise Refused("is a credit itself", "id")
    return replace(
        cdr,
        id=credit_id_of(cdr.id),
        cost=negated(cdr.cost),
        retail=negated(cdr.retail) if cdr.retail else None,
        reimbursement=negated(cdr.reimbursement) if cdr.reimbursement else None,
        credit=True,
        credit_of=cdr.id,
        replaces=None,
        reason=reason,
        remark=f"credit of {cdr.id}; {cdr.remark}" if cdr.remark else f"credit of {cdr.id}",
    )


def remark_of(cdr: Cdr) -> str | None:
    """What is said of a CDR in words: which one it stands for, and its remark."""
    return "; ".join(filter(None, (f"replaces {cdr.replaces}" if cdr.replaces else "", cdr.remark))) or None


def flagged_anew(cdr: Cdr) -> Cdr:
    """A corrected CDR with the flags of what it says now; those of how it was measured stay."""
    power_w = connector_power_w(cdr.connector)
    stay = set(cdr.flags).difference(JUDGED) | {CORRECTED}
    now = implausible(cdr.energy_wh, cdr.total_time_s, cdr.periods, power_w)
    return replace(cdr, flags=checked(replace(cdr, flags=tuple(stay.union(now)))))


def negated(cost: Cost) -> Cost:
    """The same amounts, taken back: line by line, so that the lines add up to the total as before."""
    lines = tuple(replace(line, cost=-line.cost, exact=None if line.exact is None else -line.exact) for line in cost.lines)
    return replace(
        cost,
        excl_vat=-cost.excl_vat,
        incl_vat=None if cost.incl_vat is None else -cost.incl_vat,
        vat=None if cost.vat is None else -cost.vat,
        lines=lines,
    )


def measured_anew(cdr: Cdr, *, energy_wh: int | None, start: datetime | None, stop: datetime | None) -> Cdr:
    """A CDR as it should have been measured; its costs are still the old ones. Raises Refused.

    A session can only be found to have been shorter; then its energy is that of the time that is left. Energy that is given
    is spread as the old one was.
    """
    begin, end = start or cdr.start, stop or cdr.stop
    if begin < cdr.start or begin > end:
        raise Refused(f"must be from {cdr.start.isoformat()} on and not after the stop", "start")
    if end > cdr.stop:
        raise Refused(f"must not be after {cdr.stop.isoformat()}", "stop")
    periods = _within(cdr.periods, cdr.stop, begin, end)
    if energy_wh is not None:
        periods = _with_energy(periods, energy_wh)
    return replace(
        cdr,
        start=begin,
        stop=end,
        periods=periods,
        energy_wh=sum(period.energy_wh for period in periods),
        total_time_s=sum(period.charging_s + period.parking_s for period in periods),
        parking_time_s=sum(period.parking_s for period in periods),
        max_power_w=max_power_w(periods) or None,
    )


def _within(periods: Sequence[Period], ended_at: datetime, begin: datetime, end: datetime) -> tuple[Period, ...]:
    """What of the periods lies between two moments; a period that is cut keeps its share of energy and time."""
    kept = []
    begins = [*(period.start for period in periods), ended_at]
    for period, until in zip(periods, begins[1:], strict=True):
        first, last = max(period.start, begin), min(until, end)
        if last <= first and not (period.start == until == first):
            continue
        whole, part = until - period.start, last - first
        kept.append(period if part == whole else _share(period, first, part, whole))
    return tuple(kept)


def _share(period: Period, start: datetime, part: timedelta, whole: timedelta) -> Period:
    def share(amount: int) -> int:
        return round(amount * (part / whole))

    return replace(
        period,
        start=start,
        energy_wh=share(period.energy_wh),
        charging_s=share(period.charging_s),
        parking_s=share(period.parking_s),
    )


def _with_energy(periods: tuple[Period, ...], energy_wh: int) -> tuple[Period, ...]:
    """The periods with another energy in all, in the proportions that it had; if it had none, all in the first that charged."""
    before = sum(period.energy_wh for period in periods)
    if not periods:
        raise Refused("there is no time left that it could have flowed in", "energy_wh")
    if not before:
        place = next((number for number, period in enumerate(periods) if period.charging_s), 0)
        return tuple(replace(period, energy_wh=energy_wh if number == place else 0) for number, period in enumerate(periods))
    given, seen, spread = 0, 0, []
    for period in periods:
        seen += period.energy_wh
        share = (energy_wh * seen + before // 2) // before - given
        given += share
        power_w = None if period.max_power_w is None else round(period.max_power_w * energy_wh / before)
        spread.append(replace(period, energy_wh=share, max_power_w=power_w))
    return tuple(spread)
