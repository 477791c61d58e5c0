"""Pushes in the dialect of OCPI 2.1.1, judged by its strict types."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web

from chargewire.charging.location import Status
from chargewire.charging.session import Period, SessionStatus
from chargewire.csms.tariff_input import put_tariff
from chargewire.journal.memory import Ref
from chargewire.push.located import ReceivedAt
from journeys.world import TARIFF
from push.depot import BEGIN, Depot, Receiver, a_cdr, replace
from push.strict import strict


@pytest.fixture
async def told(depot: Depot, receiver: Receiver) -> Receiver:
    """A receiver that is pushed all that OCPI has, and takes nothing that is not strictly OCPI."""
    receiver.answer = strict(receiver)
    await depot.subscribe(receiver.url, "locations", "sessions", "cdrs", "tariffs", dialect="ocpi-2.1.1", min_patch_s=0)
    await depot.dispatch()
    return receiver


async def test_a_place_goes_whole_and_what_an_evse_does_by_patch(depot: Depot, told: Receiver) -> None:
    await depot.put_place(evses=2)
    await _until(lambda: told.requests("locations") == [("PUT", "/locations/NL/AAA/LOC1")])
    await depot.put_status(Status.UNAVAILABLE, number=2)
    await _until(lambda: len(told.got) == 2)
    assert told.requests("locations")[1] == ("PATCH", "/locations/NL/AAA/LOC1/LOC1-2")
    assert told.got[1].body["status"] == "INOPERATIVE"


async def test_a_place_that_is_not_published_is_not_told_and_one_that_is_withdrawn_is_removed(
    depot: Depot, told: Receiver
) -> None:
    await depot.put_place(publish=False)
    await depot.put_status(Status.CHARGING)
    await asyncio.sleep(0.3)
    assert told.got == []
    await depot.put_place(publish=True)
    await _until(lambda: told.requests() == [("PUT", "/locations/NL/AAA/LOC1")])
    await depot.put_place(publish=False)
    await _until(lambda: len(told.got) == 2)
    assert [evse["status"] for evse in told.got[1].body["evses"]] == ["REMOVED"]
    await depot.put_status(Status.AVAILABLE)
    await asyncio.sleep(0.3)
    assert len(told.got) == 2


async def test_a_session_is_put_when_it_has_another_period_and_patched_otherwise(depot: Depot, told: Receiver) -> None:
    quarter = timedelta(minutes=15)
    first = (Period(BEGIN, energy_wh=1000, charging_s=900),)
    path = "/sessions/NL/AAA/NLAAA1"
    await depot.put_session("NLAAA1", "start", periods=first)
    await _until(lambda: told.requests("sessions") == [("PUT", path)])
    await depot.put_session("NLAAA1", "progress", periods=first, energy_wh=1500)
    await _until(lambda: told.requests("sessions")[1:] == [("PATCH", path)])
    assert "charging_periods" not in told.got[-1].body
    await depot.put_session("NLAAA1", "progress", periods=(*first, Period(BEGIN + quarter, energy_wh=5, charging_s=9)))
    await _until(lambda: told.requests("sessions")[2:] == [("PUT", path)])
    await depot.put_session("NLAAA1", "end", status=SessionStatus.COMPLETED)
    await _until(lambda: told.requests("sessions")[3:] == [("PUT", path)])
    assert told.got[-1].body["status"] == "COMPLETED"


async def test_a_cdr_is_posted_once_and_where_the_receiver_keeps_it_is_known(depot: Depot, told: Receiver) -> None:
    await depot.put_cdr("c1")
    await _until(lambda: told.requests("cdrs") == [("POST", "/cdrs")])
    ref = Ref("cdrurl", "NL-AAA", f"{depot.subscription_id}/c1")
    await _until(lambda: depot.journal.get(ref))
    stored = await depot.journal.get(ref)
    assert stored
    assert msgspec.json.decode(stored.body, type=ReceivedAt).url == f"{told.url}/kept/c1"


async def test_a_cdr_is_told_once_whatever_the_receiver_says_of_where_it_keeps_it(depot: Depot, receiver: Receiver) -> None:
    taken = []

    def answer(got: Any) -> web.Response:
        taken.append(got.body["id"])
        return web.json_response({"status_code": 1000, "timestamp": BEGIN.isoformat()}, headers={"Location": "http://["})

    receiver.answer = answer
    await depot.subscribe(receiver.url, "cdrs", dialect="ocpi-2.1.1")
    await depot.dispatch()
    await depot.put_cdr("c1")
    await _until(lambda: taken == ["c1"])
    await asyncio.sleep(0.4)  # saved
    await depot.kill()
    await depot.put_cdr("c2")
    await depot.dispatch()
    await _until(lambda: "c2" in taken)
    assert taken == ["c1", "c2"]


async def test_a_credit_is_not_told_and_what_replaces_a_cdr_says_so(depot: Depot, told: Receiver) -> None:
    credit = replace(a_cdr("c1C"), credit=True, credit_of="c1")
    await depot.write(Ref("cdr", "NL-AAA", "c1C"), credit, "new", "LOC1", state="credit", counterparty="NL-EMS")
    await depot.write(Ref("cdr", "NL-AAA", "c2"), replace(a_cdr("c2"), replaces="c1"), "new", "LOC1", counterparty="NL-EMS")
    await _until(lambda: told.requests("cdrs") == [("POST", "/cdrs")])
    assert (told.got[0].body["id"], told.got[0].body["remark"]) == ("c2", "replaces c1")


async def test_tariffs_that_are_there_are_told_from_the_beginning_and_again_when_they_change_and_when_they_go(
    depot: Depot, receiver: Receiver
) -> None:
    receiver.answer = strict(receiver)
    body = msgspec.json.encode({name: value for name, value in TARIFF.items() if name != "last_updated"})
    await put_tariff(depot.registry, "NL-AAA", "T1", body)
    await put_tariff(depot.registry, "NL-AAA", "R1", body.replace(b'"T1"', b'"R1"')[:-1] + b',"kind":"retail"}')
    await depot.subscribe(receiver.url, "tariffs", dialect="ocpi-2.1.1")
    await depot.dispatch()
    await _until(lambda: receiver.requests() == [("PUT", "/tariffs/NL/AAA/T1")])
    await put_tariff(depot.registry, "NL-AAA", "T1", body.replace(b"0.3", b"0.4"))
    await _until(lambda: len(receiver.got) == 2)
    assert receiver.got[1].body["elements"][1]["price_components"][0]["price"] == 0.4
    assert {path for _, path in receiver.requests()} == {"/tariffs/NL/AAA/T1"}  # what drivers pay is not the partner's
    await depot.registry.drop(Ref("tariff", "NL-AAA", "T1"), "tariff", place="tariffs/NL-AAA")
    await depot.registry.drop(Ref("tariff", "NL-AAA", "R1"), "tariff", place="tariffs/NL-AAA")
    await _until(lambda: receiver.requests()[2:] == [("DELETE", "/tariffs/NL/AAA/T1")])


async def test_a_post_goes_to_the_very_url_that_was_given(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs", dialect="ocpi-2.1.1")
    endpoint = {"url": f"{receiver.url}/ocpi/cdrs/", "token": "t", "dialect": "ocpi-2.1.1"}
    await depot.change(endpoints={"cdrs": endpoint})
    await depot.dispatch()
    await depot.put_cdr("c1")
    await _until(lambda: receiver.requests() == [("POST", "/ocpi/cdrs/")])


async def _until(condition: Any, timeout_s: float = 5.0) -> None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert asyncio.get_running_loop().time() < deadline, "never came true"
        await asyncio.sleep(0.02)
