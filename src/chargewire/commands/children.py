"""Processes that belong together: started one by one, their lines heard, ended all, also when one of them dies."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

END_S = 15.0
START_S = 60.0
_LISTENING = re.compile(r"listening (\S+)\s*$")

Line = Callable[[str], None]


class ChildDied(Exception):
    """A process ended that should have gone on; with the last lines of its log."""


class Child:
    """One `chargewire …` process. What it logs goes to a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, line: Line | None) -> None:
        self.name = name
        self.process = process
        self.urls: list[str] = []
        self._log = log
        self._line = line
        self._heard = asyncio.Event()
        self.reading = asyncio.create_task(self._read())

    async def listening(self, count: int) -> list[str]:
        """Wait for so many `listening …` lines and give their URLs. Raises ChildDied, TimeoutError."""
        async with asyncio.timeout(START_S):
            while len(self.urls) < count:
                if self.reading.done():
                    raise self.died()
                self._heard.clear()
                await self._heard.wait()
        return self.urls

    async def succeeded(self) -> None:
        """Wait for its end. Raises ChildDied unless it ended well."""
        await asyncio.shield(self.reading)  # who gives up waiting must not stop the reading
        if await self.process.wait() != 0:
            raise self.died()

    def died(self) -> ChildDied:
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:] if self._log.exists() else []
        return ChildDied("\n  ".join([f"{self.name} ended (code {self.process.returncode})", *last]))

    async def end(self, how: signal.Signals) -> None:
        """Ask it to end, and make it end if it does not."""
        if self.process.returncode is None:
            self.process.send_signal(how)
            try:
                await asyncio.wait_for(self.process.wait(), END_S)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await asyncio.wait({self.reading})

    async def _read(self) -> None:
        assert self.process.stdout
        try:
            async for raw in self.process.stdout:
                line = raw.decode(errors="replace").rstrip("\n")
                if found := _LISTENING.match(line):
                    self.urls.append(found[1])
                    self._heard.set()
                elif self._line:
                    self._line(line)
        finally:
            self._heard.set()


class Children(AbstractAsyncContextManager["Children"]):
    """The processes of one block. They live in sessions of their own: a Ctrl-C is ours, and we end them in order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self._dead: asyncio.Queue[Child] = asyncio.Queue()

    async def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        line: Line | None = None,
        may_end: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start `chargewire` with some arguments; `environment` is added to ours. `may_end`: its end is no surprise."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "chargewire", *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=errors, stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | dict(environment or {}), start_new_session=True,
            )  # fmt: skip
        child = Child(name, process, log, line)
        self._children.append(child)
        if not may_end:
            child.reading.add_done_callback(lambda _: self._dead.put_nowait(child))
        return child

    async def one_died(self) -> None:
        """Wait until one ends that should go on. Raises ChildDied."""
        dead = await self._dead.get()
        await dead.process.wait()
        raise dead.died()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them, the last one first: stations before the servers that they are connected to."""
        for child in reversed(self._children):
            await child.end(signal.SIGINT)
