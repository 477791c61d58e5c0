"""Tariffs and sessions of the independent vectors, in our words: 2.2.1 tariffs as far as 2.1.1 can say them."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from chargewire.charging.session import Period
from chargewire.charging.tariff import Element, Tariff

DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"))
NEW_IN_22 = {
    "min_price": "has a minimum price",
    "max_price": "has a maximum price",
    "reservation": "prices reservations",
    "min_current": "restricts currents",
    "max_current": "restricts currents",
}


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)


def words_of_22(tariff: Mapping[str, Any]) -> set[str]:
    """What a tariff says that OCPI 2.1.1 has no words for, besides VAT per component."""
    restrictions = [key for element in tariff["elements"] for key in element.get("restrictions", {})]
    words = {NEW_IN_22[key] for key in [*tariff, *restrictions] if key in NEW_IN_22}
    return words | ({"has prices that include tax"} if tariff.get("tax_included") == "YES" else set())


def tariff_of(tariff: Mapping[str, Any]) -> Tariff:
    """A tariff in 2.1.1 words; VAT only if all its components have the same rate."""
    elements = msgspec.convert(_without_vat(tariff["elements"]), tuple[Element, ...], strict=False)
    rates = {component.get("vat") for element in tariff["elements"] for component in element["price_components"]}
    vat = rates.pop() if len(rates) == 1 else None
    return Tariff(id=tariff["id"], currency=tariff["currency"], elements=elements, vat_percent=vat and Decimal(vat))


def periods_of(scenario: Mapping[str, Any], zone: ZoneInfo) -> tuple[list[Period], datetime]:
    """The periods of a worked example, and its end."""
    periods = []
    end = datetime.min.replace(tzinfo=zone)
    for period in scenario["periods"]:
        start = datetime.fromisoformat(period["start_local"]).replace(tzinfo=zone)
        seconds = int(period["minutes"]) * 60
        energy_wh = Decimal(period.get("kwh", 0)) * 1000
        assert energy_wh == int(energy_wh)
        charging = period["kind"] == "CHARGING"
        periods.append(Period(start, int(energy_wh), seconds if charging else 0, 0 if charging else seconds))
        end = start + timedelta(seconds=seconds)
    return periods, end


def periods_of_cdr(cdr: Mapping[str, Any]) -> tuple[list[Period], datetime]:
    """The periods of an OCPI CDR, and its end; times to the second. A period without a time is taken to charge."""
    end = datetime.fromisoformat(cdr["end_date_time"])
    starts = [datetime.fromisoformat(period["start_date_time"]) for period in cdr["charging_periods"]]
    periods = []
    for period, start, until in zip(cdr["charging_periods"], starts, [*starts[1:], end], strict=True):
        volumes = {dimension["type"]: Decimal(dimension["volume"]) for dimension in period["dimensions"]}
        parking_s = round(volumes.get("PARKING_TIME", 0) * 3600)
        charging_s = round(volumes["TIME"] * 3600) if "TIME" in volumes else 0
        if not parking_s and not charging_s:
            charging_s = round((until - start).total_seconds())
        periods.append(Period(start, int(volumes.get("ENERGY", 0) * 1000), charging_s, parking_s))
    return periods, end


def _without_vat(elements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **element,
            "price_components": [
                {key: value for key, value in component.items() if key != "vat"} for component in element["price_components"]
            ],
        }
        for element in elements
    ]
