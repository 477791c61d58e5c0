"""What a CDR is checked for, in the four groups that back offices have, and whether trying again helps.

A flag never changes a CDR. What cannot be priced waits and is tried again, since the tariff may still come; everything else is
published with its flags, unless the CPO has said that it wants CDRs with one of them dropped.
"""

from msgspec import Struct

from chargewire.charging import flags
from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.pricing.currency import smallest_unit

CONFIGURATION, FEASIBILITY, BILLING, COST = "configuration", "feasibility", "billing rules", "final cost"
MOST_COST = 100_000  # smallest units: 1 000 euro for a session
MOST_PER_KWH = 500  # smallest units: 5 euro
WORTH_A_LOOK = 5_000  # smallest units: below 50 euro nobody asks what a kWh cost


class Check(Struct, frozen=True):
    """`retries`: the session waits for its CDR, and is tried again by itself."""

    group: str
    retries: bool = False


CHECKS: dict[str, Check] = {
    flags.NO_TARIFF: Check(BILLING, retries=True),
    flags.UNPRICEABLE: Check(BILLING),
    flags.NO_RETAIL: Check(CONFIGURATION),
    flags.NO_REIMBURSEMENT: Check(CONFIGURATION),
    flags.NO_CONTRACT: Check(CONFIGURATION),
    flags.IMPLAUSIBLE_POWER: Check(FEASIBILITY),
    flags.IMPLAUSIBLE_DURATION: Check(FEASIBILITY),
    flags.IMPLAUSIBLE_ENERGY: Check(FEASIBILITY),
    flags.STOP_BEFORE_START: Check(FEASIBILITY),
    flags.REGISTER_JUMPED: Check(FEASIBILITY),
    flags.IMPLAUSIBLE_COST: Check(COST),
    flags.NEGATIVE_COST: Check(COST),
}
"""Flags that have a group; any other is about how something was measured or said."""


def checked(cdr: Cdr) -> tuple[str, ...]:
    """The flags of a CDR, with those of its configuration and its cost."""
    found = set(cdr.flags)
    if cdr.token.emsp is None:
        found.add(flags.NO_CONTRACT)
    costs = [cost for cost in (cdr.cost, cdr.retail, cdr.reimbursement) if cost]
    if any(_implausible(cost, cdr.energy_wh) for cost in costs):
        found.add(flags.IMPLAUSIBLE_COST)
    if any(cost.excl_vat < 0 for cost in costs):
        found.add(flags.NEGATIVE_COST)
    return tuple(sorted(found))


def group_of(flag: str) -> str:
    """The group of checks that a flag belongs to; "measurement" for the others."""
    check = CHECKS.get(flag)
    return check.group if check else "measurement"


def _implausible(cost: Cost, energy_wh: int) -> bool:
    unit = smallest_unit(cost.currency)
    if cost.excl_vat > MOST_COST * unit:
        return True
    return cost.excl_vat > WORTH_A_LOOK * unit and cost.excl_vat * 1000 > MOST_PER_KWH * unit * energy_wh
