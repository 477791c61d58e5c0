"""Tariffs and sessions of the independent vectors, in our words."""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from chargewire.charging.pricing import Reservation
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff
from chargewire.protocols.ocpi.v221.tariffs import tariff as read_tariff

DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"))


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)


def tariff_of(tariff: Mapping[str, Any]) -> Tariff:
    """A tariff of any version of OCPI that the vectors have."""
    return read_tariff(msgspec.json.encode(tariff))


def reservation_of(scenario: Mapping[str, Any], zone: ZoneInfo) -> Reservation | None:
    """The reservation of a worked example, if it begins with one."""
    first = scenario["periods"][0]
    if not first["kind"].startswith("RESERVATION"):
        return None
    begin = datetime.fromisoformat(first["start_local"]).replace(tzinfo=zone)
    return Reservation(begin, begin + timedelta(minutes=int(first["minutes"])), first["kind"] == "RESERVATION_EXPIRED")


def periods_of(scenario: Mapping[str, Any], zone: ZoneInfo) -> tuple[list[Period], datetime]:
    """The periods of a worked example, and its end."""
    periods = []
    end = datetime.min.replace(tzinfo=zone)
    for period in scenario["periods"]:
        if period["kind"].startswith("RESERVATION"):
            continue
        start = datetime.fromisoformat(period["start_local"]).replace(tzinfo=zone)
        seconds = int(period["minutes"]) * 60
        energy_wh = Decimal(period.get("kwh", 0)) * 1000
        assert energy_wh == int(energy_wh)
        charging = period["kind"] == "CHARGING"
        currents = {name: Decimal(period[name]) for name in ("min_current_a", "max_current_a") if name in period}
        periods.append(Period(start, int(energy_wh), seconds if charging else 0, 0 if charging else seconds, **currents))
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
