"""Tariff elements made ready to be matched: restrictions as whole numbers, components by dimension."""

from datetime import date
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Refused
from chargewire.charging.tariff import Element, PriceComponent, Restrictions

DAY_S = 86_400
DIMENSIONS = ("FLAT", "ENERGY", "TIME", "PARKING_TIME")
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
EPOCH_DAY = date(1970, 1, 1).toordinal()
SESSION, RESERVED, EXPIRED = "", "RESERVATION", "RESERVATION_EXPIRES"  # what an element prices: its `reservation`, or none


class Moment(Struct, gc=False):
    """What restrictions are about, at one moment of a session."""

    local_s: int  # seconds of the local clock since 1970-01-01T00:00 of that clock
    used_uwh: int  # energy of the session so far, in µWh
    lasted_us: int  # time since its start, in µs
    power_mw: int
    current_ma: int


class Rule(Struct, frozen=True):
    """Restrictions of an element, all AND-ed. Lower ends are inclusive, upper ends exclusive; None: not restricted."""

    start_s: int = 0  # second of the local day
    end_s: int = DAY_S  # at or before `start_s`: over midnight
    weekdays: frozenset[int] | None = None  # 0 = Monday
    first_day: int | None = None  # days since 1970-01-01, local
    end_day: int | None = None
    min_uwh: int | None = None
    max_uwh: int | None = None
    min_us: int | None = None
    max_us: int | None = None
    min_mw: int | None = None
    max_mw: int | None = None
    min_ma: int | None = None
    max_ma: int | None = None
    needs_clock: bool = False  # local time matters
    measured: bool = False  # power or current matters

    def matches(self, now: Moment) -> bool:
        """Whether the element is active at a moment."""
        return (
            (self.min_uwh is None or now.used_uwh >= self.min_uwh)
            and (self.max_uwh is None or now.used_uwh < self.max_uwh)
            and (self.min_us is None or now.lasted_us >= self.min_us)
            and (self.max_us is None or now.lasted_us < self.max_us)
            and (not self.measured or self._matches_measured(now))
            and (not self.needs_clock or self._matches_clock(now.local_s))
        )

    def _matches_measured(self, now: Moment) -> bool:
        return (
            (self.min_mw is None or now.power_mw >= self.min_mw)
            and (self.max_mw is None or now.power_mw < self.max_mw)
            and (self.min_ma is None or now.current_ma >= self.min_ma)
            and (self.max_ma is None or now.current_ma < self.max_ma)
        )

    def _matches_clock(self, local_s: int) -> bool:
        day, second = divmod(local_s, DAY_S)
        if self.weekdays is not None and (day + 3) % 7 not in self.weekdays:  # 1970-01-01 was a Thursday
            return False
        if (self.first_day is not None and day < self.first_day) or (self.end_day is not None and day >= self.end_day):
            return False
        if self.start_s < self.end_s:
            return self.start_s <= second < self.end_s
        return second >= self.start_s or second < self.end_s


class Offer(Struct, frozen=True):
    """One price component with the element that it stands in; `rule` None: without restrictions."""

    element: int
    component: PriceComponent
    rule: Rule | None
    reserved: bool = False  # it prices reservations


class Rules(Struct, frozen=True):
    """A tariff's offers by dimension, in order of their elements, and where matching can change."""

    offers: dict[str, tuple[Offer, ...]]
    any: bool
    plain: bool  # in each dimension the first offer always matches
    needs_clock: bool
    measured: bool
    steady: bool  # what matches changes with time only
    seconds_of_day: tuple[int, ...]
    durations_us: tuple[int, ...]
    energies_uwh: tuple[int, ...]


@lru_cache(maxsize=4096)
def rules_of(elements: tuple[Element, ...], subject: str = SESSION) -> Rules:
    """The elements that price a subject (SESSION, RESERVED, EXPIRED), ready to be matched. Raises Refused."""
    offers: dict[str, list[Offer]] = {dimension: [] for dimension in DIMENSIONS}
    rules = []
    for number, element in _about(elements, subject):
        rule = _rule(element.restrictions, f"elements[{number}].restrictions")
        if rule is not None:
            rules.append(rule)
        for place, component in enumerate(element.price_components):
            if component.type not in offers:
                raise Refused(f"unknown type {component.type!r}", f"elements[{number}].price_components[{place}].type")
            offers[component.type].append(Offer(number, component, rule, subject != SESSION))
    clocks = [rule for rule in rules if rule.needs_clock]
    energies = tuple(sorted({uwh for rule in rules for uwh in (rule.min_uwh, rule.max_uwh) if uwh is not None}))
    measured = any(rule.measured for rule in rules)
    return Rules(
        offers={dimension: tuple(some) for dimension, some in offers.items()},
        any=any(offers.values()),
        plain=all(not some or some[0].rule is None for some in offers.values()),
        needs_clock=bool(clocks),
        measured=measured,
        steady=not energies and not measured,
        seconds_of_day=tuple(sorted({s % DAY_S for rule in clocks for s in (rule.start_s, rule.end_s)} | {0})),
        durations_us=tuple(sorted({us for rule in rules for us in (rule.min_us, rule.max_us) if us is not None})),
        energies_uwh=energies,
    )


def _about(elements: tuple[Element, ...], subject: str) -> list[tuple[int, Element]]:
    """The elements about a subject with their numbers; for a reservation that expired those that say so go first."""
    subjects = (EXPIRED, RESERVED) if subject == EXPIRED else (subject,)
    kinds = [element.restrictions.reservation or SESSION if element.restrictions else SESSION for element in elements]
    return [(number, elements[number]) for wanted in subjects for number, kind in enumerate(kinds) if kind == wanted]


def _rule(restrictions: Restrictions | None, field: str) -> Rule | None:
    if restrictions is None or replace(restrictions, reservation=None) == Restrictions():
        return None
    start = _second_of_day(restrictions.start_time, 0, f"{field}.start_time")
    end = _second_of_day(restrictions.end_time, DAY_S, f"{field}.end_time") or DAY_S  # 00:00 is the end of the day
    if start == end:  # from a time of day to the same one: all day
        start, end = 0, DAY_S
    for weekday in restrictions.day_of_week:
        if weekday not in WEEKDAYS:
            raise Refused(f"unknown day {weekday!r}", f"{field}.day_of_week")
    powers_and_currents = (restrictions.min_power, restrictions.max_power, restrictions.min_current, restrictions.max_current)
    dated = restrictions.day_of_week or restrictions.start_date or restrictions.end_date
    return Rule(
        needs_clock=bool(dated) or (start, end) != (0, DAY_S),
        start_s=start % DAY_S,
        end_s=end,
        weekdays=frozenset(map(WEEKDAYS.index, restrictions.day_of_week)) if restrictions.day_of_week else None,
        first_day=_day(restrictions.start_date, f"{field}.start_date"),
        end_day=_day(restrictions.end_date, f"{field}.end_date"),
        min_uwh=_scaled(restrictions.min_kwh, 10**9),
        max_uwh=_scaled(restrictions.max_kwh, 10**9),
        min_us=_scaled(restrictions.min_duration, 10**6),
        max_us=_scaled(restrictions.max_duration, 10**6),
        min_mw=_scaled(restrictions.min_power, 10**6),
        max_mw=_scaled(restrictions.max_power, 10**6),
        min_ma=_scaled(restrictions.min_current, 1000),
        max_ma=_scaled(restrictions.max_current, 1000),
        measured=any(limit is not None for limit in powers_and_currents),
    )


def _second_of_day(text: str | None, default: int, field: str) -> int:
    if text is None:
        return default
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal()):
        raise Refused(f"{text!r} is not HH:MM", field)
    second = int(hours) * 3600 + int(minutes) * 60
    if int(minutes) > 59 or second > DAY_S:
        raise Refused(f"{text!r} is not a time of day", field)
    return second


def _day(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).toordinal() - EPOCH_DAY
    except ValueError:
        raise Refused(f"{text!r} is not YYYY-MM-DD", field) from None


def _scaled(value: Decimal | int | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)
