"""The independent tariff vectors: what can be said in 2.1.1 words comes out exactly, and what cannot is listed."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.pricing.billing import stepped
from chargewire.charging.tariff import Tariff
from charging.vectors import DATA, load, periods_of, periods_of_cdr, tariff_of, words_of_22

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
VECTORS = DATA / "tariff-vectors"
CENT = Decimal("0.01")

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="no tariff vectors here (CHARGEWIRE_TEST_DATA)")

LEFT_OUT = {
    "tariff_12_025kwh_min_price.json": {"has a minimum price"},
    "tariff_6_025kwh_start_max_price.json": {"has a maximum price"},
    "tariff_4_complex.json": {"restricts currents"},
    "tariff_15_reservation_5_euro_per_hour.json": {"prices reservations"},
    "tariff_16_reservation_2_euro_fee_5_euro_per_hour.json": {"prices reservations"},
    "tariff_17_reservation_with_expire_fee.json": {"prices reservations"},
    "tariff_18_reservation_with_expire_time.json": {"prices reservations"},
    "tariff_20_simple_north_american_inclusive.json": {"has prices that include tax"},
}
LEFT_OUT_FOLDERS = {
    "025kwh_min_price": {"has a minimum price"},
    "025kwh_start_max_price": {"has a maximum price"},
    "complex": {"restricts currents"},
    "reservation_2_euro_fee_5_euro_per_hour": {"prices reservations"},
    "reservation_5_euro_per_hour": {"prices reservations"},
    "reservation_with_expire_fee": {"prices reservations"},
    "reservation_with_expire_time": {"prices reservations"},
}


def examples() -> list[dict[str, Any]]:
    path = VECTORS / "spec-worked-examples.json"
    return load(path)["scenarios"] if path.exists() else []


def tariff_file(example: dict[str, Any], version: str | None = None) -> dict[str, Any]:
    version = version or example["versions"][-1]
    tariff: dict[str, Any] = load(DATA / "ocpi" / version / example["tariff_file"])
    return tariff


def folders() -> list[str]:
    return sorted(path.parent.name for path in VECTORS.glob("tandemdrive/*/tariff.json"))


def cdrs() -> list[str]:
    return sorted(str(path.relative_to(VECTORS)) for path in VECTORS.glob("tandemdrive/*/cdr*.json"))


@pytest.mark.parametrize(
    ("example", "version"),
    [
        pytest.param(example, version, id=f"{version} {example['tariff_file']}: {example['name']}")
        for example in examples()
        if example["tariff_file"] not in LEFT_OUT
        for version in example["versions"]
    ],
)
def test_a_worked_example_of_the_specification_comes_out_to_the_cent(example: dict[str, Any], version: str) -> None:
    tariff = tariff_of(tariff_file(example, version))
    periods, end = periods_of(example, AMSTERDAM)
    cost = price(tariff, periods, end, "Europe/Amsterdam")
    assert cost.excl_vat == cents(example.get("recomputed_excl") or example["printed_excl"])
    printed_incl = example.get("recomputed_incl") or example["printed_incl"]
    if cost.incl_vat is not None and printed_incl is not None:
        assert cost.incl_vat == cents(printed_incl)


def test_the_worked_examples_left_out_are_exactly_those_that_need_words_of_later_versions() -> None:
    needed = {example["tariff_file"]: words_of_22(tariff_file(example)) for example in examples()}
    assert {name: words for name, words in needed.items() if words} == LEFT_OUT


@pytest.mark.parametrize("name", [name for name in cdrs() if name.split("/")[1] not in LEFT_OUT_FOLDERS])
def test_a_cdr_of_the_vectors_costs_what_it_says(name: str) -> None:
    cdr = load(VECTORS / name)
    periods, end = periods_of_cdr(cdr)
    cost = price(tariff_of(load((VECTORS / name).parent / "tariff.json")), periods, end, "UTC")
    assert cost.excl_vat == cents(cdr["total_cost"]["excl_vat"])
    if cost.incl_vat is not None:
        assert cost.incl_vat == cents(cdr["total_cost"]["incl_vat"])


def test_the_vectors_left_out_are_exactly_those_that_need_words_of_later_versions() -> None:
    needed = {name: words_of_22(load(VECTORS / "tandemdrive" / name / "tariff.json")) for name in folders()}
    assert {name: words for name, words in needed.items() if words} == LEFT_OUT_FOLDERS


@pytest.mark.parametrize("name", [name for name in folders() if name not in LEFT_OUT_FOLDERS])
def test_every_other_tariff_of_the_vectors_can_be_read(name: str) -> None:
    check_tariff(tariff_of(load(VECTORS / "tandemdrive" / name / "tariff.json")))


@pytest.mark.parametrize("path", sorted((DATA / "ocpi" / "2.1.1").glob("mod_tariffs_0[1-7]*.json")), ids=lambda path: path.stem)
def test_every_tariff_example_of_the_2_1_1_text_can_be_read(path: Any) -> None:
    tariff: Tariff = tariff_of({"id": "12", "currency": "EUR"} | load(path))
    check_tariff(tariff)


def test_the_example_cdr_of_the_2_1_1_text_costs_what_it_says() -> None:
    """Its price is text and its time is rounded: 1.973 h in steps of 5 minutes are 2 h."""
    cdr = load(DATA / "ocpi" / "2.1.1" / "mod_cdrs_01_example_of_a_cdr.json")
    periods, end = periods_of_cdr(cdr | {"end_date_time": cdr["stop_date_time"]})
    assert price(tariff_of(cdr["tariffs"][0]), periods, end, "Europe/Brussels").excl_vat == Decimal("4.00")


@pytest.mark.parametrize("number", range(7))
def test_step_sizes_round_up_as_the_specification_says(number: int) -> None:
    facts = load(VECTORS / "spec-worked-examples.json")["step_size_examples"]
    assert len(facts) == 7
    fact = facts[number]
    if "amounts_wh" in fact:
        micro = [round(Decimal(amount) * 10**6) for amount in fact["amounts_wh"]]
        billed = fact.get("billed_wh") or fact["billed_wh_total"]
        assert stepped(sum(micro), fact["step_size"] * 10**6) == int(billed) * 10**6
    elif fact["dimension"] == "TIME":
        assert stepped(sum(60 * int(m) for m in fact["amounts_min"]) * 10**6, fact["step_size"] * 10**6) == 1800 * 10**6
    else:
        parked = int(fact["amounts_min"][1]) * 60 * 10**6
        assert stepped(parked, fact["step_size"][1] * 10**6) == int(fact["billed_min"][1]) * 60 * 10**6


def cents(amount: Any) -> Decimal:
    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)
