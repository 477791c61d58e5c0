"""When a car only parks: energy stopped flowing.

SuspendedEV is not trusted, it differs per vendor and model. What counts is the meter: the stretch between two readings is
idle if less than 100 W flowed on average and not more than 100 Wh in all and, where the station measures power, if that
is below 100 W as well. Idle stretches in a row are parking from the first of them on, once they have lasted 5 minutes
(registers with a coarse step stand still for minutes while a car charges), or 1 minute if the measured power confirms it.
So parking is recognised late, at least one meter interval after it began, and then dated back.
"""

from msgspec import Struct

IDLE_MW = 100_000
IDLE_MWH = 100_000
PARKED_AFTER_S = 300
PARKED_AFTER_MEASURED_S = 60


class Flow(Struct):
    """Whether energy flows, followed from stretch to stretch. `idle_since` is in seconds; None while energy flows."""

    idle_since: int | None = None
    measured: bool = True
    parked: bool = False

    def step(self, begin: int, end: int, energy_mwh: int, power_mw: int | None) -> tuple[int, bool] | None:
        """The next stretch; a change as (since when, whether it is parking) if there is one.

        `power_mw`: measured at its end; None if it was not.
        """
        if end <= begin:
            return None
        idle = energy_mwh <= IDLE_MWH and energy_mwh * 3600 < IDLE_MW * (end - begin)
        if not idle or (power_mw is not None and power_mw >= IDLE_MW):
            was_parked, self.parked, self.idle_since, self.measured = self.parked, False, None, True
            return (begin, False) if was_parked else None
        if self.idle_since is None:
            self.idle_since = begin
        self.measured = self.measured and power_mw is not None
        if self.parked or end - self.idle_since < (PARKED_AFTER_MEASURED_S if self.measured else PARKED_AFTER_S):
            return None
        self.parked = True
        return self.idle_since, True

    @property
    def undecided_since(self) -> int | None:
        """From when on it may still turn out that the car parks."""
        return None if self.parked else self.idle_since
