"""What cannot well be true of a session. These are flags for people, never a hold, a drop or a correction."""

from collections.abc import Sequence

from chargewire.charging.energy import MARGIN
from chargewire.charging.flags import IMPLAUSIBLE_DURATION, IMPLAUSIBLE_ENERGY, IMPLAUSIBLE_POWER
from chargewire.charging.session import Period

MAX_DURATION_S = 7 * 86_400
MAX_ENERGY_WH = 1_000_000
SLACK_WH = 100  # one coarse step of a register


def implausible(energy_wh: int, duration_s: int, periods: Sequence[Period], power_w: int) -> tuple[str, ...]:
    """The flags of a session on a connector that can give `power_w`: more than 1.5 × its power, 7 days, 1 MWh."""
    flags = []
    limit_w = power_w * MARGIN
    if max_power_w(periods) > limit_w or energy_wh - SLACK_WH > limit_w * duration_s / 3600:
        flags.append(IMPLAUSIBLE_POWER)
    if duration_s > MAX_DURATION_S:
        flags.append(IMPLAUSIBLE_DURATION)
    if energy_wh > MAX_ENERGY_WH:
        flags.append(IMPLAUSIBLE_ENERGY)
    return tuple(flags)


def max_power_w(periods: Sequence[Period]) -> int:
    """The highest power reached in any of them, in W; 0 if nothing is known."""
    return max((period.max_power_w for period in periods if period.max_power_w is not None), default=0)
