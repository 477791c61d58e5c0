"""What a session costs whom: partners (wholesale), the driver (retail), the owner of the connector (reimbursement)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chargewire.charging.cdr import Cdr
from chargewire.charging.errors import Refused
from chargewire.charging.tariff import Tariff
from chargewire.csms.parties import put_emsp
from chargewire.csms.places import put_location
from chargewire.csms.tariff_input import put_tariff
from chargewire.csms.tariff_versions import arranged, begin_versions, upcoming, version_at
from chargewire.csms.token_input import put_token
from chargewire.journal.memory import Ref
from csms.floor import CPO, UID, Floor, _location

EMSP = "NL-EMS"
D = Decimal
day = timedelta(days=1)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def tariff(price: str, **more: Any) -> bytes:
    component = {"type": "ENERGY", "price": D(price), "step_size": 1}
    return _encode({"currency": "EUR", "elements": [{"price_components": [component]}]} | more)


async def charge(floor: Floor, kwh: int = 10) -> Cdr:
    begun = await floor.starts(register_wh=0, at=floor.now)
    await floor.stops(begun.transaction_id, kwh * 1000, floor.now + timedelta(hours=1))
    return (await floor.cdrs())[-1]


async def name_reimbursement(floor: Floor, tariff_id: str) -> None:
    place = _location()
    place["stations"][0]["evses"][0]["connectors"][0]["reimbursement_tariff_id"] = tariff_id
    await put_location(floor.registry, "LOC1", msgspec.json.encode(place))


async def name_retail(floor: Floor, tariff_id: str) -> None:
    body = {"name": "eMSP", "network_ids": ["demo"], "retail_tariff_id": tariff_id}
    await put_emsp(floor.registry, EMSP, msgspec.json.encode(body))


async def test_a_cdr_says_what_partners_the_driver_and_the_owner_pay_and_get(floor: Floor) -> None:
    await put_tariff(floor.registry, EMSP, "R", tariff("0.50", kind="retail", vat_percent=21))
    await put_tariff(floor.registry, CPO, "B", tariff("0.20", kind="reimbursement"))
    await name_retail(floor, "R")
    await name_reimbursement(floor, "B")
    cdr = await charge(floor)
    assert cdr.retail is not None
    assert cdr.reimbursement is not None
    assert (cdr.cost.excl_vat, cdr.retail.excl_vat, cdr.reimbursement.excl_vat) == (D("3.00"), D("5.00"), D("2.00"))
    assert (cdr.retail.incl_vat, cdr.retail.vat, cdr.retail.vat_percent) == (D("6.05"), D("1.05"), D(21))
    assert cdr.retail_tariff is not None
    assert cdr.retail_tariff.id == "R"
    assert cdr.reimbursement_tariff is not None
    assert cdr.reimbursement_tariff.id == "B"
    assert not {"no-retail-tariff", "no-reimbursement-tariff"} & set(cdr.flags)


async def test_what_the_token_says_goes_before_what_its_emsp_says(floor: Floor) -> None:
    await put_tariff(floor.registry, EMSP, "R", tariff("0.50", kind="retail"))
    await put_tariff(floor.registry, CPO, "STAFF", tariff("0.10", kind="retail"))  # of the CPO: looked for after the eMSP's
    await name_retail(floor, "R")
    token = {"auth_id": "NL-EMS-C1-X", "whitelist": "ALWAYS", "retail_tariff_id": "STAFF"}
    await put_token(floor.registry, EMSP, UID, msgspec.json.encode(token))
    cdr = await charge(floor)
    assert cdr.retail is not None
    assert cdr.retail.excl_vat == D("1.00")


async def test_prices_are_those_of_the_start_whatever_is_changed_while_it_charges(floor: Floor) -> None:
    await put_tariff(floor.registry, EMSP, "R", tariff("0.50", kind="retail"))
    await name_retail(floor, "R")
    begun = await floor.starts(at=floor.now)
    await put_tariff(floor.registry, EMSP, "R", tariff("9", kind="retail"))
    await put_tariff(floor.registry, CPO, "T1", tariff("9"))
    await name_retail(floor, "OTHER")
    await floor.stops(begun.transaction_id, 10_000, floor.now + timedelta(hours=1))
    (cdr,) = await floor.cdrs()
    assert cdr.retail is not None
    assert (cdr.cost.excl_vat, cdr.retail.excl_vat) == (D("3.00"), D("5.00"))


async def test_a_retail_or_reimbursement_tariff_that_is_missing_holds_no_cdr_back(floor: Floor) -> None:
    await name_retail(floor, "NONE")
    await name_reimbursement(floor, "T1")  # is there, but wholesale
    cdr = await charge(floor)
    assert cdr.cost.excl_vat == D("3.00")
    assert (cdr.retail, cdr.reimbursement) == (None, None)
    assert {"no-retail-tariff", "no-reimbursement-tariff"} <= set(cdr.flags)


async def test_where_no_other_price_is_named_none_is_missed(floor: Floor) -> None:
    cdr = await charge(floor)
    assert (cdr.retail, cdr.reimbursement) == (None, None)
    assert not {"no-retail-tariff", "no-reimbursement-tariff"} & set(cdr.flags)


async def test_an_emsp_has_retail_tariffs_only(floor: Floor) -> None:
    with pytest.raises(Refused, match="kind"):
        await put_tariff(floor.registry, EMSP, "R", tariff("0.50"))


async def test_a_version_to_come_leaves_the_one_in_force_until_its_time(floor: Floor) -> None:
    now = datetime.now(UTC)
    later = now + day
    await put_tariff(floor.registry, CPO, "T1", tariff("0.99", valid_from=later))
    assert [await _price_at(floor, at) for at in (now, later - timedelta(seconds=1), later)] == [
        D("0.30"),
        D("0.30"),
        D("0.99"),
    ]
    coming = await upcoming(floor.journal, CPO, ["T1"], now)
    assert [each.valid_from for each in coming["T1"]] == [later]
    assert await _current(floor) == D("0.30")
    assert await begin_versions(floor.journal, floor.directory, now) == 0
    assert await begin_versions(floor.journal, floor.directory, later) == 1
    assert await begin_versions(floor.journal, floor.directory, later) == 0
    assert await _current(floor) == D("0.99")
    assert await _price_at(floor, now) == D("0.30"), "a session that is told late is priced by what held when it began"


async def test_a_change_of_what_is_in_force_leaves_what_is_to_come(floor: Floor) -> None:
    now = datetime.now(UTC)
    await put_tariff(floor.registry, CPO, "T1", tariff("0.99", valid_from=now + day))
    await put_tariff(floor.registry, CPO, "T1", tariff("0.40"))
    assert [await _price_at(floor, at) for at in (now, now + day)] == [D("0.40"), D("0.99")]
    await put_tariff(floor.registry, CPO, "T1", tariff("0.88", valid_from=now + day))
    assert await _price_at(floor, now + day) == D("0.88")


async def test_versions_may_come_and_go_and_come_again(floor: Floor) -> None:
    now = datetime.now(UTC)
    later = now + 2 * day
    await put_tariff(floor.registry, CPO, "T1", tariff("0.50", valid_from=now + day))
    floor.registry.now = lambda: later
    await put_tariff(floor.registry, CPO, "T1", tariff("0.60"))  # for all that have begun: no other version is left
    assert [await _price_at(floor, at) for at in (now, now + day, later)] == [D("0.60")] * 3
    assert await floor.journal.get(Ref("tariffversion", CPO, "T1")) is None
    await put_tariff(floor.registry, CPO, "T1", tariff("0.70", valid_from=later + day))
    assert [await _price_at(floor, at) for at in (later, later + day)] == [D("0.60"), D("0.70")]


async def test_of_versions_to_come_the_first_is_shown_where_none_is_in_force(floor: Floor) -> None:
    now = datetime.now(UTC)
    await put_tariff(floor.registry, CPO, "NEW", tariff("2", valid_from=now + 2 * day))
    await put_tariff(floor.registry, CPO, "NEW", tariff("1", valid_from=now + day))
    stored = await floor.journal.get(Ref("tariff", CPO, "NEW"))
    assert stored is not None
    assert _price(msgspec.json.decode(stored.body, type=Tariff)) == 1
    assert [await _price_at(floor, now + n * day, "NEW") for n in (0, 1, 2)] == [None, 1, 2]


async def test_a_tariff_that_has_ended_prices_nothing(floor: Floor) -> None:
    ends = datetime.now(UTC) + day
    await put_tariff(floor.registry, CPO, "T1", tariff("0.40", valid_until=ends))
    assert [await _price_at(floor, at) for at in (ends - timedelta(seconds=1), ends)] == [D("0.40"), None]


async def test_versions_that_were_followed_by_others_are_kept_for_a_while_only() -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    versions = [Tariff(id="T", currency="EUR", elements=(), valid_from=begun + n * day) for n in range(40)]
    current, others = arranged(reversed(versions), begun + 30 * day)
    assert current == versions[30]
    assert list(others) == [*versions[18:30], *versions[31:]]


async def _price_at(floor: Floor, at: datetime, tariff_id: str = "T1") -> Decimal | None:
    version = await version_at(floor.journal, CPO, tariff_id, at)
    return _price(version) if version else None


async def _current(floor: Floor) -> Decimal:
    stored = await floor.journal.get(Ref("tariff", CPO, "T1"))
    assert stored is not None
    return _price(msgspec.json.decode(stored.body, type=Tariff))


def _price(version: Tariff) -> Decimal:
    return version.elements[0].price_components[0].price
