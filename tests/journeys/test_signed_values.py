"""Signed meter values from a real station to whoever has the CDR: not a byte of them changes on the way."""

import json
import os
import xml.etree.ElementTree as ET
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ocpp.v16 import call

from chargewire.app import running
from chargewire.settings import Settings
from journeys.foreign_station import ForeignStation, foreign_station, minutes, moment
from journeys.test_cdr_life import TARIFF, UID, one
from journeys.world import ADMIN, ask, location, token
from ocmf import Meter
from roaming.pair import CPO, Side
from roaming.test_handshake import partner

TEMPLATE = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / (
    "ocpp-station-templates-sap/virtual-simple-signed.station-template.json"
)
MISSING = "no station templates here (CHARGEWIRE_TEST_DATA)"
BEGIN = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
EDL = "1b1b1b1b01010101760700120000" * 3000  # 84 000 characters
ODD = [
    ' leading and trailing blanks, "quotes", <tags>, ]]> & ämpersänd  ',
    "lines\nof\r\ntext\tand \x1b[31m control",
    "\u2028 paragraphs, \U0001f50c and ﷽",
    '{"password": "secret", "AuthorizationKey": "0123456789"}',
    "https://user:pass@meter.example/?signature=abc&token=def",
]


@pytest.fixture
async def side(tmp_path: Path, database: str | None) -> AsyncIterator[Side]:
    settings = Settings(data=tmp_path / "data", database=database, port=0, ocpp_port=0, admin_token=ADMIN)
    async with running(settings) as where:
        side = Side(where.url, where.ocpp_url)
        await side.admin("PUT", "/networks/demo", {"name": "Demo"})
        await side.admin("PUT", "/emsps/NL-EMS", {"name": "eMSP", "network_ids": ["demo"]})
        await side.admin("PUT", f"/cpos/{CPO}", {"network_id": "demo", "name": "City"})
        await side.admin("PUT", f"/tariffs/{CPO}/T1", TARIFF)
        await side.admin("PUT", "/locations/L1", location("L1", CPO, ["CS-1"]))
        await side.admin("PUT", f"/tokens/{UID}", token(UID))
        yield side


def value(at: datetime, text: str, context: str) -> dict[str, Any]:
    sample = {"value": text, "format": "SignedData", "context": context, "measurand": "Energy.Active.Import.Register"}
    return {"timestamp": moment(at), "sampled_value": [sample]}


async def charge(station: ForeignStation, begin: list[str], end: list[str], uid: str = UID) -> None:
    """An hour; what is signed at the begin comes as meter values, what is signed at the end in the stop, the begin again."""
    started = await station.start_session(uid, 12_000, BEGIN)
    for text in begin:
        values = [value(BEGIN, text, "Transaction.Begin")]
        await station.call(
            call.MeterValues(connector_id=1, meter_value=values, transaction_id=started.transaction_id), suppress=False
        )
    told = [value(BEGIN, text, "Transaction.Begin") for text in begin]
    told += [value(BEGIN + minutes(60), text, "Transaction.End") for text in end]
    await station.call(
        call.StopTransaction(
            meter_stop=23_000,
            timestamp=moment(BEGIN + minutes(60)),
            transaction_id=started.transaction_id,
            id_tag=uid,
            transaction_data=told,
        ),
        suppress=False,
    )


async def charged(side: Side, begin: list[str], end: list[str], uid: str = UID) -> Any:
    async with foreign_station(side.ocpp_url, "CS-1") as station:
        await station.boot()
        await charge(station, begin, end, uid)
    return await one(side)


async def opened(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.read()


async def test_what_the_meter_signed_can_be_read_from_the_cdr_and_still_verifies(side: Side) -> None:
    meter = Meter()
    first, last = meter.signs(12.0, "B", "2026-11-23T18:30:00,000+0000"), meter.signs(23.0, "E", "2026-11-23T19:30:00,000+0000")
    cdr = await charged(side, [first], [last])
    url = cdr["remark"]
    assert url.startswith(f"{side.url}/signed/")
    status, headers, body = await opened(url)
    told = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert [each["text"] for each in told["values"]] == [first, last]
    assert (told["session_id"], told["cdr_id"]) == (cdr["session_id"], cdr["id"])
    assert all(meter.signed(each["text"]) for each in told["values"])
    assert (await opened(f"{url}?format=text"))[2] == f"{first}\n{last}".encode()
    _, headers, body = await opened(f"{url}?format=xml")
    assert headers["X-Content-Type-Options"] == "nosniff"
    values = ET.fromstring(body).findall("value")
    assert [each.get("context") for each in values] == ["Transaction.Begin", "Transaction.End"]
    signed = [each.find("signedData") for each in values]
    assert [(each.get("format"), each.get("encoding"), each.text) for each in signed if each is not None] == [
        ("OCMF", "plain", first),
        ("OCMF", "plain", last),
    ]
    for accepted, kind in (("text/html,application/xml;q=0.9", "text/plain"), ("application/xml", "application/xml")):
        assert (await opened(url, Accept=accepted))[1]["Content-Type"].startswith(kind)


async def test_whatever_a_station_signs_comes_out_as_it_went_in(side: Side) -> None:
    texts = [*ODD, EDL]
    url = (await charged(side, texts[:2], texts[2:]))["remark"]
    told = json.loads((await opened(url))[2])
    assert [each["text"] for each in told["values"]] == texts
    read = []
    for each in ET.fromstring((await opened(f"{url}?format=xml"))[2]).iter("signedData"):
        text = each.text or ""
        read.append(b64decode(text).decode() if each.get("encoding") == "base64" else text)
    assert read == texts


@pytest.mark.parametrize(
    "of_template", [False, pytest.param(True, marks=pytest.mark.skipif(not TEMPLATE.is_file(), reason=MISSING))]
)
async def test_what_a_json_document_carries_is_taken_out_for_the_transparency_software(side: Side, of_template: bool) -> None:
    """As stations of 1.6 send what 2.0.1 has fields for; the key is that of the meter, or that of a station template."""
    meter = Meter()
    ocmf, key = meter.signs(12.0, "B", "2026-11-23T18:30:00,000+0000"), template_key() if of_template else meter.key
    carried = [
        json.dumps({"signedMeterData": base64(ocmf), "encodingMethod": "OCMF", "publicKey": base64(key), "signingMethod": ""}),
        json.dumps({"signedMeterData": "GxsbGwEBAQE=", "encodingMethod": "EDL", "publicKey": "MFkwEwc="}),
        json.dumps({"signedMeterData": "not base64!", "encodingMethod": "OCMF"}),
    ]
    url = (await charged(side, carried, []))["remark"]
    assert [each["text"] for each in json.loads((await opened(url))[2])["values"]] == carried
    shown = [
        (each.tag, each.attrib, each.text) for each in ET.fromstring((await opened(f"{url}?format=xml"))[2]).iter() if each.text
    ]
    assert [each for each in shown if each[0] in ("signedData", "publicKey")] == [
        ("signedData", {"format": "OCMF", "encoding": "plain"}, ocmf),
        ("publicKey", {"encoding": "hex"}, key),
        ("signedData", {"format": "EDL_40_P", "encoding": "base64"}, "GxsbGwEBAQE="),
        ("publicKey", {"encoding": "base64"}, "MFkwEwc="),
        ("signedData", {"format": "OCMF", "encoding": "plain"}, carried[2]),
    ]


async def test_a_character_that_nothing_can_hold_costs_no_more_than_itself(side: Side) -> None:
    url = (await charged(side, ["a\0b"], ["c"]))["remark"]
    assert [each["text"] for each in json.loads((await opened(url))[2])["values"]] == ["ab", "c"]


async def test_an_address_that_was_not_given_out_opens_nothing_and_says_nothing(side: Side) -> None:
    cdr = await charged(side, [Meter().signs(1, "B", "2026-11-23T18:30:00,000+0000")], [])
    url = cdr["remark"]
    session_id, proof = url.rsplit("/", 1)[1].split(".")
    other = ("0" if proof[0] != "0" else "1") + proof[1:]
    wrong = [
        f"{session_id}.{other}",
        session_id,
        f"{session_id}.",
        f".{proof}",
        proof,
        f"{session_id}0.{proof}",
        "ü.ü",
        "%00.0",
    ]
    answers = {await answer_of(f"{side.url}/signed/{each}") for each in wrong}
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1
    assert (await opened(f"{side.url}/signed"))[0] == 404
    assert (await opened(f"{side.url}/signed/"))[0] == 404
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await opened(url, method))[0] == 405
    status, _, body = await opened(url, "HEAD")
    assert (status, body) == (200, b"")
    assert (await opened(f"{url}?format=pdf"))[0] == 400


async def test_a_partner_of_ocpi_2_1_1_gets_the_address_in_the_cdr_of_its_driver(side: Side) -> None:
    async with partner() as them:
        wanted = {"name": "them", "role": "CPO", "party": CPO, "versions_url": them.url, "token": "their-a"}
        await side.admin("POST", "/partners", wanted)
        driver = token("04DDEEFF", "DE-XYZ-C1-X") | {"whitelist": "ALWAYS"}
        url = f"{side.url}/ocpi/cpo/2.1.1"
        assert (await ask("PUT", f"{url}/tokens/DE/XYZ/04DDEEFF", them.token_b, driver)).status == 201
        cdr = await charged(side, [Meter().signs(1, "B", "2026-11-23T18:30:00,000+0000")], [], "04DDEEFF")
        [seen] = (await ask("GET", f"{url}/cdrs", them.token_b)).body["data"]
    assert seen["remark"] == cdr["remark"]
    assert (await opened(seen["remark"]))[0] == 200


async def test_customers_get_the_address_and_corrections_keep_it(side: Side) -> None:
    cdr = await charged(side, [Meter().signs(1, "B", "2026-11-23T18:30:00,000+0000")], [])
    body = {"name": "n", "network_id": "demo", "grants": [{"cpos": "all", "modules": {"cdrs": ["pull"]}}]}
    customer = (await side.admin("POST", "/subscriptions", body))["token"]
    [seen] = (await ask("GET", f"{side.url}/api/1.0/cdrs", customer)).body["data"]
    assert seen["remark"] == cdr["remark"]
    answer = await side.admin("POST", f"/cdrs/{cdr['id']}/correct", {"reason": "meter", "energy_wh": 5000})
    assert answer["credit"]["remark"] == f"credit of {cdr['id']}; {cdr['remark']}"
    assert answer["cdr"]["remark"] == cdr["remark"]
    assert (await opened(answer["cdr"]["remark"]))[0] == 200


def template_key() -> str:
    keys = json.loads(TEMPLATE.read_bytes())["Configuration"]["configurationKey"]
    return next(str(each["value"]) for each in keys if each["key"] == "MeterPublicKey1")


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def answer_of(url: str) -> tuple[int, bytes]:
    status, _, body = await opened(url)
    return status, body
