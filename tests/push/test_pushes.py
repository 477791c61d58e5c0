"""What is sent when: over a real journal, to a real web server."""

from datetime import timedelta
from typing import Any

from chargewire.charging.correcting import credit_for
from chargewire.charging.location import Status
from chargewire.charging.session import SessionStatus
from chargewire.journal.memory import Ref
from push.depot import BEGIN, Depot, Receiver, a_cdr, until

SESSION = "/sessions/NL/AAA/S1"


async def test_a_session_is_put_when_it_starts_and_patched_when_it_ends(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1, "the PUT")
    await depot.put_session("S1", "end", energy_wh=500, status=SessionStatus.COMPLETED)
    await until(lambda: len(receiver.got) == 2, "the PATCH")
    assert receiver.requests() == [("PUT", SESSION), ("PATCH", SESSION)]
    put, patch = receiver.bodies(SESSION)
    assert (put["status"], put["kwh"], put["charging_periods"]) == ("ACTIVE", 0, None)
    assert (patch["status"], patch["kwh"], len(patch["charging_periods"])) == ("COMPLETED", 0.5, 1)
    assert "location" not in patch


async def test_requests_carry_the_customers_token_and_a_name_of_their_own(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_cdr("C1")
    await depot.put_cdr("C2")
    await until(lambda: len(receiver.got) == 2)
    assert {got.headers["Authorization"] for got in receiver.got} == {"Token customer-token"}
    assert {got.headers["Content-Type"] for got in receiver.got} == {"application/json"}
    assert len({got.headers["X-Request-ID"] for got in receiver.got}) == 2


async def test_a_running_session_is_patched_no_more_often_than_its_endpoint_wants(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, min_patch_s=1, full_patch_s=3600)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    for energy_wh in range(1, 20):
        await depot.put_session("S1", "progress", energy_wh=energy_wh)
    assert len(receiver.got) == 1
    await until(lambda: len(receiver.got) == 2, "one PATCH for all of it")
    assert receiver.got[1].method == "PATCH"
    assert receiver.got[1].body.keys() == {"id", "start_datetime", "kwh", "status", "last_updated"}
    assert receiver.got[1].body["kwh"] == 0.019


async def test_all_periods_are_sent_when_a_full_patch_is_due(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, min_patch_s=0, full_patch_s=0)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    await depot.put_session("S1", "progress", energy_wh=5)
    await until(lambda: len(receiver.got) == 2)
    assert len(receiver.got[1].body["charging_periods"]) == 1


async def test_parking_is_told_at_once(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_session("S1", "start")
    await until(lambda: len(receiver.got) == 1)
    await depot.put_session("S1", "progress", energy_wh=5)
    await depot.put_session("S1", "parking", energy_wh=6, parked_since=BEGIN + timedelta(minutes=2))
    await until(lambda: len(receiver.got) == 2, "the PATCH that tells of parking")
    assert receiver.got[1].body["kwh"] == 0.006
    assert "charging_periods" in receiver.got[1].body
    await depot.put_session("S1", "parking", energy_wh=7)
    await until(lambda: len(receiver.got) == 3, "the PATCH that tells of its end")


async def test_an_invalid_session_is_put(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    await depot.put_session("S1", "end", status=SessionStatus.INVALID)
    await until(lambda: receiver.requests() == [("PUT", SESSION)])
    assert receiver.got[0].body["status"] == "INVALID"


async def test_a_new_endpoint_gets_every_location_and_nothing_else_that_was_before(depot: Depot, receiver: Receiver) -> None:
    for number in range(30):
        await depot.put_place(f"LOC{number}", "NL-AAA" if number % 2 else "NL-BBB", evses=2)
    await depot.put_session("S0", "start")
    await depot.put_cdr("C0")
    await depot.notify()
    await depot.dispatch()
    await depot.subscribe(receiver.url, min_patch_s=0)
    await until(lambda: len(receiver.got) == 30, "all locations")
    await depot.put_cdr("C1")
    await until(lambda: len(receiver.got) == 31)
    assert {method for method, _ in receiver.requests("locations")} == {"PUT"}
    assert len(set(receiver.requests("locations"))) == 30
    assert receiver.requests()[-1] == ("POST", "/cdrs")
    assert all(len(got.body["evses"]) == 2 for got in receiver.got[:30])


async def test_locations_are_not_sent_again_after_a_restart(depot: Depot, receiver: Receiver) -> None:
    await depot.put_place()
    await depot.subscribe(receiver.url, "locations")
    dispatcher = await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    await dispatcher.stop()
    await depot.dispatch()
    await depot.put_status(Status.CHARGING)
    await until(lambda: len(receiver.got) == 2)
    assert receiver.requests() == [("PUT", "/locations/NL/AAA/LOC1"), ("PATCH", "/locations/NL/AAA/LOC1/LOC1-1")]


async def test_the_status_of_an_evse_is_patched_and_what_else_changes_is_put(depot: Depot, receiver: Receiver) -> None:
    await depot.put_place(evses=2)
    await depot.subscribe(receiver.url, "locations")
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    await depot.put_status(Status.CHARGING, number=2)
    await until(lambda: len(receiver.got) == 2)
    patch = receiver.got[1]
    assert (patch.method, patch.path) == ("PATCH", "/locations/NL/AAA/LOC1/LOC1-2")
    assert patch.body.keys() == {"status", "last_updated"}
    assert patch.body["status"] == "CHARGING"
    await depot.put_place(evses=2, name="Elsewhere")
    await until(lambda: any(got.method == "PUT" and got.path.endswith("/LOC1") for got in receiver.got[2:]))
    assert receiver.got[-1].body["name"] == "Elsewhere"


async def test_evses_that_change_with_their_location_go_out_with_it(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "locations")
    dispatcher = await depot.dispatch()
    await depot.put_place(evses=8)
    await until(lambda: receiver.got and all(status.lag_changes == 0 for status in dispatcher.status()))
    assert receiver.requests() == [("PUT", "/locations/NL/AAA/LOC1")]
    assert len(receiver.got[0].body["evses"]) == 8


async def test_a_cdr_is_posted_once(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url)
    dispatcher = await depot.dispatch()
    for number in range(50):
        await depot.put_cdr(f"C{number}")
    await until(lambda: dispatcher.metrics.delivered == 50)
    assert sorted(body["id"] for body in receiver.bodies("/cdrs")) == sorted(f"C{number}" for number in range(50))


async def test_notifications_of_a_station_come_in_order(depot: Depot, receiver: Receiver) -> None:
    receiver.delay_s = 0.002
    await depot.subscribe(receiver.url)
    await depot.dispatch()
    sent = {station: [await depot.notify(station) for _ in range(30)] for station in ("CS-1", "CS-2")}
    await until(lambda: len(receiver.got) == 60)
    for station, messages in sent.items():
        came = [got.body["charge_station_notification_id"] for got in receiver.got if got.body["charge_station_id"] == station]
        assert came == messages


async def test_the_extended_profile_is_told_which_cdr_a_credit_takes_back_from_the_moment_it_is_chosen(
    depot: Depot, receiver: Receiver
) -> None:
    async def credited(key: str) -> dict[str, Any]:
        credit = credit_for(a_cdr(key), "broken")
        await depot.write(Ref("cdr", "NL-AAA", credit.id), credit, "new", "LOC1", state="credit", counterparty="NL-EMS")
        await until(lambda: credit.id in [body["id"] for body in receiver.bodies("/cdrs")])
        [body] = [body for body in receiver.bodies("/cdrs") if body["id"] == credit.id]
        return {name: body[name] for name in ("remark", "credit", "credit_reference_id") if name in body}

    await depot.subscribe(receiver.url, "cdrs")
    await depot.dispatch()
    assert await credited("C1") == {"remark": "credit of C1"}
    await depot.change(profile="extended")
    assert await credited("C2") == {"remark": "credit of C2", "credit": True, "credit_reference_id": "C2"}
    await depot.change(profile="compatible")
    assert await credited("C3") == {"remark": "credit of C3"}


async def test_an_emsp_in_scope_gets_the_cdrs_of_its_drivers_only(depot: Depot, receiver: Receiver) -> None:
    await depot.subscribe(receiver.url, "cdrs")
    grant = {"emsps": ["NL-EMS"], "modules": {"cdrs": ["push"]}}
    await depot.change(grants=[grant])
    dispatcher = await depot.dispatch()
    await depot.put_cdr("C1", counterparty="NL-XYZ")
    await depot.put_cdr("C2")
    await until(lambda: receiver.got and all(status.lag_changes == 0 for status in dispatcher.status()))
    assert [body["id"] for body in receiver.bodies("/cdrs")] == ["C2"]
