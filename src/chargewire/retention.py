"""Forgetting in time: once an hour what is older than its days is dropped."""

import asyncio
from collections.abc import Mapping

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Journal, JournalError
from chargewire.log import event, trouble
from chargewire.settings import Settings

EVERY_S = 3600.0


def days_of(settings: Settings) -> Mapping[str, int]:
    """Days by table of the journal, or by kind of object."""
    return {
        "message": settings.message_days,
        "notification": settings.message_days,
        "command": settings.message_days,
        "sentcommand": settings.message_days,
        "parked": settings.message_days,
        "change": settings.change_days,
        "reading": settings.reading_days,
        "session": settings.cdr_days,
        "cdr": settings.cdr_days,
        "heldcdr": settings.cdr_days,
        "signed": settings.cdr_days,
        "partnerspan": settings.cdr_days,
    }


async def forget(journal: Journal, days: Mapping[str, int]) -> None:
    """For ever."""
    while True:
        try:
            dropped = {table: count for table, count in (await journal.retain(days)).items() if count}
            if dropped:
                event("retention.dropped", **dropped)
        except (MemoryUnavailable, JournalError) as error:
            trouble("retention.failed", why=error)
        await asyncio.sleep(EVERY_S)
