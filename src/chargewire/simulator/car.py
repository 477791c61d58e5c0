"""A car with a battery behind the plug: what it would like to draw, and what its battery takes."""

import random
from dataclasses import dataclass
from typing import Self

from chargewire.simulator.outlet import LEAST_A, NOMINAL_V, Outlet

TRICKLE = 0.08  # share of its full power that a battery still takes when it is all but full
FULL_WH = 0.5  # less room than this is none


@dataclass(slots=True)
class Car:
    """A battery, the charger on board for AC, and the curve of both.

    The battery takes full power up to the state of charge `taper_from` (0 to 1); from there on its power falls in a
    straight line to a trickle when it is full. The car stops at `target` (0 to 1).
    """

    capacity_wh: float = 60_000.0
    stored_wh: float = 15_000.0
    phases: int = 3  # of its charger on board: 1 or 3
    max_ac_a: float = 16.0  # per phase
    max_dc_w: float = 120_000.0
    taper_from: float = 0.8
    target: float = 1.0

    @classmethod
    def arriving(cls, rng: random.Random) -> Self:
        """A car as they come: sizes and charge differ, one in four charges on one phase."""
        capacity_wh = rng.choice((42_000, 52_000, 58_000, 64_000, 77_000, 82_000, 100_000))
        phases = rng.choice((1, 3, 3, 3))
        return cls(
            capacity_wh=float(capacity_wh),
            stored_wh=capacity_wh * rng.uniform(0.08, 0.7),
            phases=phases,
            max_ac_a=32.0 if phases == 1 else rng.choice((16.0, 16.0, 32.0)),
            max_dc_w=rng.choice((50_000.0, 100_000.0, 135_000.0, 170_000.0)),
            taper_from=rng.uniform(0.6, 0.85),
            target=rng.choice((0.8, 0.9, 1.0)),
        )

    @property
    def soc(self) -> float:
        """State of charge, 0 to 1."""
        return self.stored_wh / self.capacity_wh

    @property
    def full(self) -> bool:
        """Charged as far as it wants to be."""
        return self.capacity_wh * self.target - self.stored_wh < FULL_WH

    def wish_w(self, outlet: Outlet) -> float:
        """W that the car would draw from an outlet that sets no limit; 0 when it is full."""
        if self.full:
            return 0.0
        ac_w = outlet.watts(min(self.max_ac_a, outlet.max_a), self.phases)
        return self._curve() * (min(self.max_dc_w, outlet.max_w) if outlet.dc else ac_w)

    def power_w(self, outlet: Outlet, limit_w: float | None) -> float:
        """W that flow under a limit (None: none); 0 if an AC limit is below what a car can charge from."""
        wish = self.wish_w(outlet)
        if limit_w is None or limit_w >= wish:
            return wish
        least = 0.0 if outlet.dc else outlet.watts(LEAST_A, self.phases)
        return limit_w if limit_w >= least else 0.0

    def take(self, power_w: float, seconds: float) -> float:
        """Charge at a power for a while; gives the Wh that fitted in, which is less if the battery becomes full."""
        energy = min(power_w * seconds / 3600, max(self.capacity_wh * self.target - self.stored_wh, 0.0))
        self.stored_wh += energy
        return energy

    def amps(self, power_w: float, outlet: Outlet) -> tuple[float, ...]:
        """A on each phase of the outlet: L1 first, the ones that the car does not use are 0."""
        used = outlet.phases if outlet.dc else min(self.phases, outlet.phases)
        each = power_w / NOMINAL_V / used
        return tuple(each if phase < used else 0.0 for phase in range(outlet.phases))

    def volts_dc(self) -> float:
        """V between the battery's poles: a 400 V pack, higher when fuller."""
        return 340.0 + 70.0 * self.soc

    def _curve(self) -> float:
        if self.soc <= self.taper_from:
            return 1.0
        return max(TRICKLE, 1.0 - (1.0 - TRICKLE) * (self.soc - self.taper_from) / (1.0 - self.taper_from))
