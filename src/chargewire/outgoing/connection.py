"""One connection to a receiver: writes a request, reads its answer, may be used again.

HTTP/1.1 as RFC 9112 says; parsed by httptools. Nothing is followed, inflated or remembered.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

ANSWER_CAP = 64 * 1024  # bytes of an answer, its headers included


class Answer(NamedTuple):
    """What a receiver said. Header values are as they came, "" if absent."""

    status: int
    body: bytes
    retry_after: str = ""
    location: str = ""
    link: str = ""
    total: str = ""  # X-Total-Count


class Failure(Exception):
    """There is no answer. `kind`: dns, blocked, connect, tls, timeout, reset, malformed or too-large."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


Result = Answer | Failure
Done = Callable[[Result], None]


class Connection(asyncio.Protocol):
    """`released` is called when the connection is free again, `lost` when it is gone."""

    def __init__(
        self,
        released: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
        born: float,
        answer_cap: int = ANSWER_CAP,
    ) -> None:
        self.born = born
        self._answer_cap = answer_cap
        self.deadline = 0.0
        self.uses = 0
        self.heard = False  # something of the answer has come
        self.open = True
        self._released = released
        self._lost = lost
        self._done: Done | None = None
        self._answer: Answer | None = None  # all of it has come
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._clear()

    def send(self, data: bytes, done: Done) -> None:
        """Write a request; `done` is called once, with the answer or why there is none."""
        self._done = done
        self.uses += 1
        self.heard = False
        assert self._transport is not None
        self._transport.write(data)

    def fail(self, failure: Failure) -> None:
        """End the exchange and the connection."""
        self._close()
        if (done := self._done) is not None:
            self._done = None
            done(failure)

    def close(self) -> None:
        """Close an idle connection."""
        self._close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._done is None:  # an answer to nothing
            self._close()
            return
        self.heard = True
        self._size += len(data)
        if self._size > self._answer_cap:
            self.fail(Failure("too-large", f"the answer is larger than {self._answer_cap} bytes"))
            return
        failure = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            failure = Failure("malformed", f"the answer is not HTTP: {error}")
        except httptools.HttpParserUpgrade:
            failure = Failure("malformed", "the receiver wants another protocol")
        if self._answer is not None:  # not before: what follows in the same bytes is no answer to the next request
            self._complete(self._answer, keep=self._keep and failure is None)
        elif failure is not None:
            self.fail(failure)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._done is not None and self._until_close:  # RFC 9112 §6.3: no length is given, the end of it is the end
            self._complete(self._whole(), keep=False)
        elif self._done is not None:
            self.fail(Failure("reset", f"the connection was closed before the answer: {exc or 'end of stream'}"))
        self._lost(self)

    # httptools

    def on_message_begin(self) -> None:
        if self._answer is not None:
            raise ValueError("an answer to nothing")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length" or name == b"transfer-encoding":
            self._has_length = True
        elif name == b"retry-after":
            self._retry_after = value.decode("latin-1").strip()
        elif name == b"location":
            self._location = value.decode("latin-1").strip()
        elif name == b"link":
            self._links.append(value.decode("latin-1").strip())
        elif name == b"x-total-count":
            self._total = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()
        self._until_close = not self._has_length and self._status >= 200 and self._status not in (204, 304)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._status < 200:  # 100, 102, 103: the answer is still to come
            self._clear()
            return
        self._answer = self._whole()

    def _whole(self) -> Answer:
        link = ", ".join(self._links)  # RFC 9110 §5.3: one list, however many lines it has
        return Answer(self._status, b"".join(self._body), self._retry_after, self._location, link, self._total)

    def _complete(self, answer: Answer, *, keep: bool) -> None:
        done, self._done = self._done, None
        self._clear()
        if keep and self.open:
            self._released(self)
        else:
            self._close()
        if done is not None:
            done(answer)

    def _clear(self) -> None:
        self._status = 0
        self._size = 0
        self._body: list[bytes] = []
        self._answer = None
        self._has_length = False
        self._until_close = False
        self._keep = False
        self._retry_after = ""
        self._location = self._total = ""
        self._links: list[str] = []

    def _close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()
