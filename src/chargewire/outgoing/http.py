"""The HTTP client for all that goes out to customers and partners: per receiver a pool of connections that are used again.

One deadline spans a whole exchange, from the first byte out to the last byte in; slow drips do not stretch it. No redirects,
no proxies, no cookies. Certificates are checked. A connection is given up after five minutes, so that names are looked up, and
their addresses checked, again.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from chargewire.outgoing.connection import ANSWER_CAP, Answer, Connection, Done, Failure, Result
from chargewire.outgoing.guard import Blocked, resolve

__all__ = ["Answer", "Client", "Failure", "Origin", "Result"]

CONNECT_S = 3.0
TOTAL_S = 10.0
MAX_AGE_S = 300.0
IDLE_S = 60.0
MOST_CONNECTIONS = 64  # to one origin
SWEEP_S = 0.25


class Origin(NamedTuple):
    """Where connections go to. `host` without brackets."""

    tls: bool
    host: str
    port: int


class _Exchange:
    """A request on its way. It may go out twice: over a kept connection that was dying, then over a fresh one."""

    __slots__ = ("again", "data", "deadline", "done")

    def __init__(self, data: bytes, done: Done) -> None:
        self.data = data
        self.done = done
        self.deadline = 0.0  # counts from the first byte, or from the attempt to connect
        self.again = False  # has been out before: wants a connection that nobody has used


class Client:
    """`send` hands a request in and calls back. Times are in seconds. Use it on one event loop; `close` it at the end."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        connect_s: float = CONNECT_S,
        total_s: float = TOTAL_S,
        max_age_s: float = MAX_AGE_S,
        most: int = MOST_CONNECTIONS,
        answer_cap: int = ANSWER_CAP,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.allow_private = allow_private
        self.connect_s = connect_s
        self.total_s = total_s
        self.max_age_s = max_age_s
        self.most = most
        self.answer_cap = answer_cap
        self.clock = clock
        self._tls = tls
        self._pools: dict[Origin, _Pool] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.closed = False

    @property
    def tls(self) -> ssl.SSLContext:
        """Made when first needed: it reads the system's certificates."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls

    def send(self, origin: Origin, data: bytes, done: Done) -> None:
        """Send a request that is ready to go out; `done` gets an Answer or a Failure, never at once within this call."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(self, origin)
        if self._sweeper is None:
            self._sweep_later()
        pool.start(_Exchange(data, done))

    async def exchange(self, origin: Origin, data: bytes) -> Answer:
        """The same, awaited. Raises Failure."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.send(origin, data, lambda result: None if future.done() else future.set_result(result))
        result = await future
        if isinstance(result, Failure):
            raise result
        return result

    def connections(self) -> int:
        """How many connections are open."""
        return sum(len(pool.busy) + len(pool.idle) for pool in self._pools.values())

    async def close(self) -> None:
        """End everything; requests under way fail."""
        self.closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for pool in self._pools.values():
            await pool.close()
        self._pools.clear()

    def _sweep_later(self) -> None:
        every = min(SWEEP_S, self.total_s / 4)
        self._sweeper = asyncio.get_running_loop().call_later(every, self._sweep)

    def _sweep(self) -> None:
        now = self.clock()
        for origin, pool in list(self._pools.items()):
            pool.sweep(now)
            if pool.empty():
                del self._pools[origin]
        self._sweeper = None
        if self._pools and not self.closed:
            self._sweep_later()


class _Pool:
    """The connections to one origin."""

    def __init__(self, client: Client, origin: Origin) -> None:
        self.busy: set[Connection] = set()
        self.idle: list[Connection] = []  # the one used last is used first, so that the others can go
        self._client = client
        self._origin = origin
        self._queue: deque[_Exchange] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self, exchange: _Exchange) -> None:
        """Send over a free connection, or over a new one, or wait until there may be one more."""
        now = self._client.clock()
        exchange.deadline = exchange.deadline or now + self._client.total_s
        if not exchange.again:
            while self.idle:
                connection = self.idle.pop()
                if connection.open and now - connection.born < self._client.max_age_s:
                    self._send(connection, exchange)
                    return
                connection.close()
        if self._room():
            task = asyncio.get_running_loop().create_task(self._connect(exchange))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        else:
            exchange.deadline = 0.0
            self._queue.append(exchange)

    def _room(self) -> bool:
        return len(self.busy) + len(self._connecting) < self._client.most

    def empty(self) -> bool:
        return not (self.busy or self.idle or self._queue or self._connecting)

    def sweep(self, now: float) -> None:
        """End exchanges that are past their deadline, and connections that nobody needs."""
        for connection in [each for each in self.busy if each.deadline <= now]:
            connection.fail(Failure("timeout", f"no answer within {self._client.total_s:g} s"))
        old = [each for each in self.idle if now - each.born >= self._client.max_age_s or now - each.deadline > IDLE_S]
        for connection in old:
            self.idle.remove(connection)
            connection.close()

    async def close(self) -> None:
        self._queue.clear()
        tasks = list(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in [*self.busy, *self.idle]:
            connection.fail(Failure("reset", "the client is closed"))
        self.busy.clear()
        self.idle.clear()

    def _send(self, connection: Connection, exchange: _Exchange) -> None:
        self.busy.add(connection)
        connection.deadline = exchange.deadline
        connection.send(exchange.data, lambda result: self._over(connection, exchange, result))

    def _over(self, connection: Connection, exchange: _Exchange, result: Result) -> None:
        self.busy.discard(connection)
        if isinstance(result, Failure) and result.kind == "reset" and self._worth_repeating(connection, exchange):
            exchange.again = True
            self.start(exchange)
            return
        exchange.done(result)
        self._next()

    def _worth_repeating(self, connection: Connection, exchange: _Exchange) -> bool:
        """Whether the receiver closed a kept connection just as it was used (RFC 9112 §9.3.1).

        Then the request goes out once more, over a fresh connection. If it was taken all the same it comes twice: a push may.
        """
        return connection.uses > 1 and not connection.heard and not exchange.again and not self._client.closed

    def _next(self) -> None:
        if self._queue and self._room():
            self.start(self._queue.popleft())

    def _released(self, connection: Connection) -> None:
        connection.deadline = self._client.clock()
        self.busy.discard(connection)
        self.idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        self.busy.discard(connection)
        with suppress(ValueError):
            self.idle.remove(connection)

    async def _connect(self, exchange: _Exchange) -> None:
        client = self._client
        try:
            async with asyncio.timeout(client.connect_s):
                connection = await self._connection()
        except Failure as failure:
            self._give_up(exchange, failure)
        except TimeoutError:
            self._give_up(exchange, Failure("connect", f"no connection within {client.connect_s:g} s"))
        except Blocked as error:
            self._give_up(exchange, Failure("blocked", str(error)))
        except (OSError, ValueError) as error:
            self._give_up(exchange, Failure("connect", str(error)))
        else:
            self._send(connection, exchange)

    def _give_up(self, exchange: _Exchange, failure: Failure) -> None:
        exchange.done(failure)
        asyncio.get_running_loop().call_soon(self._next)  # not before this attempt has left `_connecting`

    async def _connection(self) -> Connection:
        """A new connection to the first address that takes one; each gets its share of the time."""
        client, (tls, host, port) = self._client, self._origin
        loop = asyncio.get_running_loop()
        try:
            addresses = await resolve(host, port, allow_private=client.allow_private)
        except OSError as error:
            raise Failure("dns", f"{host}: {error}") from error
        problem = Failure("connect", f"{host} cannot be reached")
        end = loop.time() + client.connect_s
        for index, address in enumerate(addresses):
            share = (end - loop.time()) / (len(addresses) - index)
            try:
                async with asyncio.timeout(share):
                    _, made = await loop.create_connection(
                        lambda: Connection(self._released, self._lost, client.clock(), client.answer_cap),
                        address,
                        port,
                        ssl=client.tls if tls else None,
                        server_hostname=host if tls else None,
                    )
                    return made
            except ssl.SSLError as error:
                problem = Failure("tls", f"{host}: {error.reason or error}")
            except TimeoutError:
                problem = Failure("connect", f"{address} does not answer")
            except OSError as error:
                problem = Failure("connect", f"{address}: {error.strerror or error}")
        raise problem
