"""Everything that we write passes the strict types of 2.1.1, whatever is kept here; tokens and tariffs come back."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, inspect

from chargewire.charging import cdr as cdr_domain
from chargewire.charging import location as place
from chargewire.charging import tariff as tariff_domain
from chargewire.charging.cdr import Cost
from chargewire.charging.errors import Refused
from chargewire.charging.session import Period, Session, SessionStatus, Started, Stopped
from chargewire.charging.token import Token, TokenRef
from chargewire.protocols.ocpi.v211 import cdrs, locations, reading, sessions, tariffs, tokens
from chargewire.protocols.ocpi.v211.commands import CommandResponse

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DEGREES = re.compile(r"-?\d{1,3}\.\d{6}")
STAMP = 1_764_000_000_123_456
BEGIN = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
filled = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip)
keys = st.from_regex(r"[A-Za-z0-9*_-]{1,36}", fullmatch=True)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
urls = st.from_regex(r"https://example\.com/[a-z]{0,300}", fullmatch=True)
maybe = lambda what: st.none() | what  # noqa: E731
texts = st.builds(place.DisplayText, st.sampled_from(["nl", "en", "deu", "", "x1"]), words)
points = st.builds(
    place.GeoLocation,
    st.decimals(-90, 90, places=8).map(str),
    st.decimals(-180, 180, places=3).map(str),
)
images = st.builds(
    place.Image,
    url=urls,
    category=st.sampled_from(["CHARGER", "OTHER", "DRONE"]),
    type=st.sampled_from(["png", "jpeg", "tiff", "webpx"]),
    thumbnail=maybe(urls),
    width=maybe(st.integers(-1, 200_000)),
    height=maybe(st.integers(-1, 200_000)),
)
business = st.builds(place.BusinessDetails, name=filled, website=maybe(urls), logo=maybe(images), phone_number=maybe(words))
mixes = st.builds(
    place.EnergyMix,
    is_green_energy=st.booleans(),
    energy_sources=st.lists(st.builds(place.EnergySource, st.sampled_from(["WIND", "TIDE"]), st.floats(0, 100))).map(tuple),
    environ_impact=st.lists(
        st.builds(place.EnvironmentalImpact, st.sampled_from(["CARBON_DIOXIDE", "NOISE"]), st.floats(0, 1e6))
    ).map(tuple),
    supplier_name=maybe(words),
    energy_product_name=maybe(words),
)
clock = st.sampled_from(["00:00", "08:30", "23:59", "24:00", "8:30", ""])
hours = st.builds(
    place.Hours,
    twentyfourseven=maybe(st.booleans()),
    regular_hours=st.lists(st.builds(place.RegularHours, st.integers(0, 8), clock, clock), max_size=3).map(tuple),
    exceptional_openings=st.lists(st.builds(place.ExceptionalPeriod, moments, moments), max_size=2).map(tuple),
)
connectors = st.builds(
    place.Connector,
    id=keys,
    connector_id=st.integers(1, 9),
    standard=st.sampled_from(["IEC_62196_T2", "CHADEMO", "IEC_60309_2_three_64"]),
    format=st.sampled_from(["SOCKET", "CABLE"]),
    power_type=st.sampled_from(["AC_1_PHASE", "AC_3_PHASE", "DC"]),
    voltage=st.integers(0, 1000),
    amperage=st.integers(0, 1000),
    max_electric_power=maybe(st.integers(0, 400_000)),
    tariff_id=maybe(keys),
    terms_and_conditions=maybe(urls),
)
evses = st.builds(
    place.Evse,
    uid=keys,
    location_id=st.just("L1"),
    station_id=keys,
    status=st.sampled_from(list(place.Status)),
    evse_id=maybe(keys),
    connectors=st.lists(connectors, min_size=1, max_size=2).map(tuple),
    status_schedule=st.lists(
        st.builds(
            place.StatusSchedule,
            period_begin=moments,
            status=st.sampled_from(["RESERVED", "SLEEPING"]),
            period_end=maybe(moments),
            status_message=maybe(words),
        ),
        max_size=2,
    ).map(tuple),
    capabilities=st.lists(st.sampled_from(["RFID_READER", "RESERVABLE", "PED_TERMINAL"]), max_size=3).map(tuple),
    floor_level=maybe(words),
    coordinates=maybe(points),
    physical_reference=maybe(words),
    directions=st.lists(texts, max_size=2).map(tuple),
    parking_restrictions=st.lists(st.sampled_from(["EV_ONLY", "TAXIS"]), max_size=2).map(tuple),
    images=st.lists(images, max_size=2).map(tuple),
    charging_behavior=maybe(words),
)
places = st.builds(
    place.Location,
    id=keys,
    type=st.sampled_from(["ON_STREET", "OTHER", "ALONG_MOTORWAY"]),
    address=filled,
    city=filled,
    postal_code=filled,
    country=st.sampled_from(["NLD", "BEL"]),
    coordinates=points,
    time_zone=st.sampled_from(["Europe/Amsterdam", "UTC"]),
    publish=st.booleans(),
    name=maybe(words),
    access_type=maybe(st.just("PRIVATE")),
    related_locations=st.lists(
        st.builds(place.AdditionalGeoLocation, st.just("52.1"), st.just("5"), maybe(texts)), max_size=2
    ).map(tuple),
    directions=st.lists(texts, max_size=2).map(tuple),
    operator=maybe(business),
    owner=maybe(business),
    facilities=st.lists(st.sampled_from(["HOTEL", "EDUCATION"]), max_size=2).map(tuple),
    opening_times=maybe(hours),
    charging_when_closed=maybe(st.booleans()),
    images=st.lists(images, max_size=1).map(tuple),
    energy_mix=maybe(mixes),
)
money = st.decimals(0, 1000, places=6)
components = st.builds(
    tariff_domain.PriceComponent,
    type=st.sampled_from(["ENERGY", "FLAT", "TIME", "PARKING_TIME"]),
    price=money,
    step_size=st.integers(0, 3600),
    vat=maybe(st.decimals(0, 30, places=1)),
)
restrictions = st.builds(
    tariff_domain.Restrictions,
    start_time=maybe(st.sampled_from(["00:00", "20:30"])),
    end_time=maybe(st.sampled_from(["08:00", "24:00"])),
    start_date=maybe(st.just("2026-01-01")),
    min_kwh=maybe(money),
    max_power=maybe(money),
    min_duration=maybe(st.integers(0, 86400)),
    day_of_week=st.lists(st.sampled_from(["MONDAY", "SUNDAY"]), unique=True).map(tuple),
    min_current=maybe(money),
    reservation=maybe(st.sampled_from(["RESERVATION", "RESERVATION_EXPIRES"])),
)
elements = st.builds(
    tariff_domain.Element, st.lists(components, min_size=1, max_size=3).map(tuple), restrictions=maybe(restrictions)
)
our_tariffs = st.builds(
    tariff_domain.Tariff,
    id=keys,
    currency=st.sampled_from(["EUR", "JPY"]),
    elements=st.lists(elements, min_size=1, max_size=4).map(tuple),
    tariff_alt_text=st.lists(texts, max_size=2).map(tuple),
    tariff_alt_url=maybe(urls),
    energy_mix=maybe(mixes),
    vat_percent=maybe(st.decimals(0, 30, places=1)),
    tax_included=st.booleans(),
)
our_tokens = st.builds(
    Token,
    uid=keys,
    type=st.sampled_from(["RFID", "OTHER"]),
    auth_id=keys,
    issuer=filled,
    valid=st.booleans(),
    whitelist=st.sampled_from(["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]),
    visual_number=maybe(words),
    language=maybe(st.sampled_from(["nl", "en"])),
    expires_at=maybe(moments),
    customer_id=maybe(words),
    group_id=maybe(keys),
    said_at=maybe(moments),
)
periods = st.lists(
    st.builds(
        Period,
        start=st.integers(0, 86400).map(lambda s: BEGIN + timedelta(seconds=s)),
        energy_wh=st.integers(0, 100_000),
        charging_s=st.integers(0, 900),
        parking_s=st.integers(0, 900),
        min_current_a=maybe(st.decimals(0, 500, places=6)),
        max_current_a=maybe(st.decimals(0, 500, places=6)),
    ),
    max_size=5,
).map(lambda some: tuple(sorted(some, key=lambda period: period.start)))
refs = st.builds(TokenRef, uid=keys, auth_id=keys, emsp=maybe(st.just("NL-EMS")), visual_number=maybe(words))


@st.composite
def our_sessions(draw: Any) -> Session:
    evse = draw(evses)
    started = Started(
        session_id=draw(keys),
        station_id="CS-1",
        connector_number=1,
        transaction_id="1",
        at=draw(moments),
        register_wh=0,
        token=draw(refs),
        token_accepted=True,
        auth_method=draw(st.sampled_from(["WHITELIST", "AUTH_REQUEST", "COMMAND"])),
        location=draw(places),
        evse=evse,
        connector=evse.connectors[0],
        currency="EUR",
        meter_id=draw(maybe(words)),
    )
    over = draw(st.booleans())
    return Session(
        id=started.session_id,
        status=SessionStatus.COMPLETED if over else SessionStatus.ACTIVE,
        started=started,
        energy_wh=draw(st.integers(0, 10**7)),
        periods=draw(periods),
        stopped=Stopped(at=draw(moments), register_wh=None) if over else None,
        total_cost=draw(maybe(money)),
    )


@st.composite
def our_cdrs(draw: Any) -> cdr_domain.Cdr:
    session = draw(our_sessions())
    started = session.started
    return cdr_domain.Cdr(
        id=draw(keys),
        session_id=session.id,
        start=started.at,
        stop=draw(moments),
        station_id="CS-1",
        location=started.location,
        evse=started.evse,
        connector=started.connector,
        token=started.token,
        auth_method=started.auth_method,
        currency="EUR",
        energy_wh=session.energy_wh,
        total_time_s=draw(st.integers(0, 10**6)),
        parking_time_s=draw(st.integers(0, 10**6)),
        periods=session.periods,
        cost=Cost(currency="EUR", excl_vat=draw(money)),
        tariff=draw(maybe(our_tariffs)),
        remark=draw(maybe(words)),
        replaces=draw(maybe(keys)),
    )


few = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


@given(places, st.lists(evses, max_size=2))
@few
def test_every_location_that_we_write_is_strict_2_1_1(location: place.Location, some: list[place.Evse]) -> None:
    stamped = [locations.StampedEvse(evse, STAMP) for evse in some]
    _judge(locations.Location, locations.location_json(location, stamped, STAMP))
    for evse in some:
        _judge(locations.Evse, locations.evse_json(evse, STAMP))
        _judge(locations.EvsePatch, locations.evse_patch(evse, STAMP))
        _judge(locations.Connector, locations.connector_json(evse.connectors[0], STAMP))


@given(our_sessions())
@few
def test_every_session_that_we_write_is_strict_2_1_1(session: Session) -> None:
    _judge(sessions.Session, sessions.session_json(session, STAMP))
    _judge(sessions.SessionPatch, sessions.session_patch(session, STAMP))


@given(our_cdrs())
@few
def test_every_cdr_that_we_write_is_strict_2_1_1(cdr: cdr_domain.Cdr) -> None:
    written = _judge(cdrs.Cdr, cdrs.cdr_json(cdr, STAMP))
    assert written["charging_periods"]
    if cdr.replaces:
        assert written["remark"].startswith(f"replaces {cdr.replaces}")


@given(our_cdrs())
@few
def test_a_credit_cannot_be_said_in_2_1_1(cdr: cdr_domain.Cdr) -> None:
    with pytest.raises(ValueError, match="credit"):
        cdrs.cdr_json(msgspec.structs.replace(cdr, credit=True), STAMP)


@given(our_tariffs)
@few
def test_every_tariff_that_we_write_is_strict_2_1_1_and_means_the_same(tariff: tariff_domain.Tariff) -> None:
    _judge(tariffs.Tariff, tariffs.tariff_json(tariff, STAMP))
    plain = msgspec.structs.replace(tariff, vat_percent=None, tax_included=False, energy_mix=None, tariff_alt_text=())
    sayable = [each for each in plain.elements if not each.restrictions or not _later(each.restrictions)]
    back = tariffs.tariff_of(msgspec.json.decode(tariffs.tariff_json(plain, STAMP), type=tariffs.Tariff))
    assert len(back.elements) == max(len(sayable), 1)
    for ours, theirs in zip(sayable, back.elements, strict=False):
        assert [(each.type, each.step_size) for each in theirs.price_components] == [
            (each.type, each.step_size) for each in ours.price_components
        ]
        for one, other in zip(ours.price_components, theirs.price_components, strict=True):
            assert abs(one.price - other.price) <= Decimal("0.00005")


@given(our_tokens)
@few
def test_every_token_that_we_write_is_strict_2_1_1_and_comes_back_as_it_went(token: Token) -> None:
    written = tokens.token_json(token, STAMP)
    _judge(tokens.Token, written)
    back = tokens.token_of(msgspec.json.decode(written, type=tokens.Token))
    assert (back.uid, back.auth_id, back.valid, back.whitelist, back.language) == (
        token.uid,
        token.auth_id,
        token.valid,
        token.whitelist,
        token.language,
    )


sayable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=36).filter(str.strip)
four_places = st.decimals(0, 1000, places=4)
sayable_tokens = st.builds(
    Token,
    uid=keys,
    type=st.sampled_from(["RFID", "OTHER"]),
    auth_id=keys,
    issuer=sayable,
    valid=st.booleans(),
    whitelist=st.sampled_from(["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]),
    visual_number=maybe(sayable),
    language=maybe(st.sampled_from(["nl", "en"])),
    said_at=moments.map(lambda at: at.replace(microsecond=0)),
)
sayable_tariffs = st.builds(
    tariff_domain.Tariff,
    id=keys,
    currency=st.sampled_from(["EUR", "JPY"]),
    elements=st.lists(
        st.builds(
            tariff_domain.Element,
            st.lists(
                st.builds(
                    tariff_domain.PriceComponent,
                    type=st.sampled_from(["ENERGY", "FLAT", "TIME", "PARKING_TIME"]),
                    price=four_places,
                    step_size=st.integers(0, 3600),
                ),
                min_size=1,
                max_size=3,
            ).map(tuple),
            restrictions=maybe(
                st.builds(
                    tariff_domain.Restrictions,
                    start_time=maybe(st.sampled_from(["00:00", "20:30"])),
                    end_time=maybe(st.sampled_from(["00:00", "23:59"])),
                    start_date=maybe(st.just("2026-01-01")),
                    end_date=maybe(st.just("2027-01-01")),
                    min_kwh=maybe(four_places),
                    max_kwh=maybe(four_places),
                    min_power=maybe(four_places),
                    max_power=maybe(four_places),
                    min_duration=maybe(st.integers(0, 86400)),
                    max_duration=maybe(st.integers(0, 86400)),
                    day_of_week=st.lists(st.sampled_from(["MONDAY", "SUNDAY"]), unique=True).map(tuple),
                )
            ),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    tariff_alt_text=st.lists(st.builds(place.DisplayText, st.sampled_from(["nl", "en"]), sayable), max_size=2).map(tuple),
    tariff_alt_url=maybe(st.just("https://example.com/tariff")),
    energy_mix=maybe(
        st.builds(
            place.EnergyMix,
            is_green_energy=st.booleans(),
            energy_sources=st.just((place.EnergySource("WIND", 99.5),)),
            environ_impact=st.just((place.EnvironmentalImpact("CARBON_DIOXIDE", 372.0),)),
            supplier_name=maybe(sayable),
        )
    ),
)


@given(sayable_tokens)
@few
def test_a_token_that_2_1_1_can_say_comes_back_the_same(token: Token) -> None:
    assert tokens.token_of(reading.read(tokens.Token, tokens.token_json(token, STAMP)).value) == token


@given(sayable_tariffs)
@few
def test_a_tariff_that_2_1_1_can_say_comes_back_the_same(tariff: tariff_domain.Tariff) -> None:
    assert tariffs.tariff_of(reading.read(tariffs.Tariff, tariffs.tariff_json(tariff, STAMP)).value) == tariff


@given(our_cdrs())
@few
def test_the_course_of_a_session_comes_back_from_its_cdr(cdr: cdr_domain.Cdr) -> None:
    back, end = cdrs.periods_of(reading.read(cdrs.Cdr, cdrs.cdr_json(cdr, STAMP)).value)
    assert end == cdr.stop.replace(microsecond=0)
    if cdr.periods:
        assert [(period.start, period.energy_wh) for period in back] == [(each.start, each.energy_wh) for each in cdr.periods]
        for theirs, ours in zip(back, cdr.periods, strict=True):  # hours have four decimals: 0.36 s
            assert abs(theirs.charging_s - ours.charging_s) <= 1
            assert abs(theirs.parking_s - ours.parking_s) <= 1


@given(st.sampled_from([places, our_sessions(), our_cdrs(), our_tariffs, our_tokens]), st.data())
@few
def test_what_we_write_is_read_without_a_slip(kind: st.SearchStrategy[Any], data: Any) -> None:
    given_ = data.draw(kind)
    heard = {
        place.Location: lambda: reading.read(locations.Location, locations.location_json(given_, [], STAMP)),
        Session: lambda: reading.read(sessions.Session, sessions.session_json(given_, STAMP)),
        cdr_domain.Cdr: lambda: reading.read(cdrs.Cdr, cdrs.cdr_json(given_, STAMP)),
        tariff_domain.Tariff: lambda: reading.read(tariffs.Tariff, tariffs.tariff_json(given_, STAMP)),
        Token: lambda: reading.read(tokens.Token, tokens.token_json(given_, STAMP)),
    }[type(given_)]()
    assert heard.slips == ()


STATUSES = {  # protocols.md 3.5, OCPP to OCPI
    "Available": "AVAILABLE",
    "Preparing": "CHARGING",
    "Charging": "CHARGING",
    "SuspendedEV": "CHARGING",
    "SuspendedEVSE": "CHARGING",
    "Finishing": "CHARGING",
    "Occupied": "CHARGING",
    "Reserved": "RESERVED",
    "Unavailable": "INOPERATIVE",
    "Faulted": "OUTOFORDER",
    "Unknown": "UNKNOWN",
    "Removed": "REMOVED",
}


def test_every_status_has_its_word_in_2_1_1() -> None:
    assert {status.value: word for status, word in locations.STATUS.items()} == STATUSES
    assert set(locations.STATUS) == set(place.Status)


@pytest.mark.parametrize(
    ("code", "said"), [("nl", "nl"), ("en-GB", "en"), ("NL", "NL"), ("swe", None), ("", None), ("x1", None), ("ñl", None)]
)
def test_a_text_is_told_in_a_language_of_two_letters_or_not_at_all(code: str, said: str | None) -> None:
    written = locations.display_texts((place.DisplayText(code, "Links"),))
    assert [each.language for each in written] == ([said] if said else [])


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("08:00", "20:00", [("08:00", "20:00")]),
        ("08:00", "24:00", [("08:00", "23:59")]),
        ("00:00", "00:00", [("00:00", "23:59")]),
        ("8:00", "20:00", []),
        ("08:00", "25:00", []),
    ],
)
def test_opening_hours_are_times_of_one_day(begin: str, end: str, said: list[tuple[str, str]]) -> None:
    opened = place.Hours(regular_hours=(place.RegularHours(1, begin, end),))
    written = msgspec.json.decode(locations.location_json(_somewhere(opened), [], STAMP))
    rows = written.get("opening_times", {}).get("regular_hours", [])
    assert [(row["period_begin"], row["period_end"]) for row in rows] == said


def _somewhere(opened: place.Hours) -> place.Location:
    return place.Location(
        id="L1",
        type="OTHER",
        address="Kade 1",
        city="Delft",
        postal_code="2611 AB",
        country="NLD",
        coordinates=place.GeoLocation("52", "4.36"),
        time_zone="Europe/Amsterdam",
        opening_times=opened,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=20,
)
KINDS: list[type[Struct]] = [
    locations.Location,
    sessions.Session,
    cdrs.Cdr,
    tariffs.Tariff,
    tokens.Token,
    tokens.AuthorizationInfo,
    CommandResponse,
]


@given(st.sampled_from(KINDS), json_values)
@settings(max_examples=300, deadline=None)
def test_whatever_json_comes_it_is_understood_or_refused(kind: type[Struct], value: Any) -> None:
    try:
        heard = reading.understood(kind, value)
    except Refused:
        return
    assert isinstance(heard.value, kind)


@given(st.sampled_from([locations.Location, sessions.Session, cdrs.Cdr]), st.data())
@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
def test_an_object_with_one_senseless_field_is_understood_or_refused_by_its_name(kind: type[Struct], data: Any) -> None:
    made = {
        locations.Location: lambda: locations.location_json(data.draw(places), [], STAMP),
        sessions.Session: lambda: sessions.session_json(data.draw(our_sessions()), STAMP),
        cdrs.Cdr: lambda: cdrs.cdr_json(data.draw(our_cdrs()), STAMP),
    }[kind]()
    content = msgspec.json.decode(made)
    name = data.draw(st.sampled_from(sorted(content)))
    content[name] = data.draw(json_values)
    refused = _refusal(kind, content)
    assert refused is None or (refused.field or "").startswith(name), (refused, name)


@pytest.mark.parametrize("said", ['"ACCEPTED"', '{"result": "ACCEPTED"}', '{"result": "accepted"}'])
def test_the_answer_to_a_command_may_be_a_bare_word(said: str) -> None:
    assert reading.understood(CommandResponse, msgspec.json.decode(said)).value.result == "ACCEPTED"


def _refusal(kind: type[Struct], content: Any) -> Refused | None:
    try:
        reading.understood(kind, content)
    except Refused as error:
        return error
    return None


def _later(given: tariff_domain.Restrictions) -> bool:
    return bool(given.reservation) or (given.min_current, given.max_current) != (None, None)


def _judge(kind: type[Struct], written: bytes) -> dict[str, Any]:
    """Decodes strictly, holds no field that the type does not have, and no text that is not of its form."""
    msgspec.json.decode(written, type=kind)
    content = msgspec.json.decode(written)
    _known(content, inspect.type_info(kind))
    return content  # type: ignore[no-any-return]


def _known(value: Any, shape: inspect.Type) -> None:
    assert value is not None
    if isinstance(shape, inspect.UnionType):
        shape = next(each for each in shape.types if not isinstance(each, inspect.NoneType))
    if isinstance(shape, inspect.StructType):
        fields = {field.encode_name: field.type for field in shape.fields}
        assert set(value) <= set(fields)
        for name, each in value.items():
            _known(each, fields[name])
            if name == "last_updated" or name.endswith(("_date_time", "_datetime")):
                assert DATE_TIME.fullmatch(each)
            if name in ("latitude", "longitude"):
                assert DEGREES.fullmatch(each)
            if isinstance(each, float):
                assert round(each, 4) == each
    elif isinstance(shape, inspect.VarTupleType):
        for each in value:
            _known(each, shape.item_type)
