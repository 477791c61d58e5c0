"""Platform subscriptions: their tokens, what they are granted, where they are pushed to."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from api.house import House, open_house, place
from chargewire.csms.directory import Directory
from chargewire.csms.subscribing import ENDPOINT_TOKEN

LIST = "/api/1.0/locations"
BODY = {"name": "S", "network_id": "demo", "grants": [{"cpos": ["NL-AAA"], "modules": {"locations": ["pull", "push"]}}]}
ENDPOINT = {"url": "https://customer.example/locations", "token": "what-we-say"}


async def made(house: House, **more: object) -> tuple[str, str]:
    answer = await house.admin("POST", "subscriptions", BODY | more)
    assert answer.status == 201, answer.body
    return answer.json["id"], answer.json["token"]


async def test_a_token_is_shown_once_and_kept_nowhere(each_house: House) -> None:
    house = each_house
    key, token = await made(house, endpoints={"locations": ENDPOINT})
    for path in (f"subscriptions/{key}", "subscriptions"):
        answer = await house.admin("GET", path)
        assert token.encode() not in answer.body
        assert b"what-we-say" not in answer.body
        assert house.keys.hash(token).encode() not in answer.body
    found = await house.journal.find("subscription-token", house.keys.hash(token))
    assert found is not None
    assert token.encode() not in found.body
    assert b"what-we-say" not in found.body


async def test_a_token_works_at_once_and_after_a_restart(each_house: House) -> None:
    house = each_house
    _, token = await made(house)
    assert (await house.get(LIST, token)).status == 200
    again = Directory(house.journal, house.keys)
    await again.load()
    assert again.by_token(token) is not None
    await again.close()


async def test_a_rotated_token_stays_good_until_the_overlap_ends(house: House) -> None:
    key, old = await made(house)
    new = (await house.admin("POST", f"subscriptions/{key}/rotate", {"overlap_s": 60})).json["token"]
    assert old != new
    assert {(await house.get(LIST, token)).status for token in (old, new)} == {200}
    later = Directory(house.journal, house.keys, clock=lambda: datetime.now(UTC) + timedelta(seconds=61))
    await later.load()
    assert later.by_token(old) is None
    assert later.by_token(new) is not None


async def test_without_an_overlap_the_old_token_is_void_at_once(house: House) -> None:
    key, old = await made(house)
    new = (await house.admin("POST", f"subscriptions/{key}/rotate", {"overlap_s": 0})).json["token"]
    assert (await house.get(LIST, old)).status == 401
    assert (await house.get(LIST, new)).status == 200


async def test_a_second_rotation_does_not_prolong_the_first(house: House) -> None:
    key, old = await made(house)
    await house.admin("POST", f"subscriptions/{key}/rotate", {"overlap_s": 60})
    await house.admin("POST", f"subscriptions/{key}/rotate", {"overlap_s": 3600})
    later = Directory(house.journal, house.keys, clock=lambda: datetime.now(UTC) + timedelta(seconds=61))
    await later.load()
    assert later.by_token(old) is None


async def test_an_ended_subscription_is_out(house: House) -> None:
    key, token = await made(house)
    assert (await house.admin("DELETE", f"subscriptions/{key}")).status == 204
    assert (await house.get(LIST, token)).status == 401
    assert (await house.admin("GET", f"subscriptions/{key}")).status == 404
    assert (await house.admin("DELETE", f"subscriptions/{key}")).status == 404


async def test_a_suspended_subscription_is_told_so_and_comes_back(house: House) -> None:
    key, token = await made(house)
    await house.admin("PATCH", f"subscriptions/{key}", {"state": "suspended"})
    assert (await house.get(LIST, token)).status == 403
    await house.admin("PATCH", f"subscriptions/{key}", {"state": "live"})
    assert (await house.get(LIST, token)).status == 200


async def test_a_module_that_is_not_granted_or_not_built_is_not_there(house: House) -> None:
    _, token = await made(house, grants=[{"cpos": "all", "modules": {"locations": ["push"], "crm": ["pull"]}}])
    for path in (LIST, "/api/1.0/sessions?date_from=2026-01-01T00:00:00Z", "/api/1.0/crm/NL-EMS/drivers", "/api/9.9/locations"):
        answer = await house.get(path, token)
        assert answer.status == 404
        assert answer.json["status_code"] == 2000


async def test_a_change_says_only_what_changes(house: House) -> None:
    key, token = await made(house, endpoints={"locations": ENDPOINT, "cdrs": ENDPOINT})
    before = house.directory.subscription(key)
    assert before is not None
    change = {"name": "T", "endpoints": {"cdrs": None, "locations": {"url": "https://other.example/l"}}}
    answer = await house.admin("PATCH", f"subscriptions/{key}", change)
    assert answer.json["name"] == "T"
    assert set(answer.json["endpoints"]) == {"locations"}
    after = house.directory.subscription(key)
    assert after is not None
    assert after.endpoints["locations"].url == "https://other.example/l"
    assert house.keys.open(after.endpoints["locations"].token, ENDPOINT_TOKEN) == "what-we-say"
    assert after.grants == before.grants
    assert (await house.get(LIST, token)).status == 200


async def test_the_same_change_again_is_no_change(house: House) -> None:
    key, _ = await made(house, endpoints={"locations": ENDPOINT})
    heads = await house.journal.heads()
    await house.admin("PATCH", f"subscriptions/{key}", {"endpoints": {"locations": ENDPOINT}})
    assert await house.journal.heads() == heads


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"network_id": "none"}, "network_id"),
        ({"grants": [{"cpos": ["NL-ZZZ"], "modules": {}}]}, "grants[0].cpos[0]"),
        ({"grants": [{"modules": {"cdrs": ["pull"]}}]}, "grants[0]"),
        ({"grants": [{"cpos": "all", "modules": {"weather": ["pull"]}}]}, None),
        ({"grants": [{"cpos": "all", "modules": {"cdrs": ["shout"]}}]}, None),
        ({"endpoints": {"metervalues": ENDPOINT}}, "endpoints.metervalues"),
        ({"endpoints": {"cdrs": {"url": "ftp://x", "token": "t"}}}, "endpoints.cdrs.url"),
        ({"endpoints": {"cdrs": {"url": "https://x"}}}, "endpoints.cdrs.token"),
        ({"endpoints": {"cdrs": ENDPOINT | {"colour": 1}}}, "endpoints.cdrs.colour"),
        ({"profile": "fancy"}, "profile"),
    ],
)
async def test_what_is_wrong_is_named(house: House, body: dict[str, object], field: str | None) -> None:
    answer = await house.admin("POST", "subscriptions", BODY | body)
    assert answer.status == 422, answer.body
    if field is not None:
        assert answer.json["field"] == field


async def test_a_cpo_that_joins_the_network_is_in_the_scope_of_all_at_once(house: House) -> None:
    token = await house.subscribe()
    await house.put("cpos/NL-CCC", {"network_id": "demo", "name": "C"})
    await house.put("locations/LOC-C", place("NL-CCC", "CS-C"))
    assert {each["id"] for each in (await house.get(LIST, token)).data} == {"LOC-A", "LOC-B", "LOC-C"}
    await house.put("networks/other", {"name": "Other"})
    await house.put("cpos/NL-CCC", {"network_id": "other", "name": "C"})
    assert {each["id"] for each in (await house.get(LIST, token)).data} == {"LOC-A", "LOC-B"}


async def test_who_follows_the_journal_learns_of_a_change_elsewhere(durable_url: str) -> None:
    async with open_house(durable_url) as house:
        other = Directory(house.journal, house.keys)
        await other.load(following=True)
        heard: list[str] = []
        other.on_change(lambda ref: heard.append(ref.kind))
        await house.put("networks/demo", {"name": "Demo"})
        _, token = await made(house, grants=[])
        for _ in range(200):
            if other.by_token(token):
                break
            await asyncio.sleep(0.01)
        assert other.by_token(token) is not None
        assert heard == ["network", "subscription"]
        await other.close()
