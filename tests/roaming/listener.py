"""One address of a partner: remembers what is posted to it, and answers as it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from roaming.test_handshake import STAMP


@dataclass
class Posted:
    path: str  # with its query
    authorization: str
    body: Any


@dataclass
class Listener:
    """`answers`: a status, OCPI data or a text for each call, the last one for all that follow."""

    url: str = ""
    answers: list[Any] = field(default_factory=lambda: [200])
    posted: list[Posted] = field(default_factory=list)
    before_answer: Callable[[Posted], Awaitable[None]] | None = None

    @property
    def results(self) -> list[str]:
        return [each.body["result"] for each in self.posted]

    async def hear(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        posted = Posted(request.path_qs, request.headers["Authorization"], await request.json() if text else None)
        self.posted.append(posted)
        if self.before_answer:
            await self.before_answer(posted)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "silence":
            await asyncio.sleep(60)
        if isinstance(answer, str):
            return web.Response(text=answer)
        if isinstance(answer, int):
            status, code = (answer, 1000 if answer < 300 else 2000) if answer < 1000 else (200, answer)
            return web.json_response({"status_code": code, "timestamp": STAMP}, status=status)
        return web.json_response({"data": answer, "status_code": 1000, "timestamp": STAMP})


@asynccontextmanager
async def listener(*answers: Any) -> AsyncIterator[Listener]:
    """On a free port."""
    made = Listener(answers=list(answers) or [200])
    app = web.Application()
    app.router.add_post("/{path:.*}", made.hear)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield made
    finally:
        await runner.cleanup()
