"""Objects of the specification's examples and of real parties are kept and served without loss, or refused by name."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.house import House
from api.partners import CPO, EMSP, connect, connector, evse, location, session, tariff, token, with_emsp

DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"))
EXAMPLES, REAL = DATA / "ocpi" / "2.1.1", DATA / "ocpi-real"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no OCPI objects here (CHARGEWIRE_TEST_DATA)")

REFUSED = {  # the slips of the examples, and what is refused of real objects: field that is named
    "mod_locations_04": "connectors[0].power_type",
    "mapper-test-objects/test-tariff1": "currency",  # null
    "ndw-receiver-tests/tariffs": "currency",  # null
    "ndw-open-data": "type",  # of 2.2.1, which has none
}
PATCHES = {  # example → URL of what it changes, and that object before
    "mod_locations_01": ("locations/NL/TNM/L1/E1", evse()),
    "mod_locations_02": ("locations/NL/TNM/L1", location()),
    "mod_locations_03": ("locations/NL/TNM/L1/E1/1", connector()),
    "mod_locations_05": ("locations/NL/TNM/L1/E1", evse()),
    "mod_sessions_01": ("sessions/NL/TNM/S1", session()),
    "mod_tariffs_02": ("tariffs/NL/TNM/T1", tariff()),
}


def _objects() -> list[Any]:
    """Every whole object: where it is from, its module, and it."""
    found = []
    for path in sorted(EXAMPLES.glob("mod_*.json")):
        name = path.name[:-5]
        module = name.split("_")[1]
        if not name.startswith((*PATCHES, "mod_tokens_02")):
            content = msgspec.json.decode(path.read_bytes())
            if "allowed" not in content and "location_id" not in content:
                found.append(pytest.param(name, module, content, id=name))
    for path in sorted(REAL.rglob("*.json")):
        content = msgspec.json.decode(path.read_bytes())
        rows = content.get("content", [content]) if isinstance(content, dict) else content
        for number, row in enumerate(rows):
            name = f"{path.parent.name}/{path.stem}[{number}]"
            found.append(pytest.param(name, "tariffs" if "elements" in row else "locations", row, id=name))
    return found


@pytest.fixture
async def partner(house: House) -> str:
    await with_emsp(house)
    return await connect(house, "EMSP", "NL-OUR", "NL-TNM")


@pytest.mark.parametrize(("name", "module", "content"), _objects())
async def test_an_object_is_kept_and_served_again_without_loss(
    house: House, partner: str, name: str, module: str, content: dict[str, Any]
) -> None:
    method, url = "PUT", f"{EMSP}/{module}/NL/TNM/{content.get('id')}"
    if module == "tokens":
        partner, url = await connect(house, "CPO", "NL-AAA", "NL-TNM"), f"{CPO}/tokens/NL/TNM/{content['uid']}"
    if module == "cdrs":
        method, url = "POST", f"{EMSP}/cdrs"
    if "uid" in content and module == "locations":
        await house.ask("PUT", f"{EMSP}/locations/NL/TNM/1012", partner, location("1012"))
        url = f"{EMSP}/locations/NL/TNM/1012/{content['uid']}"
    answer = await house.ask(method, url, partner, content)
    field = next((field for start, field in REFUSED.items() if name.startswith(start)), None)
    if field is not None:
        assert (answer.status, answer.json["status_code"]) == (200, 2001), answer.body
        assert answer.json["status_message"].startswith(f"{field}:")
        return
    assert (answer.status, answer.json["status_code"]) == (201, 1000), answer.body
    place = answer.headers.get("location", url).removeprefix("http://chargewire.test")
    assert (await house.get(place, partner)).data == content


@pytest.mark.parametrize(("name", "url", "before"), [(name, *rest) for name, rest in PATCHES.items()])
async def test_a_patch_of_the_examples_changes_what_it_names_and_nothing_else(
    house: House, partner: str, name: str, url: str, before: dict[str, Any]
) -> None:
    (path,) = EXAMPLES.glob(f"{name}*.json")
    changes = msgspec.json.decode(path.read_bytes())
    if url.startswith("locations"):
        await house.ask("PUT", f"{EMSP}/locations/NL/TNM/L1", partner, location())
    else:
        await house.ask("PUT", f"{EMSP}/{url}", partner, before)
    answer = await house.ask("PATCH", f"{EMSP}/{url}", partner, changes)
    assert (answer.status, answer.json["status_code"]) == (200, 1000)
    assert (await house.get(f"{EMSP}/{url}", partner)).data == {**before, **changes}


async def test_the_example_that_invalidates_a_token_does(house: House) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "NL-TNM")
    url = f"{CPO}/tokens/NL/TNM/012345678"
    await house.ask("PUT", url, partner, token("012345678"))
    (path,) = EXAMPLES.glob("mod_tokens_02*.json")
    assert (await house.ask("PATCH", url, partner, msgspec.json.decode(path.read_bytes()))).status == 200
    assert (await house.get(url, partner)).data == {**token("012345678"), "valid": False}
