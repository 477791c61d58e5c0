"""What a connector can give: alternating current to the car's own charger, or direct current to its battery."""

from msgspec import Struct

NOMINAL_V = 230.0
LEAST_A = 6.0  # no car charges from less (IEC 61851-1): a lower limit is a pause


class Outlet(Struct, frozen=True, kw_only=True):
    """One connector's hardware. AC: `max_a` on each of `phases`. DC: `max_w`; `phases` and `max_a` are its grid side."""

    dc: bool = False
    phases: int = 3
    max_a: float = 16.0
    max_w: float = 11_040.0

    def watts(self, amps: float, phases: int) -> float:
        """W that a current per phase is, on at most the phases there are."""
        return amps * NOMINAL_V * min(phases, self.phases)


def ac(power_w: float, phases: int = 3) -> Outlet:
    """A type 2 socket."""
    return Outlet(phases=phases, max_a=power_w / NOMINAL_V / phases, max_w=power_w)


def dc(power_w: float) -> Outlet:
    """A fast charger's cable, fed from three phases."""
    return Outlet(dc=True, max_a=power_w / NOMINAL_V / 3, max_w=power_w)
