"""The meter of a connector: a register that never falls, and what it shows at a moment (OCPP 1.6 §4.7, §7.31)."""

from collections.abc import Collection
from dataclasses import dataclass

from msgspec import Struct

from chargewire.charging.reading import Sample
from chargewire.simulator.outlet import NOMINAL_V

REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
OFFERED = "Current.Offered"
VOLTAGE = "Voltage"
SOC = "SoC"
MEASURANDS = (REGISTER, POWER, CURRENT, OFFERED, VOLTAGE, SOC)


class Flow(Struct, frozen=True, kw_only=True):
    """What flows at a moment. `soc` is known only over a DC cable, or by a car that tells."""

    power_w: float = 0.0
    amps: tuple[float, ...] = ()  # per phase, from L1
    offered_a: float = 0.0
    volts: float = NOMINAL_V
    soc: float | None = None  # 0 to 1
    dc: bool = False


@dataclass(slots=True)
class Meter:
    """Counts energy as exactly as a float can and shows whole Wh, rounded down as a register does."""

    exact_wh: float = 0.0

    @property
    def register_wh(self) -> int:
        """The register in Wh."""
        return int(self.exact_wh)

    def count(self, energy_wh: float) -> None:
        """Let energy flow through. Raises ValueError if it is negative: registers do not run backwards."""
        if energy_wh < 0:
            raise ValueError(f"negative energy {energy_wh}")
        self.exact_wh += energy_wh

    def lose_memory(self) -> None:
        """Begin at 0 again, as meters do that a station resets with itself."""
        self.exact_wh = 0.0

    def samples(
        self, flow: Flow, measurands: Collection[str] = MEASURANDS, context: str = "Sample.Periodic"
    ) -> tuple[Sample, ...]:
        """The wanted values, in the order wanted; what cannot be measured here is left out."""
        return tuple(sample for name in measurands for sample in self._sampled(name, flow, context))

    def _sampled(self, name: str, flow: Flow, context: str) -> list[Sample]:
        if name == REGISTER:
            return [Sample(str(self.register_wh), REGISTER, "Wh", context)]
        if name == POWER:
            return [Sample(f"{flow.power_w:.1f}", POWER, "W", context)]
        if name == CURRENT:
            return [Sample(f"{amps:.2f}", CURRENT, "A", context, f"L{phase}") for phase, amps in enumerate(flow.amps, start=1)]
        if name == OFFERED:
            return [Sample(f"{flow.offered_a:.1f}", OFFERED, "A", context)]
        if name == VOLTAGE and flow.dc:
            return [Sample(f"{flow.volts:.1f}", VOLTAGE, "V", context)]
        if name == VOLTAGE:
            return [Sample(f"{flow.volts:.1f}", VOLTAGE, "V", context, f"L{phase}-N") for phase in range(1, len(flow.amps) + 1)]
        if name == SOC and flow.soc is not None:
            return [Sample(f"{flow.soc * 100:.0f}", SOC, "Percent", context, None, "EV")]
        return []
