"""Stations that send what no station means."""

import asyncio

import pytest

from gateway.memory_desk import House


@pytest.mark.parametrize("depth", [200, 700, 900])
async def test_what_is_nested_beyond_reason_is_answered_all_the_same(house: House, depth: int) -> None:
    async with house.station() as station:
        await station.call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
        nested = "[" * depth + "]" * depth
        await station.socket.send(f'[2,"deep","DataTransfer",{{"vendorId":"v","data":{nested}}}]')
        assert (await station.receive())[1] == "deep"
        assert (await station.call("Heartbeat", {}, "after"))["currentTime"]


async def test_a_station_makes_us_keep_no_more_than_a_few_of_its_large_messages(house: House) -> None:
    held = asyncio.Event()
    async with house.station() as station:
        line = next(iter(house.gateway._lines.values()))
        await house.until(lambda: line._link is not None)
        link = line._link
        assert link is not None
        hear = link.hear

        async def waiting(heard: object) -> bytes:
            await held.wait()
            return await hear(heard)  # type: ignore[arg-type]

        link.hear = waiting  # type: ignore[method-assign,assignment]

        async def flood() -> None:
            for number in range(40):
                await station.send(2, str(number), "DataTransfer", {"vendorId": "v", "data": "x" * 500_000})

        sending = asyncio.create_task(flood())
        await house.until(lambda: line.socket.paused)
        assert len(line._inbox) < 10
        held.set()
        answered = [(await station.receive())[1] for _ in range(40)]
        await sending
        assert answered == [str(number) for number in range(40)]
