"""What an operator writes: how it gets into the journal and, at once, into the directory.

Every write is a PUT that may be repeated: it reads what is there, decides and writes over the version it has read, and does
so again if somebody else was faster.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.token import Token
from chargewire.csms.contracts import Contracts
from chargewire.csms.directory import PLACE, TYPES, Directory
from chargewire.journal.memory import Journal, LostRace, Name, Ref, Stored, Unit, Write
from chargewire.sharing.keys import Keys

T = TypeVar("T")
TRIES = 20

_token = msgspec.json.Decoder(Token)


class Kept(Struct, frozen=True):
    """What came of a PUT: the object's name, and whether it is new."""

    ref: Ref
    created: bool


def check_scheme(url: str, field: str) -> None:
    """Raises Refused unless it is a URL of the web."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("must be an http or https URL", field)


class Registry:
    """The journal with the directory that has to hear of writes at once, and the keys that secrets are kept with."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        keys: Keys,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        check_url: Callable[[str, str], None] = check_scheme,
    ) -> None:
        """`check_url` gets a URL that we shall push to and the field it stands in; it raises Refused."""
        self.journal = journal
        self.directory = directory
        self.keys = keys
        self.now = clock
        self.check_url = check_url
        self.contracts = Contracts(journal)
        self.turns = asyncio.Lock()  # of those that lost a race
        self.on_stations: Callable[[Sequence[str]], Awaitable[None]] = _nobody  # told of the stations that were written
        self.on_token: Callable[[str, Token], None] = _no_one  # told of the tokens that were written, with their eMSP

    async def keep(
        self,
        ref: Ref,
        content: Struct,
        *,
        place: str = PLACE,
        state: str = "",
        counterparty: str = "",
        names: tuple[Name, ...] = (),
    ) -> Kept:
        """Write an object, whatever was there before."""

        async def once() -> Kept:
            before = (await self.journal.get_many([ref])).get(ref)
            name = before.ref if before else ref
            write = Write(
                ref=name,
                content=content,
                expect=before.version if before else 0,
                what="static",
                state=state,
                counterparty=counterparty,
            )
            committed = await self.journal.append(Unit(place=place, writes=[write], names=names))
            if ref.kind in TYPES:
                self.directory.put(name, committed.versions[0], content)  # type: ignore[arg-type]
            if isinstance(content, Token) and committed.versions[0] != write.expect:
                self.on_token(name.owner, content)
            return Kept(name, before is None or before.deleted)

        return await again(once, self.turns)

    async def drop(self, ref: Ref, what: str, *, place: str = PLACE) -> None:
        """Delete an object. Raises Unknown."""

        async def once() -> None:
            before = await self.journal.get(ref)
            if before is None:
                raise Unknown(what, ref.key)
            write = Write(ref=before.ref, content=before.body, expect=before.version, what="deleted", deleted=True)
            committed = await self.journal.append(Unit(place=place, writes=[write]))
            if ref.kind in TYPES:
                self.directory.put(before.ref, committed.versions[0], None)

        await again(once, self.turns)


async def _nobody(_: Sequence[str]) -> None:
    """Nobody holds any station."""


def _no_one(_emsp: str, _token: Token) -> None:
    """Nobody waits for tokens."""


async def find_token(journal: Journal, directory: Directory, cpo_party: str, uid: str) -> Stored | None:
    """A token that a driver shows at a station of a CPO, whatever case it comes in; only eMSPs of its network count.

    If two of them know the same uid, a token that is valid goes first, then the order of `Directory.asked_in_turn` decides.
    """
    refs = [Ref("token", emsp, uid) for emsp in directory.asked_in_turn(cpo_party)]
    found = await journal.get_many(refs) if refs else {}
    tokens = [found[ref] for ref in refs if ref in found and not found[ref].deleted]
    return next((token for token in tokens if _token.decode(token.body).valid), tokens[0] if tokens else None)


async def again(decide: Callable[[], Awaitable[T]], turns: asyncio.Lock) -> T:
    """Decide, and decide again as long as somebody else is faster; those that lost take turns. Raises LostRace after many."""
    with suppress(LostRace):
        return await decide()
    async with turns:
        for _ in range(TRIES - 2):
            with suppress(LostRace):
                return await decide()
        return await decide()
