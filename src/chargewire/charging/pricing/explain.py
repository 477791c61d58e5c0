"""Why a session costs what it costs: for each line of the price which element priced it, on what condition, and what of it.

The lines are those of `price`, one for one: what is explained is what is charged.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.cdr import LineItem
from chargewire.charging.pricing.billing import Trace
from chargewire.charging.pricing.cost import BOUNDS, cost_of, tidy_volume
from chargewire.charging.pricing.local_time import EPOCH
from chargewire.charging.pricing.price import Reservation, bills_of
from chargewire.charging.session import Period
from chargewire.charging.tariff import Restrictions, Tariff


class Part(Struct, frozen=True):
    """A stretch of time that a line prices, and how much of it: kWh or hours; of a FLAT fee one moment and 1."""

    start: datetime
    end: datetime
    volume: Decimal


class Explained(Struct, frozen=True, kw_only=True):
    """One line of the price. `why`: the restrictions of its element in words, all of which held; () = it has none.

    The volumes of the `parts` and `step_added` add up to the volume of the line, but for what nine decimals cannot say.
    A line with element -1 is the tariff's least or highest price: it has no parts, and `why` says which.
    """

    line: LineItem
    why: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    step_size: int = 0  # Wh or s; 0 = no steps
    step_added: Decimal = Decimal(0)  # kWh or hours that rounding up to whole steps added


def explained(
    tariff: Tariff,
    periods: Sequence[Period],
    ended_at: datetime,
    time_zone: str,
    reservation: Reservation | None = None,
) -> tuple[Explained, ...]:
    """The lines that `price` gives for the same, each with its reasons, in the same order. Raises Refused (check_tariff)."""
    trace: Trace = []
    bills = bills_of(tariff, periods, ended_at, time_zone, reservation, trace)
    told = []
    for line in cost_of(tariff, bills, bool(periods)).lines:
        if line.element < 0:
            told.append(Explained(line=line, why=(BOUNDS[line.details],)))
            continue
        amount = bills[line.reservation][line.type, line.element]
        told.append(
            Explained(
                line=line,
                why=words(tariff.elements[line.element].restrictions),
                parts=_parts(trace, line),
                step_size=0 if line.type == "FLAT" else amount.offer.component.step_size,
                step_added=tidy_volume(amount.added, line.type),
            )
        )
    return tuple(told)


def words(restrictions: Restrictions | None) -> tuple[str, ...]:
    """Restrictions as a person reads them, one each."""
    some = restrictions or Restrictions()
    days = ", ".join(day.capitalize() for day in some.day_of_week)
    reserved = {"RESERVATION": "while reserved", "RESERVATION_EXPIRES": "for a reservation that expired"}
    found = [
        _between(some.start_time, some.end_time, "{0} to {1} local time", "from {0} local time", "until {1} local time"),
        _between(some.start_date, some.end_date, "from {0} until before {1}", "from {0}", "until before {1}"),
        f"on {days}" if days else "",
        _between(some.min_kwh, some.max_kwh, "from {0} kWh to below {1} kWh", "from {0} kWh", "below {1} kWh"),
        _between(some.min_power, some.max_power, "from {0} kW to below {1} kW", "from {0} kW", "below {1} kW"),
        _between(some.min_current, some.max_current, "from {0} A to below {1} A", "from {0} A", "below {1} A"),
        _between(_span(some.min_duration), _span(some.max_duration), "from {0} to before {1}", "from {0}", "before {1}"),
        reserved.get(some.reservation or "", ""),
    ]
    return tuple(filter(None, found))


def _between(low: object, high: object, both: str, above: str, below: str) -> str:
    if low is None and high is None:
        return ""
    return (below if low is None else above if high is None else both).format(low, high)


def _span(seconds: int | None) -> str | None:
    """How long after the start, as `1:30:00`."""
    return None if seconds is None else f"{timedelta(seconds=seconds)} after the start"


def _parts(trace: Trace, line: LineItem) -> tuple[Part, ...]:
    """The stretches that a line prices; those that touch are one."""
    parts: list[list[int]] = []
    for step in trace:
        if (step.dimension, step.element, step.reserved) != (line.type, line.element, line.reservation):
            continue
        if parts and parts[-1][1] == step.begin:
            parts[-1][1] = step.end
            parts[-1][2] += step.amount
        else:
            parts.append([step.begin, step.end, step.amount])
    return tuple(
        Part(EPOCH + timedelta(microseconds=begin), EPOCH + timedelta(microseconds=end), tidy_volume(amount, line.type))
        for begin, end, amount in parts
    )
