"""Replays recorded sessions through virtual stations, as stations deliver them that were offline all the time.

One station for each EVSE of the records; it boots and sends what it has kept, in order, with the original times:
StartTransaction, MeterValues every 15 minutes, StopTransaction. Nothing in it is left to chance, so that the same records
give the same messages again, and a CSMS that knows its business makes nothing new of them.
"""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from chargewire.charging.facts import Metered, SessionEnded, SessionStarted
from chargewire.charging.reading import Reading, Sample
from chargewire.simulator.acn import Record, course
from chargewire.simulator.link import Address
from chargewire.simulator.meter import POWER, REGISTER
from chargewire.simulator.outbox import Message
from chargewire.simulator.outlet import ac
from chargewire.simulator.station import Plan, Say, Station

AT_ONCE = 2000  # messages that a station keeps in memory at most before it waits


class Replayed(Struct, frozen=True):
    """What was delivered."""

    stations: int
    sessions: int
    messages: int
    energy_wh: int


def messages(record: Record, register_wh: int, token_uid: str) -> list[Message]:
    """The messages of one session; its register begins at `register_wh`. The transaction id comes with the answer."""
    found: list[Message] = [SessionStarted(connector_number=1, token_uid=token_uid, register_wh=register_wh, at=record.arrival)]
    for reached in course(record):
        samples = (
            Sample(str(register_wh + reached.energy_wh), REGISTER, "Wh"),
            Sample(f"{reached.power_w:.1f}", POWER, "W"),
        )
        found.append(Metered(connector_number=1, readings=(Reading(reached.at, samples),)))
    found.append(
        SessionEnded(
            transaction_id=None,
            register_wh=register_wh + record.energy_wh,
            at=record.departure,
            reason="EVDisconnected",
            token_uid=token_uid,
        )
    )
    return found


def by_station(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each EVSE, in order of arrival."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.station_id].append(record)
    return dict(found)


def token_of(record: Record, tokens: Sequence[str]) -> str:
    """The token of a session: always the same one for the same session."""
    return tokens[zlib.crc32(record.session_id.encode()) % len(tokens)]


async def replay(
    records: Sequence[Record],
    address: Address,
    tokens: Sequence[str],
    *,
    say: Say,
    stations_at_once: int = 20,
) -> Replayed:
    """Deliver all records; `address.station_id` is the prefix of the stations' names. Returns when all is acknowledged."""
    gate = asyncio.Semaphore(stations_at_once)

    async def one(station_id: str, own: list[Record]) -> int:
        async with gate:
            whole = Address(
                url=address.url, station_id=address.station_id + station_id, password=address.password, verify=address.verify
            )
            return await _deliver(own, whole, tokens, say)

    grouped = by_station(records)
    counts = await asyncio.gather(*(one(station_id, own) for station_id, own in grouped.items()))
    return Replayed(len(grouped), len(records), sum(counts), sum(record.energy_wh for record in records))


async def _deliver(records: Sequence[Record], address: Address, tokens: Sequence[str], say: Say) -> int:
    """Deliver the records of one EVSE; gives the number of messages."""
    station = Station(address, Plan(outlets=(ac(6_656, phases=1),), settings={"WebSocketPingInterval": "0"}), say=say)
    life = asyncio.create_task(station.run())
    register_wh = count = 0
    try:
        for record in records:
            for message in messages(record, register_wh, token_of(record, tokens)):
                station.outbox.put(message, record.session_id)
                count += 1
            register_wh += record.energy_wh
            if len(station.outbox) > AT_ONCE:
                await _delivered(station, life)
        await _delivered(station, life)
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    say(address.station_id, f"{len(records)} sessions delivered, {register_wh / 1000:.3f} kWh")
    return count


async def _delivered(station: Station, life: "asyncio.Task[None]") -> None:
    """Wait for the acknowledgements; a station that broke down raises what broke it."""
    emptied = asyncio.ensure_future(station.outbox.emptied())
    try:
        await asyncio.wait({emptied, life}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
    finally:
        emptied.cancel()
