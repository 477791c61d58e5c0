"""Pages of finished sessions out of a million: the first ones and the last ones, by Link and by offset.

Counted is the CPU time of the server (or, at the journal, of this process with all of its threads) and the time that one
page takes.

    python -m bench.pages --sessions 1000000
"""

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop
from msgspec.structs import replace

from bench import million, servers
from bench.crawl import Client
from bench.measure import cpu_seconds, middle, pin, publish, table, thousands
from chargewire.api.renderings import RENDERINGS
from chargewire.journal.memory import Journal, ListQuery
from chargewire.journal.opening import open_journal

FROM = "date_from=2020-01-01T00:00:00Z"
CONNECTIONS = 8  # for a page by itself; a crawl and an offset have one
ROWS = ["what is asked", "limit", "pages/CPU-s", "pages/s", "ms a page", "KB"]
Row = list[object]
Ask = Callable[[], Awaitable[int]]  # gives the bytes of one page


async def rate(asks: Sequence[Ask], pid: int, seconds: float, what: str, limit: int) -> Row:
    """Ask for the same page again and again; each of `asks` goes on when its page is there."""
    took: list[float] = []
    sizes: list[int] = []
    cpu, begun = cpu_seconds(pid), time.perf_counter()

    async def again(ask: Ask) -> None:
        while (now := time.perf_counter()) - begun < seconds:
            sizes.append(await ask())
            took.append(time.perf_counter() - now)

    await asyncio.gather(*(again(ask) for ask in asks))
    clock, cpu = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    pages = len(took)
    return [
        what,
        limit,
        thousands(pages / max(cpu, 0.01)),
        thousands(pages / clock),
        f"{middle(took) * 1000:.2f}",
        f"{sizes[-1] / 1000:.0f}",
    ]


async def over_http(server: servers.Server, token: str, sessions: int, seconds: float) -> list[Row]:
    """Pages through `chargewire serve`."""
    rows: list[Row] = []
    far = sessions * 9 // 10

    async def rated(url: str, what: str, connections: int = CONNECTIONS) -> None:
        async with AsyncExitStack() as stack:  # opened anew: the server closes what is idle
            clients = [await stack.enter_async_context(Client(server.http, token)) for _ in range(connections)]
            rows.append(await rate(_asking(clients, url), server.pid, seconds, what, limit))

    for limit in (50, 100):
        first = f"/api/1.0/sessions?{FROM}&limit={limit}"
        await rated(first, "first page")
        async with Client(server.http, token) as client:
            crawled, last = await _crawled(client, first, server.pid, sessions, limit)
        rows.append(crawled)
        await rated(last, "last page, by Link")
        await rated(f"{first}&offset={far}", f"offset {thousands(far)}", 1)
    return rows


async def _crawled(client: Client, first: str, pid: int, sessions: int, limit: int) -> tuple[Row, str]:
    """Follow Link through the whole list; gives the row and the last page's URL. Raises LookupError."""
    last, pages, count = first, 0, 0
    clock, cpu = time.perf_counter(), cpu_seconds(pid)
    async for url, page in client.crawl(first):
        last, pages, count = url, pages + 1, count + page.body.count(b'"start_datetime"')
    clock, cpu = time.perf_counter() - clock, cpu_seconds(pid) - cpu
    if count != sessions:
        raise LookupError(f"{count} sessions were crawled, {sessions} are there")
    what = f"all {thousands(pages)} pages, by Link"
    return [what, limit, thousands(pages / cpu), thousands(pages / clock), f"{clock / pages * 1000:.2f}", ""], last


def _asking(clients: Sequence[Client], url: str) -> list[Ask]:
    async def ask(client: Client) -> int:
        page = await client.get(url)
        if page.status != 200 or not page.body.startswith(b'{"data":[{'):
            raise LookupError(f"{url}: {page.status} {page.body[:200]!r}")
        return len(page.body)

    return [partial(ask, client) for client in clients]


async def at_journal(journal: Journal, sessions: int, seconds: float) -> list[Row]:
    """The same pages without HTTP, scope and envelope."""
    rows: list[Row] = []
    far = sessions * 9 // 10
    for limit in (50, 100):
        query = ListQuery(kind="session", owners=million.CPOS, states=("COMPLETED",), updated_from=0, limit=limit)
        late = (await journal.walk_pages(replace(query, offset=sessions - 2 * limit))).next
        for what, asked in (
            ("first page", query),
            ("last page, by key", replace(query, after=tuple(late or ()))),
            (f"offset {thousands(far)}", replace(query, offset=far)),
        ):
            rows.append(await rate(_reading(journal, asked), os.getpid(), seconds, what, limit))
    return rows


def _reading(journal: Journal, query: ListQuery) -> list[Ask]:
    async def ask() -> int:
        return sum(len(row) for row in (await journal.walk_pages(query)).rows)

    return [ask]


async def filled(url: str, sessions: int) -> float:
    """Write the sessions; the seconds it took."""
    journal = await open_journal(url, renderers=RENDERINGS)
    begun = time.perf_counter()
    try:
        await million.fill(journal, sessions)
    finally:
        await journal.close()
    return time.perf_counter() - begun


async def read_directly(url: str, sessions: int, seconds: float) -> list[Row]:
    """Open the journal without a server, and read."""
    journal = await open_journal(url, renderers=RENDERINGS)
    try:
        return await at_journal(journal, sessions, seconds)
    finally:
        await journal.close()


def prepared(folder: Path, database: str, sessions: int) -> str:
    """A data directory with a network, its CPOs and the sessions, made once; gives a subscription's token."""
    note = folder / f"token-{sessions}"
    if note.exists():
        return note.read_text()
    with servers.chargewire(folder, database) as server:
        token = million.make_parties(server.http)
    took = uvloop.run(filled(database or f"sqlite:///{folder / 'chargewire.sqlite'}", sessions))
    print(f"{sessions} sessions written in {took:.0f} s ({thousands(sessions / took)}/s)", flush=True)
    note.write_text(token)
    return token


def measured(folder: Path, database: str, given: argparse.Namespace) -> list[Row]:
    """All rows of one engine."""
    token = prepared(folder, database, given.sessions)
    with servers.chargewire(folder, database) as server:
        rows = uvloop.run(over_http(server, token, given.sessions, given.seconds))
    url = database or f"sqlite:///{folder / 'chargewire.sqlite'}"
    direct = uvloop.run(read_directly(url, given.sessions, given.seconds))
    engine = "PostgreSQL" if database else "SQLite"
    return [[f"{engine}, HTTP", *row] for row in rows] + [[f"{engine}, journal", *row] for row in direct]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=4, help="for each row")
    parser.add_argument("--data", type=Path, default=Path("build/bench-pages"), help="kept, and used again")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL too, written anew each time")
    given = parser.parse_args()
    pin(1)
    given.data.mkdir(parents=True, exist_ok=True)
    rows = measured(given.data, "", given)
    if given.postgres:
        with servers.postgres() as url, servers.scratch() as folder:
            rows += measured(folder, url, given) if url else []
    body = (
        f"{thousands(given.sessions)} finished sessions of three CPOs, pulled by a subscription to all of them with "
        f"`date_from`. First and last page: {CONNECTIONS} connections; crawl and offset: one. CPU is that "
        f"of the server, or at the journal that of the process that reads; PostgreSQL's is not in it.\n\n"
        f"{table(['where', *ROWS], rows)}"
    )
    publish("pages", "Pages of sessions", body)


if __name__ == "__main__":
    main()
