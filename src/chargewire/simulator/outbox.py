"""Transaction messages on their way to the CSMS: kept in order until each is acknowledged (OCPP 1.6 §3.7.1).

With a file they outlive the process: one line for each message put in, for each id learnt, for each message settled.
"""

import asyncio
import uuid
from collections import deque
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.facts import Metered, SessionEnded, SessionStarted

Message = SessionStarted | Metered | SessionEnded


class Queued(Struct, frozen=True, tag="put"):
    """One message. `transaction` is the station's own name of it, "" for readings outside of any."""

    message: Message
    transaction: str = ""


class _Learnt(Struct, frozen=True, tag="id"):
    transaction: str
    id: str


class _Settled(Struct, frozen=True, tag="settled"):
    """The first message is settled."""


_line = msgspec.json.Decoder(Queued | _Learnt | _Settled)
_encode = msgspec.json.Encoder().encode


class Outbox:
    """The queue of one station, and what the CSMS called its transactions."""

    def __init__(self, path: Path | None = None) -> None:
        self._queue: deque[Queued] = deque()
        self._ids: dict[str, str] = {}
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._file: IO[bytes] | None = None
        if path:
            self._recover(path)
        self._signal()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, message: Message, transaction: str = "") -> None:
        """Add a message at the end."""
        self._add(Queued(message, transaction))

    def learn(self, transaction: str, transaction_id: str) -> None:
        """Keep the id that the CSMS gave; the messages that wait will carry it."""
        self._ids[transaction] = transaction_id
        self._write(_Learnt(transaction, transaction_id))

    def id_of(self, transaction: str) -> str | None:
        """The CSMS's id of a transaction; None while its start is not answered, or if it never was."""
        return self._ids.get(transaction)

    async def first(self) -> Queued:
        """The message to send now, with the transaction id that is known now. Waits for one."""
        await self._filled.wait()
        head = self._queue[0]
        if not head.transaction or isinstance(head.message, SessionStarted):
            return head
        return replace(head, message=replace(head.message, transaction_id=self._ids.get(head.transaction)))

    def settle(self) -> None:
        """The first message is acknowledged, or given up."""
        settled = self._queue.popleft()
        if isinstance(settled.message, SessionEnded):
            self._ids.pop(settled.transaction, None)
        self._write(_Settled())
        self._signal()

    async def emptied(self) -> None:
        """Wait until everything is settled."""
        await self._emptied.wait()

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _add(self, queued: Queued) -> None:
        self._queue.append(queued)
        self._write(queued)
        self._signal()

    def _signal(self) -> None:
        if self._queue:
            self._filled.set()
            self._emptied.clear()
        else:
            self._filled.clear()
            self._emptied.set()

    def _write(self, line: Queued | _Learnt | _Settled) -> None:
        if self._file:
            self._file.write(_encode(line) + b"\n")
            self._file.flush()

    def _recover(self, path: Path) -> None:
        lines = path.read_bytes().splitlines() if path.exists() else []
        for text in lines:
            try:
                line = _line.decode(text)
            except msgspec.MsgspecError:
                continue  # the last line of a process that died while writing it
            match line:
                case Queued():
                    self._queue.append(line)
                case _Learnt(transaction=transaction, id=transaction_id):
                    self._ids[transaction] = transaction_id
                case _Settled():
                    self.settle()
        kept = [*self._queue, *(_Learnt(key, value) for key, value in self._ids.items())]
        path.write_bytes(b"".join(_encode(line) + b"\n" for line in kept))
        self._file = path.open("ab")


def new_transaction() -> str:
    """A station's own name of a transaction."""
    return uuid.uuid4().hex
