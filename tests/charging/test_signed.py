"""What counts as a signed value, and that nothing of it is changed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargewire.charging.reading import Reading, Sample
from chargewire.charging.signed import encoding_of, may_be_signed, signed_values

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SIGNED = st.builds(
    Reading,
    st.integers(0, 5).map(lambda minutes: AT + timedelta(minutes=minutes)),
    st.lists(
        st.builds(Sample, st.text(st.characters(codec="utf-8"), max_size=8), format=st.sampled_from(["Raw", "SignedData"])),
        max_size=3,
    ).map(tuple),
)


def reading(minute: int, *texts: str, format_: str = "SignedData") -> Reading:
    return Reading(AT + timedelta(minutes=minute), tuple(Sample(text, format=format_) for text in texts))


@given(st.lists(SIGNED, max_size=6))
def test_every_signed_text_is_there_once_in_order_of_time_and_as_it_was(readings: list[Reading]) -> None:
    found = signed_values(readings)
    sent = [sample.value for each in readings for sample in each.samples if sample.format == "SignedData" and sample.value]
    assert sorted(value.text for value in found) == sorted(set(sent))
    assert [value.at for value in found] == sorted(value.at for value in found)
    stored = [msgspec.json.encode([each]) for each in readings]
    assert all(map(may_be_signed, (one for one, each in zip(stored, readings, strict=True) if signed_values([each]))))


def test_what_a_station_tells_twice_is_kept_where_it_came_first() -> None:
    begin, end = "OCMF|{}|{1}", "OCMF|{}|{2}"
    found = signed_values([reading(9, begin, end), reading(0, begin), reading(10, end)])
    assert [(value.text, value.at) for value in found] == [(begin, AT), (end, AT + timedelta(minutes=9))]


def test_ocmf_counts_as_signed_whether_the_station_says_so_or_not_and_numbers_do_not() -> None:
    assert [value.text for value in signed_values([reading(0, "OCMF|{}|{}", "17", format_="Raw")])] == ["OCMF|{}|{}"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("OCMF|{}|{}", "OCMF"),
        ("1b1b1b1b0101010176", "EDL40"),
        ("1B1B1B1B01010101", "EDL40"),
        ("GxsbGwEBAQF2BQ==", "EDL40"),
        ("AP;0;3;AJ2J7LYMGCIWT4AHUJPPFIIVB3FGRV2JQ2HVZG2I", ""),
        ("<?xml version='1.0'?><signedMeterValue/>", ""),
        ('{"signedMeterData":"T0NNRnx7fQ==","encodingMethod":"OCMF","publicKey":"MFkw"}', "OCMF"),
        ('{"signedMeterData":"GxsbGw==","encodingMethod":"ISA_EDL_40_P"}', "EDL40"),
        ('{"signedMeterData":"AAEC","encodingMethod":"DLMS Message","signingMethod":""}', ""),
        ('{"password": "secret"}', ""),
        ("{", ""),
        ("", ""),
    ],
)
def test_the_encoding_is_guessed_from_how_a_text_begins(text: str, encoding: str) -> None:
    assert encoding_of(text) == encoding
