"""Where receivers keep the CDRs that they were sent: the `Location` of their answer (OCPI 2.1.1 mod_cdrs, POST)."""

import asyncio
from urllib.parse import urljoin

from msgspec import Struct

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Journal, LostRace, Ref, Unit, Write
from chargewire.log import trouble
from chargewire.push.target import Target

LONGEST = 1000


class ReceivedAt(Struct, frozen=True, kw_only=True):
    """Journal kind `cdrurl`, owner = the CPO, key = `{subscription}/{CDR id}`."""

    url: str


class Located:
    """Writes in the background: that a CDR was delivered does not depend on it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, target: Target, ref: Ref, location: str) -> None:
        """The receiver says where it keeps a CDR; relative to where it was sent."""
        if target.dialect == "platform" or ref.kind != "cdr" or not location or len(location) > LONGEST:
            return
        try:
            url = urljoin(target.url, location)
        except ValueError as error:  # that it was delivered stands all the same
            trouble("push.url_not_kept", cdr=ref.key, why=error)
            return
        task = asyncio.create_task(self._write(target.subscription_id, ref, url))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, subscription_id: str, cdr: Ref, url: str) -> None:
        ref = Ref("cdrurl", cdr.owner, f"{subscription_id}/{cdr.key}")
        try:
            before = await self._journal.get(ref)
            write = Write(
                ref=ref,
                content=ReceivedAt(url=url),
                expect=before.version if before else 0,
                what="located",
                counterparty=subscription_id,
            )
            await self._journal.append(Unit(place=f"cdrurl/{subscription_id}", writes=[write]))
        except (LostRace, MemoryUnavailable) as error:
            trouble("push.url_not_kept", cdr=cdr.key, why=error)
