"""One connector of a virtual station: its state, its meter, the car on it and the transaction that runs."""

from dataclasses import dataclass, field
from datetime import datetime

from chargewire.charging.location import Status
from chargewire.charging.reading import Reading
from chargewire.simulator.car import Car
from chargewire.simulator.meter import Flow, Meter
from chargewire.simulator.outlet import Outlet


@dataclass(slots=True)
class Transaction:
    """What a station knows of a transaction. `name` is its own; the CSMS's id is in the outbox."""

    name: str
    token_uid: str
    since: datetime
    start_wh: int
    energy_off: bool = False  # the token was refused and the station may not stop by itself
    data: list[Reading] = field(default_factory=list)  # for StopTransaction


@dataclass(slots=True)
class Plug:
    """State and physics of a connector; it knows neither clock nor CSMS."""

    number: int
    outlet: Outlet
    meter: Meter = field(default_factory=Meter)
    car: Car | None = None
    transaction: Transaction | None = None
    power_w: float = 0.0
    limited: bool = False  # a profile holds the car back altogether
    fault: str | None = None
    operative: bool = True
    operative_later: bool | None = None  # what ChangeAvailability asked for during a transaction
    awaited: str | None = None  # the token that a car is waited for with
    charged: bool = False  # the car that is still here had its transaction
    shown: tuple[Status, str] | None = None  # the status that was last reported

    @property
    def status(self) -> Status:
        """The status to report (OCPP 1.6 §4.9)."""
        if self.fault:
            return Status.FAULTED
        if self.transaction:
            return self._charging()
        if not self.operative:
            return Status.UNAVAILABLE
        if self.car:
            return Status.FINISHING if self.charged else Status.PREPARING
        return Status.PREPARING if self.awaited else Status.AVAILABLE

    @property
    def free(self) -> bool:
        """Ready for a new transaction."""
        return self.transaction is None and self.operative and self.fault is None and not self.charged

    def wish_w(self) -> float:
        """W that would flow if nothing limited it."""
        return self.car.wish_w(self.outlet) if self._can_flow() and self.car else 0.0

    def advance(self, seconds: float, limit_w: float | None) -> None:
        """Charge for a while under a limit (None: none)."""
        if not self._can_flow() or self.car is None:
            self.power_w, self.limited = 0.0, False
            return
        self.power_w = self.car.power_w(self.outlet, limit_w)
        self.limited = self.power_w == 0.0 and not self.car.full
        self.meter.count(self.car.take(self.power_w, seconds))

    def flow(self, limit_w: float | None = None) -> Flow:
        """What flows now."""
        outlet = self.outlet
        offered = outlet.max_a if limit_w is None else min(limit_w / outlet.watts(1.0, outlet.phases), outlet.max_a)
        if self.car is None:
            return Flow(amps=(0.0,) * outlet.phases, offered_a=offered, dc=outlet.dc)
        if outlet.dc:
            volts = self.car.volts_dc()
            amps: tuple[float, ...] = self.car.amps(self.power_w, outlet)
            return Flow(power_w=self.power_w, amps=amps, offered_a=offered, volts=volts, soc=self.car.soc, dc=True)
        return Flow(power_w=self.power_w, amps=self.car.amps(self.power_w, outlet), offered_a=offered)

    def _can_flow(self) -> bool:
        return self.transaction is not None and not self.transaction.energy_off and self.fault is None

    def _charging(self) -> Status:
        if self.transaction and self.transaction.energy_off:
            return Status.SUSPENDED_EVSE
        if self.power_w > 0.0:
            return Status.CHARGING
        return Status.SUSPENDED_EVSE if self.limited else Status.SUSPENDED_EV
