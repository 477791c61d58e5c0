"""What happens when the receiver fails, or we do: nothing is lost, nothing is told twice without need."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from chargewire.charging.location import Status
from chargewire.charging.session import SessionStatus
from chargewire.journal.memory import ListQuery, Ref
from chargewire.outgoing.http import Client
from chargewire.push.dispatcher import Dispatcher
from push.depot import Depot, Got, Receiver, until

SESSION = "/sessions/NL/AAA/S1"


def settled(dispatcher: Dispatcher) -> bool:
    """Whether everything that was read is told or deferred."""
    return all(status.lag_changes == 0 and not status.in_flight for status in dispatcher.status())


def first(answers: list[Any]) -> Any:
    """Answer the first requests so, those after them normally."""
    return lambda _: answers.pop(0) if answers else None


async def test_an_object_that_changes_while_it_is_sent_is_sent_again_as_it_is_then(depot: Depot, receiver: Receiver) -> None:
    receiver.delay_s = 0.1
    await depot.put_place()
    await depot.subscribe(receiver.url, "locations")
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    for status in (Status.CHARGING, Status.FAULTED, Status.AVAILABLE, Status.CHARGING, Status.FAULTED, Status.CHARGING):
        await depot.put_status(status)
        await asyncio.sleep(0.01)
    await until(lambda: receiver.got[-1].body.get("status") == "CHARGING" and len(receiver.got) >= 3)
    await asyncio.sleep(0.3)
    assert receiver.got[-1].body["status"] == "CHARGING"
    assert len(receiver.got) <= 4
    assert set(receiver.most_in_flight.values()) == {1}


async def test_a_patch_of_what_the_receiver_does_not_know_becomes_a_put_at_once(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    receiver.answer = lambda got: 404 if got.method == "PATCH" else None
    await depot.put_session("S1", "end", energy_wh=9, status=SessionStatus.COMPLETED)
    await until(lambda: len(receiver.got) == 2)
    assert receiver.requests() == [("PUT", SESSION), ("PUT", SESSION)]
    assert receiver.got[1].body["status"] == "COMPLETED"


async def test_an_envelope_that_says_unknown_counts_as_not_found(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    receiver.answer = lambda got: web.json_response({"status_code": 2003}) if got.method == "PATCH" else None
    await depot.put_session("S1", "end", energy_wh=9, status=SessionStatus.COMPLETED)
    await until(lambda: len(receiver.got) == 2)
    assert receiver.got[1].method == "PUT"


async def test_an_evse_that_the_receiver_does_not_know_ends_in_a_put_of_its_location(depot: Depot, receiver: Receiver) -> None:
    await depot.put_place()
    await depot.subscribe(receiver.url, "locations")
    dispatcher = await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    tried: list[str] = []

    def forgetful(got: Got) -> int | None:
        tried.append(got.method)
        return 404 if got.path.endswith("LOC1-1") else None

    receiver.answer = forgetful
    await depot.put_status(Status.CHARGING)
    await until(lambda: len(receiver.got) == 2 and settled(dispatcher))
    assert tried == ["PATCH", "PUT", "PUT"]
    assert receiver.got[1].path == "/locations/NL/AAA/LOC1"
    assert receiver.got[1].body["evses"][0]["status"] == "CHARGING"


async def test_after_no_answer_the_session_is_sent_whole(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch(client=Client(allow_private=True, total_s=0.3))
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)

    async def hang() -> None:
        await asyncio.sleep(1)

    answers = [hang]
    receiver.answer = lambda _: answers.pop()() if answers else None
    await depot.put_session("S1", "end", energy_wh=9, status=SessionStatus.COMPLETED)
    await until(lambda: receiver.requests()[-1] == ("PUT", SESSION) and len(receiver.got) >= 2)


@pytest.mark.parametrize("status", [500, 503, 502, 408])
async def test_an_endpoint_that_fails_is_tried_again_and_gets_each_object_once(
    depot: Depot, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda _: status
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    for number in range(20):
        await depot.put_cdr(f"C{number}")
    await until(lambda: dispatcher.status()[0].state == "trying")
    await until(lambda: dispatcher.status()[0].lag_changes == 20)
    assert dispatcher.status()[0].last_error.startswith(str(status))
    receiver.answer = None
    await until(lambda: len(receiver.got) == 20)
    assert sorted(got.body["id"] for got in receiver.got) == sorted(f"C{number}" for number in range(20))


async def test_an_object_that_is_refused_waits_and_the_others_go_on(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = lambda got: 422 if got.body.get("id") == "C3" else None
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    for number in range(8):
        await depot.put_cdr(f"C{number}")
    await until(lambda: len(receiver.got) == 7 and settled(dispatcher))
    assert dispatcher.status()[0].waiting == 1
    await dispatcher.stop()
    [row] = await depot.journal.deferred(f"{depot.subscription_id}/cdrs", depot.journal.part_of("LOC1"))
    assert (row.ref.key, row.state, row.attempts, row.code) == ("C3", "retry", 1, "422")


async def test_a_refused_session_is_tried_again_when_it_changes(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = first([400])
    await depot.subscribe(receiver.url)
    dispatcher = await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: sum(status.waiting for status in dispatcher.status()) == 1)
    await depot.put_session("S1", "end", status=SessionStatus.COMPLETED)
    await until(lambda: receiver.requests() == [("PUT", SESSION)])


async def test_a_receiver_that_asks_for_time_gets_it(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = first([web.Response(status=429, headers={"Retry-After": "1"})])
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    begin = asyncio.get_running_loop().time()
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 1)
    assert asyncio.get_running_loop().time() - begin >= 1
    assert dispatcher.status()[0].failures_in_a_row == 0


async def test_a_receiver_that_is_gone_is_left_alone_until_its_endpoint_changes(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = lambda got: 410 if got.path == "/cdrs" else None
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    await depot.put_cdr("C1")
    await until(lambda: dispatcher.status()[0].state == "gone")
    await depot.change(endpoints={"cdrs": {"url": f"{receiver.url}/new", "token": "other"}})
    await until(lambda: receiver.requests() == [("POST", "/new")])
    assert receiver.got[0].headers["Authorization"] == "Token other"


async def test_redirects_are_not_followed(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=307, headers={"Location": "/else"}) if got.path == "/cdrs" else None
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    await depot.put_cdr("C1")
    await until(lambda: "redirects" in dispatcher.status()[0].last_error)
    assert receiver.got == []


async def test_a_killed_dispatcher_goes_on_where_it_was(depot: Depot, receiver: Receiver) -> None:
    receiver.delay_s = 0.01
    await depot.subscribe(receiver.url, "cdrs", "sessions")
    for kill in range(4):
        await depot.dispatch()
        for number in range(10):
            await depot.put_cdr(f"C{kill}-{number}")
            await depot.put_session(f"S{kill}-{number}", "start")
            await asyncio.sleep(0.005)
        await depot.kill()
        await depot.put_cdr(f"C{kill}-dark")
        await depot.put_session(f"S{kill}-0", "end", energy_wh=7, status=SessionStatus.COMPLETED)
    dispatcher = await depot.dispatch()
    await until(lambda: settled(dispatcher) and {"C3-dark"} <= {got.body["id"] for got in receiver.got}, timeout_s=20)
    came = {got.body["id"] for got in receiver.got}
    assert came >= {f"C{kill}-{number}" for kill in range(4) for number in (*range(10), "dark")}
    for kill in range(4):
        assert receiver.bodies(f"/sessions/NL/AAA/S{kill}-0")[-1]["status"] == "COMPLETED"


async def test_what_is_held_back_is_not_forgotten_by_a_kill(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "sessions", min_patch_s=2)
    dispatcher = await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    await depot.put_session("S1", "progress", energy_wh=5)
    await until(lambda: settled(dispatcher) and dispatcher.status()[0].waiting == 1)
    await asyncio.sleep(0.4)  # saved
    await depot.kill()
    assert len(receiver.got) == 1
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 2, "the PATCH that was due")
    assert (receiver.got[1].method, receiver.got[1].body["kwh"]) == ("PATCH", 0.005)


async def test_another_dispatcher_that_takes_over_makes_the_first_one_stop(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs")
    old = await depot.dispatch(owner="old", lease_s=30)
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 1)
    await asyncio.sleep(0.4)
    await depot.journal.claim_shards("old", 64, 0)  # as if its lease had run out
    new = Dispatcher(depot.journal, depot.directory, depot.keys, allow_private=True, owner="new")
    await new.start()
    depot.dispatchers.append(new)
    await depot.put_cdr("C2")  # the old one does not know yet; it hears of it when it saves
    await until(lambda: [status.state for status in old.status()] == ["elsewhere"])
    before = old.metrics.delivered
    await depot.put_cdr("C3")
    await until(lambda: "C3" in {got.body["id"] for got in receiver.got})
    await asyncio.sleep(0.1)
    assert old.metrics.delivered == before
    assert new.metrics.delivered >= 1


async def test_a_scope_that_shrinks_counts_for_what_is_still_to_be_sent(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    await depot.put_cdr("CA", "NL-AAA")
    await depot.put_cdr("CB", "NL-BBB")
    await until(lambda: dispatcher.status()[0].state == "trying")
    await depot.change(grants=[{"cpos": ["NL-BBB"], "modules": {"cdrs": ["push"]}}])
    receiver.answer = None
    await until(lambda: receiver.got and settled(dispatcher))
    assert [got.body["id"] for got in receiver.got] == ["CB"]


async def test_a_scope_that_grows_tells_the_locations_that_came_in(depot: Depot, receiver: Receiver) -> None:
    await depot.put_place("LOCA", "NL-AAA")
    await depot.put_place("LOCB", "NL-BBB")
    await depot.subscribe(receiver.url, "locations", cpos=["NL-AAA"])
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    await depot.change(grants=[{"cpos": "all", "modules": {"locations": ["push"]}}])
    await until(lambda: len(receiver.got) == 2)
    assert [path for _, path in receiver.requests()] == ["/locations/NL/AAA/LOCA", "/locations/NL/BBB/LOCB"]


async def test_a_paused_endpoint_gets_the_present_state_when_it_goes_on(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "sessions")
    dispatcher = await depot.dispatch()
    await depot.change(endpoints={"sessions": {"url": f"{receiver.url}/sessions", "paused": True}})
    for energy_wh in range(5):
        await depot.put_session("S1", "progress", energy_wh=energy_wh)
    await asyncio.sleep(0.2)
    assert receiver.got == []
    assert dispatcher.status()[0].state == "paused"
    assert dispatcher.status()[0].lag_changes >= 5
    await depot.change(endpoints={"sessions": {"url": f"{receiver.url}/sessions", "paused": False}})
    await until(lambda: len(receiver.got) == 1)
    assert receiver.got[0].body["kwh"] == 0.004


async def test_a_suspended_subscription_loses_nothing(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs")
    await depot.dispatch()
    await depot.change(state="suspended")
    await depot.put_cdr("C1")
    await asyncio.sleep(0.2)
    assert receiver.got == []
    await depot.change(state="live")
    await until(lambda: len(receiver.got) == 1)


async def test_an_endpoint_that_is_dropped_is_forgotten(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs", "sessions")
    dispatcher = await depot.dispatch()
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 1)
    await depot.change(endpoints={"cdrs": None})
    await depot.put_cdr("C2")
    await until(lambda: [status.module for status in dispatcher.status()] == ["sessions"])
    await asyncio.sleep(0.4)
    assert len(receiver.got) == 1
    assert await depot.journal.lanes(f"{depot.subscription_id}/cdrs") == []


async def test_a_lane_whose_changes_are_gone_looks_at_the_objects(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 1)
    await dispatcher.stop()
    depot.dispatchers.clear()
    for number in range(2, 6):
        await depot.put_cdr(f"C{number}")
    await depot.journal.retain({"change": -1})
    assert await depot.journal.changes(depot.journal.part_of("LOC1"), 0) == []
    again = await depot.dispatch()
    await until(lambda: len(receiver.got) == 5)
    await until(lambda: settled(again))
    assert sorted(got.body["id"] for got in receiver.got) == [f"C{number}" for number in range(1, 6)]


async def test_a_lane_that_may_hold_few_keys_still_tells_everything(depot: Depot, receiver: Receiver) -> None:
    for number in range(25):
        await depot.put_place(f"LOC{number}")
    await depot.subscribe(receiver.url)
    dispatcher = await depot.dispatch(cap=4)
    for number in range(60):
        await depot.put_cdr(f"C{number}")
    await until(lambda: dispatcher.metrics.delivered == 85, timeout_s=15)
    page = await depot.journal.walk(ListQuery(kind="cdr", owners=("NL-AAA",), limit=100))
    assert {got.body["id"] for got in receiver.got if got.path == "/cdrs"} == {stored.ref.key for stored in page.rows}


async def test_an_object_that_cannot_be_read_does_not_stop_the_others(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs")
    dispatcher = await depot.dispatch()
    await depot.write(Ref("cdr", "NL-AAA", "BAD"), b'{"id": 7}', "new", "LOC1")
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 1 and settled(dispatcher))
    assert sum(status.waiting for status in dispatcher.status()) == 1
