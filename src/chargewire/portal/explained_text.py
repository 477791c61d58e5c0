"""The explanation of a CDR for people who read it in a terminal."""

from datetime import datetime
from zoneinfo import ZoneInfo

from chargewire.csms.explaining import Explanation, LineTold, ReadingTold
from chargewire.portal.course import TIMED, averages, course_of, plain, timed

BLOCKS = " ▁▂▃▄▅▆▇█"
COLUMNS = 64
MOST_PARTS, MOST_ODD = 8, 20
DAY_S = 86_400


def as_text(told: Explanation) -> str:
    """Everything that is explained, for a terminal of 100 columns."""
    zone = ZoneInfo(told.time_zone)
    begin, end = told.start.astimezone(zone), told.stop.astimezone(zone)
    out = [
        f"CDR {told.id}" + (f"  (credit of {told.credit_of})" if told.credit_of else ""),
        f"session {told.session_id}, {told.price} price by tariff {told.tariff_id}",
        f"{begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} {told.time_zone}: "
        f"{told.energy_kwh} kWh, {told.charging_h} h charging, {told.parking_h} h parked",
    ]
    out += [f"replaces {told.replaces}"] if told.replaces else []
    out += [f"reason: {told.reason}"] if told.reason else []
    out += ["", *_chart(told, zone), ""]
    for number, line in enumerate(told.lines):
        out += _line(number, line, told, zone)
    out += ["", f"{'total excluding VAT':<40}{told.excl_vat:>12} {told.currency}"]
    if told.vat is not None:
        out += [f"{'VAT':<40}{told.vat:>12}"]
    if told.incl_vat is not None:
        out += [f"{'total including VAT':<40}{told.incl_vat:>12} {told.currency}"]
    out += ["", *_meter(told, zone)]
    out += [f"! {flag.flag} ({flag.group}): {flag.meaning}" for flag in told.flags]
    return "\n".join(out) + "\n"


def _chart(told: Explanation, zone: ZoneInfo) -> list[str]:
    """A curve of blocks, and under it which line prices each column."""
    steps, span = course_of(told), (told.stop - told.start) / COLUMNS
    if not steps or not span:
        return []
    curve = averages(steps, told.start, told.stop, COLUMNS)
    top = max(curve) or 1.0
    rows = [f"{max(curve):7.1f} kW |{''.join(_block(kw / top) for kw in curve)}|"]
    for number, line in timed(told)[:6]:
        middles = [told.start + span * (column + 0.5) for column in range(COLUMNS)]
        priced = [any(part.start <= at < part.end for part in line.parts) for at in middles]
        rows.append(f"{'':>10} |{''.join(_letter(number) if each else ' ' for each in priced)}|")
    first, last = (_moment(told, at, zone)[:-3] for at in (told.start, told.stop))
    return [*rows, f"{'':>11} {first}{last:>{COLUMNS - len(first)}}"]


def _block(share: float) -> str:
    """What flows at all can be seen."""
    return BLOCKS[max(round(share * 8), 1)] if share > 0 else " "


def _letter(number: int) -> str:
    return chr(ord("A") + number % 26)


def _moment(told: Explanation, at: datetime, zone: ZoneInfo) -> str:
    """Local time; with the day where there is more than one."""
    several = (told.stop - told.start).total_seconds() >= DAY_S
    return f"{at.astimezone(zone):{'%d %b %H:%M:%S' if several else '%H:%M:%S'}}"


def _line(number: int, line: LineTold, told: Explanation, zone: ZoneInfo) -> list[str]:
    where = f"element {line.element + 1}" if line.element >= 0 else "the tariff itself"
    why = f", {', '.join(line.why)}" if line.why else ", no restrictions" if line.element >= 0 else ""
    amount = f"{plain(line.volume)} {line.unit} × {plain(line.price)}"
    out = [f"{_letter(number)}  {line.meaning + ': ' + amount:<37}{line.cost:>12} {told.currency}   {where}{why}"]
    if line.exact != line.cost:
        out.append(f"   exactly {plain(line.exact)}, rounded so that the lines add up to the total")
    if line.step_added:
        unit = "Wh" if line.type == "ENERGY" else "s"
        out.append(f"   of it {plain(line.step_added)} {line.unit} to whole steps of {line.step_size} {unit}")
    if line.type in TIMED:
        for part in line.parts[:MOST_PARTS]:
            begin, end = _moment(told, part.start, zone), _moment(told, part.end, zone)
            out.append(f"   {begin} – {end}  {plain(part.volume)} {line.unit}")
        if len(line.parts) > MOST_PARTS:
            out.append(f"   … and {len(line.parts) - MOST_PARTS} more")
    return out


def _meter(told: Explanation, zone: ZoneInfo) -> list[str]:
    """The registers that the energy is the difference of: the first, the last, and what is odd between them."""
    out = [f"rests on {told.readings_in_all} meter readings"]
    if told.start_register_wh is not None:
        out.append(f"  start register {told.start_register_wh} Wh")
    shown = [each for each in told.readings if each.register_wh is not None or each.flags]
    odd = [number for number, each in enumerate(shown) if each.flags][:MOST_ODD]
    ends = [number for number in range(len(shown)) if number < 4 or number >= len(shown) - 4]
    before = -1
    for number in sorted({*odd, *ends}):
        out += ["  …"] if number > before + 1 else []
        out.append(_reading(shown[number], zone))
        before = number
    if told.stop_register_wh is not None:
        out.append(f"  stop register  {told.stop_register_wh} Wh")
    return out


def _reading(each: ReadingTold, zone: ZoneInfo) -> str:
    register = "" if each.register_wh is None else f"  {each.register_wh:.0f} Wh"
    power = "" if each.power_w is None else f"  {each.power_w / 1000:.1f} kW"
    flags = f"  ! {', '.join(each.flags)}" if each.flags else ""
    return f"  {each.at.astimezone(zone):%Y-%m-%d %H:%M:%S}{register}{power}{flags}"
