"""Whatever we write in OCPP 1.6, as CSMS and as station, passes the official schemas; or it is not written."""

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from chargewire.charging import commands as ours
from chargewire.charging.facts import (
    Beat,
    Begun,
    Booted,
    Fact,
    Metered,
    Noted,
    Now,
    Reply,
    SessionEnded,
    SessionStarted,
    StatusReported,
    TokenShown,
    Verdict,
    Welcome,
)
from chargewire.charging.location import Boot, Status
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.token import Allowed
from chargewire.protocols.ocpp.dialect import CannotSay
from chargewire.protocols.ocpp.rpc import Call, Conversation
from chargewire.protocols.ocpp.v16 import DIALECT, station, words
from protocols.ocpp.schemas import faults

moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
whole = st.integers(-(2**40), 2**40)
small = st.integers(0, 20)
allowed = st.sampled_from(Allowed)
transaction_ids = st.integers(1, words.INT32_MAX).map(str)

REPLIES: dict[str, st.SearchStrategy[Reply]] = {
    "Authorize": st.builds(Verdict, st.none() | allowed, st.none() | moments),
    "BootNotification": st.builds(Welcome, st.booleans(), moments, st.integers(0, 86400)),
    "DataTransfer": st.builds(Noted, st.booleans()),
    "Heartbeat": st.builds(Now, moments),
    "StartTransaction": st.builds(Begun, transaction_ids, allowed),
    "StopTransaction": st.builds(Verdict, st.none() | allowed, st.none() | moments),
}

listed = st.builds(
    ours.ListedToken,
    uid=text,
    allowed=st.just(Allowed.ACCEPTED),
    expires_at=st.none() | moments.map(lambda at: at.replace(microsecond=0)),
    group_id=st.none() | st.text("AB", min_size=1, max_size=20),
) | st.builds(ours.ListedToken, uid=text)

COMMANDS = (
    st.builds(ours.StartCharging, token_uid=text, connector_number=st.none() | st.integers(-1, 9))
    | st.builds(ours.StopCharging, transaction_id=transaction_ids | text)
    | st.builds(ours.Restart, hard=st.booleans())
    | st.builds(ours.Unlock, connector_number=small)
    | st.builds(ours.SetAvailability, operative=st.booleans(), connector_number=small)
    | st.builds(ours.ReadConfiguration, keys=st.lists(text.map(lambda key: key * 3), max_size=3).map(tuple))
    | st.builds(ours.WriteConfiguration, key=text.map(lambda key: key * 2), value=text.map(lambda value: value * 20))
    | st.builds(ours.ForgetTokens)
    | st.builds(ours.GetLocalListVersion)
    | st.builds(ours.SendLocalList, version=st.integers(), full=st.booleans(), tokens=st.lists(listed, max_size=4).map(tuple))
    | st.builds(
        ours.Trigger, message=text | st.sampled_from(["StatusNotification", "MeterValues"]), connector_number=st.none() | small
    )
    | st.builds(
        ours.TransferData, vendor_id=text.map(lambda name: name * 10), message_id=st.none() | text, data=st.none() | text
    )
)

samples = st.builds(
    Sample,
    value=text,
    measurand=st.sampled_from(get_args(words.Measurand)) | text,
    unit=st.sampled_from(get_args(words.Unit)),
    context=st.sampled_from(get_args(words.Context)),
    phase=st.none() | st.sampled_from(get_args(words.Phase)),
    location=st.sampled_from(get_args(words.MeasuredAt)),
    format=st.sampled_from(["Raw", "SignedData"]),
)
readings = st.lists(st.builds(Reading, moments, st.lists(samples, min_size=1, max_size=3).map(tuple)), max_size=3).map(tuple)

FACTS = (
    st.builds(Beat)
    | st.builds(
        Booted, st.builds(Boot, vendor=text, model=text, serial_number=st.none() | text, firmware_version=st.none() | text)
    )
    | st.builds(TokenShown, text)
    | st.builds(Metered, connector_number=small, readings=readings, transaction_id=st.none() | transaction_ids)
    | st.builds(
        SessionStarted,
        connector_number=small,
        token_uid=text,
        register_wh=st.none() | whole,
        at=st.none() | moments,
        reservation_id=st.none() | small,
    )
    | st.builds(
        SessionEnded,
        transaction_id=st.none() | transaction_ids,
        register_wh=whole,
        at=moments,
        reason=st.sampled_from(get_args(words.Reason)) | text,
        token_uid=st.none() | text.filter(bool),
        readings=readings,
    )
    | st.builds(
        StatusReported,
        connector_number=small,
        status=st.sampled_from(Status),
        at=st.none() | moments,
        error_code=st.sampled_from(get_args(words.ChargePointErrorCode)) | text,
        info=st.none() | text,
        vendor_id=st.none() | text,
        vendor_error_code=st.none() | text,
    )
)


@pytest.mark.parametrize("action", sorted(DIALECT.rows))
@given(data=st.data())
def test_every_answer_of_ours_passes_the_schema(action: str, data: st.DataObject) -> None:
    reply = data.draw(REPLIES.get(action, st.just(Noted())))
    assert faults(f"{action}Response", DIALECT.write_reply(action, reply)) == []


@given(COMMANDS)
def test_every_command_passes_the_schema_or_is_not_written(command: ours.Command) -> None:
    try:
        action, payload = DIALECT.write_command(command)
    except CannotSay:
        return
    assert faults(action, payload) == []


@given(COMMANDS)
def test_a_virtual_station_reads_the_command_that_was_written(command: ours.Command) -> None:
    try:
        action, payload = DIALECT.write_command(command)
    except CannotSay:
        return
    assert station.read_asked(Call("1", action, Raw(payload))) == command


@given(FACTS)
def test_every_call_of_a_virtual_station_passes_the_schema_or_is_not_written(fact: Fact) -> None:
    try:
        action, payload = station.write_call(fact)
    except CannotSay:
        return
    assert faults(action, payload) == []


@given(FACTS)
def test_what_a_station_wrote_is_read_as_the_same_fact_and_without_complaint(fact: Fact) -> None:
    try:
        action, payload = station.write_call(fact)
    except CannotSay:
        return
    if isinstance(fact, Booted | StatusReported):
        return  # these leave out what says nothing: "" and "null"
    assert DIALECT.read(Call("1", action, Raw(payload))) == (fact, ())


@pytest.mark.parametrize("action", sorted(REPLIES))
@given(data=st.data())
def test_a_virtual_station_reads_the_answer_that_was_written(action: str, data: st.DataObject) -> None:
    reply = data.draw(REPLIES[action])
    read = station.read_reply(action, DIALECT.write_reply(action, reply))
    match reply:
        case Begun():
            assert read == reply
        case Verdict(allowed=None) if action == "StopTransaction":
            assert read == Verdict(None)
        case Verdict(allowed=allowed):
            assert isinstance(read, Verdict)
            assert read.allowed == (allowed or Allowed.INVALID)
        case Welcome() | Now():
            assert isinstance(read, Welcome | Now)
            assert abs((read.now - reply.now).total_seconds()) < 0.001


@given(st.binary(max_size=60) | text.map(str.encode))
def test_a_conversation_survives_any_bytes(data: bytes) -> None:
    try:
        said = Conversation().receive(data)
    except Exception as error:
        assert type(error).__name__ == "BadFrame"  # noqa: PT017
    else:
        assert said is not None


json_values = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("action", sorted(DIALECT.rows))
@given(data=st.data())
def test_any_json_at_all_means_something_and_is_answered(action: str, data: st.DataObject) -> None:
    wire = DIALECT.rows[action].wire
    fields = st.sampled_from(wire.__struct_encode_fields__) if wire.__struct_encode_fields__ else text
    payload = data.draw(json_values | st.dictionaries(fields, json_values, max_size=8))
    fact, _ = DIALECT.read(Call("1", action, Raw(msgspec.json.encode(payload))))
    assert fact is not None
    assert msgspec.json.encode(fact)
