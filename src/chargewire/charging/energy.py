"""Energy of a session from meter registers that cannot be trusted.

All energy in here is in mWh (integers), so that nothing is lost before totals are rounded to Wh, once. Registers are
meant to be the raw lifetime meter, rising for ever (OCPP 1.6 §7.31). Real ones fall at reboots, start at 0 with every
transaction, or are on another base in MeterValues than in StartTransaction (MicroOcpp #66, Java-OCA-OCPP #331).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from chargewire.charging.flags import (
    NEGATIVE_ENERGY,
    READINGS_OTHER_BASE,
    REGISTER_DIPPED,
    REGISTER_FELL,
    REGISTER_JUMPED,
    START_OTHER_BASE,
    STOP_BELOW_READING,
    STOP_OTHER_BASE,
    UNIT_SUSPECT,
)
from chargewire.charging.location import Connector

WH = 1_000  # mWh
JITTER_MWH = 1 * WH  # rounding of one register against another
SLACK_MWH = 1_000 * WH  # what clocks that disagree by minutes may hide
LIFETIME_MWH = 100_000 * WH  # a step of less is never taken for a change of base: no car takes more at once
MARGIN = 1.5  # over the connector's power, before energy counts as impossible
UNKNOWN_POWER_W = 400_000


def connector_power_w(connector: Connector) -> int:
    """The most that a connector can give, in W: as declared, else from voltage, amperage and phases."""
    if connector.max_electric_power:
        return connector.max_electric_power
    phases = 3 if connector.power_type == "AC_3_PHASE" else 1
    return connector.voltage * connector.amperage * phases or UNKNOWN_POWER_W


def reachable(step_mwh: int, seconds: int, power_w: int) -> bool:
    """Whether so much energy can have flowed in that time."""
    return step_mwh <= power_w * MARGIN * seconds / 3.6 + SLACK_MWH


def one_base(before_mwh: int, after_mwh: int, seconds: int, power_w: int) -> bool:
    """Whether two registers, `seconds` apart, can be of one meter: it did not fall, nor rise by a lifetime of energy."""
    step = after_mwh - before_mwh
    return step >= -JITTER_MWH and (step <= LIFETIME_MWH or reachable(step, seconds, power_w))


class Count(Struct):
    """Energy counted so far on one series of registers; `flags` says what went wrong with it."""

    power_w: int  # of the connector
    first: int | None = None
    top: int = 0
    t: int = 0
    counted: int = 0
    dipped_from: int | None = None
    broken: bool = False  # it fell or jumped: more than one segment
    flags: tuple[str, ...] = ()

    def step(self, t: int, register: int, *, same_moment: bool) -> None:
        """The next register, at `t` seconds. Of two at the same moment the first counts, which is the higher."""
        if self.first is None:
            self.first = self.top = register
        elif same_moment and register <= self.top:
            return
        else:
            self._rise(t, register)
        self.t = t

    def _rise(self, t: int, register: int) -> None:
        step, seconds = register - self.top, t - self.t
        if step < 0:
            if -step > JITTER_MWH:  # a new segment; what the old one counted stays counted
                self.dipped_from, self.top = self.top, register
                self._flag(REGISTER_FELL)
            return
        back = self.dipped_from is not None and register >= self.dipped_from
        if self.dipped_from is not None and back and not reachable(step, seconds, self.power_w):
            step = register - self.dipped_from
            self._flag(REGISTER_DIPPED)
        elif step > LIFETIME_MWH and not reachable(step, seconds, self.power_w):
            step = 0
            self._flag(REGISTER_JUMPED)
        self.counted += step
        self.top, self.dipped_from = register, None

    def interval(self, t: int, energy: int) -> None:
        """Energy since the one before, where a station gives that instead of a register."""
        if self.first is None:
            self.first = self.top = 0
        self.counted += energy
        self.top += energy
        self.t = t

    def _flag(self, flag: str) -> None:
        self.broken = True
        if flag not in self.flags:
            self.flags = (*self.flags, flag)


class Head(Struct, frozen=True):
    """The start register that is on the base of the readings, and the energy from it to the first reading."""

    start: int
    energy: int


class Total(Struct, frozen=True):
    """What a session used, in mWh.

    `tail_known`: the stretch after the last reading has its energy, too. `bend`: how the curve of the readings, which does
    not lead to `energy` by itself, gets there: "cap" cuts it off, "scale" stretches it.
    """

    energy: int
    tail_known: bool = False
    bend: str = ""
    flags: tuple[str, ...] = ()


def head_of(count: Count, seconds: int, starts: Iterable[int | None]) -> Head | None:
    """The first of the start registers that is on the base of the readings, which begin `seconds` after the start."""
    if count.first is None:
        return None
    for start in starts:
        if start is not None and one_base(start, count.first, seconds, count.power_w):
            return Head(start, max(count.first - start, 0))
    return None


def running_total(count: Count, head: Head | None, start: int | None) -> Total:
    """As far as it is known while the session runs; `start`: the register of the start message."""
    lost = head is None and start is not None and count.first is not None
    energy = count.counted + (head.energy if head else 0)
    return Total(energy, flags=(*count.flags, START_OTHER_BASE) if lost else count.flags)


def final_total(
    count: Count,
    head: Head | None,
    start_t: int,
    stop_t: int,
    starts: Sequence[int | None],
    stops: Sequence[int | None],
) -> Total:
    """Energy of a session that is over.

    `starts` and `stops`: the registers of the start and stop messages, then those that readings tell (contexts
    Transaction.Begin and End). They win where they are on the base of the readings; one that is on another base is left
    out, unless the two agree with each other: then the readings are what is on another base, and only give the shape.
    """
    start = next((register for register in starts if register is not None), None)
    stop = next((register for register in stops if register is not None), None)
    if count.first is None:
        return _without_readings(start, stop)
    so_far = running_total(count, head, starts[0])
    if start is not None and stop is not None and _spiked(count, so_far.energy, stop - start, stop_t - start_t):
        return Total(stop - start, False, "scale", (*so_far.flags, READINGS_OTHER_BASE))
    for end in stops:
        if end is not None and one_base(count.top, end, stop_t - count.t, count.power_w):
            straight = head is not None and not count.broken
            energy = max(end - head.start, 0) if head and straight else so_far.energy + max(end - count.top, 0)
            return Total(energy, True, "cap" if energy < so_far.energy else "", so_far.flags)
    if start is None or stop is None or not one_base(start, stop, stop_t - start_t, count.power_w):
        return Total(so_far.energy, flags=so_far.flags if stop is None else (*so_far.flags, STOP_OTHER_BASE))
    between = max(stop - start, 0)
    if head is None:
        suspect = (UNIT_SUSPECT,) if _thousandfold(between, count.counted) else ()
        return Total(between, False, "scale", (*count.flags, READINGS_OTHER_BASE, *suspect))
    if count.broken or not between:
        return Total(so_far.energy, flags=(*so_far.flags, STOP_OTHER_BASE))
    return Total(between, False, "cap", (*so_far.flags, STOP_BELOW_READING))


def _spiked(count: Count, counted: int, between: int, seconds: int) -> bool:
    """Whether a broken series counted what cannot have flowed, while what lies between start and stop can have."""
    return (
        count.broken
        and 0 <= between < counted
        and reachable(between, seconds, count.power_w)
        and not reachable(counted, seconds, count.power_w)
    )


def _without_readings(start: int | None, stop: int | None) -> Total:
    """Only the registers of start and stop: nothing shows that they are on two bases, unless the second is lower."""
    if start is None or stop is None:
        return Total(0)
    if stop < start:
        return Total(0, True, flags=(NEGATIVE_ENERGY,))
    return Total(stop - start, True)


def _thousandfold(one: int, other: int) -> bool:
    """Whether one of two energies is about 1000 times the other: kWh labelled Wh, or the reverse."""
    low, high = sorted((one, other))
    return low > 0 and 300 < high / low < 3000
