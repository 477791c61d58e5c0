"""Roaming connections as an operator makes, changes and removes them over the admin API."""

from typing import Any

import msgspec
import pytest

from api.house import House, open_house
from api.partners import CPO, connect, with_emsp
from chargewire.app import _check_url
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.csms.subscribing import ENDPOINT_TOKEN
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import Subscription

WANTED = {"name": "Some eMSP", "role": "CPO", "party": "NL-AAA"}
THEIRS = {"versions_url": "https://partner.example/ocpi/versions", "token": "their-token"}


async def invited(house: House, **more: Any) -> Any:
    made = await house.admin("POST", "partners", WANTED | more)
    assert made.status == 201, made.body
    return made.json


async def stored(house: House, connection_id: str) -> Subscription:
    found = await house.journal.get(Ref("subscription", "", connection_id))
    assert found is not None
    return msgspec.json.decode(found.body, type=Subscription)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"role": "HUB"}, "role"),
        ({"party": "NL-ZZZ"}, "party"),
        ({"party": "somebody"}, "party"),
        ({"role": "EMSP", "party": "DE-ZZZ"}, "party"),
        ({"modules": ["locations", "smartcharging"]}, "modules[1]"),
        ({"expected": "somebody"}, "expected"),
        ({"token_encoding": "rot13"}, "token_encoding"),
        ({"pull_every_s": -1}, "pull_every_s"),
        ({"versions_url": "https://partner.example/versions"}, "token"),
        ({"token": "their-token"}, "versions_url"),
        (THEIRS | {"token": "with blank"}, "token"),
        (THEIRS | {"versions_url": "ftp://partner.example/versions"}, "versions_url"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_a_new_connection_is_named_and_nothing_is_made(
    house: House, wrong: dict[str, Any], field: str
) -> None:
    refused = await house.admin("POST", "partners", WANTED | wrong)
    assert (refused.status, refused.json["field"]) == (422, field), refused.body
    assert (await house.admin("GET", "partners")).data == []


async def test_a_bundle_with_one_wrong_connection_makes_none_of_them(house: House) -> None:
    wanted = [WANTED, WANTED | {"party": "NL-BBB"}, WANTED | {"party": "NL-ZZZ"}]
    refused = await house.admin("POST", "partners/bundle", {"connections": wanted})
    assert (refused.status, refused.json["field"]) == (422, "connections[2].party")
    assert (await house.admin("GET", "partners")).data == []
    empty = await house.admin("POST", "partners/bundle", {"connections": []})
    assert (empty.status, empty.json["field"]) == (422, "connections")


async def test_each_connection_of_a_bundle_has_a_token_of_its_own(house: House) -> None:
    wanted = [WANTED, WANTED | {"party": "NL-BBB"}]
    made = (await house.admin("POST", "partners/bundle", {"connections": wanted, "name": "both"})).json
    assert [(each["party"], each["bundle"]) for each in made["data"]] == [("NL-AAA", "both"), ("NL-BBB", "both")]
    for each in made["data"]:
        assert (await house.get("/ocpi/cpo/versions", each["token"])).status == 200
    assert len({each["token"] for each in made["data"]}) == 2


async def test_a_new_invitation_kills_the_token_of_the_one_before(house: House) -> None:
    first = await invited(house)
    second = (await house.admin("POST", f"partners/{first['id']}/invite")).json
    assert (await house.get("/ocpi/cpo/versions", first["token"])).status == 401
    assert (await house.get("/ocpi/cpo/versions", second["token"])).status == 200


async def test_a_removed_connection_is_unknown_and_its_token_dead(house: House) -> None:
    made = await invited(house)
    assert (await house.admin("DELETE", f"partners/{made['id']}")).status == 204
    assert (await house.get("/ocpi/cpo/versions", made["token"])).status == 401
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/invite"), ("POST", "/rotate")):
        assert (await house.admin(method, f"partners/{made['id']}{path}", {})).status == 404, (method, path)
    assert (await house.admin("GET", "partners")).data == []


async def test_a_connection_that_is_connected_must_be_left_before_it_is_removed_or_invited_anew(house: House) -> None:
    await connect(house, "CPO", "NL-AAA", "DE-EMS", id="known")
    for method, path, body in (("DELETE", "", None), ("POST", "/invite", None), ("POST", "/connect", THEIRS)):
        refused = await house.admin(method, f"partners/known{path}", body)
        assert (refused.status, refused.json["field"]) == (422, "state"), (method, path)
    assert (await stored(house, "known")).state == "live"


async def test_only_what_is_connected_can_be_suspended_rotated_or_left(house: House) -> None:
    made = await invited(house)
    for method, path, body in (
        ("PATCH", "", {"state": "suspended"}),
        ("PATCH", "", {"state": "live"}),
        ("POST", "/rotate", None),
        ("POST", "/unregister", None),
        ("POST", "/connect", None),
    ):
        refused = await house.admin(method, f"partners/{made['id']}{path}", body)
        assert (refused.status, refused.json["field"]) == (422, "state"), (path, body)
    assert (await house.get("/ocpi/cpo/versions", made["token"])).status == 200


async def test_a_suspended_partner_is_told_so_and_let_in_again_afterwards(house: House) -> None:
    token = await connect(house, "CPO", "NL-AAA", "DE-EMS", id="known")
    for state, status in (("suspended", 403), ("live", 200)):
        changed = await house.admin("PATCH", "partners/known", {"state": state})
        assert changed.json["state"] == ("connected" if state == "live" else state)
        assert (await house.get(f"{CPO}/locations", token)).status == status


async def test_modules_and_the_form_of_the_token_that_change_are_used_for_pushes_at_once(house: House) -> None:
    where = {module: f"https://partner.example/{module}" for module in ("locations", "sessions", "cdrs")}
    sealed = house.keys.seal("their-token", PARTNER_TOKEN)
    token = await connect(house, "CPO", "NL-AAA", "DE-EMS", id="known", endpoints=where, token=sealed)
    for modules, pushed in (
        (["locations", "sessions"], ["locations", "sessions"]),
        (["tariffs"], []),
        ([], ["cdrs", "locations", "sessions"]),
    ):
        assert (await house.admin("PATCH", "partners/known", {"modules": modules})).json["pushes"] == pushed
    assert (await house.get(f"{CPO}/locations", token)).status == 200
    for encoding, said in (("base64", "dGhlaXItdG9rZW4="), ("raw", "their-token")):
        await house.admin("PATCH", "partners/known", {"token_encoding": encoding})
        endpoints = (await stored(house, "known")).endpoints
        assert {house.keys.open(each.token, ENDPOINT_TOKEN) for each in endpoints.values()} == {said}


async def test_a_change_of_nothing_that_is_said_to_the_partner_leaves_its_endpoints_as_they_are(house: House) -> None:
    sealed = house.keys.seal("their-token", PARTNER_TOKEN)
    where = {"locations": "https://partner.example/locations"}
    await connect(house, "CPO", "NL-AAA", "DE-EMS", id="known", endpoints=where, token=sealed)
    await house.admin("PATCH", "partners/known", {"modules": ["locations"]})
    before = (await stored(house, "known")).endpoints
    await house.admin("PATCH", "partners/known", {"name": "Other name", "pull_every_s": 0})
    after = await stored(house, "known")
    assert (after.name, after.endpoints) == ("Other name", before)


async def test_among_subscriptions_a_connection_is_of_the_type_roaming_and_changed_elsewhere(house: House) -> None:
    made = await invited(house)
    [shown] = (await house.admin("GET", "subscriptions")).data
    assert (shown["id"], shown["type"], shown["state"]) == (made["id"], "roaming", "requested")
    for method, path in (("PATCH", ""), ("POST", "/rotate")):
        refused = await house.admin(method, f"subscriptions/{made['id']}{path}", {})
        assert refused.status == 422
        assert "/admin/v1/partners" in refused.json["detail"]


async def test_no_token_is_in_any_answer_but_the_first_nor_in_the_journal(house: House) -> None:
    await with_emsp(house)
    made = await invited(house)
    again = (await house.admin("POST", f"partners/{made['id']}/connect", THEIRS)).body  # nobody is there
    shown = [
        again,
        (await house.admin("GET", f"partners/{made['id']}")).body,
        (await house.admin("GET", "partners")).body,
        (await house.admin("GET", "subscriptions")).body,
        msgspec.json.encode(await stored(house, made["id"])),
    ]
    for secret in (made["token"], THEIRS["token"]):
        assert all(secret.encode() not in each for each in shown)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/versions",
        "https://127.0.0.1/versions",
        "https://[::1]/versions",
        "https://169.254.169.254/latest",
        "https://2852039166/",
        "https://localhost/versions",
        "https://partner.internal/versions",
        "https://user:pw@partner.example/versions",
        "https://partner.example/versions?tenant=1",
        "https://partner.example/versions#part",
    ],
)
async def test_in_production_no_partner_is_looked_for_inside_our_own_network(house: House, url: str) -> None:
    house.registry.check_url = lambda given, field: _check_url(False, given, field)
    made = await invited(house)
    for path, body in (("partners", WANTED | THEIRS), (f"partners/{made['id']}/connect", THEIRS)):
        refused = await house.admin("POST", path, body | {"versions_url": url})
        assert (refused.status, refused.json["field"]) == (422, "versions_url"), refused.body
    credentials = {
        "token": "their-token",
        "url": url,
        "business_details": {"name": "Them"},
        "country_code": "DE",
        "party_id": "XYZ",
    }
    answer = await house.ask("POST", f"{CPO}/credentials", made["token"], credentials)
    assert (answer.status, answer.json["status_code"]) == (200, 2001)
    assert answer.json["status_message"].startswith("url: ")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_credentials_that_are_no_json_are_400_in_the_envelope(house: House, body: bytes) -> None:
    made = await invited(house)
    answer = await house.ask("POST", f"{CPO}/credentials", made["token"], body)
    assert (answer.status, answer.json["status_code"]) == (400, 2001)
    assert set(answer.json) == {"status_code", "status_message", "timestamp"}


@pytest.mark.parametrize("path", ["/ocpi/cpo/versions", CPO, f"{CPO}/credentials", "/ocpi/emsp/versions"])
@pytest.mark.parametrize("token", [None, "", "unknown", "dW5rbm93bg=="])
async def test_nobody_is_let_in_without_a_token_and_hears_so_in_the_envelope(
    house: House, path: str, token: str | None
) -> None:
    answer = await house.get(path, token)
    assert (answer.status, answer.json["status_code"]) == (401, 2000)
    assert answer.json["timestamp"].endswith("Z")


async def test_verbs_that_credentials_do_not_have_are_405_in_the_envelope(house: House) -> None:
    token = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    answer = await house.ask("PATCH", f"{CPO}/credentials", token, {})
    assert (answer.status, answer.json["status_code"]) == (405, 2000)


async def test_details_name_only_the_modules_that_the_connection_is_about() -> None:
    async with open_house() as house:
        await house.put("networks/demo", {"name": "Demo"})
        await house.put("cpos/NL-AAA", {"network_id": "demo", "name": "A"})
        made = await invited(house, modules=["locations", "tokens"])
        details = (await house.get(CPO, made["token"])).data
        assert [each["identifier"] for each in details["endpoints"]] == ["credentials", "locations", "tokens"]
