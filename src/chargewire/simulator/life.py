"""What a station does by itself as long as it is switched on (OCPP 1.6 §3.7, §4.2, §4.6)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from chargewire.charging.facts import Beat, Begun, Booted, SessionStarted, StatusReported, Welcome
from chargewire.charging.location import Status
from chargewire.charging.token import Allowed
from chargewire.simulator.link import NoAnswer, Offline, Refused
from chargewire.simulator.outbox import Queued

if TYPE_CHECKING:
    from chargewire.simulator.station import Station

BACK_OFF_MOST_S = 60.0
BOOT_AGAIN_S = 30.0  # where the CSMS leaves it to the station (§4.2)
SELDOM_S = 3600  # a heartbeat interval of 0


async def live(station: Station) -> None:
    """Connect again and again, deliver what waits, let time pass; until cancelled."""
    rng = random.Random(station.id)  # noqa: S311  (jitter)
    async with asyncio.TaskGroup() as group:
        group.create_task(_deliver(station))
        group.create_task(_pass_time(station, rng))
        group.create_task(_stay_connected(station, rng))


async def _stay_connected(station: Station, rng: random.Random) -> None:
    failures = 0
    while True:
        try:
            await station.link.connect(station.configuration.number("WebSocketPingInterval"))
            station.say("connected")
            failures = 0
            await _connected(station)
            station.say("connection lost")
        except Offline as error:
            failures += 1
            if failures == 1:
                station.say(f"offline: {error}")
        await station.link.lost()
        away_s, station.stay_away_s = station.stay_away_s, 0.0
        wait_s = min(station.plan.back_off_s * 2 ** max(failures - 1, 0), BACK_OFF_MOST_S)
        await asyncio.sleep(away_s or wait_s * rng.uniform(0.7, 1.3))


async def _connected(station: Station) -> None:
    """Be online until the connection is gone. Raises Offline if that happens before we are ready."""
    if not station.booted or "eager-boot" in station.habits:
        await _boot(station)
    station.ready.set()
    await station.tell_if_possible(StatusReported(connector_number=0, status=Status.AVAILABLE, at=station.charger.clock()))
    for plug in station.charger.plugs.values():
        station.charger.show(plug, again=True)
    beating = asyncio.ensure_future(_beat(station))
    try:
        await station.link.lost()
    finally:
        beating.cancel()


async def _beat(station: Station) -> None:
    while True:
        interval = station.configuration.number("HeartbeatInterval") or SELDOM_S
        await asyncio.sleep(interval)
        await station.tell_if_possible(Beat())


async def _pass_time(station: Station, rng: random.Random) -> None:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(rng.uniform(0, station.plan.step_s))  # a fleet does not step in line
    before = clock()
    while True:
        await asyncio.sleep(station.plan.step_s)
        passed = clock() - before
        before += passed
        station.charger.step(passed)


async def _deliver(station: Station) -> None:
    """Deliver transaction messages in order; one that fails is repeated ever later, then dropped (§3.7.1, §9.1.28)."""
    failures = 0
    while True:
        queued = await station.outbox.first()
        await station.ready.wait()
        try:
            reply = await station.tell(queued.message)
        except Offline:
            await asyncio.sleep(0)  # whoever notices the loss may run first
            continue
        except (NoAnswer, Refused) as error:
            failures += 1
            station.say(f"{error} (attempt {failures})")
            if failures < station.configuration.number("TransactionMessageAttempts"):
                await asyncio.sleep(station.configuration.number("TransactionMessageRetryInterval") * failures)
                continue
            station.say(f"gives up a {type(queued.message).__name__}")
            reply = None
        failures = 0
        station.outbox.settle()
        if isinstance(reply, Begun):
            _begun(station, queued, reply)


def _begun(station: Station, queued: Queued, begun: Begun) -> None:
    assert isinstance(queued.message, SessionStarted)
    station.outbox.learn(queued.transaction, begun.transaction_id)
    station.known_tokens.remember(queued.message.token_uid, begun.allowed, begun.group_id)
    plug = station.charger.plugs.get(queued.message.connector_number)
    if (
        begun.allowed is Allowed.ACCEPTED
        or plug is None
        or plug.transaction is None
        or plug.transaction.name != queued.transaction
    ):
        return
    station.say(f"token {queued.message.token_uid} is refused: {begun.allowed.value}")
    if station.configuration.flag("StopTransactionOnInvalidId"):
        station.charger.stop(plug.number, "DeAuthorized")
    else:
        plug.transaction.energy_off = True


async def _boot(station: Station) -> None:
    """Say who we are until we are accepted (OCPP 1.6 §4.2). Raises Offline."""
    while True:
        try:
            welcome = await station.tell(Booted(station.plan.boot))
        except (NoAnswer, Refused) as error:
            station.say(f"boot: {error}")
            welcome = None
        if isinstance(welcome, Welcome) and welcome.accepted:
            if welcome.interval_s > 0:
                station.configuration.set("HeartbeatInterval", str(welcome.interval_s))
            station.booted = True
            station.say(f"accepted, heartbeat every {station.configuration.text('HeartbeatInterval')} s")
            return
        wait_s = welcome.interval_s if isinstance(welcome, Welcome) and welcome.interval_s > 0 else BOOT_AGAIN_S
        station.say(f"not accepted yet, asking again in {wait_s:g} s")
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await station.link.lost()
            raise Offline("hung up while we waited to be accepted")
