"""Pages of finished sessions out of a million: the first ones and the last ones, by Link and by offset.

Counted is the CPU time of the server (or, at the journal, of this process with all of its threads) and the time that one
page takes.

    python -m bench.pages --sessions 1000000
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import million, places, servers
from bench.crawl import Client
from bench.measure import cpu_seconds, middle, pin, publish, table, thousands
from chargewire.journal.memory import Journal, ListQuery

FROM = "date_from=2020-01-01T00:00:00Z"
ROWS = ["what is asked", "limit", "pages/CPU-s", "pages/s", "ms a page", "KB"]
Row = list[object]
Ask = Callable[[], Awaitable[int]]  # gives the bytes of one page


async def rate(ask: Ask, pid: int, seconds: float, what: str, limit: int) -> Row:
    """Ask for the same page again and again, one after the other."""
    size, took, cpu, begun = 0, [], cpu_seconds(pid), time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds or len(took) < 3:
        size = await ask()
        took.append(time.perf_counter() - now)
    clock, cpu = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    pages = len(took)
    return [what, limit, thousands(pages / max(cpu, 0.01)), thousands(pages / clock), f"{middle(took) * 1000:.2f}", f"{size / 1000:.0f}"]


async def over_http(server: servers.Server, token: str, sessions: int, seconds: float) -> list[Row]:
    """Pages through `chargewire serve`."""
    rows: list[Row] = []
    async with Client(server.http, token) as client:

        def asking(url: str) -> Ask:
            async def ask() -> int:
                page = await client.get(url)
                if page.status != 200 or not page.body.startswith(b'{"data":[{'):
                    raise LookupError(f"{url}: {page.status} {page.body[:200]!r}")
                return len(page.body)

            return ask

        for limit in (50, 100):
            first = f"/api/1.0/sessions?{FROM}&limit={limit}"
            rows.append(await rate(asking(first), server.pid, seconds, "first page", limit))
            last, count, clock, cpu = first, 0, time.perf_counter(), cpu_seconds(server.pid)
            async for url, page in client.crawl(first):
                last, count = url, count + page.body.count(b'"start_datetime"')
                pages = -(-count // limit)
            clock, cpu = time.perf_counter() - clock, cpu_seconds(server.pid) - cpu
            if count != sessions:
                raise LookupError(f"{count} sessions were crawled, {sessions} are there")
            rows.append(
                [f"all {thousands(pages)} pages, by Link", limit, thousands(pages / cpu), thousands(pages / clock), f"{clock / pages * 1000:.2f}", ""]
            )
            rows.append(await rate(asking(last), server.pid, seconds, "last page, by Link", limit))
            far = f"{first}&offset={sessions * 9 // 10}"
            rows.append(await rate(asking(far), server.pid, seconds, f"offset {thousands(sessions * 9 // 10)}", limit))
    return rows


async def at_journal(journal: Journal, sessions: int, seconds: float) -> list[Row]:
    """The same pages without HTTP, scope and envelope."""
    rows: list[Row] = []
    for limit in (50, 100):
        query = ListQuery(kind="session", owners=million.CPOS, states=("COMPLETED",), updated_from=0, limit=limit)

        def asking(query: ListQuery) -> Ask:
            async def ask() -> int:
                return sum(len(row) for row in (await journal.walk_pages(query)).rows)

            return ask

        from msgspec.structs import replace

        rows.append(await rate(asking(query), os.getpid(), seconds, "first page", limit))
        late = (await journal.walk_pages(replace(query, offset=sessions - 2 * limit, limit=limit))).next
        end = replace(query, after=tuple(late or ()))
        rows.append(await rate(asking(end), os.getpid(), seconds, "last page, by key", limit))
        rows.append(await rate(asking(replace(query, offset=sessions * 9 // 10)), os.getpid(), seconds, f"offset {thousands(sessions * 9 // 10)}", limit))
    return rows
