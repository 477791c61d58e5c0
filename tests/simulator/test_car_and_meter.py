"""Physics: what a battery takes, what a meter shows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargewire.simulator.car import Car
from chargewire.simulator.meter import MEASURANDS, Flow, Meter
from chargewire.simulator.outlet import ac, dc

CARS = st.integers(0, 10_000).map(lambda seed: Car.arriving(random.Random(seed)))
OUTLETS = st.sampled_from([ac(3_680, 1), ac(11_040), ac(22_080), dc(50_000), dc(350_000)])
SOME_W = st.one_of(st.none(), st.floats(0, 400_000))


@given(CARS, OUTLETS, SOME_W)
def test_a_car_never_draws_more_than_outlet_limit_and_car_allow(car: Car, outlet, limit_w: float | None) -> None:  # type: ignore[no-untyped-def]
    power = car.power_w(outlet, limit_w)
    assert 0 <= power <= outlet.max_w + 1e-6
    assert limit_w is None or power <= limit_w
    if not outlet.dc:
        assert all(amps <= car.max_ac_a + 1e-9 for amps in car.amps(power, outlet))


@given(CARS, OUTLETS, st.lists(st.floats(0, 3600), max_size=50))
def test_a_battery_takes_what_the_meter_counts_and_never_more_than_fits(car: Car, outlet, steps: list[float]) -> None:  # type: ignore[no-untyped-def]
    before, meter = car.stored_wh, Meter()
    registers = []
    for seconds in steps:
        meter.count(car.take(car.power_w(outlet, None), seconds))
        registers.append(meter.register_wh)
    assert car.stored_wh <= car.capacity_wh * max(car.target, before / car.capacity_wh) + 1e-6
    assert meter.exact_wh == pytest.approx(car.stored_wh - before, abs=1e-3)
    assert registers == sorted(registers)


@given(CARS, OUTLETS)
def test_every_car_becomes_full_and_then_draws_nothing(car: Car, outlet) -> None:  # type: ignore[no-untyped-def]
    for _ in range(20_000):
        if car.full:
            break
        car.take(car.power_w(outlet, None), 60)
    assert car.full
    assert car.power_w(outlet, None) == 0


def test_power_is_constant_first_and_then_tapers() -> None:
    outlet = dc(200_000)
    powers = [Car(capacity_wh=60_000, stored_wh=600.0 * percent).wish_w(outlet) for percent in range(100)]
    assert powers[:80] == [120_000] * 80
    assert powers[80:] == sorted(powers[80:], reverse=True)
    assert powers[-1] < 20_000


def test_a_car_on_one_phase_loads_only_that_phase() -> None:
    car, outlet = Car(phases=1, max_ac_a=16), ac(11_040)
    power = car.power_w(outlet, None)
    assert power == 3680
    assert car.amps(power, outlet) == (16, 0, 0)


def test_less_than_six_amps_is_a_pause_for_alternating_current_and_not_for_direct() -> None:
    assert Car(phases=3).power_w(ac(11_040), 5.9 * 230 * 3) == 0
    assert Car(phases=3).power_w(ac(11_040), 6.0 * 230 * 3) == 4140
    assert Car().power_w(dc(50_000), 1000) == 1000


def test_a_meter_refuses_to_run_backwards() -> None:
    with pytest.raises(ValueError, match="negative"):
        Meter().count(-1)


def test_a_meter_shows_what_it_is_asked_for_in_that_order() -> None:
    meter = Meter(1234.9)
    flow = Flow(power_w=11_040, amps=(16.0, 16.0, 16.0), offered_a=16, soc=None)
    shown = meter.samples(flow, ["Power.Active.Import", "Energy.Active.Import.Register", "SoC"])
    assert [(sample.measurand, sample.value, sample.unit) for sample in shown] == [
        ("Power.Active.Import", "11040.0", "W"),
        ("Energy.Active.Import.Register", "1234", "Wh"),
    ]
    phases = [sample.phase for sample in meter.samples(flow, MEASURANDS) if sample.measurand == "Current.Import"]
    assert phases == ["L1", "L2", "L3"]
