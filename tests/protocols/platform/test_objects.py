"""The objects of the Platform API against its published description, and against the examples of OCPI 2.1.1."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.stock import CONNECTOR, START, cdr, session
from chargewire.charging.location import Evse, GeoLocation, Location, Status
from chargewire.charging.notification import StationNotification
from chargewire.charging.pricing import price
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import SessionStatus
from chargewire.charging.tariff import Element, PriceComponent, PriceLimit, Restrictions, Tariff
from chargewire.protocols.platform import (
    StampedEvse,
    cdr_json,
    connector_json,
    evse_json,
    evse_patch,
    location_json,
    notification_json,
    session_json,
    session_patch,
)
from chargewire.protocols.platform.metervalues import Filter, Source, records
from chargewire.protocols.platform.moments import moment, stamped
from chargewire.protocols.platform.status import STATUS

DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "ocpi/2.1.1"
STAMP = 1_795_500_000_123_999

EVSE = Evse(uid="NL-AAA-ECS-A-1", location_id="LOC-A", station_id="CS-A", status=Status.AVAILABLE, connectors=(CONNECTOR,))
PLACE = Location(
    id="LOC-A",
    type="ON_STREET",
    address="Stationsplein 1",
    city="Utrecht",
    postal_code="3511CE",
    country="NLD",
    coordinates=GeoLocation("52.089400", "5.110100"),
    time_zone="Europe/Amsterdam",
)
NOTIFICATION = StationNotification(
    id="01ABC",
    station_id="CS-A",
    location_id="LOC-A",
    action="StatusNotification",
    message_id="m-1",
    payload='{"connectorId":1,"status":"Faulted","errorCode":"GroundFailure","vendorErrorCode":"0x1F"}',
    at=START,
    evse_uid="NL-AAA-ECS-A-1",
    level="Error",
)
SOURCE = Source(
    station_id="CS-A",
    location_id="LOC-A",
    evse_uid="NL-AAA-ECS-A-1",
    connector=1,
    session_id="S1",
    message_id="m-1",
    created=STAMP,
    uid="0-1",
)

# name → (what we write, the fields of the published description, those of them that are mandatory)
DESCRIBED: dict[str, tuple[bytes, str, str]] = {
    "location": (
        location_json(PLACE, [StampedEvse(EVSE, STAMP)], STAMP),
        "id type access_type publish name address city postal_code country coordinates related_locations evses directions "
        "operator suboperator owner auth_rules facilities time_zone opening_times charging_when_closed images energy_mix "
        "last_updated",
        "id type address city postal_code country coordinates last_updated",
    ),
    "evse": (
        evse_json(EVSE, STAMP),
        "uid evse_id status status_schedule capabilities connectors floor_level coordinates physical_reference directions "
        "parking_restrictions images charging_behavior last_updated",
        "uid status connectors last_updated",
    ),
    "connector": (
        connector_json(CONNECTOR, STAMP),
        "id standard format power_type voltage amperage max_electric_power tariff_id terms_and_conditions last_updated",
        "id standard format power_type voltage amperage last_updated",
    ),
    "session": (
        session_json(session("S1"), STAMP),
        "id start_datetime end_datetime kwh auth_id auth_method location meter_id currency charging_periods status "
        "last_updated authorization_id vid state_of_charge total_cost",
        "id start_datetime kwh auth_id auth_method location currency status last_updated",
    ),
    "cdr": (
        cdr_json(cdr(session("S1")), STAMP),
        "id start_date_time stop_date_time session_id auth_id token_uid token_visual_number auth_method location meter_id "
        "currency tariffs charging_periods charging_periods_retail charging_periods_reimbursement total_cost "
        "total_cost_incl_vat total_vat vat total_energy total_time total_parking_time remark last_updated "
        "total_retail_cost total_retail_cost_incl_vat total_retail_vat retail_vat retail_currency "
        "total_reimbursement_cost reimbursement_tariff_code retail_package_id customer_external_id driver_external_id "
        "authorization_id auth_host_reference emsp_party_id emsp_country_code emsp_external_id cpo_id charger_type "
        "coupon_ids coupons_compensated_costs custom_groups cost_breakdown cost_breakdown_retail "
        "cost_breakdown_reimbursement max_power_w",
        "id start_date_time stop_date_time auth_id auth_method location currency total_cost total_energy total_time "
        "last_updated",
    ),
    "notification": (
        notification_json(NOTIFICATION, STAMP),
        "id charge_station_notification_id charge_station_id location_id charge_location_id charge_station_message_payload "
        "evse_id created direction level message_type message_action MessageAction",
        "id charge_station_notification_id charge_station_id created direction message_type message_action",
    ),
    "meter value": (
        next(records(SOURCE, (Reading(START, (Sample("1"),)),), lambda _: True)),
        "meter_value_uid value unit evse_id charge_station_id location_id meter_type created timestamp message_id session_id "
        "connector_id connector_ID context measurand phase format location meter_id",
        "meter_value_uid value unit charge_station_id created timestamp measurand",
    ),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_object_has_the_fields_of_the_description_and_no_others(name: str) -> None:
    written, fields, mandatory = DESCRIBED[name]
    found = msgspec.json.decode(written)
    assert set(found) == set(fields.split())
    assert not [field for field in mandatory.split() if found[field] is None]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("session", "mod_sessions_03_simple_session_example_of_a_short_finished_session.json"),
        ("cdr", "mod_cdrs_01_example_of_a_cdr.json"),
        ("location", "mod_locations_06_example.json"),
    ],
)
def test_an_object_has_every_field_of_the_standards_example_in_the_same_form(name: str, file: str) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"{DATA / file} is not here")
    _compare(msgspec.json.decode(DESCRIBED[name][0]), msgspec.json.decode((DATA / file).read_bytes()), name)


def _compare(ours: Any, example: Any, path: str) -> None:
    if isinstance(example, dict) and isinstance(ours, dict):
        for key, value in example.items():
            assert key in ours, f"{path}.{key}"
            _compare(ours[key], value, f"{path}.{key}")
    elif isinstance(example, list) and isinstance(ours, list):
        for each in ours[:1]:
            _compare(each, example[0], f"{path}[]")
    elif ours is not None and not (path.endswith(".price") and isinstance(example, str)):  # the example quotes a price
        numbers = (int, float)
        assert isinstance(ours, numbers) == isinstance(example, numbers), path


def test_times_have_milliseconds_rounded_down_and_a_z() -> None:
    assert moment(datetime(2026, 11, 24, 7, 12, 0, 999_999, tzinfo=UTC)) == "2026-11-24T07:12:00.999Z"
    assert stamped(1_795_500_000_123_999) == moment(datetime.fromtimestamp(1_795_500_000, UTC) + timedelta(milliseconds=123))
    assert stamped("2026") == "2026"


def test_every_status_has_a_word() -> None:
    assert set(STATUS) == set(Status)
    assert set(STATUS.values()) <= {
        "AVAILABLE", "BLOCKED", "CHARGING", "INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED", "RESERVED", "UNKNOWN",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("Available", "AVAILABLE"),
        ("Preparing", "AVAILABLE"),
        ("Charging", "CHARGING"),
        ("Occupied", "CHARGING"),
        ("SuspendedEV", "CHARGING"),
        ("SuspendedEVSE", "CHARGING"),
        ("Finishing", "CHARGING"),
        ("Reserved", "RESERVED"),
        ("Unavailable", "OUTOFORDER"),
        ("Faulted", "OUTOFORDER"),
        ("Unknown", "UNKNOWN"),
    ],
)
def test_a_status_is_translated_by_the_first_published_mapping(status: str, word: str) -> None:
    assert STATUS[Status(status)] == word


def test_a_session_that_begins_has_no_end_no_periods_and_no_energy() -> None:
    begun = session("S1", status=SessionStatus.ACTIVE, stopped=None, energy_wh=0, periods=(), total_cost=None)
    found = msgspec.json.decode(session_json(begun, STAMP))
    assert (found["kwh"], found["charging_periods"], found["end_datetime"]) == (0, None, None)
    assert found["status"] == "ACTIVE"
    assert found["location"]["evses"][0]["status"] == "CHARGING"
    assert len(found["location"]["evses"][0]["connectors"]) == 1


def test_charging_periods_carry_energy_and_time_and_idle_ones_only_parking_time() -> None:
    periods = msgspec.json.decode(session_json(session("S1"), STAMP))["charging_periods"]
    assert [[dimension["type"] for dimension in period["dimensions"]] for period in periods] == [
        ["ENERGY", "TIME", "MAX_CURRENT"],
        ["ENERGY", "TIME"],
        ["PARKING_TIME"],
    ]
    assert [period["dimensions"][0]["volume"] for period in periods] == [2.5, 1.0, 0.15]


def test_a_compact_patch_has_totals_only() -> None:
    found = msgspec.json.decode(session_patch(session("S1"), "compact", STAMP))
    assert set(found) == {"id", "start_datetime", "kwh", "status", "last_updated"}


@pytest.mark.parametrize("kind", ["full", "parking", "end"])
def test_every_other_patch_has_all_periods_so_far(kind: Any) -> None:
    found = msgspec.json.decode(session_patch(session("S1"), kind, STAMP))
    assert len(found["charging_periods"]) == 3
    assert ("end_datetime" in found) == (kind == "end")


def test_the_patch_at_the_end_says_what_the_session_says() -> None:
    whole = msgspec.json.decode(session_json(session("S1"), STAMP))
    for name, value in msgspec.json.decode(session_patch(session("S1"), "end", STAMP)).items():
        assert whole[name] == value


def test_an_evse_patch_is_its_status_and_when() -> None:
    found = msgspec.json.decode(evse_patch(EVSE, STAMP))
    assert found == {"status": "AVAILABLE", "last_updated": stamped(STAMP)}


def test_an_evse_that_has_gone_to_another_location_is_removed_here() -> None:
    gone = msgspec.structs.replace(EVSE, location_id="LOC-B")
    found = msgspec.json.decode(location_json(PLACE, [StampedEvse(EVSE, STAMP), StampedEvse(gone, STAMP)], STAMP))
    assert [each["status"] for each in found["evses"]] == ["AVAILABLE", "REMOVED"]


def test_a_cdr_says_energy_in_kwh_and_times_in_hours() -> None:
    found = msgspec.json.decode(cdr_json(cdr(session("S1", emsp="NL-EMS")), STAMP))
    assert (found["total_energy"], found["total_time"], found["total_parking_time"]) == (3.5, 0.5, 0.15)
    assert (found["total_cost"], found["emsp_country_code"], found["emsp_party_id"]) == (1.05, "NL", "EMS")
    (line,) = found["cost_breakdown"]
    assert line["dimensions"] == [{"type": "ENERGY", "volume": 3.5, "dimension_details": "METER", "price": 0.3, "cost": 1.05}]


def test_a_cdr_has_three_prices_and_says_which_line_is_a_limit() -> None:
    limited = Tariff(
        id="R",
        currency="EUR",
        elements=(Element((PriceComponent("ENERGY", Decimal("0.40"), 0), PriceComponent("FLAT", Decimal("0.10"), 0))),),
        vat_percent=Decimal(21),
        min_price=PriceLimit(Decimal(2), Decimal("2.42")),
    )
    paid_back = msgspec.structs.replace(limited, id="B", currency="EUR", min_price=None, vat_percent=None)
    bare = cdr(session("S1", emsp="NL-EMS"))
    retail, reimbursement = (price(each, bare.periods, bare.stop, "UTC") for each in (limited, paid_back))
    given = msgspec.structs.replace(
        bare, retail=retail, retail_tariff=limited, reimbursement=reimbursement, reimbursement_tariff=paid_back
    )
    found = msgspec.json.decode(cdr_json(given, STAMP))
    assert (found["total_cost"], found["total_retail_cost"], found["total_reimbursement_cost"]) == (1.05, 2.0, 1.5)
    assert (found["total_retail_cost_incl_vat"], found["total_retail_vat"], found["retail_vat"]) == (2.42, 0.42, 21.0)
    assert (found["retail_currency"], found["reimbursement_tariff_code"]) == ("EUR", "B")
    details = [line["dimensions"][0]["dimension_details"] for line in found["cost_breakdown_retail"]]
    assert details == ["FIXED", "METER", "BOUNDARY_BELOW"]
    for name, total in (("retail", 2.0), ("reimbursement", 1.5)):
        assert sum(line["dimensions"][0]["cost"] for line in found[f"cost_breakdown_{name}"]) == pytest.approx(total)


def test_a_cdr_shows_no_element_that_a_reader_of_2_1_1_would_take_for_one_of_the_session() -> None:
    elements = [
        Element((PriceComponent("FLAT", Decimal(4), 0),), restrictions)
        for restrictions in (Restrictions(reservation="RESERVATION"), Restrictions(min_current=Decimal(32)), None)
    ]
    given = msgspec.structs.replace(
        cdr(session("S1")), tariff=Tariff(id="T", currency="EUR", elements=tuple(elements), vat_percent=Decimal(21))
    )
    (shown,) = msgspec.json.decode(cdr_json(given, STAMP))["tariffs"]
    assert [element["restrictions"] for element in shown["elements"]] == [None]


def test_a_notification_holds_the_payload_as_text_with_level_and_vendor_code() -> None:
    found = msgspec.json.decode(notification_json(NOTIFICATION, STAMP))
    payload = msgspec.json.decode(found["charge_station_message_payload"])
    assert payload["errorCode"] == "GroundFailure"
    assert (payload["level"], payload["VendorErrorCode"]) == ("Error", "0x1F")
    assert (found["direction"], found["message_type"]) == ("ToGsop", "2")


@pytest.mark.parametrize("payload", ["", "[]", "{", "not json", "{}", '{"vendorErrorCode":5}', '{ "a" : 1 } '])
def test_a_notification_passes_on_whatever_the_station_said(payload: str) -> None:
    written = notification_json(msgspec.structs.replace(NOTIFICATION, payload=payload), STAMP)
    passed_on = msgspec.json.decode(written)["charge_station_message_payload"]
    try:
        said = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        said = None
    if isinstance(said, dict):
        assert said.items() <= msgspec.json.decode(passed_on).items()
    else:
        assert passed_on == payload


def test_meter_values_that_are_no_numbers_are_null_and_uids_do_not_depend_on_filters() -> None:
    samples = (Sample("1"), Sample("nan"), Sample("abc"), Sample("2.123456", "Power.Active.Import", "kW"))
    everything = [msgspec.json.decode(each) for each in records(SOURCE, (Reading(START, samples),), lambda _: True)]
    assert [each["value"] for each in everything] == [1.0, None, None, 2.12346]
    power = [
        msgspec.json.decode(each)
        for each in records(SOURCE, (Reading(START, samples),), Filter(measurand="poweractiveimport").wants())
    ]
    assert power == everything[3:]
