"""Whose contracts are ours: the `auth_id`s of our eMSPs' tokens, held in memory.

Tokens are found by their uid. What a CDR names is the contract, which several tokens may share; so it is read from the tokens
once, and from then on only from those that have changed since.
"""

import asyncio

import msgspec
from msgspec import Struct

from chargewire.charging.token import Token
from chargewire.journal.memory import Journal, ListQuery

PAGE = 1000
_token = msgspec.json.Decoder(Token)


class _Known(Struct):
    names: set[str] = msgspec.field(default_factory=set)
    until: int | None = None  # µs; every token that was written before has been read
    turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class Contracts:
    """What the tokens of each eMSP are called. A name that a token had once stays known."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, _Known] = {}

    async def has(self, emsp: str, name: str) -> bool:
        """Whether an eMSP has, or had, a token with this `auth_id`, or with this uid: some partners name that instead."""
        known = self._known.setdefault(emsp, _Known())
        if name.casefold() not in known.names:
            async with known.turn:
                await self._read_on(emsp, known)
        return name.casefold() in known.names

    async def _read_on(self, emsp: str, known: _Known) -> None:
        query = ListQuery(kind="token", owners=(emsp,), updated_from=known.until, limit=PAGE)
        newest = known.until
        while True:
            page = await self._journal.walk(query)
            for stored in page.rows:
                token = _token.decode(stored.body)
                known.names |= {token.auth_id.casefold(), token.uid.casefold()}
                newest = max(newest or 0, stored.last_updated)
            if page.next is None:
                known.until = newest
                return
            query = msgspec.structs.replace(query, after=tuple(page.next))
