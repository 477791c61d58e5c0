"""Long work in pieces."""

import asyncio
from time import monotonic

import pytest

from chargewire.csms.turns import Turns


@pytest.mark.parametrize(("piece_s", "least"), [(0.006, 20), (0.001, 3)])
async def test_others_get_their_turn_once_the_pieces_have_taken_long_enough(piece_s: float, least: int) -> None:
    others = 0

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    turns = Turns()
    for _ in range(20):
        until = monotonic() + piece_s
        while monotonic() < until:
            pass
        await turns.give()
    counting.cancel()
    assert others >= least


async def test_pieces_that_take_no_time_wait_for_nobody() -> None:
    others = 0

    async def count() -> None:
        nonlocal others
        others += 1

    counting = asyncio.create_task(count())
    await Turns().give()
    assert others == 0
    await counting
