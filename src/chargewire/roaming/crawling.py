"""A partner's list, page by page along `Link: rel="next"`, without a gap (2.1.1 transport_and_format, Pagination)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from msgspec import Struct

from chargewire.roaming.calls import Declined, Replied

MOST_PAGES = 100_000  # of one list
_PORTS = {"http": 80, "https": 443}
_NOTHING = re.compile(rb"(null|\[\s*\])?")  # some write `[ ]`

Ask = Callable[[str], Awaitable[Replied]]
"""Asks for a page. Raises PartnerError, Refused."""


class Leaf(Struct, frozen=True):
    """A page. `following`: where the list goes on; "" after the last page."""

    data: bytes
    total: int | None
    following: str


async def crawl(ask: Ask, begin: str) -> AsyncIterator[Leaf]:
    """Every page from `begin` on. Raises what `ask` does; Declined if the list goes on elsewhere, in circles or without end."""
    asked, total = begin, None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        if asked in seen:
            raise Declined(200, 0, f"the list leads back to {asked[:200]!r}, which is not followed")
        seen.add(asked)
        page = await ask(asked)
        now, back = total_of(asked, page), ""
        if total is not None and now is not None and now < total:
            back = stepped_back(asked, total - now)
        if back:
            seen.clear()  # it has been there
        total = now if now is not None else total
        following = back or next_of(begin, asked, page)
        yield Leaf(page.data, now, following)
        if not following:
            return
        asked = following
    raise Declined(200, 0, f"the list has more than {MOST_PAGES} pages")


def total_of(asked: str, page: Replied) -> int | None:
    """How many objects the list has. Some partners say instead how many the page has, which shows from the second page on."""
    if page.total is not None and page.total <= (offset_of(asked) or 0) and not _is_empty(page):
        return None
    return page.total


def stepped_back(asked: str, by: int) -> str:
    """Where to ask again if so many objects have left the list since the page before: those behind them have moved up.

    "" if the page was the first one, or does not say where it begins.
    """
    parts = urlsplit(asked)
    query = parse_qsl(parts.query, keep_blank_values=True)
    offset = offset_of(asked)
    if not offset:
        return ""
    moved = [(name, str(max(offset - by, 0)) if name == "offset" else value) for name, value in query]
    return parts._replace(query=urlencode(moved)).geturl()


def next_of(home: str, asked: str, page: Replied) -> str:
    """The URL of the next page, on the same host as the list; "" if there is none. Raises Declined if it leads elsewhere.

    Partners behind a proxy name http where they are https: their host is asked as before. Some always name a next page:
    one without objects ends the list, unless its total says that more are to come.
    """
    if not page.next_url:
        return ""
    if _is_empty(page) and not (offset_of(asked) or 0) < (page.total or 0):
        return ""
    try:
        link, own = urlsplit(page.next_url), urlsplit(home)
        same = link.hostname == own.hostname and _port(link) in (_port(own), _PORTS.get(link.scheme))
    except ValueError:
        same = False
    if not same or link.scheme not in _PORTS:
        raise Declined(page.status, page.code, f"the list goes on at {page.next_url[:200]!r}, which is not followed")
    return link._replace(scheme=own.scheme, netloc=own.netloc, fragment="").geturl()


def offset_of(url: str) -> int | None:
    """Where a page begins, if its URL says so."""
    text = dict(parse_qsl(urlsplit(url).query)).get("offset", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _is_empty(page: Replied) -> bool:
    return _NOTHING.fullmatch(page.data.strip()) is not None


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)
