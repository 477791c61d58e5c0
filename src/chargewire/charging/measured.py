"""What one reading says in numbers: register, power, current and state of charge, whatever units and phases it came in.

Series are told apart by measurand, phase, location and context. Values at the beginning and at the end of a transaction
(contexts Transaction.Begin and Transaction.End) never stand for a live one: some stations repeat the first with every
message (evcc #33256).
"""

from datetime import datetime
from math import isfinite

from msgspec import Struct

from chargewire.charging.flags import NEGATIVE_ENERGY, UNKNOWN_UNIT, UNREADABLE_VALUE
from chargewire.charging.reading import Reading, Sample

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
SOC = "SoC"

MWH = {"wh": 1_000, "kwh": 1_000_000, "": 1_000}  # unit → mWh; without a unit energy is in Wh (OCPP 1.6 §7.43)
MW = {"w": 1_000, "kw": 1_000_000, "": 1_000, "wh": 1_000}  # "wh": the default of a unit that was left out
MA = {"a": 1_000, "": 1_000, "wh": 1_000}
UNITS = {REGISTER: MWH, INTERVAL: MWH, POWER: MW, CURRENT: MA, SOC: {"percent": 1, "%": 1, "": 1, "wh": 1}}

LOCATIONS = {"Outlet": 0, "": 0, "Inlet": 4, "Body": 8, "Cable": 8, "EV": 12}  # rank; Outlet is what is sold
INTERVAL_RANK = 100
CONTEXTS = {"Sample.Periodic": 0, "": 0, "Sample.Clock": 1, "Trigger": 2, "Other": 3}
BEGIN = "Transaction.Begin"
END = "Transaction.End"
PHASES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))  # two ways to say the same


class Measured(Struct, frozen=True, gc=False):
    """One reading in numbers. None: not measured.

    `register_mwh` belongs to the series of `rank`: the lower, the better it stands for the energy that was sold. From
    `INTERVAL_RANK` on it is the energy since the previous reading instead of a register. `begin_mwh` and `end_mwh`: what the
    register showed at the beginning and end of the transaction, as told by this reading.
    """

    at: datetime
    register_mwh: int | None = None
    rank: int = 0
    begin_mwh: int | None = None
    end_mwh: int | None = None
    power_mw: int | None = None
    current_ma: int | None = None  # the highest of the phases
    soc: int | None = None  # percent
    on_the_clock: bool = False  # a clock-aligned sample (Sample.Clock)
    flags: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[datetime, int, int, int, int]:
        """By time; at one moment the highest register first, so that the order of arrival makes no difference."""
        return (self.at, -(self.register_mwh or 0), -(self.power_mw or 0), -(self.current_ma or 0), -(self.soc or 0))


def measured(reading: Reading) -> Measured:
    """The numbers of a reading. What is not a number is left out and flagged."""
    return _plain(reading) or _measured(reading)


def _plain(reading: Reading) -> Measured | None:
    """The reading that most messages carry, at a third of the cost: periodic, at the outlet, at most one register and one
    power without phases, currents as they come. None: it is not of that kind."""
    register = power = current = None
    phases: list[str] = []
    for sample in reading.samples:
        if sample.context != "Sample.Periodic" or sample.location != "Outlet" or sample.format != "Raw":
            return None
        measurand = sample.measurand
        if measurand == REGISTER and register is None and sample.phase is None:
            register, flag = _number(sample, MWH)
        elif measurand == POWER and power is None and sample.phase is None:
            power, flag = _number(sample, MW)
        elif measurand == CURRENT and sample.phase is not None and sample.phase not in phases:
            phases.append(sample.phase)
            value, flag = _number(sample, MA)
            if value is not None and (current is None or value > current):
                current = value
        elif measurand in UNITS:
            return None
        else:
            continue
        if flag:
            return None
    return Measured(reading.at, register, power_mw=power, current_ma=current)


def _measured(reading: Reading) -> Measured:
    series: dict[tuple[str, str, str], dict[str, int]] = {}  # (measurand, location, context) → phase → value
    flags: list[str] = []
    soc = None
    for sample in reading.samples:
        units = UNITS.get(sample.measurand)
        if units is None or sample.format != "Raw":
            continue
        value, flag = _number(sample, units)
        if flag and flag not in flags:
            flags.append(flag)
        if value is None:
            continue
        if sample.measurand == SOC:
            soc = value if 0 <= value <= 100 else soc
        else:
            series.setdefault((sample.measurand, sample.location, sample.context), {}).setdefault(sample.phase or "", value)
    register, rank = _register(series)
    return Measured(
        at=reading.at,
        register_mwh=register,
        rank=rank,
        begin_mwh=_marked(series, BEGIN),
        end_mwh=_marked(series, END),
        power_mw=_total(_live(series, POWER)),
        current_ma=max(_live(series, CURRENT).values(), default=None),
        soc=soc,
        on_the_clock=any(sample.context == "Sample.Clock" for sample in reading.samples),
        flags=tuple(flags),
    )


def _number(sample: Sample, units: dict[str, int]) -> tuple[int | None, str | None]:
    """A value in the smallest unit that we count in, or why there is none."""
    scale = units.get(sample.unit) or units.get(sample.unit.lower())
    if scale is None:
        return None, UNKNOWN_UNIT
    try:
        value = float(sample.value)
    except ValueError:
        return None, UNREADABLE_VALUE
    if not isfinite(value) or abs(value) > 1e12:
        return None, UNREADABLE_VALUE
    if value < 0 and units is MWH:
        return (0 if sample.measurand == INTERVAL else None), NEGATIVE_ENERGY
    return round(value * scale), None


def _live(series: dict[tuple[str, str, str], dict[str, int]], measurand: str) -> dict[str, int]:
    """Values by phase of the series that stands for a measurand now: at the outlet and periodic, if there is such a one."""
    found = [key for key in series if key[0] == measurand and key[2] not in (BEGIN, END)]
    if not found:
        return {}
    if len(found) == 1:
        return series[found[0]]
    return series[min(found, key=lambda key: (LOCATIONS.get(key[1], 12), CONTEXTS.get(key[2], 4), key))]


def _register(series: dict[tuple[str, str, str], dict[str, int]]) -> tuple[int | None, int]:
    """The register that stands for the energy sold, and its rank: by location, then total before sums of phases."""
    best: tuple[int, int] | None = None
    for (measurand, location, context), phases in series.items():
        if measurand not in (REGISTER, INTERVAL) or context in (BEGIN, END):
            continue
        value = _total(phases)
        if value is None:
            continue
        rank = LOCATIONS.get(location, 12) + (0 if "" in phases else 4 - len(_by_phase(phases)))
        rank += INTERVAL_RANK if measurand == INTERVAL else 0
        order = rank * 8 + CONTEXTS.get(context, 4)
        if best is None or order < best[0]:
            best = (order, value)
    return (best[1], best[0] // 8) if best else (None, 0)


def _marked(series: dict[tuple[str, str, str], dict[str, int]], context: str) -> int | None:
    """The register at the beginning or end of the transaction."""
    marked = {(REGISTER, key[1], ""): phases for key, phases in series.items() if key[0] == REGISTER and key[2] == context}
    return _register(marked)[0] if marked else None


def _total(phases: dict[str, int]) -> int | None:
    """The sum over phases, unless the station gives it itself (as a value without phase)."""
    if "" in phases:
        return phases[""]
    by_phase = _by_phase(phases)
    return sum(by_phase) if by_phase else None


def _by_phase(phases: dict[str, int]) -> list[int]:
    for names in PHASES:
        if found := [phases[name] for name in names if name in phases]:
            return found
    return []
