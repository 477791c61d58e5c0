"""Versions of a tariff: the one in force, those to come, and the last ones that it followed.

Kind `tariff` is the version in force (or the first to come), which partners see. The others are kept beside it, so that a
session that a station tells of late is priced by what held when it began.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from chargewire.charging.errors import Unknown
from chargewire.charging.tariff import Tariff
from chargewire.csms.directory import Directory
from chargewire.csms.registry import Kept, Registry, again
from chargewire.journal.memory import Journal, ListQuery, LostRace, Ref, Stored, Unit, Write
from chargewire.log import event

PAST = 12  # versions that are kept after they were followed by another
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Versions(Struct, frozen=True):
    """The versions of a tariff that are not the current one, by their beginning.

    Journal kind `tariffversion`, owner and key = those of the tariff.
    """

    versions: tuple[Tariff, ...] = ()


class Known(Struct):
    """A tariff and its other versions as they were read."""

    current: Stored | None
    others: Stored | None

    def all(self) -> list[Tariff]:
        """Every version."""
        current = [_tariff.decode(self.current.body)] if self.current and not self.current.deleted else []
        return current + list(self.besides())

    def besides(self) -> tuple[Tariff, ...]:
        """Those that are not the current one."""
        return _versions.decode(self.others.body).versions if self.others and not self.others.deleted else ()


_tariff = msgspec.json.Decoder(Tariff)
_versions = msgspec.json.Decoder(Versions)


async def version_at(journal: Journal, owner: str, tariff_id: str, at: datetime) -> Tariff | None:
    """The version of a tariff that holds at a moment: the newest that has begun, unless it has ended."""
    return holding_at(await versions_of(journal, owner, tariff_id), at)


async def versions_of(journal: Journal, owner: str, tariff_id: str) -> list[Tariff]:
    """Every version of a tariff that is kept, in no order; none if there is no such tariff."""
    return (await _known(journal, owner, tariff_id)).all()


def holding_at(versions: Iterable[Tariff], at: datetime) -> Tariff | None:
    """Of the versions of a tariff the one that holds at a moment."""
    newest = max((each for each in versions if _begins(each) <= at), key=_begins, default=None)
    return None if newest is None or (newest.valid_until is not None and newest.valid_until <= at) else newest


async def upcoming(journal: Journal, owner: str, tariff_ids: Sequence[str], now: datetime) -> dict[str, tuple[Tariff, ...]]:
    """The versions to come of some tariffs, by the tariffs' ids, besides the one that is shown as the current one."""
    refs = [Ref("tariffversion", owner, tariff_id) for tariff_id in tariff_ids]
    found = await journal.get_many(refs) if refs else {}
    return {
        ref.key: tuple(each for each in Known(None, stored).besides() if _begins(each) > now) for ref, stored in found.items()
    }


def arranged(versions: Iterable[Tariff], now: datetime) -> tuple[Tariff, tuple[Tariff, ...]]:
    """The current one of some versions, the newest that has begun or else the first to come; and the others to be kept."""
    ordered = sorted(versions, key=_begins)
    begun = [each for each in ordered if _begins(each) <= now]
    current = begun[-1] if begun else ordered[0]
    return current, tuple(begun[:-1][-PAST:]) + tuple(each for each in ordered[len(begun) :] if each is not current)


async def keep_version(registry: Registry, owner: str, version: Tariff) -> Kept:
    """Add a version, over one with the same beginning. One without a beginning stands for all that have begun."""

    async def once() -> Kept:
        known, now = await _known(registry.journal, owner, version.id), registry.now()
        others = [each for each in known.all() if _stays(each, version, now)]
        await _write(registry.journal, owner, known, [*others, version], now)
        before = known.current
        return Kept(before.ref if before else Ref("tariff", owner, version.id), before is None or before.deleted)

    return await again(once, registry.turns)


async def drop_tariff(registry: Registry, owner: str, tariff_id: str) -> None:
    """Delete a tariff with all its versions; sessions keep the one that they began with. Raises Unknown."""

    async def once() -> None:
        known = await _known(registry.journal, owner, tariff_id)
        if known.current is None or known.current.deleted:
            raise Unknown("tariff", tariff_id)
        writes = [
            Write(ref=each.ref, content=each.body, expect=each.version, what="deleted", deleted=True)
            for each in (known.current, known.others)
            if each is not None and not each.deleted
        ]
        await registry.journal.append(Unit(place=f"tariffs/{owner}", writes=writes))

    await again(once, registry.turns)


async def begin_versions(journal: Journal, directory: Directory, now: datetime) -> int:
    """Put in force the versions whose time has come; how many tariffs that changed."""
    owners = tuple({cpo.party for cpo in directory.cpos()} | {emsp.party for emsp in directory.emsps()})
    changed = 0
    query = ListQuery(kind="tariffversion", owners=owners, limit=200)
    while True:
        page = await journal.walk(query)
        refs = [Ref("tariff", stored.ref.owner, stored.ref.key) for stored in page.rows]
        shown = await journal.get_many(refs) if refs else {}
        for ref, stored in zip(refs, page.rows, strict=True):
            known = Known(shown.get(ref), stored)
            try:
                begun = await _write(journal, stored.ref.owner, known, known.all(), now)
            except LostRace:  # by somebody who wrote it: next time
                continue
            if begun:
                changed += 1
                event("tariff.version_begun", owner=stored.ref.owner, tariff_id=stored.ref.key)
        if page.next is None:
            return changed
        query = msgspec.structs.replace(query, after=tuple(page.next))


async def _known(journal: Journal, owner: str, tariff_id: str) -> Known:
    refs = [Ref("tariff", owner, tariff_id), Ref("tariffversion", owner, tariff_id)]
    found = await journal.get_many(refs)
    return Known(found.get(refs[0]), found.get(refs[1]))


async def _write(journal: Journal, owner: str, known: Known, versions: Sequence[Tariff], now: datetime) -> bool:
    """Write what is different by now; whether anything is."""
    current, others = arranged(versions, now)
    writes = []
    if known.current is None or known.current.deleted or _tariff.decode(known.current.body) != current:
        ref, expect = _over(known.current, Ref("tariff", owner, current.id))
        writes.append(Write(ref=ref, content=current, expect=expect, what="static", state=current.kind))
    if known.besides() != others:
        ref, expect = _over(known.others, Ref("tariffversion", owner, current.id))
        writes.append(Write(ref=ref, content=Versions(others), expect=expect, what="static", deleted=not others))
    if writes:
        await journal.append(Unit(place=f"tariffs/{owner}", writes=writes))
    return bool(writes)


def _over(stored: Stored | None, ref: Ref) -> tuple[Ref, int]:
    return (stored.ref, stored.version) if stored else (ref, 0)


def _stays(each: Tariff, new: Tariff, now: datetime) -> bool:
    return _begins(each) > now if new.valid_from is None else _begins(each) != _begins(new)


def _begins(tariff: Tariff) -> datetime:
    return tariff.valid_from or _ALWAYS
