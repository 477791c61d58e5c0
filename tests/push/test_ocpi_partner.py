"""What a roaming partner is pushed: of one party of ours, in the words of OCPI 2.1.1, and nothing of anybody else's."""

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web

from chargewire.charging.location import Status
from chargewire.charging.session import SessionStatus
from chargewire.csms.connecting import Theirs, connected, unregistered
from chargewire.csms.partner_tokens import write_token
from chargewire.csms.partnering import amend, open_connection
from chargewire.csms.places import put_location
from chargewire.csms.subscribing import write_subscription
from chargewire.csms.tariff_input import put_tariff
from chargewire.csms.tariff_versions import drop_tariff
from chargewire.csms.token_input import put_token
from chargewire.journal.memory import Ref
from chargewire.protocols.ocpi.v211.tokens import Token, token_of
from chargewire.sharing.subscription import Subscription
from journeys.world import TARIFF, location, token
from push.depot import Depot, Receiver, a_cdr, a_session, receiving, until
from push.strict import strict

PARTNER = "DE-XYZ"
MODULES = ("locations", "sessions", "cdrs", "tariffs", "tokens")


async def test_a_partner_is_told_of_its_own_drivers_and_of_the_places_that_are_shown(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = strict(receiver)
    await depot.put_place("SHOWN")
    await depot.put_place("HIDDEN", publish=False)
    await depot.put_place("OTHER", owner="NL-BBB")
    await connect(depot, receiver.url)
    await depot.dispatch()
    for key, emsp in (("OURS", "NL-EMS"), ("THEIRS", PARTNER), ("NOBODYS", "")):
        await _drive(depot, key, emsp)
    await _drive(depot, "ELSEWHERE", PARTNER, owner="NL-BBB")
    await depot.put_status(Status.CHARGING, key="HIDDEN")
    await depot.put_status(Status.CHARGING, key="OTHER", owner="NL-BBB")
    await depot.put_status(Status.CHARGING, key="SHOWN")
    await until(lambda: len(receiver.got) == 4)
    await asyncio.sleep(0.3)
    assert sorted(receiver.requests()) == [
        ("PATCH", "/locations/NL/AAA/SHOWN/SHOWN-1"),
        ("POST", "/cdrs"),
        ("PUT", "/locations/NL/AAA/SHOWN"),
        ("PUT", "/sessions/NL/AAA/THEIRS"),
    ]
    assert [got.body["id"] for got in receiver.got if got.path == "/cdrs"] == ["CDR-THEIRS"]


async def test_a_partner_of_our_emsp_is_told_its_tokens_from_the_beginning(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = strict(receiver)
    await _put_token(depot, "UID1", "NL-EMS-C1-X")
    await _put_token(depot, "UID2", "NL-OTH-C2-X")  # another eMSP's
    foreign = token_of(msgspec.convert(token("UID3", f"{PARTNER}-C3-X") | {"last_updated": "2026-01-01T00:00:00Z"}, Token))
    await write_token(depot.registry, PARTNER, "UID3", lambda _: foreign)
    await connect(depot, receiver.url, role="EMSP", party="NL-EMS")
    await depot.dispatch()
    await until(lambda: receiver.requests() == [("PUT", "/tokens/NL/EMS/UID1")])
    await _put_token(depot, "UID1", "NL-EMS-C1-X", valid=False)
    await until(lambda: len(receiver.got) == 2)
    await asyncio.sleep(0.2)
    assert [(got.path, got.body["valid"]) for got in receiver.got] == [
        ("/tokens/NL/EMS/UID1", True),
        ("/tokens/NL/EMS/UID1", False),
    ]


@pytest.mark.parametrize(("encoding", "written"), [("raw", "their-token"), ("base64", "dGhlaXItdG9rZW4=")])
async def test_a_partner_is_told_our_token_as_it_wants_it_written(
    depot: Depot, receiver: Receiver, encoding: str, written: str
) -> None:
    await depot.put_place()
    await connect(depot, receiver.url, encoding=encoding)
    await depot.dispatch()
    await until(lambda: bool(receiver.got))
    assert receiver.got[0].headers["Authorization"] == f"Token {written}"


async def test_nothing_goes_to_a_partner_before_it_knows_our_answer(depot: Depot, receiver: Receiver) -> None:
    await depot.put_place()
    await depot.dispatch()
    await connect(depot, receiver.url, wait_s=0.8)
    await asyncio.sleep(0.5)
    assert receiver.got == []
    await until(lambda: len(receiver.got) == 1)


async def test_a_partner_that_does_not_know_an_evse_is_told_its_place_and_then_the_rest(
    depot: Depot, receiver: Receiver
) -> None:
    """It has lost its memory: 404 to the PATCH, to the PUT of the EVSE too, and then the whole place."""
    receiver.answer = strict(receiver)
    await depot.put_place(evses=2)
    await connect(depot, receiver.url)
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 1)
    receiver.answer = strict(receiver)
    await depot.put_status(Status.FAULTED, number=2)
    await until(lambda: len(receiver.got) == 2)
    assert receiver.requests() == [("PUT", "/locations/NL/AAA/LOC1")] * 2
    assert [evse["status"] for evse in receiver.got[1].body["evses"]] == ["AVAILABLE", "OUTOFORDER"]


@pytest.mark.parametrize("status", [200, 400, 405])
async def test_a_partner_that_refuses_a_patch_gets_the_whole_session_at_once(
    depot: Depot, receiver: Receiver, status: int
) -> None:
    refusal = {"status_code": 2001, "status_message": "no such session", "timestamp": "2026-01-01T00:00:00Z"}
    await connect(depot, receiver.url, min_patch_s=0)
    await depot.dispatch()
    await _drive(depot, "S1", PARTNER, "start")
    await until(lambda: len(receiver.requests("sessions")) == 1)
    receiver.answer = lambda got: web.json_response(refusal, status=status) if got.method == "PATCH" else None
    await _drive(depot, "S1", PARTNER, "progress", energy_wh=500)
    await until(lambda: len(receiver.requests("sessions")) == 2, timeout_s=2)
    assert receiver.requests("sessions") == [("PUT", "/sessions/NL/AAA/S1")] * 2
    assert receiver.bodies("/sessions/NL/AAA/S1")[1]["kwh"] == 0.5


async def test_a_place_that_is_withdrawn_while_we_are_down_is_removed_at_the_partner(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = strict(receiver)
    await _put_location(depot)
    await connect(depot, receiver.url)
    await depot.dispatch()
    await until(lambda: receiver.requests() == [("PUT", "/locations/NL/AAA/L1")])
    await asyncio.sleep(0.4)  # saved
    await depot.kill()
    await _put_location(depot, publish=False)
    await depot.dispatch()
    await until(lambda: len(receiver.got) == 2)
    assert [evse["status"] for evse in receiver.got[1].body["evses"]] == ["REMOVED"]
    await _put_location(depot, publish=False, name="Another")
    await asyncio.sleep(0.3)
    assert len(receiver.got) == 2
    await _put_location(depot, name="Shown again")
    await until(lambda: len(receiver.got) == 3)
    assert (receiver.got[2].body["name"], receiver.got[2].body["evses"][0]["status"]) == ("Shown again", "UNKNOWN")


async def test_a_place_that_goes_to_another_cpo_is_removed_at_the_partner_of_the_old_one(
    depot: Depot, receiver: Receiver
) -> None:
    receiver.answer = strict(receiver)
    await _put_location(depot)
    await connect(depot, receiver.url)
    async with receiving() as other:
        other.answer = strict(other)
        await connect(depot, other.url, party="NL-BBB")
        await depot.dispatch()
        await until(lambda: len(receiver.got) == 1)
        await _put_location(depot, cpo="NL-BBB")
        await until(lambda: other.requests() == [("PUT", "/locations/NL/BBB/L1")])
        await until(lambda: _evses(receiver) == {"REMOVED"})
        assert {path.rpartition("/L1")[0] for _, path in receiver.requests()} == {"/locations/NL/AAA"}


@pytest.mark.parametrize("forgotten", [False, True], ids=["", "changes are kept no more"])
async def test_a_tariff_that_was_deleted_while_we_were_down_is_deleted_at_the_partner(
    depot: Depot, receiver: Receiver, forgotten: bool
) -> None:
    receiver.answer = strict(receiver)
    await connect(depot, receiver.url)
    await depot.dispatch()
    await put_tariff(depot.registry, "NL-AAA", "T1", msgspec.json.encode(TARIFF))
    await until(lambda: receiver.requests() == [("PUT", "/tariffs/NL/AAA/T1")])
    await asyncio.sleep(0.4)
    await depot.kill()
    await drop_tariff(depot.registry, "NL-AAA", "T1")
    if forgotten:
        await depot.journal.retain({"change": -1})
    dispatcher = await depot.dispatch()
    await until(lambda: receiver.requests()[1:] == [("DELETE", "/tariffs/NL/AAA/T1")])
    await put_tariff(depot.registry, "NL-AAA", "T2", msgspec.json.encode(TARIFF | {"id": "T2"}))
    await until(lambda: len(receiver.got) == 3)
    receiver.answer = lambda got: 404 if got.method == "DELETE" else None  # it does not have it: then all is well
    await drop_tariff(depot.registry, "NL-AAA", "T2")
    await until(lambda: all(not each.lag_changes and not each.waiting for each in dispatcher.status()))


async def test_a_killed_dispatcher_tells_a_partner_everything_at_least_once(depot: Depot, receiver: Receiver) -> None:
    receiver.answer = strict(receiver)
    receiver.delay_s = 0.01
    await depot.put_place()
    await connect(depot, receiver.url, min_patch_s=0)
    for life in range(4):
        await depot.dispatch()
        for number in range(6):
            await _drive(depot, f"S{life}-{number}", PARTNER, "start")
            await _drive(depot, f"S{life}-{number}", PARTNER, "progress", energy_wh=10)
            await asyncio.sleep(0.01)
        await depot.kill()
        await depot.write(Ref("cdr", "NL-AAA", f"dark-{life}"), a_cdr(f"dark-{life}"), "new", "LOC1", counterparty=PARTNER)
        await _drive(depot, f"S{life}-0", PARTNER, "end", energy_wh=20, status=SessionStatus.COMPLETED)
    dispatcher = await depot.dispatch()
    wanted = {f"CDR-S{life}-{number}" for life in range(4) for number in range(6)} | {f"dark-{life}" for life in range(4)}
    await until(lambda: wanted <= {got.body["id"] for got in receiver.got if got.path == "/cdrs"}, timeout_s=20)
    await until(lambda: all(not each.lag_changes and not each.waiting for each in dispatcher.status()), timeout_s=20)
    for life in range(4):
        last = receiver.bodies(f"/sessions/NL/AAA/S{life}-0")[-1]
        assert (last["status"], last["kwh"]) == ("COMPLETED", 0.02)


async def test_a_suspended_partner_gets_the_present_state_later_and_one_that_left_nothing(
    depot: Depot, receiver: Receiver
) -> None:
    connection = await connect(depot, receiver.url)
    await depot.dispatch()
    await amend(depot.registry, connection.id, b'{"state":"suspended"}')
    await depot.put_place()
    await _drive(depot, "S1", PARTNER)
    await asyncio.sleep(0.3)
    assert receiver.got == []
    await amend(depot.registry, connection.id, b'{"state":"live"}')
    await until(lambda: len(receiver.got) == 3)
    stored = await depot.journal.get(Ref("subscription", "", connection.id))
    assert stored
    gone = unregistered(msgspec.json.decode(stored.body, type=Subscription))
    await write_subscription(depot.registry, gone, stored.version)
    await _drive(depot, "S2", PARTNER)
    await asyncio.sleep(0.3)
    assert len(receiver.got) == 3


async def test_two_partners_of_two_dialects_are_each_told_in_their_own(depot: Depot, receiver: Receiver) -> None:
    """One change goes to a platform subscription and to a partner, and is loaded for both at once."""
    async with receiving() as platform:
        receiver.answer = strict(receiver)
        await depot.put_place()
        await depot.subscribe(platform.url, "locations", "sessions")
        await connect(depot, receiver.url)
        await depot.dispatch()
        await until(lambda: bool(receiver.got and platform.got))
        await depot.put_status(Status.PREPARING)
        await _drive(depot, "S1", PARTNER, "start")
        await until(lambda: len(receiver.got) == 4 and len(platform.got) == 3)
        assert sorted(receiver.requests())[0] == sorted(platform.requests())[0]
        ours = {got.path: got.body for got in receiver.got if got.method != "POST"}
        theirs = {got.path: got.body for got in platform.got}
        for path, body in ours.items():
            assert body["last_updated"].count(".") == 0, path
            assert theirs[path]["last_updated"].count(".") == 1, path  # milliseconds


async def connect(
    depot: Depot,
    url: str,
    role: str = "CPO",
    party: str = "NL-AAA",
    encoding: str = "raw",
    wait_s: float = 0.0,
    min_patch_s: int | None = None,
) -> Subscription:
    """A roaming connection as a handshake leaves it."""
    made, _ = await open_connection(depot.registry, msgspec.json.encode({"name": "partner", "role": role, "party": party}))
    theirs = Theirs(
        versions_url=f"{url}/versions",
        version="2.1.1",
        endpoints={module: f"{url}/{module}" for module in MODULES},
        encoding=encoding,
        party=PARTNER,
        token="their-token",
    )
    after = connected(depot.registry, made, theirs, depot.registry.keys.hash(f"ours-{made.id}"), (), wait_s=wait_s)
    if min_patch_s is not None:
        endpoints = {
            module: msgspec.structs.replace(endpoint, min_patch_s=min_patch_s) for module, endpoint in after.endpoints.items()
        }
        after = msgspec.structs.replace(after, endpoints=endpoints)
    await write_subscription(depot.registry, after, 1)
    return after


async def _drive(depot: Depot, key: str, emsp: str, what: str = "start", owner: str = "NL-AAA", **changes: Any) -> None:
    """A session of a driver, with its CDR at the start to have both."""
    session = a_session(key, owner, **changes)
    await depot.write(Ref("session", owner, key), session, what, "LOC1", session.status, emsp)
    if what == "start":
        await depot.write(Ref("cdr", owner, f"CDR-{key}"), a_cdr(f"CDR-{key}"), "new", "LOC1", counterparty=emsp)


def _evses(receiver: Receiver) -> set[str]:
    """The status of each EVSE as the receiver heard it last."""
    known: dict[str, str] = {}
    for got in receiver.got:
        if "evses" in got.body:
            known |= {evse["uid"]: evse["status"] for evse in got.body["evses"]}
        else:
            known[got.path.rpartition("/")[2]] = got.body["status"]
    return set(known.values())


async def _put_location(depot: Depot, **changes: Any) -> None:
    await put_location(depot.registry, "L1", msgspec.json.encode(location("L1", "NL-AAA", ["CS-1"]) | changes))


async def _put_token(depot: Depot, uid: str, auth_id: str, **changes: Any) -> None:
    await put_token(depot.registry, None, uid, msgspec.json.encode(token(uid, auth_id) | changes))
