"""Connections to PostgreSQL: made anew after the server went away, with back-off; errors in our words."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.statements import pending, queries

CONNECT_S = 5.0
COMMAND_S = 60.0
BACK_OFF_S = (0.1, 5.0)  # first and longest wait before the next try to connect
READERS = 8

# Every statement of ours is a walk along an index; the statistics of a young table would suggest something else, and a plan
# that is kept from then would go on doing so.
_SETTINGS = {
    "application_name": "chargewire",
    "synchronous_commit": "on",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "timezone": "UTC",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
}
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)

Connection = Any  # asyncpg has no types


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached or cannot write, rather than refuses what it was given."""
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)  # asyncpg's own DataError is both


def unavailable(error: BaseException) -> MemoryUnavailable:
    """The database's trouble in our words."""
    return MemoryUnavailable(f"PostgreSQL: {error or type(error).__name__}")


async def connect(url: str) -> Connection:
    """A connection with our settings. Raises MemoryUnavailable."""
    try:
        return await asyncpg.connect(url, timeout=CONNECT_S, command_timeout=COMMAND_S, server_settings=_SETTINGS)
    except Exception as error:
        if is_away(error):
            raise unavailable(error) from error
        raise


async def migrate(connection: Connection) -> None:
    """Bring the data to this program's version; one process at a time. Raises JournalError if it is newer."""
    sql = queries("postgres")
    async with connection.transaction():
        await connection.execute(sql["migrating"])
        await connection.execute(sql["make_version"])
        for number, migration in pending("postgres", await connection.fetchval(sql["version"])):
            await connection.execute(migration)
            await connection.execute(sql["set_version"], number)


class Line:
    """One connection that is kept, and made again when it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection = None
        self._wait_s = BACK_OFF_S[0]
        self._not_before = 0.0

    async def connection(self) -> Connection:
        """The connection, if need be a new one. Raises MemoryUnavailable at once while it is too early for a new try."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if time.monotonic() < self._not_before:
            raise MemoryUnavailable("PostgreSQL cannot be reached")
        try:
            self._connection = await connect(self._url)
        except MemoryUnavailable:
            self._not_before = time.monotonic() + self._wait_s
            self._wait_s = min(self._wait_s * 2, BACK_OFF_S[1])
            raise
        self._wait_s = BACK_OFF_S[0]
        return self._connection

    async def drop(self) -> None:
        """The connection is in doubt: let go of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=CONNECT_S)
            except (TimeoutError, OSError, asyncpg.InterfaceError):
                connection.terminate()


class Readers:
    """Connections that are shared."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Any = None

    async def open(self) -> None:
        """Raises MemoryUnavailable."""
        async with self._in_our_words():
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=READERS,
                timeout=CONNECT_S,
                command_timeout=COMMAND_S,
                server_settings=_SETTINGS,
                reset=_leave_as_it_is,
            )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One of them, for a short while. Raises MemoryUnavailable."""
        async with self._in_our_words(), self._pool.acquire(timeout=CONNECT_S) as connection:
            yield connection

    @asynccontextmanager
    async def _in_our_words(self) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            if is_away(error):
                raise unavailable(error) from error
            raise

    async def close(self) -> None:
        """Hang up."""
        try:
            await asyncio.wait_for(self._pool.close(), CONNECT_S)
        except (TimeoutError, OSError, asyncpg.InterfaceError):
            self._pool.terminate()


async def _leave_as_it_is(connection: Connection) -> None:
    """Nobody changes the settings of a shared connection, so it needs no reset."""
