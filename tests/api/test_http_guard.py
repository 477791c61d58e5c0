"""Requests whose head does not end, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from chargewire.api import http_guard
from chargewire.api.http_guard import MOST_HEAD, GuardedHttp


async def hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = uvicorn.Server(uvicorn.Config(hello, port=0, http=GuardedHttp, lifespan="off", log_config=None, loop="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        server.should_exit = True
        await running


async def test_a_head_without_end_is_cut_off() -> None:
    async with served() as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(200):
                writer.write(b"a" * 65_536)
                await writer.drain()
                await asyncio.sleep(0.001)


async def test_one_that_takes_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "HEAD_WITHIN_S", 0.1)
    for begun in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"):
        async with served() as (reader, writer):
            writer.write(begun)
            async with asyncio.timeout(3):
                await reader.read()


async def test_others_are_answered_one_after_the_other_whatever_their_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "HEAD_WITHIN_S", 0.2)
    async with served() as (reader, writer):
        for size in (0, 3 * MOST_HEAD, 5):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"b" * size)
            answer = await asyncio.wait_for(reader.readuntil(b"ok"), 3)
            assert answer.startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)
