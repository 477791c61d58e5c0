"""The explanation of a CDR for people: as text, and as a picture of the power over time with the periods of the price."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chargewire.csms.explaining import Explanation, LineTold, ReadingTold

WIDTH, HEIGHT = 860, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 64
COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#be123c", "#1d4ed8", "#4d7c0f")
BLOCKS = " ▁▂▃▄▅▆▇█"
COLUMNS = 64
TICKS = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)  # minutes
Across = Callable[[datetime], float]
Up = Callable[[float], float]
TIMED = ("ENERGY", "TIME", "PARKING_TIME")


class Step(NamedTuple):
    """Power that is held from one moment to another, in kW."""

    start: datetime
    end: datetime
    kw: float


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
        out += _line(number, line, told.currency, zone)
    out += ["", f"{'total excluding VAT':<40}{told.excl_vat:>12} {told.currency}"]
    if told.incl_vat is not None:
        out += [f"{'VAT':<40}{told.vat:>12}", f"{'total including VAT':<40}{told.incl_vat:>12} {told.currency}"]
    out += ["", *_meter(told, zone)]
    out += [f"! {flag.flag} ({flag.group}): {flag.meaning}" for flag in told.flags]
    return "\n".join(out) + "\n"


def as_svg(told: Explanation) -> str:
    """Power over time; behind it, in the colour of the line that prices it, each stretch of the price."""
    steps = _steps(told)
    top = _nice(max((step.kw for step in steps), default=0.0))
    span = max((told.stop - told.start).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max((at - told.start).total_seconds() / span, 0.0), 1.0)

    def y(kw: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * kw / top

    zone = ZoneInfo(told.time_zone)
    body = [_bands(told, x), _grid(top, y), _times(told, zone, x), _power(steps, x, y), _legend(told)]
    title = f"{told.energy_kwh} kWh, {told.excl_vat} {told.currency} excluding VAT ({told.price}, tariff {told.tariff_id})"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 18 * _rows(told)}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12"><title>{escape(title)}</title>{_STYLE}'
        f'<rect class="paper" width="100%" height="100%"/><text class="head" x="{LEFT}" y="22">{escape(title)}</text>'
        + "".join(body)
        + "</svg>\n"
    )


_STYLE = """<style>
.paper{fill:#fff}.head{font-size:14px;font-weight:600;fill:#1f2937}text{fill:#4b5563}.grid{stroke:#e5e7eb}
.axis{stroke:#9ca3af}.area{fill:#2563eb;fill-opacity:.22}.power{fill:none;stroke:#2563eb;stroke-width:2;stroke-linejoin:round}
@media (prefers-color-scheme:dark){.paper{fill:#111827}.head{fill:#f3f4f6}text{fill:#d1d5db}.grid{stroke:#374151}
.axis{stroke:#6b7280}.area{fill:#60a5fa;fill-opacity:.25}.power{stroke:#60a5fa}}</style>"""


def _priced(told: Explanation) -> list[tuple[int, LineTold]]:
    """The lines that have a stretch of time, with their number; of energy and time over the same stretch both."""
    return [(number, line) for number, line in enumerate(told.lines) if line.type in TIMED and line.parts]


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _bands(told: Explanation, place: Across) -> str:
    """A thin band per priced line at the foot, and its colour faintly behind the curve."""
    out = []
    for row, (number, line) in enumerate(_priced(told)):
        foot = HEIGHT - BOTTOM + 4 + row % 3 * 5
        for part in line.parts:
            left, right = place(part.start), place(part.end)
            width = max(right - left, 1.0)
            if row < 3:
                out.append(f'<rect x="{left:.1f}" y="{foot}" width="{width:.1f}" height="4" rx="1" fill="{_colour(number)}"/>')
            if line.type == "ENERGY" or not any(each.type == "ENERGY" for each in told.lines):
                out.append(
                    f'<rect x="{left:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
                    f'fill="{_colour(number)}" fill-opacity=".08"/>'
                )
    return "".join(out)


def _grid(top: float, place: Up) -> str:
    out = []
    for count in range(5):
        kw = top * count / 4
        at = place(kw)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{kw:g}</text>')
    out.append(f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end">kW</text>')
    return "".join(out)


def _times(told: Explanation, zone: ZoneInfo, place: Across) -> str:
    """Ticks on round local times, not more than nine."""
    minutes = (told.stop - told.start).total_seconds() / 60
    every = next((each for each in TICKS if minutes / each <= 8), TICKS[-1])
    first = told.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    out, foot = [], HEIGHT - BOTTOM
    tick = first
    form = "%H:%M" if every < 1440 else "%d %b"
    while tick <= told.stop:
        if tick >= told.start:
            at = place(tick)
            out.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{foot}" y2="{foot + 22}" stroke-opacity=".4"/>')
            out.append(f'<text x="{at:.1f}" y="{foot + 36}" text-anchor="middle">{tick:{form}}</text>')
        tick = (tick.astimezone(ZoneInfo("UTC")) + timedelta(minutes=every)).astimezone(zone)
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{foot}" y2="{foot}"/>')
    day = f"{told.start.astimezone(zone):%-d %B %Y}, {told.time_zone}"
    out.append(f'<text x="{WIDTH - RIGHT}" y="{TOP - 10}" text-anchor="end">{escape(day)}</text>')
    return "".join(out)


def _power(steps: Sequence[Step], across: Across, up: Up) -> str:
    if not steps:
        return ""
    points = [f"{across(each):.1f},{up(step.kw):.1f}" for step in steps for each in (step.start, step.end)]
    foot = up(0.0)
    area = f"{across(steps[0].start):.1f},{foot:.1f} {' '.join(points)} {across(steps[-1].end):.1f},{foot:.1f}"
    return f'<polygon class="area" points="{area}"/><polyline class="power" points="{" ".join(points)}"/>'


def _rows(told: Explanation) -> int:
    return len(told.lines)


def _legend(told: Explanation) -> str:
    """Every line of the price, with its colour if it has a stretch of time."""
    out = []
    timed = {number for number, _ in _priced(told)}
    for number, line in enumerate(told.lines):
        at = HEIGHT - 8 + 18 * number
        if number in timed:
            out.append(f'<rect x="{LEFT}" y="{at - 9}" width="10" height="10" rx="2" fill="{_colour(number)}"/>')
        why = f" ({', '.join(line.why)})" if line.why else ""
        text = f"{line.meaning}{why}: {_plain(line.volume)} {line.unit} × {_plain(line.price)}"
        out.append(f'<text x="{LEFT + 18}" y="{at}">{escape(text)}</text>')
        out.append(f'<text x="{WIDTH - RIGHT}" y="{at}" text-anchor="end">{line.cost} {escape(told.currency)}</text>')
    return "".join(out)


def _steps(told: Explanation) -> list[Step]:
    """The power as it was measured; between two registers their average; without readings that of each period."""
    readings = [
        ReadingTold(at=told.start, register_wh=told.start_register_wh, power_w=None),
        *(each for each in told.readings if told.start < each.at < told.stop),
        ReadingTold(at=told.stop, register_wh=told.stop_register_wh, power_w=None),
    ]
    if told.readings:
        steps = []
        for before, after in pairwise(readings):
            seconds = (after.at - before.at).total_seconds()
            if seconds <= 0:
                continue
            if before.register_wh is not None and after.register_wh is not None and after.register_wh >= before.register_wh:
                kw = (after.register_wh - before.register_wh) * 3.6 / seconds
            else:
                kw = (before.power_w or 0) / 1000
            steps.append(Step(before.at, after.at, kw))
        if steps:
            return steps
    ends = [*(period.start for period in told.periods[1:]), told.stop]
    return [
        Step(period.start, end, period.energy_wh * 3.6 / (end - period.start).total_seconds())
        for period, end in zip(told.periods, ends, strict=True)
        if end > period.start
    ]


def _nice(highest: float) -> float:
    """A round number of kW that is not less than the highest."""
    for decade in (0.1, 1.0, 10.0, 100.0, 1000.0):
        for factor in (1, 2, 4, 6, 8, 10):
            if highest <= decade * factor:
                return decade * factor
    return highest or 1.0


def _chart(told: Explanation, zone: ZoneInfo) -> list[str]:
    """A curve of blocks, and under it which line prices each column."""
    steps, span = _steps(told), (told.stop - told.start) / COLUMNS
    if not steps or not span:
        return []
    top = max(step.kw for step in steps) or 1.0
    curve = []
    for column in range(COLUMNS):
        at = told.start + span * (column + 0.5)
        kw = next((step.kw for step in steps if step.start <= at < step.end), 0.0)
        curve.append(BLOCKS[min(round(kw / top * 8), 8)] if kw > 0 else " ")
    rows = [f"{top:7.1f} kW |{''.join(curve)}|"]
    for number, line in _priced(told)[:6]:
        cells = [
            chr(ord("A") + number % 26)
            if any(part.start <= told.start + span * (column + 0.5) < part.end for part in line.parts)
            else " "
            for column in range(COLUMNS)
        ]
        rows.append(f"{'':>10} |{''.join(cells)}|")
    first, last = f"{told.start.astimezone(zone):%H:%M}", f"{told.stop.astimezone(zone):%H:%M}"
    return [*rows, f"{'':>11} {first}{last:>{COLUMNS - len(first)}}"]


def _line(number: int, line: LineTold, currency: str, zone: ZoneInfo) -> list[str]:
    letter = chr(ord("A") + number % 26)
    where = f"element {line.element + 1}" if line.element >= 0 else "the tariff itself"
    why = f", {', '.join(line.why)}" if line.why else ", no restrictions" if line.element >= 0 else ""
    amount = f"{_plain(line.volume)} {line.unit} × {_plain(line.price)}"
    out = [f"{letter}  {line.meaning + ': ' + amount:<37}{line.cost:>12} {currency}   {where}{why}"]
    if line.exact != line.cost:
        out.append(f"   exactly {_plain(line.exact)}, rounded so that the lines add up to the total")
    if line.step_added:
        unit = "Wh" if line.type == "ENERGY" else "s"
        out.append(f"   of it {_plain(line.step_added)} {line.unit} to whole steps of {line.step_size} {unit}")
    if line.type in TIMED:
        for part in line.parts[:8]:
            begin, end = part.start.astimezone(zone), part.end.astimezone(zone)
            out.append(f"   {begin:%H:%M:%S} – {end:%H:%M:%S}  {_plain(part.volume)} {line.unit}")
        if len(line.parts) > 8:
            out.append(f"   … and {len(line.parts) - 8} more")
    return out


def _meter(told: Explanation, zone: ZoneInfo) -> list[str]:
    """The registers that the energy is the difference of."""
    out = [f"rests on {told.readings_in_all} meter readings"]
    if told.start_register_wh is not None:
        out.append(f"  start register {told.start_register_wh} Wh")
    shown = [each for each in told.readings if each.register_wh is not None]
    picked = shown if len(shown) <= 8 else [*shown[:4], *shown[-4:]]
    for number, each in enumerate(picked):
        if len(shown) > 8 and number == 4:
            out.append("  …")
        flags = f"  ! {', '.join(each.flags)}" if each.flags else ""
        power = f"  {each.power_w / 1000:.1f} kW" if each.power_w is not None else ""
        out.append(f"  {each.at.astimezone(zone):%Y-%m-%d %H:%M:%S}  {each.register_wh:.0f} Wh{power}{flags}")
    if told.stop_register_wh is not None:
        out.append(f"  stop register  {told.stop_register_wh} Wh")
    return out


def _plain(number: Decimal) -> str:
    """Without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
