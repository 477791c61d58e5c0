"""How far lists of partners are pulled, durably: the last time to the end, and where one goes on that broke off."""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import Ref, Unit, Write

WHOLE_EVERY = timedelta(days=1)
REPLACED = ("locations", "tariffs")  # modules whose list without a filter says what is gone


class Progress(Struct, kw_only=True):
    """A pull that goes on. `url`: its next page; `home`: the list that it is of."""

    module: str
    began_at: datetime
    whole: bool = False
    home: str = ""
    url: str = ""
    total: int | None = None
    read: int = 0
    changed: int = 0
    unreadable: int = 0  # objects that could not be understood; the others of their page were
    gone: int = 0


class Pulled(Struct, frozen=True, kw_only=True):
    """How far a module of a connection is pulled. Journal kind `partnerpull`, owner "", key `{connection}/{module}`."""

    module: str
    began_at: datetime | None = None  # of the last pull that came to the end of the list
    whole_at: datetime | None = None  # of the last one without a filter
    ended_at: datetime | None = None
    read: int = 0
    changed: int = 0
    unreadable: int = 0
    gone: int = 0
    error: str = ""  # of a later pull that did not come to the end
    failed_at: datetime | None = None
    broken: Progress | None = None  # one that did not come to the end, and may go on

    def wants_whole(self, now: datetime) -> bool:
        """Whether it is time for a list without a filter."""
        return self.whole_at is None or (self.module in REPLACED and now - self.whole_at > WHOLE_EVERY)

    def going_on(self, home: str, now: datetime) -> Progress | None:
        """The pull that broke off, if it can go on: of a list that says what is gone every page is needed."""
        broken = self.broken
        if broken is None or broken.home != home or self.module in REPLACED or now - broken.began_at > WHOLE_EVERY:
            return None
        return msgspec.structs.replace(broken)

    def ended(self, progress: Progress, now: datetime, *, complete: bool) -> "Pulled":
        """After the last page. `complete`: whether every object of the list was in it."""
        return Pulled(
            module=self.module,
            began_at=progress.began_at,
            whole_at=progress.began_at if progress.whole and complete else self.whole_at,
            ended_at=now,
            read=progress.read,
            changed=progress.changed,
            unreadable=progress.unreadable,
            gone=progress.gone,
        )

    def reached(self, progress: Progress | None) -> "Pulled":
        """Should the pull break off now, it goes on from here."""
        return msgspec.structs.replace(self, broken=msgspec.structs.replace(progress) if progress else None)

    def failed(self, error: str, now: datetime) -> "Pulled":
        """After a pull that did not come to the end."""
        return msgspec.structs.replace(self, error=error[:500], failed_at=now)


async def read_pulled(registry: Registry, connection_id: str, module: str) -> Pulled:
    """What is known of a module. Raises MemoryUnavailable."""
    stored = await registry.journal.get(_ref(connection_id, module))
    return _pulled.decode(stored.body) if stored else Pulled(module=module)


async def write_pulled(registry: Registry, connection_id: str, pulled: Pulled) -> None:
    """Durable when it returns. Raises MemoryUnavailable."""
    ref, journal = _ref(connection_id, pulled.module), registry.journal

    async def once() -> None:
        before = await journal.get(ref)
        write = Write(ref=ref, content=pulled, expect=before.version if before else 0, what="pulled")
        await journal.append(Unit(place=f"partner/{connection_id}", writes=[write]))

    await again(once, registry.turns)


def _ref(connection_id: str, module: str) -> Ref:
    return Ref("partnerpull", "", f"{connection_id}/{module}")


_pulled = msgspec.json.Decoder(Pulled)
