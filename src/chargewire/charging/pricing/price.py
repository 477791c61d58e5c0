"""The price of a session, and of the reservation before it.

Of the elements the first that matches *and has a component of the dimension* prices it, for each dimension by itself: so
OCPI 2.2.1 makes clear what 2.1.1 words per tariff, and the complex example of 2.1.1 needs it (its FLAT element comes first
and has no restrictions). Where elements begin or cease to match inside a period, the period is cut there.

- ENERGY is priced per kWh, TIME per hour in which energy flows, PARKING_TIME per hour in which none does. A tariff without
  PARKING_TIME does not price parking: OCPI's TIME is time charging, whatever some back offices make of it.
- FLAT is charged once a session, by the first FLAT component that matches, at the first moment that one does.
- min_kwh and min_duration hold from the value on, max_kwh and max_duration until just before it; so do the powers, of which
  a period has its average while charging, and parking none; and the currents, of which it has its highest.
- step_size rounds up once a session: the total energy to the step of the last energy priced; and of the two kinds of time
  the one that was priced last, in total, to the step of its last part (OCPI 2.2.1 mod_tariffs, step_size). What is added
  costs what the last part costs. Time and energy that nothing prices do not count. 0 means no steps.
- Elements with the restriction `reservation` price reservations only, and only they do; a reservation has its own fee, its own
  time and its own steps. One that expired is priced by RESERVATION_EXPIRES, and in dimensions that those leave out by
  RESERVATION.
- Money is rounded half up, once, at the end, to the smallest unit of the currency (`cost`, `currency`).
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from chargewire.charging.cdr import Cost
from chargewire.charging.pricing.billing import Bill, Trace, bill_of
from chargewire.charging.pricing.cost import cost_of
from chargewire.charging.pricing.rules import EXPIRED, RESERVED, SESSION, rules_of
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff


class Reservation(Struct, frozen=True):
    """A connector that was kept for a driver; it ends when the session begins, or it expires."""

    begin: datetime
    end: datetime
    expired: bool = False


def price(
    tariff: Tariff,
    periods: Sequence[Period],
    ended_at: datetime,
    time_zone: str,
    reservation: Reservation | None = None,
) -> Cost:
    """What the periods of a session that ended at `ended_at` cost at a place in `time_zone`. Raises Refused (check_tariff).

    Without a period nothing began, and but for a reservation it costs nothing.
    """
    return cost_of(tariff, bills_of(tariff, periods, ended_at, time_zone, reservation), bool(periods))


def bills_of(
    tariff: Tariff,
    periods: Sequence[Period],
    ended_at: datetime,
    time_zone: str,
    reservation: Reservation | None = None,
    trace: Trace | None = None,
) -> dict[bool, Bill]:
    """What is priced, of the session (False) and of its reservation (True)."""
    reserved: Bill = {}
    if reservation:
        seconds = round((reservation.end - reservation.begin).total_seconds())
        kept = (Period(reservation.begin, charging_s=max(seconds, 0)),)
        rules = rules_of(tariff.elements, EXPIRED if reservation.expired else RESERVED)
        reserved = bill_of(rules, kept, reservation.end, time_zone, trace)
    return {True: reserved, False: bill_of(rules_of(tariff.elements, SESSION), periods, ended_at, time_zone, trace)}
