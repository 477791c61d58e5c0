"""What the HTTP server itself does not bound: how long the head of a request may be, and how long it may take.

Whoever sends it is not known yet, so it must not cost more than this.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 128 * 1024  # bytes of request line and headers; queries with long cursors fit
HEAD_WITHIN_S = 30.0


class GuardedHttp(HttpToolsProtocol):
    """uvicorn's protocol; closes a connection whose request has a head without end, in size or in time."""

    _head_open = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_WITHIN_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_open:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD:
                self._head_open = False
                self._stop_timer()
                self.send_400_response("The head of the request is too long.")
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_WITHIN_S, self._too_slow)

    def on_message_begin(self) -> None:
        self._head_open = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_open = False
        if self._timer is not None:
            self._stop_timer()
        super().on_headers_complete()

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
