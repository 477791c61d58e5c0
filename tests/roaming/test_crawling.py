"""Reading a partner's list along its links: whatever happens to it meanwhile, what stays in it is read."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargewire.roaming import crawling
from chargewire.roaming.calls import Declined, Replied
from chargewire.roaming.crawling import crawl

HOME = "https://partner.example/ocpi/cdrs"
PAGE = 10


class Shrinking:
    """A partner that pages by offset. `goes[n]`: the objects that leave the list after the page n."""

    def __init__(self, count: int, goes: list[set[int]]) -> None:
        self.rows = list(range(count))
        self.goes = goes
        self.asked: list[str] = []

    async def __call__(self, url: str) -> Replied:
        self.asked.append(url)
        offset = int(url.rpartition("=")[2])
        page, total = self.rows[offset : offset + PAGE], len(self.rows)
        more = f"{HOME}?offset={offset + PAGE}" if offset + PAGE < total else ""
        if self.goes:
            gone = self.goes.pop(0)
            self.rows = [row for row in self.rows if row not in gone]
        return Replied(status=200, code=1000, data=msgspec.json.encode(page), next_url=more, total=total)


@given(st.integers(0, 60), st.lists(st.sets(st.integers(0, 59), max_size=12), max_size=8))
def test_what_stays_in_a_list_is_read_whatever_leaves_it_meanwhile(count: int, goes: list[set[int]]) -> None:
    partner = Shrinking(count, list(goes))
    read = _read(partner, f"{HOME}?offset=0")
    missed = set(partner.rows) - read
    assert not missed, (missed, partner.asked)


def test_a_page_is_asked_again_from_as_many_objects_before_as_have_left_the_list() -> None:
    partner = Shrinking(25, [{3}])
    assert _read(partner, f"{HOME}?offset=0") >= set(range(25)) - {3}
    assert [url.rpartition("=")[2] for url in partner.asked] == ["0", "10", "9", "19"]


def test_a_partner_that_counts_the_page_instead_of_the_list_is_read_to_its_end() -> None:
    asked: list[str] = []

    async def ask(url: str) -> Replied:
        asked.append(url)
        offset = int(url.rpartition("=")[2])
        page = list(range(25))[offset : offset + PAGE]
        more = f"{HOME}?offset={offset + PAGE}" if offset + PAGE < 25 else ""
        return Replied(status=200, code=1000, data=msgspec.json.encode(page), next_url=more, total=len(page))

    assert _read(ask, f"{HOME}?offset=0") == set(range(25))
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("https://partner.example/ocpi/cdrs?offset=10", "https://partner.example/ocpi/cdrs?offset=10"),
        ("http://partner.example/ocpi/cdrs?offset=10", "https://partner.example/ocpi/cdrs?offset=10"),
        ("https://partner.example:443/p?c=1#x", "https://partner.example/p?c=1"),
    ],
)
def test_a_link_of_a_partner_behind_a_proxy_leads_to_the_host_that_was_asked(link: str, followed: str) -> None:
    asked: list[str] = []

    async def ask(url: str) -> Replied:
        asked.append(url)
        return Replied(status=200, code=1000, data=b"[1]", next_url=link if len(asked) == 1 else "")

    _read(ask, HOME)
    assert asked == [HOME, followed]


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/ocpi/cdrs?offset=10",
        "https://partner.example:8443/ocpi/cdrs?offset=10",
        "https://partner.example.elsewhere.example/x",
        "https://partner.example@elsewhere.example/x",
        "ftp://partner.example/x",
        "https://[partner.example/x",
        HOME,  # in circles
    ],
)
def test_a_list_that_goes_on_elsewhere_or_in_circles_is_refused(link: str) -> None:
    async def ask(url: str) -> Replied:
        assert url.startswith("https://partner.example/"), url
        return Replied(status=200, code=1000, data=b"[1]", next_url=link)

    with pytest.raises(Declined, match="not followed"):
        _read(ask, HOME)


def test_a_list_without_end_is_no_list_that_was_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawling, "MOST_PAGES", 3)
    asked: list[str] = []

    async def ask(url: str) -> Replied:
        asked.append(url)
        return Replied(status=200, code=1000, data=b"[1]", next_url=f"{HOME}?offset={len(asked)}")

    with pytest.raises(Declined, match="more than 3 pages"):
        _read(ask, HOME)
    assert len(asked) == 3


@pytest.mark.parametrize("nothing", [b"[]", b"[ ]", b" [\r\n] ", b"null", b""])
def test_a_list_whose_every_page_has_a_next_one_ends_with_the_first_that_is_empty(nothing: bytes) -> None:
    asked: list[str] = []

    async def ask(url: str) -> Replied:
        asked.append(url)
        page = b"[1,2]" if len(asked) < 3 else nothing
        return Replied(status=200, code=1000, data=page, next_url=f"{HOME}?offset={2 * len(asked)}", total=4)

    assert _read(ask, HOME) == {1, 2}
    assert len(asked) == 3


def test_an_empty_page_in_the_middle_of_a_list_does_not_end_it() -> None:
    asked: list[str] = []

    async def ask(url: str) -> Replied:
        asked.append(url)
        more = f"{HOME}?offset={len(asked)}" if len(asked) < 3 else ""
        return Replied(status=200, code=1000, data=b"[]" if len(asked) == 2 else b"[7]", next_url=more, total=3)

    _read(ask, f"{HOME}?offset=0")
    assert len(asked) == 3


def _read(ask: object, begin: str) -> set[int]:
    async def read() -> set[int]:
        return {row async for leaf in crawl(ask, begin) for row in msgspec.json.decode(leaf.data or b"null") or ()}  # type: ignore[arg-type]

    return asyncio.run(read())
