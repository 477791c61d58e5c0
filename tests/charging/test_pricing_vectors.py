"""The independent tariff vectors: every one comes out exactly."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.pricing.billing import stepped
from chargewire.charging.tariff import Tariff
from charging.vectors import DATA, load, periods_of, periods_of_cdr, reservation_of, tariff_of

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
VECTORS = DATA / "tariff-vectors"
CENT = Decimal("0.01")

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="no tariff vectors here (CHARGEWIRE_TEST_DATA)")

UNDERSTATED = "tandemdrive/025kwh_min_price/cdr2_less_than_2kWh.json"  # says 0.30 where the tariff's least price is 0.50


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
        for version in example["versions"]
    ],
)
def test_a_worked_example_of_the_specification_comes_out_to_the_cent(example: dict[str, Any], version: str) -> None:
    tariff = tariff_of(tariff_file(example, version))
    periods, end = periods_of(example, AMSTERDAM)
    cost = price(tariff, periods, end, "Europe/Amsterdam", reservation_of(example, AMSTERDAM))
    excl = example.get("recomputed_excl") or example["printed_excl"]
    incl = example.get("recomputed_incl") or example["printed_incl"]
    if excl is None:  # prices include a tax of unknown rate: all that is known is what is paid
        assert (cost.excl_vat, cost.vat) == (cost.incl_vat, None)
    else:
        assert cost.excl_vat == cents(excl)
    if incl is not None:  # some examples print none
        assert cost.incl_vat == cents(incl)
    assert sum(line.cost for line in cost.lines) == cost.excl_vat


def test_all_twenty_seven_worked_examples_are_there() -> None:
    assert len(examples()) == 27


@pytest.mark.parametrize("name", [name for name in cdrs() if name != UNDERSTATED])
def test_a_cdr_of_the_vectors_costs_what_it_says(name: str) -> None:
    cdr = load(VECTORS / name)
    periods, end = periods_of_cdr(cdr)
    cost = price(tariff_of(load((VECTORS / name).parent / "tariff.json")), periods, end, "UTC")
    assert cost.excl_vat == cents(cdr["total_cost"]["excl_vat"])
    assert (cost.excl_vat if cost.incl_vat is None else cost.incl_vat) == cents(cdr["total_cost"]["incl_vat"])


def test_a_cdr_that_states_less_than_the_least_price_of_its_tariff_is_found_out() -> None:
    cdr = load(VECTORS / UNDERSTATED)
    periods, end = periods_of_cdr(cdr)
    cost = price(tariff_of(load((VECTORS / UNDERSTATED).parent / "tariff.json")), periods, end, "UTC")
    stated = (cents(cdr["total_cost"]["excl_vat"]), cents(cdr["total_cost"]["incl_vat"]))
    assert stated == (Decimal("0.30"), Decimal("0.33"))
    assert (cost.excl_vat, cost.incl_vat) == (Decimal("0.50"), Decimal("0.55"))
    assert cost.lines[-1].details == "BOUNDARY_BELOW"


@pytest.mark.parametrize("name", folders())
def test_every_tariff_of_the_vectors_can_be_read(name: str) -> None:
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
