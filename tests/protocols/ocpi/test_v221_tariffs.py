"""Tariffs of OCPI 2.2.1 and 2.3.0, read into our words."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chargewire.charging.tariff import PriceLimit
from chargewire.protocols.ocpi.v221.tariffs import tariff

BARE = {"id": "T", "currency": "EUR", "elements": [{"price_components": [{"type": "FLAT", "price": 0.1, "step_size": 1}]}]}


def read(**more: Any) -> Any:
    return tariff(msgspec.json.encode(BARE | more))


def test_money_is_the_decimal_number_that_it_was_written_as() -> None:
    assert read().elements[0].price_components[0].price == Decimal("0.1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"excl_vat": 0.5, "incl_vat": 0.55}, PriceLimit(Decimal("0.5"), Decimal("0.55"))),
        ({"excl_vat": 0.5}, PriceLimit(Decimal("0.5"))),
        ({"before_taxes": 10, "after_taxes": 11}, PriceLimit(Decimal(10), Decimal(11))),
        ({"before_taxes": 10}, PriceLimit(Decimal(10))),
    ],
)
def test_a_limit_is_read_in_the_words_of_either_version(written: dict[str, Any], meant: PriceLimit) -> None:
    found = read(min_price=written, max_price=written)
    assert (found.min_price, found.max_price) == (meant, meant)


def test_a_limit_without_an_amount_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="before_taxes"):
        read(min_price={"incl_vat": 1})


@pytest.mark.parametrize(("said", "meant"), [("YES", True), ("NO", False), ("N/A", False), (None, False)])
def test_only_yes_means_that_tax_is_included(said: str | None, meant: bool) -> None:
    assert (read(tax_included=said) if said else read()).tax_included is meant


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00"])
def test_times_are_utc_with_or_without_a_z(text: str) -> None:
    found = read(start_date_time=text, end_date_time=text)
    assert found.valid_from == found.valid_until == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-31T12:00:00Z", 7])
def test_what_is_no_time_is_refused(text: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="end_date_time"):
        read(end_date_time=text)
