"""Times as stations write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from chargewire.protocols.ocpp.moments import read_moment, utc, written

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T06:00:00Z",
        "2026-11-24T06:00:00.000Z",
        "2026-11-24T06:00:00.000000000Z",
        "2026-11-24T07:00:00+01:00",
        "2026-11-24T06:00:00",
        "2026-11-24 06:00:00",
        " 2026-11-24T06:00Z ",
        "2026/11/24 06:00:00",
        "1795500000",
        "1795500000000",
        1795500000,
        1795500000.0,
        1795500000000,
    ],
)
def test_every_way_to_write_a_moment_gives_it(text: object) -> None:
    assert read_moment(text) == SIX


@pytest.mark.parametrize(
    "text", ["", "now", "0000-00-00T00:00:00Z", None, True, [], "1e400", 1e300, "-", "2026-13-01T00:00:00Z"]
)
def test_what_is_no_moment_is_none(text: object) -> None:
    assert read_moment(text) is None


def test_a_moment_that_no_calendar_holds_in_utc_is_none() -> None:
    assert utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))) is None


def test_we_write_utc_with_milliseconds_and_z() -> None:
    assert written(SIX.astimezone(timezone(timedelta(hours=2))) + timedelta(microseconds=1999)) == "2026-11-24T06:00:00.001Z"
