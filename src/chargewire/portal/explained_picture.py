"""The picture of a price: power over time, and which line of the price was for what."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from chargewire.csms.explaining import Explanation
from chargewire.portal.course import Step, course_of, plain, timed

WIDTH, HEIGHT = 860, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 64
COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#be123c", "#1d4ed8", "#4d7c0f")
TICKS = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)  # minutes
Across = Callable[[datetime], float]
Up = Callable[[float], float]


def as_svg(told: Explanation) -> str:
    """Power over time; behind it, in the colour of the line that prices it, each stretch of the price."""
    steps = course_of(told)
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
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 18 * len(told.lines)}" role="img" '
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


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _bands(told: Explanation, place: Across) -> str:
    """A thin band per priced line at the foot, and its colour faintly behind the curve."""
    out = []
    for row, (number, line) in enumerate(timed(told)):
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


def _legend(told: Explanation) -> str:
    """Every line of the price, with its colour if it has a stretch of time."""
    out = []
    coloured = {number for number, _ in timed(told)}
    for number, line in enumerate(told.lines):
        at = HEIGHT - 8 + 18 * number
        if number in coloured:
            out.append(f'<rect x="{LEFT}" y="{at - 9}" width="10" height="10" rx="2" fill="{_colour(number)}"/>')
        why = f" ({', '.join(line.why)})" if line.why else ""
        text = f"{line.meaning}{why}: {plain(line.volume)} {line.unit} × {plain(line.price)}"
        out.append(f'<text x="{LEFT + 18}" y="{at}">{escape(text)}</text>')
        out.append(f'<text x="{WIDTH - RIGHT}" y="{at}" text-anchor="end">{line.cost} {escape(told.currency)}</text>')
    return "".join(out)


def _nice(highest: float) -> float:
    """A round number of kW that is not less than the highest."""
    for decade in (0.1, 1.0, 10.0, 100.0, 1000.0):
        for factor in (1, 2, 4, 6, 8, 10):
            if highest <= decade * factor:
                return decade * factor
    return highest or 1.0
