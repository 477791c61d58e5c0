"""What partners say is read: the specification's examples, real objects, and each slip that may be let pass."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from chargewire.charging.errors import Refused, Unknown
from chargewire.protocols.ocpi.v211 import cdrs, commands, locations, reading, ripple, sessions, tariffs, tokens, words
from chargewire.protocols.ocpi.v211.credentials import Credentials
from chargewire.protocols.ocpi.versions import Version, VersionDetails

MODULES_WITH_SLIPS = ("reading", "objects", "scalars")
DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"))
EXAMPLES, REAL = DATA / "ocpi" / "2.1.1", DATA / "ocpi-real"
data = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no OCPI objects here (CHARGEWIRE_TEST_DATA)")

KINDS: dict[str, type[Struct]] = {  # by the beginning of the file's name; what comes first counts
    "mod_locations_04": locations.Evse,
    "mod_locations": locations.Location,
    "mod_sessions": sessions.Session,
    "mod_cdrs": cdrs.Cdr,
    "mod_tariffs": tariffs.Tariff,
    "mod_tokens": tokens.Token,
    "credentials": Credentials,
    "version_information_endpoint_02": VersionDetails,
}
PATCHES: dict[str, type[Struct]] = {
    "mod_locations_01": locations.Evse,
    "mod_locations_02": locations.Location,
    "mod_locations_03": locations.Connector,
    "mod_locations_05": locations.Evse,
    "mod_sessions_01": sessions.Session,
    "mod_tariffs_02": tariffs.Tariff,
    "mod_tokens_02": tokens.Token,
}
LISTS: dict[str, type[Struct]] = {"version_information_endpoint_01": Version}
ENVELOPES: dict[str, type[Struct] | None] = {
    "transport_and_format_01": Version,
    "transport_and_format_02": VersionDetails,
    "transport_and_format_03": tokens.Token,
    "transport_and_format_04": tokens.Token,
    "transport_and_format_05": None,
}
SLIPS = {  # protocols.md 1.13; everything else of 2.1.1 is right
    "mod_cdrs_01": ("odd-form:location.country", "number-as-text:tariffs.elements.price_components.price"),
    "mod_sessions_02": ("odd-form:location.country",),
    "mod_sessions_03": ("odd-form:location.country",),
    "mod_tariffs_01": ("missing:last_updated",),
}
REFUSED = {  # the field that is named
    "mod_locations_04": "connectors[0].power_type",
    "mapper-test-objects/test-tariff1": "currency",  # null
    "ndw-receiver-tests/tariffs": "currency",  # null
    "ndw-open-data": "type",  # of 2.2.1, which has none
}


def _row(table: dict[str, Any], name: str) -> Any:
    return next((value for start, value in table.items() if name.startswith(start)), None)


def _files() -> list[str]:
    return [path.stem for path in sorted(EXAMPLES.glob("[!_]*.json"))]


def _example(name: str) -> bytes:
    return (EXAMPLES / f"{name}.json").read_bytes()


def _wholes() -> list[Any]:
    special = (*PATCHES, *LISTS, *ENVELOPES)
    found = [
        pytest.param(name, _row(KINDS, name), msgspec.json.decode(_example(name)), id=name)
        for name in _files()
        if not name.startswith(special)
    ]
    for path in sorted(REAL.rglob("*.json")):
        content = msgspec.json.decode(path.read_bytes())
        rows = content.get("content", [content]) if isinstance(content, dict) else content
        for number, row in enumerate(rows):
            name = f"{path.parent.name}/{path.stem}[{number}]"
            found.append(pytest.param(name, tariffs.Tariff if "elements" in row else locations.Location, row, id=name))
    return found


@data
@pytest.mark.parametrize(("name", "kind", "content"), _wholes())
def test_an_object_is_read_without_loss_or_refused_by_the_field_that_is_wrong(
    name: str, kind: type[Struct], content: dict[str, Any]
) -> None:
    field = _row(REFUSED, name)
    if field is not None:
        with pytest.raises(Refused) as refused:
            reading.understood(kind, content)
        assert refused.value.field == field
        return
    heard = reading.read(kind, msgspec.json.encode(content))
    assert heard.content == content
    assert heard.slips == (_row(SLIPS, name) or ())
    again = reading.read(kind, msgspec.json.encode(heard.content))
    assert (again.value, again.content) == (heard.value, heard.content)


@data
@pytest.mark.parametrize("name", [name for name in _files() if name.startswith(tuple(PATCHES))])
def test_what_the_patches_of_the_examples_make_of_an_object_is_read(name: str) -> None:
    kind = _row(PATCHES, name)
    assert kind is not None
    before = {**WHOLES[kind], "their_own": [1, None]}
    changes = msgspec.json.decode(_example(name))
    heard = reading.understood(kind, {**before, **changes})
    assert heard.content == {**before, **changes}
    assert heard.content != before
    assert heard.slips == ("unknown-field:their_own",)


@data
@pytest.mark.parametrize("name", [name for name in _files() if name.startswith((*LISTS, *ENVELOPES))])
def test_lists_and_what_is_in_envelopes_is_read(name: str) -> None:
    content = msgspec.json.decode(_example(name))
    kind = _row({**LISTS, **ENVELOPES}, name)
    if kind is None:
        assert "data" not in content
        return
    said = content["data"] if isinstance(content, dict) else content
    good, bad = reading.read_list(kind, msgspec.json.encode(said if isinstance(said, list) else [said]))
    assert bad == []
    assert [heard.content for heard in good] == (said if isinstance(said, list) else [said])


@data
def test_every_example_of_the_specification_is_looked_at() -> None:
    assert [name for name in _files() if not name.startswith((*KINDS, *LISTS, *ENVELOPES))] == []
    assert len(_files()) == 28


@data
@pytest.mark.parametrize("version", ["2.2.1", "2.3.0", "2.3.0-payments", "2.3.0-bookings"])
def test_objects_of_later_versions_are_understood_or_refused_and_nothing_worse(version: str) -> None:
    paths = sorted((DATA / "ocpi" / version).glob("*.json"))
    assert paths
    for path in paths:
        for kind in {*KINDS.values(), commands.StartSession, commands.CommandResponse}:
            try:
                heard = reading.read(kind, path.read_bytes())
            except Refused:
                continue
            assert heard.content == msgspec.json.decode(path.read_bytes())


# --- each slip by itself

CONNECTOR = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "voltage": 230,
    "amperage": 32,
    "last_updated": "2026-11-24T06:12:00Z",
}
EVSE = {"uid": "E1", "status": "AVAILABLE", "connectors": [CONNECTOR], "last_updated": "2026-11-24T06:12:00Z"}
LOCATION = {
    "id": "L1",
    "type": "ON_STREET",
    "address": "Kade 1",
    "city": "Delft",
    "postal_code": "2611 AB",
    "country": "NLD",
    "coordinates": {"latitude": "52.011577", "longitude": "4.357068"},
    "evses": [EVSE],
    "last_updated": "2026-11-24T06:12:00Z",
}
SESSION = {
    "id": "S1",
    "start_datetime": "2026-11-24T06:00:00Z",
    "kwh": 1.5,
    "auth_id": "NL-TNM-C1",
    "auth_method": "WHITELIST",
    "location": LOCATION,
    "currency": "EUR",
    "status": "ACTIVE",
    "last_updated": "2026-11-24T06:12:00Z",
}
TARIFF = {
    "id": "T1",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "TIME", "price": 2.0, "step_size": 300}]}],
    "last_updated": "2026-11-24T06:12:00Z",
}
TOKEN = {
    "uid": "04AA",
    "type": "RFID",
    "auth_id": "NL-TNM-C1",
    "issuer": "TheNewMotion",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": "2026-11-24T06:12:00Z",
}
CDR = {
    "id": "C1",
    "start_date_time": "2026-11-24T06:00:00Z",
    "stop_date_time": "2026-11-24T07:00:00Z",
    "auth_id": "NL-TNM-C1",
    "auth_method": "WHITELIST",
    "location": LOCATION,
    "currency": "EUR",
    "charging_periods": [{"start_date_time": "2026-11-24T06:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 3}]}],
    "total_cost": 1,
    "total_energy": 3,
    "total_time": 1,
    "last_updated": "2026-11-24T07:00:01Z",
}
WHOLES: dict[type[Struct], dict[str, Any]] = {
    locations.Location: LOCATION,
    locations.Evse: EVSE,
    locations.Connector: CONNECTOR,
    sessions.Session: SESSION,
    cdrs.Cdr: CDR,
    tariffs.Tariff: TARIFF,
    tokens.Token: TOKEN,
}


@pytest.mark.parametrize("kind", WHOLES)
def test_what_is_right_has_no_slips(kind: type[Struct]) -> None:
    assert reading.understood(kind, WHOLES[kind]).slips == ()


@pytest.mark.parametrize(
    ("kind", "said", "slip", "value"),
    [
        (locations.Evse, {"floor_level": -1}, "number-for-text:floor_level", "-1"),
        (locations.Evse, {"physical_reference": 3.5}, "number-for-text:physical_reference", "3.5"),
        (locations.Evse, {"evse_id": ""}, "unreadable:evse_id", None),
        (locations.Evse, {"status": "charging"}, "spelling:status", "CHARGING"),
        (locations.Evse, {"status": "PARKED"}, "unknown-word:status", "UNKNOWN"),
        (locations.Evse, {"capabilities": ["RFID_READER", "PED_TERMINAL", 7]}, "unknown-word:capabilities", ("RFID_READER",)),
        (locations.Evse, {"capabilities": "RFID_READER"}, "not-a-list:capabilities", ("RFID_READER",)),
        (locations.Evse, {"coordinates": {}}, "unreadable:coordinates", None),
        (locations.Connector, {"voltage": "230"}, "number-as-text:voltage", 230),
        (locations.Connector, {"amperage": 31.9}, "not-whole:amperage", 32),
        (locations.Connector, {"standard": "iec_62196_t2"}, "spelling:standard", "IEC_62196_T2"),
        (locations.Location, {"type": "ALONG_MOTORWAY"}, "unknown-word:type", "UNKNOWN"),
        (locations.Location, {"country": "NL"}, "odd-form:country", "NL"),
        (locations.Location, {"country": "nld"}, "spelling:country", "NLD"),
        (locations.Location, {"address": "x" * 46}, "too-long:address", "x" * 46),
        (locations.Location, {"charging_when_closed": "true"}, "not-a-bool:charging_when_closed", True),
        (locations.Location, {"name": {"nl": "Kade"}}, None, None),
        (locations.Location, {"last_updated": "2026-11-24T07:12:00.5+01:00"}, "odd-time:last_updated", "2026-11-24T06:12:00Z"),
        (locations.Location, {"last_updated": "2026-11-24T06:12:00"}, "", "2026-11-24T06:12:00Z"),
        (locations.Location, {"last_updated": None}, "missing:last_updated", "1970-01-01T00:00:00Z"),
        (sessions.Session, {"currency": "eur"}, "spelling:currency", "EUR"),
        (sessions.Session, {"kwh": "1,5"}, None, None),
        (sessions.Session, {"total_cost": "2.00"}, "number-as-text:total_cost", 2),
        (sessions.Session, {"status": "RESERVATION"}, None, None),
        (sessions.Session, {"location": "L1"}, None, None),
        (sessions.Session, {"location": {}}, None, None),
        (tokens.Token, {"valid": 1}, "not-a-bool:valid", True),
        (tokens.Token, {"type": "APP_USER"}, "unknown-word:type", "OTHER"),
        (tokens.Token, {"whitelist": "SOMETIMES"}, None, None),
        (tokens.Token, {"uid": 4711}, "number-for-text:uid", "4711"),
        (tokens.Token, {"uid": "  "}, None, None),
        (tokens.Token, {"language": "nl-NL"}, "odd-form:language", "nl-NL"),
        (cdrs.Cdr, {"charging_periods": []}, None, None),
        (cdrs.Cdr, {"auth_method": "COMMAND"}, "unknown-word:auth_method", "COMMAND"),
        (cdrs.Cdr, {"auth_method": ""}, None, None),
        (cdrs.Cdr, {"auth_method": 1}, None, None),
        (locations.Connector, {"standard": "GBT_DC"}, "unknown-word:standard", "GBT_DC"),
        (locations.Connector, {"power_type": "AC_2_PHASE"}, None, None),
        (locations.Connector, {"format": "WIRELESS"}, None, None),
        (tariffs.Tariff, {"elements": []}, None, None),
    ],
)
def test_a_slip_is_read_and_flagged_or_refused(kind: type[Struct], said: dict[str, Any], slip: str | None, value: Any) -> None:
    """`slip`: None for what is refused, "" for what is no slip."""
    (name,) = said
    content = {**WHOLES[kind], **said}
    if slip is None:
        with pytest.raises(Refused) as refused:
            reading.understood(kind, content)
        assert (refused.value.field or "").partition(".")[0].partition("[")[0] == name
        return
    heard = reading.understood(kind, content)
    assert heard.slips == ((slip,) if slip else ())
    assert getattr(heard.value, name) == value
    assert heard.content == content


@pytest.mark.parametrize(
    ("latitude", "slips", "value"),
    [
        ("52.011577", (), "52.011577"),
        ("52.01", ("odd-form:coordinates.latitude",), "52.010000"),
        (52.01, ("number-for-text:coordinates.latitude", "odd-form:coordinates.latitude"), "52.010000"),
        ("152.011577", ("beyond-bounds:coordinates.latitude", "odd-form:coordinates.latitude"), "152.011577"),
    ],
)
def test_degrees_are_read_in_any_form(latitude: Any, slips: tuple[str, ...], value: str) -> None:
    content = {**LOCATION, "coordinates": {"latitude": latitude, "longitude": "4.357068"}}
    heard = reading.understood(locations.Location, content)
    assert heard.slips == slips
    assert heard.value.coordinates.latitude == value


@pytest.mark.parametrize("latitude", ["", "north", "nan", "inf", None, [], True])
def test_degrees_that_are_none_are_refused(latitude: Any) -> None:
    content = {**LOCATION, "coordinates": {"latitude": latitude, "longitude": "4.357068"}}
    with pytest.raises(Refused) as refused:
        reading.understood(locations.Location, content)
    assert refused.value.field == "coordinates.latitude"


@pytest.mark.parametrize("kind", WHOLES)
def test_null_is_the_same_as_absent(kind: type[Struct]) -> None:
    optional = [field.encode_name for field in msgspec.structs.fields(kind) if not field.required]
    content = {**dict.fromkeys(optional), **WHOLES[kind]}
    heard = reading.understood(kind, content)
    assert heard.value == reading.understood(kind, WHOLES[kind]).value
    assert (heard.content, heard.slips) == (content, ())


@pytest.mark.parametrize("kind", WHOLES)
def test_every_required_field_is_missed_by_its_name(kind: type[Struct]) -> None:
    required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    for name in required:
        content = {key: value for key, value in WHOLES[kind].items() if key != name}
        if name == "last_updated":
            assert reading.understood(kind, content).slips == ("missing:last_updated",)
            continue
        with pytest.raises(Refused) as refused:
            reading.understood(kind, content)
        assert refused.value.field == name


def test_the_spelling_of_later_versions_is_taken_where_ours_is_missing() -> None:
    later = {key: value for key, value in CDR.items() if key != "stop_date_time"} | {"end_date_time": CDR["stop_date_time"]}
    heard = reading.understood(cdrs.Cdr, later)
    assert heard.value.stop_date_time == CDR["stop_date_time"]
    assert heard.slips == ("said-as-end_date_time:stop_date_time",)


def test_a_dimension_of_later_versions_is_no_reason_to_lose_a_cdr() -> None:
    dimensions = [{"type": "ENERGY", "volume": 3}, {"type": "STATE_OF_CHARGE", "volume": 80}]
    content = {**CDR, "charging_periods": [{"start_date_time": "2026-11-24T06:00:00Z", "dimensions": dimensions}]}
    heard = reading.understood(cdrs.Cdr, content)
    assert heard.slips == ("unknown-word:charging_periods.dimensions.type",)
    (period,), _ = cdrs.periods_of(heard.value)
    assert period.energy_wh == 3000


@pytest.mark.parametrize("kind", ["TIME_OF_DAY", "ENERGIE", 3])
def test_a_price_for_what_nobody_knows_is_refused(kind: Any) -> None:
    elements = [{"price_components": [{"type": kind, "price": 2, "step_size": 1}]}]
    with pytest.raises(Refused) as refused:
        reading.understood(tariffs.Tariff, {**TARIFF, "elements": elements})
    assert refused.value.field == "elements[0].price_components[0].type"


def test_slips_come_in_the_order_of_the_object_and_each_once() -> None:
    content = {**LOCATION, "zulu": 1, "alpha": 2, "mike": 3, "evses": [{**EVSE, "floor_level": 1}, {**EVSE, "floor_level": 2}]}
    heard = reading.understood(locations.Location, content)
    unknown = tuple(f"unknown-field:{name}" for name in ("zulu", "alpha", "mike"))
    assert heard.slips == ("number-for-text:evses.floor_level", *unknown)


@pytest.mark.parametrize("said", [5, "E1", True, None, [], 0.5])
def test_what_is_no_list_of_evses_is_as_if_there_were_none(said: Any) -> None:
    heard = reading.understood(locations.Location, {**LOCATION, "evses": said})
    assert heard.value.evses == ()
    assert ripple.newest(heard.content) == ripple.stamp_of(LOCATION)
    with pytest.raises(Unknown):
        ripple.evse_of(heard.content, "E1")
    assert ripple.with_evse(heard.content, EVSE)["evses"] == [EVSE]


def test_one_evse_that_stands_there_without_a_list_counts() -> None:
    late = {**EVSE, "last_updated": "2026-11-24T09:00:00Z"}
    heard = reading.understood(locations.Location, {**LOCATION, "evses": late})
    assert heard.slips == ("not-a-list:evses",)
    assert ripple.newest(heard.content) == ripple.stamp_of(late)
    assert ripple.evse_of(heard.content, "E1") == late
    other = {**EVSE, "uid": "E2"}
    assert ripple.with_evse(heard.content, other)["evses"] == [late, other]


def test_slips_have_an_end() -> None:
    content = {**LOCATION, **{f"field_{number}": number for number in range(1000)}}
    assert len(reading.understood(locations.Location, content).slips) == 32


def test_a_list_gives_what_is_good_and_names_what_is_not() -> None:
    broken = {**TARIFF, "id": "T2", "currency": None}
    rows = [TARIFF, broken, "T3", {**TARIFF, "id": "T4"}]
    good, bad = reading.read_list(tariffs.Tariff, msgspec.json.encode(rows))
    assert [heard.value.id for heard in good] == ["T1", "T4"]
    assert [(row.id, row.why.field) for row in bad] == [("T2", "currency"), ("", None)]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'"\\ud800"', b"[" * 10_000, b"1e400", b"[]", b"[{}]", b"null", b"1" * 5000]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        reading.read(tokens.Token, body)


@pytest.mark.parametrize("uid", ["1" * 400, "2" * 309, "-" + "9" * 400])
def test_a_number_without_bounds_is_refused_wherever_it_stands(uid: str) -> None:
    for name in ("uid", "visual_number", "their_own"):
        body = msgspec.json.encode({key: value for key, value in TOKEN.items() if key != name})
        with pytest.raises(Refused):
            reading.read(tokens.Token, body[:-1] + f',"{name}":{uid}}}'.encode())


@pytest.mark.parametrize(("weekday", "field"), [(0, "must be at least 1"), (8, "must be at most 7"), ("x", "must be a number")])
def test_a_weekday_is_one_of_seven(weekday: Any, field: str) -> None:
    row = {"weekday": weekday, "period_begin": "08:00", "period_end": "20:00"}
    with pytest.raises(Refused, match=field) as refused:
        reading.understood(locations.Location, {**LOCATION, "opening_times": {"regular_hours": [row]}})
    assert refused.value.field == "opening_times.regular_hours[0].weekday"


@pytest.mark.parametrize("token", ["", "with blank", "x" * 65, "tökén", None])
def test_a_token_that_nobody_could_say_is_refused(token: Any) -> None:
    said = {"token": token, "url": "https://x.example/versions", "business_details": {"name": "X"}}
    with pytest.raises(Refused) as refused:
        reading.understood(Credentials, {**said, "party_id": "TNM", "country_code": "NL"})
    assert refused.value.field == "token"
    assert not token or token not in str(refused.value)


def test_every_word_is_read_in_lower_case() -> None:
    for word in get_args(words.ConnectorType):
        heard = reading.understood(locations.Connector, {**CONNECTOR, "standard": word.lower()})
        assert heard.value.standard == word


def test_every_slip_is_in_the_reference() -> None:
    root = Path(__file__).parents[3]
    text = (root / "docs" / "reference" / "ocpi-objects.md").read_text(encoding="utf-8")
    sources = [(root / "src/chargewire/protocols/ocpi/v211" / f"{name}.py").read_text() for name in MODULES_WITH_SLIPS]
    slips = {slip for source in sources for slip in re.findall(r'slips\.add\("([a-z-]+)"', source)}
    assert len(slips) > 10
    assert [slip for slip in sorted(slips) if f"`{slip}`" not in text] == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(list(WHOLES)), st.data())
@settings(max_examples=400, deadline=None)
def test_anything_at_any_place_is_refused_or_can_be_worked_with(kind: type[Struct], data: Any) -> None:
    content = _put(WHOLES[kind], data.draw(st.sampled_from(list(_places(WHOLES[kind])))), data.draw(anything))
    try:
        heard = reading.read(kind, msgspec.json.encode(content))
    except Refused:
        return
    assert heard.content == content
    if isinstance(heard.value, locations.Location):
        ripple.newest(heard.content)
        assert len(ripple.evses_of(heard.content)) == len(heard.value.evses)
    if isinstance(heard.value, cdrs.Cdr):
        assert len(cdrs.periods_of(heard.value)[0]) == len(heard.value.charging_periods)
    if isinstance(heard.value, tariffs.Tariff):
        assert len(tariffs.tariff_of(heard.value).elements) == len(heard.value.elements)
    if isinstance(heard.value, tokens.Token):
        assert tokens.token_of(heard.value).uid == heard.value.uid


def _places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    rows = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in rows:
        yield (*at, key)
        yield from _places(value, (*at, key))


def _put(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = content.copy()
    changed[at[0]] = _put(content[at[0]], at[1:], value)
    return changed
