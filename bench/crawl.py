"""The smallest HTTP client that can measure pages: keep-alive, one request after the other, headers in lower case."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

from msgspec import Struct

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class Page(Struct, frozen=True, kw_only=True):
    """One answer. `next` is the target of its Link with rel="next", None on the last page."""

    status: int
    body: bytes
    next: str | None


class Client:
    """One connection to one host."""

    def __init__(self, base: str, token: str) -> None:
        parts = urlsplit(base)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Token {token}\r\n\r\n"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def get(self, url: str) -> Page:
        """Ask for a path or a URL of this host. The answer must have a Content-Length."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._writer.write(f"GET {target} HTTP/1.1\r\n{self._head}".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, _, lines = head.partition("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines.splitlines())}
        body = await self._reader.readexactly(int(headers["content-length"]))
        link = _NEXT.search(headers.get("link", ""))
        return Page(status=int(status.split()[1]), body=body, next=link[1] if link else None)

    async def crawl(self, url: str) -> AsyncIterator[tuple[str, Page]]:
        """Every page from `url` on, by following Link, each with the URL that it was asked by. Raises LookupError."""
        following: str | None = url
        while following:
            page = await self.get(following)
            if page.status != 200:
                raise LookupError(f"{following}: {page.status} {page.body[:200]!r}")
            yield following, page
            following = page.next
