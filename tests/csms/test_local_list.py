"""Local lists on their way to a station that breaks off."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from chargewire.charging.commands import (
    Answer,
    Command,
    ForgetTokens,
    GetLocalListVersion,
    Order,
    ReadConfiguration,
    SendLocalList,
)
from chargewire.charging.errors import StationOffline
from chargewire.csms.local_list import LocalLists, StationList
from chargewire.csms.parties import put_cpo
from chargewire.csms.token_input import put_token
from chargewire.journal.memory import Journal, Ref
from csms.floor import CPO, UID, Floor

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class OneByOne:
    """A station that takes one token a message, and goes away after the first one."""

    def __init__(self) -> None:
        self.told: list[SendLocalList] = []
        self.gone = asyncio.Event()

    async def ask(self, station_id: str, command: Command) -> Order:
        order = Order(id="O", station_id=station_id, command=command, asked_by="t", expires_at=NOW, state="ANSWERED")
        answer = Answer(status="Accepted")
        match command:
            case ReadConfiguration():
                details = {"configurationKey": [{"key": "SendLocalListMaxLength", "value": "1", "readonly": True}]}
                answer = Answer(status="Accepted", details=details)
            case GetLocalListVersion():
                answer = Answer(status="Accepted", details={"listVersion": len(self.told)})
            case SendLocalList():
                if len(self.told) == 1 and not command.full:
                    self.gone.set()
                    raise StationOffline(station_id)
                self.told.append(command)
        return msgspec.structs.replace(order, answer=answer)


async def keeps_lists(floor: Floor, on: bool) -> None:
    await put_cpo(floor.registry, CPO, msgspec.json.encode({"network_id": "demo", "name": "CPO", "local_list": on}))


async def remembered(floor: Floor, state: str) -> StationList:
    async with asyncio.timeout(10):
        while True:
            stored = await floor.journal.get(Ref("locallist", CPO, "CS-1"))
            known = msgspec.json.decode(stored.body, type=StationList) if stored else StationList()
            if known.state == state:
                return known
            await asyncio.sleep(0.02)


async def test_a_list_of_which_only_a_part_arrived_is_taken_back_when_lists_are_switched_off(journal: Journal) -> None:
    floor = Floor(journal)
    await floor.furnish()
    token = {"uid": "OTHER", "type": "RFID", "auth_id": "NL-EMS-C2-X", "issuer": "e", "valid": True, "whitelist": "ALWAYS"}
    await put_token(floor.registry, "NL-EMS", "OTHER", msgspec.json.encode(token))
    await keeps_lists(floor, True)
    station = OneByOne()
    lists = LocalLists(journal, floor.directory, station.ask, lambda: NOW, settle_s=0.0)
    try:
        lists.arrived("CS-1")
        await asyncio.wait_for(station.gone.wait(), 10)
        assert (await remembered(floor, "sending")).listed == {}
        assert [each.uid for each in station.told[0].tokens] == [UID]
        await keeps_lists(floor, False)
        lists.arrived("CS-1")
        assert (await remembered(floor, "sent")).listed == {}
        assert (station.told[-1].full, station.told[-1].tokens) == (True, ())
    finally:
        await lists.stop()


async def test_a_station_that_goes_away_before_it_forgets_a_blocked_token_is_told_when_it_is_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chargewire.csms.local_list.FORGET_EVERY_S", 0.0)
    floor = Floor(journal)
    await floor.furnish()
    asked: asyncio.Queue[Command] = asyncio.Queue()
    gone = iter([True])

    async def ask(station_id: str, command: Command) -> Order:
        asked.put_nowait(command)
        order = Order(id="O", station_id=station_id, command=command, asked_by="t", expires_at=NOW)
        if next(gone, False):
            return msgspec.structs.replace(order, state="FAILED", error="offline")
        return msgspec.structs.replace(order, state="ANSWERED", answer=Answer(status="Accepted"))

    lists = LocalLists(journal, floor.directory, ask, lambda: NOW, settle_s=0.0)
    try:
        lists.arrived("CS-1")
        lists.token_changed("NL-EMS", good=False)
        assert await asyncio.wait_for(asked.get(), 10) == ForgetTokens()
        lists.left("CS-1")
        lists.arrived("CS-1")
        assert await asyncio.wait_for(asked.get(), 10) == ForgetTokens()
        lists.changed(["CS-1"])
        await asyncio.sleep(0.2)
        assert asked.empty()
    finally:
        await lists.stop()
