"""Stations before a foreign central system."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from chargewire.simulator.link import Address
from chargewire.simulator.outlet import Outlet, ac
from chargewire.simulator.station import Plan, Station
from simulator.foreign_csms import ForeignCsms, foreign_csms, until

Living = Callable[..., AbstractAsyncContextManager[Station]]


@pytest.fixture
async def csms() -> AsyncIterator[ForeignCsms]:
    async with foreign_csms() as csms:
        yield csms


@asynccontextmanager
async def living(
    csms: ForeignCsms, *, outlets: tuple[Outlet, ...] = (ac(11_040),), password: str | None = None, **plan: Any
) -> AsyncIterator[Station]:
    """A station that is switched on, accepted, and has told its statuses."""
    settings = {"MeterValueSampleInterval": "1", "TransactionMessageRetryInterval": "0"} | plan.pop("settings", {})
    made = Plan(outlets=outlets, settings=settings, step_s=0.05, back_off_s=0.1, **{"speed": 600.0} | plan)
    station = Station(Address(url=csms.url, station_id="CS-1", password=password), made)
    life = asyncio.create_task(station.run())
    try:
        await asyncio.wait_for(station.ready.wait(), 8)
        await until(lambda: csms.statuses(len(outlets)), "the first statuses")
        yield station
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
