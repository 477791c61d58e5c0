"""Whatever partners push, in whatever order: what is kept equals a simple model, and every answer is OCPI's envelope."""

import asyncio
import os
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from api.house import House, open_house
from api.partners import CPO, EMSP, at, connect, connector, evse, location, session, with_emsp
from chargewire.api.ocpi_routes import CPO as CPO_ROUTES
from chargewire.api.ocpi_routes import EMSP as EMSP_ROUTES

THOROUGH = bool(os.environ.get("CI"))
SLOW = settings(max_examples=40 if THOROUGH else 15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Model = dict[str, dict[str, Any]]


class Push(Struct, frozen=True):
    """One PUT or PATCH; `ids` has one to three of location id, EVSE uid and connector id."""

    method: str
    ids: tuple[str, ...]
    value: int
    stamped: bool = True


PUSHES = st.lists(
    st.builds(
        Push,
        method=st.sampled_from(["PUT", "PATCH"]),
        ids=st.tuples(st.sampled_from(["L1", "L2"]), st.sampled_from(["E1", "E2"]), st.sampled_from(["1", "2"])).flatmap(
            lambda ids: st.integers(1, 3).map(lambda depth: ids[:depth])
        ),
        value=st.integers(1, 99),
        stamped=st.booleans(),
    ),
    max_size=25,
)


def body_of(push: Push, second: int) -> dict[str, Any]:
    """What is sent: a whole object, or one field of it."""
    depth = len(push.ids)
    if push.method == "PATCH":
        changes: dict[str, Any] = [
            {"name": str(push.value)},
            {"physical_reference": str(push.value)},
            {"amperage": push.value},
        ][depth - 1]
        return changes | ({"last_updated": at(second)} if push.stamped else {})
    if depth == 1:
        return location(push.ids[0], second, name=str(push.value))
    return evse(push.ids[1], second) if depth == 2 else connector(push.ids[2], second, amperage=push.value)


def part(parts: list[Any], name: str, wanted: str) -> dict[str, Any] | None:
    return next((each for each in parts if each[name] == wanted), None)


def put_into(parts: list[Any], name: str, new: dict[str, Any]) -> bool:
    """Whether it is new."""
    old = part(parts, name, new[name])
    if old is None:
        parts.append(new)
        return True
    old.clear()
    old.update(new)
    return False


def expect(model: Model, push: Push, body: dict[str, Any]) -> int:
    """Do to the model what the push does; gives the HTTP status to expect."""
    body = msgspec.json.decode(msgspec.json.encode(body))
    place = model.get(push.ids[0])
    if len(push.ids) == 1:
        if push.method == "PUT":
            model[push.ids[0]] = body
            return 201 if place is None else 200
        return 404 if place is None else place.update(body) or 200
    if place is None:
        return 404
    above, parts, name = [place], place["evses"], "uid"
    if len(push.ids) == 3:
        above_evse = part(parts, "uid", push.ids[1])
        if above_evse is None:
            return 404
        above, parts, name = [place, above_evse], above_evse["connectors"], "id"
    old = part(parts, name, push.ids[-1])
    if push.method == "PATCH" and old is None:
        return 404
    made = push.method == "PUT" and put_into(parts, name, body)
    if push.method == "PATCH" and old is not None:
        old.update(body)
    for each in above:
        if "last_updated" in body:
            each["last_updated"] = max(each["last_updated"], body["last_updated"])
    return 201 if made else 200


async def _equals_the_model(pushes: list[Push]) -> None:
    async with open_house() as house:
        partner = await _emsp_side(house)
        model: Model = {}
        for number, push in enumerate(pushes):
            url = "/".join((f"{EMSP}/locations/DE/CPO", *push.ids))
            body = body_of(push, number)
            wanted = expect(model, push, body)
            answer = await house.ask(push.method, url, partner, body)
            assert answer.status == wanted, (push, answer.body)
        for location_id in ("L1", "L2"):
            answer = await house.get(f"{EMSP}/locations/DE/CPO/{location_id}", partner)
            assert answer.json.get("data") == model.get(location_id)


@SLOW
@given(PUSHES)
def test_any_sequence_of_pushes_at_three_levels_equals_the_model(pushes: list[Push]) -> None:
    asyncio.run(_equals_the_model(pushes))


@SLOW
@given(st.permutations(range(6)))
def test_whole_objects_that_overtake_each_other_leave_the_newest(order: list[int]) -> None:
    async def scenario() -> None:
        async with open_house() as house:
            partner = await _emsp_side(house)
            for second in order:
                sent = location("L1", second, name=str(second))
                assert (await house.ask("PUT", f"{EMSP}/locations/DE/CPO/L1", partner, sent)).json["status_code"] == 1000
            kept = (await house.get(f"{EMSP}/locations/DE/CPO/L1", partner)).data
            assert kept == location("L1", 5, name="5")

    asyncio.run(scenario())


@SLOW
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PUT", "PATCH"]), st.sampled_from(["PENDING", "ACTIVE", "COMPLETED", "INVALID"]), st.integers(0, 3)
        ),
        max_size=12,
    )
)
def test_nothing_changes_a_session_once_it_was_completed(steps: list[tuple[str, str, int]]) -> None:
    async def scenario() -> None:
        async with open_house() as house:
            partner, url = await _emsp_side(house), f"{EMSP}/sessions/DE/CPO/S1"
            kept: dict[str, Any] | None = None
            for number, (method, status, kwh) in enumerate(steps):
                changes = {"status": status, "kwh": kwh, "last_updated": at(number)}
                answer = await house.ask(method, url, partner, session(**changes) if method == "PUT" else changes)
                wanted = {**(kept or {}), **changes} if method == "PATCH" else session(**changes)
                if kept is not None and kept["status"] == "COMPLETED":
                    same = {**wanted, "last_updated": ""} == {**kept, "last_updated": ""}
                    assert answer.json["status_code"] == (1000 if same else 2001)
                elif kept is None and method == "PATCH":
                    assert answer.status == 404
                else:
                    assert answer.status == (201 if kept is None else 200)
                    kept = wanted
                assert (await house.get(url, partner)).json.get("data") == kept

    asyncio.run(scenario())


def _paths() -> list[tuple[str, str, str]]:
    """Role, method and path of every route."""
    found = []
    for role, routes in (("cpo", CPO_ROUTES), ("emsp", EMSP_ROUTES)):
        for route in routes:
            found += [(role, str(method), path) for path in route.paths for method in route.http_methods]
    return sorted(set(found))


HANDSHAKE = ("credentials", "versions")
ROUTES = [each for each in _paths() if not each[2].split("/")[-1].startswith(HANDSHAKE) and each[1] != "OPTIONS"]
JUNK = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ).map(msgspec.json.encode),
    st.dictionaries(
        st.sampled_from([*location(), *evse(), *connector(), "valid", "whitelist", "issuer"]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=2),
        max_size=25,
    ).map(msgspec.json.encode),
)
SEGMENT = st.text(st.characters(blacklist_characters="/?#%\r\n", blacklist_categories=("Cs",)), min_size=1, max_size=12)


@settings(max_examples=150 if THOROUGH else 30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ROUTES), JUNK, st.lists(SEGMENT | st.sampled_from(["DE", "CPO", "EMS", "L1"]), min_size=5, max_size=5))
def test_every_answer_is_an_envelope_whatever_is_sent(route: tuple[str, str, str], junk: bytes, segments: list[str]) -> None:
    role, method, path = route

    async def scenario() -> None:
        async with open_house() as house:
            await _emsp_side(house)
            tokens = {
                "cpo": await connect(house, "CPO", "NL-AAA", "DE-EMS"),
                "emsp": await connect(house, "EMSP", "NL-OUR", "DE-XXX"),
            }
            own = ["DE", "EMS" if role == "cpo" else "XXX"]
            parts = iter([*own, *segments] if "party_id" in path else segments)
            filled = "/".join(next(parts) if each.startswith("{") else each for each in path.split("/"))
            answer = await house.ask(method, f"/ocpi/{role}{filled}", tokens[role], junk)
            envelope = answer.json
            assert answer.status in (200, 201, 202, 400, 404), answer.body
            assert 1000 <= envelope["status_code"] < 3000, answer.body
            assert envelope["timestamp"].endswith("Z")

    asyncio.run(scenario())


async def _emsp_side(house: House) -> str:
    await house.put("networks/demo", {"name": "Demo"})
    await house.put("cpos/NL-AAA", {"network_id": "demo", "name": "A"})
    await with_emsp(house)
    return await connect(house, "EMSP", "NL-OUR", "DE-CPO")


async def test_strangers_learn_nothing_of_what_there_is(house: House) -> None:
    for path in (f"{CPO}/locations", f"{CPO}/nothing", f"{EMSP}/tokens", "/ocpi/none", f"{EMSP}/cdrs/x"):
        for method in ("GET", "PUT", "DELETE", "POST"):
            answer = await house.ask(method, path, "wrong")
            assert (answer.status, answer.json["status_code"]) == (401, 2000), (method, path)


async def test_a_body_beyond_all_bounds_is_refused(house: House) -> None:
    await with_emsp(house)
    partner = await connect(house, "EMSP", "NL-OUR", "DE-CPO")
    url = f"{EMSP}/locations/DE/CPO/L1"
    for body, status in ((b'"' + b"x" * 5_000_000 + b'"', 413), (b"[" * 200_000, 400)):
        answer = await house.ask("PUT", url, partner, body, {"content-length": str(len(body))})
        assert (answer.status, answer.json["status_code"] // 1000) == (status, 2)


async def test_a_memory_that_is_away_is_said_with_a_code_of_ours(house: House) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    await house.journal.close()
    answer = await house.get(f"{CPO}/locations", partner)
    assert (answer.status, answer.json["status_code"]) == (503, 3000)


async def test_a_nul_character_in_a_path_is_an_unknown_name_on_either_engine(each_house: House) -> None:
    await with_emsp(each_house)
    cpo = await connect(each_house, "CPO", "NL-AAA", "DE-EMS")
    emsp = await connect(each_house, "EMSP", "NL-OUR", "DE-CPO")
    for url, token in (
        (f"{CPO}/locations/a\0b", cpo),
        (f"{CPO}/locations/a\0%252F%2500b", cpo),  # escaped twice
        (f"{CPO}/tokens/DE/EMS/a\0b", cpo),
        (f"{EMSP}/cdrs/a\0b", emsp),
        (f"{EMSP}/cdrs/~YQBi", emsp),
        (f"{EMSP}/tariffs/DE/CPO/a\0b", emsp),
    ):
        answer = await each_house.get(url, token)
        assert (answer.status, answer.json["status_code"] // 1000) == (404, 2), url
    assert (await each_house.ask("DELETE", f"{EMSP}/tariffs/DE/CPO/a\0b", emsp)).status == 404
