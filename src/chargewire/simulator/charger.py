"""The charger inside a virtual station: its plugs, who charges there and under which limits. It has never seen a socket.

What it has to tell goes two ways: transaction messages into the outbox, where they wait until they are acknowledged, and
statuses to whoever listens, because nobody needs the status of an hour ago.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from chargewire.charging.facts import Metered, SessionEnded, SessionStarted, StatusReported
from chargewire.charging.reading import Reading
from chargewire.simulator.car import Car
from chargewire.simulator.configuration import Configuration
from chargewire.simulator.meter import Flow
from chargewire.simulator.outbox import Outbox, new_transaction
from chargewire.simulator.outlet import Outlet
from chargewire.simulator.plug import Plug, Transaction
from chargewire.simulator.profiles import Profiles, Running

Report = Callable[[StatusReported], None]
Say = Callable[[str], None]


class Charger:
    """Plugs 1 … n under one roof. `now` is the station's clock; `speed`: seconds that physics takes for one of them;
    `forgetful`: registers begin at 0 for each transaction."""

    def __init__(
        self,
        outlets: Sequence[Outlet],
        outbox: Outbox,
        configuration: Configuration,
        *,
        now: Callable[[], datetime],
        report: Report,
        say: Say,
        speed: float = 1.0,
        forgetful: bool = False,
        registers_wh: Sequence[int] = (),
    ) -> None:
        self.plugs = {number: Plug(number, outlet) for number, outlet in enumerate(outlets, start=1)}
        for plug, register_wh in zip(self.plugs.values(), registers_wh, strict=False):
            plug.meter.count(register_wh)
        self.outbox = outbox
        self.configuration = configuration
        self.profiles = Profiles()
        self.speed = speed
        self._forgetful = forgetful
        self.clock, self._report, self._say = now, report, say
        self._next_sample: dict[int, datetime] = {}
        self._aligned: int | None = None

    def arrive(self, number: int, car: Car) -> None:
        """A driver puts the cable in. Raises ValueError if there is a car already."""
        plug = self.plugs[number]
        if plug.car:
            raise ValueError(f"connector {number} has a car")
        plug.car, plug.charged = car, False
        self._say(f"connector {number}: car plugged in at {car.soc:.0%}")
        self.show(plug)

    def leave(self, number: int) -> None:
        """A driver takes the cable out; a transaction that still runs ends with EVDisconnected."""
        plug = self.plugs[number]
        if plug.transaction:
            self.stop(number, "EVDisconnected", token_uid=None)
        if plug.car:
            self._say(f"connector {number}: car leaves at {plug.car.soc:.0%}")
        plug.car, plug.charged = None, False
        self.show(plug)

    def start(self, number: int, token_uid: str) -> Transaction:
        """Begin a transaction. Raises ValueError if the connector is not free for one or has no car."""
        plug = self.plugs[number]
        if not plug.free or plug.car is None:
            raise ValueError(f"connector {number} cannot start: {plug.status}")
        if self._forgetful:
            plug.meter.lose_memory()
        now = self.clock()
        transaction = Transaction(new_transaction(), token_uid, now, plug.meter.register_wh)
        plug.transaction, plug.awaited = transaction, None
        self.outbox.put(
            SessionStarted(connector_number=number, token_uid=token_uid, register_wh=transaction.start_wh, at=now),
            transaction.name,
        )
        self._note_data(plug, "Transaction.Begin", now)
        self._next_sample.pop(number, None)
        self._say(f"connector {number}: charging starts for {token_uid} at {transaction.start_wh} Wh")
        plug.advance(0.0, self.limit_w(plug))
        self.show(plug)
        return transaction

    def stop(self, number: int, reason: str = "Local", token_uid: str | None = None) -> None:
        """End the transaction of a connector, if one runs there."""
        plug = self.plugs[number]
        transaction = plug.transaction
        if transaction is None:
            return
        now = self.clock()
        self._note_data(plug, "Transaction.End", now)
        ended = SessionEnded(
            transaction_id=None,  # the outbox knows it when this is sent
            register_wh=plug.meter.register_wh,
            at=now,
            reason=reason,
            token_uid=token_uid,
            readings=tuple(transaction.data),
        )
        self.outbox.put(ended, transaction.name)
        energy = plug.meter.register_wh - transaction.start_wh
        self._say(f"connector {number}: charging ends ({reason}) after {energy / 1000:.3f} kWh")
        plug.transaction, plug.power_w, plug.limited, plug.charged = None, 0.0, False, plug.car is not None
        self.profiles.transaction_over(number)
        if plug.operative_later is not None:
            plug.operative, plug.operative_later = plug.operative_later, None
        self.show(plug)

    def step(self, seconds: float) -> None:
        """Let so many seconds of the clock pass: energy flows, statuses change, readings become due."""
        limits = self._limits()
        now = self.clock()
        for plug in self.plugs.values():
            if plug.transaction:
                plug.advance(seconds * self.speed, limits.get(plug.number))
                self.show(plug)
                self._sample_if_due(plug, now)
        self._align_if_due(now)

    def limit_w(self, plug: Plug) -> float | None:
        """W that the profiles allow a connector now, taking into account what the others draw; None: no limit."""
        return self._limits().get(plug.number)

    def running(self, number: int) -> Running | None:
        """The transaction of a connector, as profiles see it."""
        plug = self.plugs.get(number)
        if plug is None or plug.transaction is None:
            return None
        known = self.outbox.id_of(plug.transaction.name)
        return Running(plug.transaction.since, int(known) if known else None)

    def sample(self, plug: Plug, context: str = "Sample.Periodic", key: str = "MeterValuesSampledData") -> None:
        """Put a reading of a connector into the outbox."""
        samples = plug.meter.samples(self._flow(plug), self.configuration.names(key), context)
        if samples:
            name = plug.transaction.name if plug.transaction else ""
            self.outbox.put(Metered(connector_number=plug.number, readings=(Reading(self.clock(), samples),)), name)

    def show(self, plug: Plug, again: bool = False) -> None:
        """Report the status of a connector if it changed, or anyhow."""
        shown = (plug.status, plug.fault or "NoError")
        if again or shown != plug.shown:
            plug.shown = shown
            self._report(StatusReported(connector_number=plug.number, status=shown[0], at=self.clock(), error_code=shown[1]))

    def _limits(self) -> dict[int, float]:
        """W allowed by connector number; a connector without limit is absent."""
        if not self.profiles:
            return {}
        now = self.clock()
        limits: dict[int, float] = {}
        for number, plug in self.plugs.items():
            limit = self.profiles.connector_limit(number, now, self.running(number))
            if limit is not None:
                limits[number] = limit.watts(_phases(plug))
        station = self.profiles.station_limit(now)
        return limits if station is None else self._shared(station.watts(), limits)

    def _shared(self, station_w: float, limits: dict[int, float]) -> dict[int, float]:
        """The station's limit given to its connectors: small wishes in full, what is left in equal parts."""
        wishes = {number: min(plug.wish_w(), limits.get(number, float("inf"))) for number, plug in self.plugs.items()}
        left, waiting = station_w, len(wishes)
        shares: dict[int, float] = {}
        for number, wish in sorted(wishes.items(), key=lambda each: each[1]):
            shares[number] = min(wish, left / waiting)
            left -= shares[number]
            waiting -= 1
        return {number: min(share, limits.get(number, share)) for number, share in shares.items()}

    def _sample_if_due(self, plug: Plug, now: datetime) -> None:
        interval = self.configuration.number("MeterValueSampleInterval")
        if interval <= 0 or plug.transaction is None:
            return
        due = self._next_sample.setdefault(plug.number, plug.transaction.since + timedelta(seconds=interval))
        if now >= due:
            self.sample(plug)
            self._next_sample[plug.number] = max(due + timedelta(seconds=interval), now)

    def _align_if_due(self, now: datetime) -> None:
        interval = self.configuration.number("ClockAlignedDataInterval")
        if interval <= 0:
            self._aligned = None
            return
        slot = int(now.timestamp()) // interval
        if self._aligned is not None and slot != self._aligned:
            for plug in self.plugs.values():
                self.sample(plug, "Sample.Clock", "MeterValuesAlignedData")
        self._aligned = slot

    def _note_data(self, plug: Plug, context: str, now: datetime) -> None:
        names = self.configuration.names("StopTxnSampledData")
        if names and plug.transaction:
            plug.transaction.data.append(Reading(now, plug.meter.samples(self._flow(plug), names, context)))

    def _flow(self, plug: Plug) -> Flow:
        return plug.flow(self.limit_w(plug) if self.profiles else None)


def _phases(plug: Plug) -> int:
    """The phases that a car on this connector uses; of a DC outlet those of its grid side."""
    if plug.outlet.dc or plug.car is None:
        return plug.outlet.phases
    return min(plug.outlet.phases, plug.car.phases)
