"""`chargewire receive`: a customer's end of the pushes, for eyes; the part that pulls, verifies and lands data comes later."""

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from chargewire.commands.received import Received, described

MOST_BYTES = 20_000_000
SUCCESS, NOT_AUTHORISED, UNREADABLE = 1000, 2001, 2001
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Receiver:
    """An ASGI app that takes what it is pushed, shows each request as one line, and answers OCPI's envelope."""

    def __init__(self, token: str | None, save: Path | None, colour: bool) -> None:
        self._token = token
        self._save = save
        self._colour = colour
        self._files: dict[str, IO[bytes]] = {}
        self.counts: Counter[str] = Counter()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            await _answer(send, 413, UNREADABLE, "too large")
        elif not self._allowed(scope):
            self._say(click.style(f"refused {scope['method']} {scope['path']}: wrong token", fg="red"))
            await _answer(send, 401, NOT_AUTHORISED, "unknown token")
        else:
            await self._take(scope["method"], scope["path"], body, send)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    async def _take(self, method: str, path: str, body: bytes, send: Send) -> None:
        try:
            content = msgspec.json.decode(body) if body else None
        except msgspec.MsgspecError as error:
            self._say(click.style(f"unreadable {method} {path}: {error}", fg="red"))
            await _answer(send, 400, UNREADABLE, "not JSON")
            return
        received = Received(at=datetime.now(UTC), method=method, path=path, body=content)
        if self._save:
            self._keep(received, self._save)
        self.counts[f"{method} {received.module}"] += 1
        self._say(described(received))
        await _answer(send, 200, SUCCESS, "Success")

    def _keep(self, received: Received, folder: Path) -> None:
        """Write it down before it is acknowledged: who says that it was taken has to have it."""
        file = self._files.get(received.module)
        if file is None:
            folder.mkdir(parents=True, exist_ok=True)
            file = self._files[received.module] = (folder / f"{received.module}.ndjson").open("ab")
        file.write(msgspec.json.encode(received) + b"\n")
        file.flush()

    def _allowed(self, scope: MutableMapping[str, Any]) -> bool:
        if self._token is None:
            return True
        said = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return compare_digest(said, f"Token {self._token}".encode())

    def _say(self, text: str) -> None:
        click.echo(f"{datetime.now():%H:%M:%S} {text}", color=self._colour)
        sys.stdout.flush()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8700, show_default=True, help="Port; 0 = a free one.")
@click.option("--token", help="Refuse requests that do not say `Authorization: Token …` with this one.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory in which each request is kept too: MODULE.ndjson, one JSON object a line with at, method, path and body.",
)
@click.option("--colour/--no-colour", default=None, help="Default: colours on a terminal.")
def receive(host: str, port: int, token: str | None, save: Path | None, colour: bool | None) -> None:
    """Receive pushes and print each one as a line: what a customer's web server sees.

    Give a subscription the endpoints http://HOST:PORT/sessions, /cdrs, /locations and /notifications. Every request is
    answered with OCPI's `status_code` 1000. This is the simple form: the receiver kit that pulls, verifies by digest and
    lands the data comes with a later version.

    Prints `listening http://…` once it accepts. Ctrl-C ends it.
    """
    coloured = sys.stdout.isatty() if colour is None else colour
    with asyncio.Runner(loop_factory=_loop) as runner:
        try:
            runner.run(_serve(Receiver(token, save, coloured), host, port))
        except OSError as error:
            raise click.ClickException(str(error)) from error


async def _serve(receiver: Receiver, host: str, port: int) -> None:
    import uvicorn

    listening = socket.create_server((host, port))
    config = uvicorn.Config(
        receiver, http="httptools", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # ours end it, below
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    click.echo(f"listening http://{host}:{listening.getsockname()[1]}")
    sys.stdout.flush()
    try:
        await server.serve(sockets=[listening])
    finally:
        receiver.close()


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None if it is too large."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, code: int, text: str) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    body = msgspec.json.encode({"status_code": code, "status_message": text, "timestamp": now})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()
