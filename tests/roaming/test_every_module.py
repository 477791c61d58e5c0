"""What one of us is pushed and what another pulls of the same partner: every module, and the same objects."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeys.foreign_station import foreign_station, minutes
from journeys.world import until
from roaming.pair import Pair, Side, furnish_emsp, instance

MODULES = ("locations", "tariffs", "sessions", "cdrs")


async def kept(side: Side, connection: Any) -> dict[str, list[Any]]:
    """All objects that a side has of its partner, by module."""
    lists = {module: await side.admin("GET", f"/partners/{connection['id']}/{module}?limit=100") for module in MODULES}
    return {module: [each["object"] for each in listed["data"]] for module, listed in lists.items()}


async def test_an_emsp_that_has_lost_everything_pulls_what_it_was_pushed_and_has_the_same(both: Pair, tmp_path: Path) -> None:
    cpo, emsp = await both.connected()

    async def pulled() -> bool:
        pulls = (await both.emsp.partner(emsp["id"]))["pulls"]
        return len(pulls) == len(MODULES) and all(each["ended_at"] for each in pulls)

    await until(pulled, 10, "the first lists, which hold no session")

    async def known() -> bool:
        return len((await both.cpo.admin("GET", f"/partners/{cpo['id']}/tokens"))["data"]) == 1

    await until(known, 5, "the driver")
    begin = datetime.now(UTC).replace(microsecond=0) - minutes(30)
    async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        for at, stop_wh in ((begin, 9_000), (begin + minutes(15), 12_000)):
            started = await station.start_session("04AABBCC", stop_wh - 3_000, at)
            await station.meter(started.transaction_id, stop_wh - 1_000, at + minutes(5))
            await station.stop_session(started.transaction_id, stop_wh, at + minutes(10))

    async def settled() -> bool:
        objects = await kept(both.emsp, emsp)
        over = [session for session in objects["sessions"] if session["status"] == "COMPLETED"]
        return (len(over), len(objects["cdrs"])) == (2, 2)

    await until(settled, 10, "what is pushed")
    pushed = await kept(both.emsp, emsp)
    assert {module: len(objects) for module, objects in pushed.items()} == {
        "locations": 1,
        "tariffs": 1,
        "sessions": 2,
        "cdrs": 2,
    }
    async with instance(tmp_path / "afresh") as afresh:
        await furnish_emsp(afresh)
        invited = await both.invite("cpo")
        body = both.wanted("emsp") | {"versions_url": invited["versions_url"], "token": invited["token"]}
        again = await afresh.admin("POST", "/partners", body)

        async def read() -> bool:
            pulls = (await afresh.partner(again["id"]))["pulls"]
            return {each["module"]: each["read"] for each in pulls if each["ended_at"]} == {
                module: len(objects) for module, objects in pushed.items()
            }

        await until(read, 10, "every list")
        found = await kept(afresh, again)
    for module in MODULES:
        assert sorted(found[module], key=lambda each: str(each["id"])) == sorted(
            pushed[module], key=lambda each: str(each["id"])
        ), module
