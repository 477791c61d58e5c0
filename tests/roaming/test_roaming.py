"""The life of a roaming connection: data both ways, a driver of the partner, commands, and the CDR in the end."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from journeys.foreign_station import ForeignStation, foreign_station, minutes
from journeys.world import ask, location, token, until
from roaming.pair import CPO, Pair, Side
from roaming.test_handshake import STAMP, partner


@pytest.mark.parametrize("inviting", ["cpo", "emsp"])
async def test_a_driver_is_started_stopped_and_settled_over_two_platforms(both: Pair, inviting: str) -> None:
    cpo, emsp = await both.connected(inviting)
    await received(both.emsp, emsp, "locations")
    await received(both.cpo, cpo, "tokens")
    async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        await station.status("Preparing")
        sent = await both.emsp.admin(
            "POST",
            f"/partners/{emsp['id']}/commands/START_SESSION",
            {"token_uid": "04AABBCC", "location_id": "LOC-AAA"},
        )
        assert sent["direct"] == "ACCEPTED", sent
        await until(lambda: commanded(both.emsp, emsp, sent["id"], "ACCEPTED"), 5, "the result of the start")
        assert station.told == [("RemoteStartTransaction", {"id_tag": "04AABBCC", "connector_id": 1})]
        begin = datetime.now(UTC).replace(microsecond=0) - minutes(30)
        started = await station.start_session("04AABBCC", 1000, begin)
        assert started.id_tag_info["status"] == "Accepted"
        await station.meter(started.transaction_id, 6000, begin + minutes(20))
        [session] = await received(both.emsp, emsp, "sessions")
        assert (session["status"], session["auth_id"], session["auth_method"]) == (
            "ACTIVE",
            "DE-EMS-C00000001-X",
            "AUTH_REQUEST",
        )
        sent = await both.emsp.admin("POST", f"/partners/{emsp['id']}/commands/STOP_SESSION", {"session_id": session["id"]})
        await until(lambda: commanded(both.emsp, emsp, sent["id"], "ACCEPTED"), 5, "the result of the stop")
        assert station.told[1][0] == "RemoteStopTransaction"
        await station.stop_session(started.transaction_id, 9000, begin + minutes(30))
    [cdr] = await received(both.emsp, emsp, "cdrs")
    [over] = await received(both.emsp, emsp, "sessions", lambda each: each["status"] == "COMPLETED")
    assert (cdr["total_energy"], cdr["total_cost"]) == (8, round(0.5 + 0.3 * 8, 2))
    assert (over["kwh"], over["total_cost"]) == (8, cdr["total_cost"])
    assert [tariff["id"] for tariff in cdr["tariffs"]] == ["T1"]
    [listed] = (await both.emsp.admin("GET", f"/partners/{emsp['id']}/cdrs"))["data"]
    assert listed["flags"] == []


async def test_what_a_partner_changes_is_there_within_a_second(both: Pair) -> None:
    cpo, emsp = await both.connected()
    await received(both.emsp, emsp, "locations")
    async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        await station.status("Faulted", error="GroundFailure")
        await received(both.emsp, emsp, "locations", lambda each: each["evses"][0]["status"] == "OUTOFORDER", 1.5)
    await both.emsp.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C1-X") | {"valid": False})
    await received(both.cpo, cpo, "tokens", lambda each: each["valid"] is False, 1.5)
    more = location("LOC-2", CPO, ["CS-2"])
    await both.cpo.admin("PUT", "/locations/LOC-2", more)
    await received(both.emsp, emsp, "locations", lambda each: each["id"] == "LOC-2", 1.5)


@pytest.mark.parametrize(
    ("whitelist", "valid", "reachable", "expected", "asks"),  # an answer is good for the start that follows
    [
        ("ALWAYS", True, False, "Accepted", 0),
        ("ALLOWED", True, False, "Accepted", 0),
        ("ALLOWED_OFFLINE", True, False, "Accepted", 2),
        ("ALLOWED_OFFLINE", True, True, "Accepted", 1),
        ("NEVER", True, True, "Accepted", 1),
        ("NEVER", True, False, "Invalid", 2),
        ("NEVER", False, True, "Blocked", 0),
        ("ALWAYS", False, True, "Blocked", 0),
    ],
)
async def test_a_partners_driver_is_let_in_as_the_whitelist_says(
    both: Pair, whitelist: str, valid: bool, reachable: bool, expected: str, asks: int
) -> None:
    uid = "04DDEEFF"
    async with partner() as them:
        made = await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        body = token(uid, "DE-XYZ-C1-X") | {"whitelist": whitelist, "valid": valid}
        pushed = await ask("PUT", f"{both.cpo.url}/ocpi/cpo/2.1.1/tokens/DE/XYZ/{uid}", them.token_b, body)
        assert pushed.status == 201, pushed.body
        them.how = {"allowed": "ALLOWED"} if reachable else {"status": 503}
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            assert (await authorized(station, uid)) == expected
            started = await station.start_session(uid, 0)
            assert started.id_tag_info["status"] == expected
    asked = [path for path in them.asked if path.endswith("/authorize")]
    assert len(asked) == asks
    assert made["state"] == "connected"


SAID = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "Blocked",
    "NOT_ALLOWED": "Invalid",
}


@pytest.mark.parametrize("said", SAID)
async def test_what_the_partner_says_in_real_time_is_what_the_driver_hears(both: Pair, said: str) -> None:
    uid = "04DDEEFF"
    async with partner() as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        body = token(uid, "DE-XYZ-C1-X") | {"whitelist": "NEVER"}
        await ask("PUT", f"{both.cpo.url}/ocpi/cpo/2.1.1/tokens/DE/XYZ/{uid}", them.token_b, body)
        them.how = {"allowed": said}
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            assert (await authorized(station, uid)) == SAID[said]


async def test_our_emsp_answers_whether_its_driver_may_charge(both: Pair) -> None:
    invited = await both.invite("emsp")
    url = f"{both.emsp.url}/ocpi/emsp/2.1.1"
    async with partner() as them:
        token_c = (await ask("POST", f"{url}/credentials", invited["token"], them.credentials)).body["data"]["token"]
    where = {"location_id": "L1", "evse_uids": ["E1"]}
    answer = await ask("POST", f"{url}/tokens/04aabbcc/authorize?type=RFID", token_c, where)
    assert answer.body["data"] == {"allowed": "ALLOWED", "location": where}
    assert (await ask("POST", f"{url}/tokens/UNKNOWN/authorize", token_c)).status == 404
    wrong = await ask("POST", f"{url}/tokens/04AABBCC/authorize", token_c, {"evse_uids": ["E1"]})
    assert (wrong.status, wrong.body["status_code"]) == (200, 2001)
    assert "location_id" in wrong.body["status_message"]
    await both.emsp.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C1-X") | {"valid": False})
    assert (await ask("POST", f"{url}/tokens/04AABBCC/authorize", token_c)).body["data"] == {"allowed": "BLOCKED"}


async def test_commands_that_cannot_be_passed_on_are_answered_at_once(both: Pair) -> None:
    async with partner() as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        url, reply = f"{both.cpo.url}/ocpi/cpo/2.1.1/commands", f"{them.base}/results/1"

        async def commanded_(command: str, **more: Any) -> tuple[int, Any]:
            body = {"response_url": reply, "token": token("04DDEEFF", "DE-XYZ-C1-X")} | more
            answer = await ask("POST", f"{url}/{command}", them.token_b, body)
            assert answer.status == 200, answer.body
            return answer.body["status_code"], answer.body.get("data", answer.body.get("status_message"))

        assert await commanded_("START_SESSION", location_id="LOC-AAA") == (1000, {"result": "REJECTED"})  # offline
        for hidden in ("NOWHERE", "HIDDEN", "LOC-BBB"):
            assert (await commanded_("START_SESSION", location_id=hidden))[0] == 2003
        assert (await commanded_("START_SESSION", location_id="LOC-AAA", evse_uid="NONE"))[0] == 2003
        assert await commanded_("STOP_SESSION", session_id="NONE") == (1000, {"result": "UNKNOWN_SESSION"})
        unlock = {"location_id": "LOC-AAA", "evse_uid": "NL-AAA-ECS-AAA-1", "connector_id": "1"}
        assert await commanded_("UNLOCK_CONNECTOR", **unlock) == (1000, {"result": "REJECTED"})
        assert (await commanded_("UNLOCK_CONNECTOR", **(unlock | {"connector_id": "9"})))[0] == 2003
        reserve = {"expiry_date": STAMP, "reservation_id": 1, "location_id": "LOC-AAA"}
        assert await commanded_("RESERVE_NOW", **reserve) == (1000, {"result": "NOT_SUPPORTED"})
        code, why = await commanded_("START_SESSION", location_id="LOC-AAA", response_url="http://localhost:1/elsewhere")
        assert (code, why) == (2001, "response_url: is at a host that is not known of the partner")
        code, why = await commanded_("STOP_SESSION", session_id=7.5, response_url="ftp://x")
        assert code == 2001
        assert (await commanded_("DANCE"))[0] == 2001


async def test_what_a_station_answers_is_told_to_the_url_that_the_partner_gave(both: Pair) -> None:
    async with partner() as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            body = {
                "response_url": f"{them.base}/results/42",
                "location_id": "LOC-AAA",
                "evse_uid": "NL-AAA-ECS-AAA-1",
                "connector_id": "1",
            }
            answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/commands/UNLOCK_CONNECTOR", them.token_b, body)
            assert answer.body["data"] == {"result": "ACCEPTED"}
            await until(lambda: them.results == [("42", {"result": "ACCEPTED"})], 5, "the result")


async def test_a_partner_unlocks_no_connector_at_which_somebody_elses_driver_charges(both: Pair) -> None:
    await both.cpo.admin("PUT", "/emsps/NL-OUR", {"name": "Ours", "network_ids": ["demo"]})
    await both.cpo.admin("PUT", "/tokens/NL-OUR/04OURS", token("04OURS", "NL-OUR-C1-X"))
    async with partner() as them, foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        url = f"{both.cpo.url}/ocpi/cpo/2.1.1"
        pushed = await ask("PUT", f"{url}/tokens/DE/XYZ/04DDEEFF", them.token_b, token("04DDEEFF", "DE-XYZ-C1-X"))
        assert pushed.status == 201, pushed.body
        await station.boot()
        body = {"location_id": "LOC-AAA", "evse_uid": "NL-AAA-ECS-AAA-1", "connector_id": "1"}
        for uid, result in (("04OURS", "REJECTED"), ("04DDEEFF", "ACCEPTED")):
            started = await station.start_session(uid, 0)
            assert started.id_tag_info["status"] == "Accepted"
            asked = body | {"response_url": f"{them.base}/results/{uid}"}
            answer = await ask("POST", f"{url}/commands/UNLOCK_CONNECTOR", them.token_b, asked)
            assert answer.body["data"] == {"result": result}


async def received(
    side: Side, connection: Any, module: str, wanted: Any = lambda each: True, timeout_s: float = 10.0
) -> list[Any]:
    """What a partner wrote of a module, once there is something of the kind that is wanted."""
    found: list[Any] = []

    async def there() -> bool:
        page = await side.admin("GET", f"/partners/{connection['id']}/{module}")
        found[:] = [each["object"] for each in page["data"] if wanted(each["object"])]
        return bool(found)

    await until(there, timeout_s, module)
    return found


async def commanded(side: Side, connection: Any, command_id: str, state: str) -> bool:
    return bool((await side.admin("GET", f"/partners/{connection['id']}/commands/{command_id}"))["state"] == state)


async def authorized(station: ForeignStation, uid: str) -> str:
    from ocpp.v16 import call

    answer = await asyncio.wait_for(station.call(call.Authorize(id_tag=uid), suppress=False), 10)
    return str(answer.id_tag_info["status"])
