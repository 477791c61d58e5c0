"""A process that writes for ever and says on its standard output what was acknowledged. It is there to be killed."""

import asyncio
import os
import sys

from chargewire.journal import open_journal
from chargewire.journal.memory import Name, NewMessage, NewReading, Ref, Unit, Write

WRITERS = 20


async def write(url: str, run: str) -> None:
    """Write units of an object with a name, a reading and a message."""
    journal = await open_journal(url)

    async def writer(number: int) -> None:
        count = 0
        while True:
            key = f"{run}-{number}-{count}"
            ref = Ref("session", "NL-AAA", key)
            unit = Unit(
                place=f"L{number}",
                writes=[Write(ref=ref, content=b"{}", expect=0, state="ACTIVE")],
                names=[Name("start", key, ref)],
                readings=[
                    NewReading(
                        owner="NL-AAA",
                        station="CS-1",
                        evse="1",
                        connector=1,
                        session=key,
                        at=0,
                        samples=b"[]",
                        message_id=key,
                    )
                ],
                messages=[
                    NewMessage(
                        owner="NL-AAA",
                        station="CS-1",
                        location="L1",
                        evse="1",
                        direction="in",
                        action="MeterValues",
                        message_id=key,
                        call=b"{}",
                        answer=b"{}",
                    )
                ],
            )
            await journal.append(unit)
            os.write(1, f"{key}\n".encode())
            count += 1

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2]))
