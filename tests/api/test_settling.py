"""Settling a partner's CDRs: what is found is flagged and shown with its amounts, and no CDR is refused for it."""

from typing import Any

import pytest

from api.house import House
from api.partners import EMSP, at, cdr, connect, evse, location, tariff, with_emsp
from chargewire.api.ocpi_received import cdr_name


@pytest.fixture
async def partner(each_house: House) -> str:
    """The token of a CPO, DE-CPO, that our eMSP is connected with; its one driver has the contract NL-OUR-C1."""
    await with_emsp(each_house, "NL-OUR", "C1")
    return await connect(each_house, "EMSP", "NL-OUR", "DE-CPO", id="conn")


async def sent(house: House, partner: str, *said: dict[str, Any]) -> dict[str, list[str]]:
    """Send CDRs; gives the flags of all that are kept."""
    for each in said:
        answer = await house.ask("POST", f"{EMSP}/cdrs", partner, each)
        assert answer.status in (200, 201), answer.body
        assert answer.json["status_code"] == 1000, answer.body
    listed = (await house.admin("GET", "partners/conn/cdrs")).json["data"]
    return {each["id"]: each["flags"] for each in listed}


async def check(house: House, cdr_id: str = "C1") -> Any:
    answer = await house.admin("GET", f"partners/conn/cdrs/{cdr_name(cdr_id)}/check")
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_cdr_that_fits_has_no_flags(each_house: House, partner: str) -> None:
    assert await sent(each_house, partner, cdr()) == {"C1": []}
    told = await check(each_house)
    assert told["stated"] == {"energy": "2.0", "time": "0.5", "parking_time": None, "cost": "0.6"}
    assert told["recomputed"] == {"energy": "2.0", "time": "0.5", "parking_time": "0", "cost": "0.60"}
    assert (told["differences"], told["not_recomputed"]) == ([], None)


async def test_a_cdr_that_costs_too_much_is_kept_flagged_and_told_with_its_amounts(each_house: House, partner: str) -> None:
    flags = await sent(each_house, partner, cdr(total_cost=0.8, total_energy="2.5"))
    assert flags == {"C1": ["number-as-text:total_energy", "settle-total-energy", "settle-total-cost"]}
    found = (await check(each_house))["differences"]
    assert [(each["field"], each["stated"], each["recomputed"]) for each in found] == [
        ("total_energy", "2.5", "2.0"),
        ("total_cost", "0.8", "0.60"),
    ]
    assert (await each_house.get(f"{EMSP}/cdrs/C1", partner)).data["total_cost"] == 0.8


async def test_a_driver_that_is_not_ours_is_found_until_the_token_is_there(each_house: House, partner: str) -> None:
    flags = await sent(each_house, partner, cdr(auth_id="NL-OUR-C2"), cdr("C2", auth_id="nl-our-c1"), cdr("C3", auth_id="C1"))
    assert flags == {"C1": ["settle-token-unknown"], "C2": [], "C3": []}
    assert [each["stated"] for each in (await check(each_house))["differences"]] == ["NL-OUR-C2"]
    await with_emsp(each_house, "NL-OUR", "C2")
    assert (await check(each_house))["differences"] == []
    await with_emsp(each_house, "NL-ELSE", "C9")
    assert (await sent(each_house, partner, cdr("C4", auth_id="NL-ELSE-C9")))["C4"] == ["settle-token-unknown"]


async def test_two_cdrs_for_the_same_minutes_are_found_whichever_comes_first(each_house: House, partner: str) -> None:
    def from_(cdr_id: str, start: int, stop: int, **more: Any) -> dict[str, Any]:
        dimensions = [{"type": "ENERGY", "volume": 2.0}]
        period = {"start_date_time": at(start), "dimensions": dimensions}
        times = {"start_date_time": at(start), "stop_date_time": at(stop), "charging_periods": [period]}
        return cdr(cdr_id, **times, total_time=0, **more)

    elsewhere = location(evses=[evse("E2")])
    flags = await sent(
        each_house,
        partner,
        from_("A", 0, 1800),
        from_("B", 1800, 2400),  # they touch, and share nothing
        from_("D", 900, 1000, location=elsewhere),
        from_("E", 900, 1000, auth_id="C1"),  # another name
        from_("F", 900, 1000, location=location(evses=[])),  # who knows where
        from_("C", 1700, 1900),
        from_("A", 0, 1800),  # the same once more
    )
    assert {cdr_id for cdr_id, found in flags.items() if "settle-overlap" in found} == {"C"}
    found = (await check(each_house, "C"))["differences"]
    assert [(each["flag"], each["recomputed"]) for each in found] == [("settle-overlap", "A"), ("settle-overlap", "B")]
    assert [each["recomputed"] for each in (await check(each_house, "A"))["differences"]] == ["C"]


async def test_the_time_zone_may_be_that_of_the_location_as_the_partner_told_it(each_house: House, partner: str) -> None:
    night = {"price_components": [{"type": "ENERGY", "price": 0.1, "step_size": 1}], "restrictions": {"end_time": "09:15"}}
    local = {**tariff(), "elements": [night, *tariff()["elements"]]}
    await sent(each_house, partner, cdr(tariffs=[local], total_cost=0.4))
    assert "time zone of the location is not known" in (await check(each_house))["not_recomputed"]
    await each_house.ask("PUT", f"{EMSP}/locations/DE/CPO/L1", partner, location(time_zone="Europe/Berlin"))
    told = await check(each_house)
    assert (told["recomputed"]["cost"], told["differences"]) == ("0.40", [])  # half before 09:15 in Köln, half after


async def test_an_id_may_hold_anything_and_what_is_not_there_is_not_found(each_house: House, partner: str) -> None:
    odd = "a/b c?d#e%41"
    await sent(each_house, partner, cdr(odd))
    assert (await check(each_house, odd))["differences"] == []
    await connect(each_house, "CPO", "NL-AAA", "DE-EMS", id="as-cpo")
    for path in ("conn/cdrs/none", "nobody/cdrs/C1", "as-cpo/cdrs/C1"):
        assert (await each_house.admin("GET", f"partners/{path}/check")).status == 404, path
    assert (await each_house.get("/admin/v1/partners/conn/cdrs/C1/check", partner)).status == 401


async def test_a_cdr_of_very_many_periods_is_settled_like_any_other(each_house: House, partner: str) -> None:
    periods = [
        {"start_date_time": at(count), "dimensions": [{"type": "ENERGY", "volume": 0.01}, {"type": "TIME", "volume": 0.0003}]}
        for count in range(1000)
    ]
    totals = {"total_energy": 10, "total_time": 0.3, "total_cost": 3.0, "stop_date_time": at(1100)}
    assert await sent(each_house, partner, cdr(charging_periods=periods, **totals)) == {"C1": []}
