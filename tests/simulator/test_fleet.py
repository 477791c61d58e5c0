"""Many stations in one process, and the drivers who use them."""

import random

from chargewire.simulator.car import Car
from chargewire.simulator.drivers import Habit
from chargewire.simulator.fleet import Fleet, visited
from chargewire.simulator.link import Address
from chargewire.simulator.station import Plan, Station
from simulator.foreign_csms import ForeignCsms

HABIT = Habit(tokens=("T1", "T2"), stay_s=(0.5, 1.0), pause_s=(0.0, 0.2), sessions=2)


async def test_drivers_use_every_connector_as_often_as_asked(csms: ForeignCsms) -> None:
    plan = Plan(speed=60.0, step_s=0.05, settings={"MeterValueSampleInterval": "1"})
    stations = [Station(Address(url=csms.url, station_id=f"CS-{number}"), plan) for number in range(5)]
    async with Fleet(stations, per_second=0) as fleet:
        assert await visited(fleet, HABIT, seed=1) == 10
        await fleet.delivered()
    assert len(csms.of("StartTransaction")) == len(csms.of("StopTransaction")) == 10
    assert {station for station, action, _ in csms.heard if action == "StopTransaction"} == {f"CS-{n}" for n in range(5)}
    assert {told["id_tag"] for told in csms.of("StartTransaction")} <= {"T1", "T2"}


def test_the_same_seed_brings_the_same_cars() -> None:
    one, two = random.Random("1/CS-1"), random.Random("1/CS-1")
    assert [Car.arriving(one) for _ in range(20)] == [Car.arriving(two) for _ in range(20)]
