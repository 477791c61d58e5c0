"""Readings in numbers: the quick way through says what the thorough one says."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chargewire.charging.measured import _measured, _plain
from chargewire.charging.reading import Reading, Sample

SAMPLES = st.builds(
    Sample,
    value=st.sampled_from(["0", "7", "16.0", "1234567", "-3", "x", "1e99"]),
    measurand=st.sampled_from(
        [
            "Energy.Active.Import.Register",
            "Power.Active.Import",
            "Current.Import",
            "SoC",
            "Voltage",
            "Energy.Active.Import.Interval",
        ]
    ),
    unit=st.sampled_from(["Wh", "kWh", "W", "kW", "A", "V", "Percent", ""]),
    context=st.sampled_from(["Sample.Periodic", "Sample.Periodic", "Sample.Periodic", "Sample.Clock", "Transaction.Begin"]),
    phase=st.sampled_from([None, None, "L1", "L2", "L3", "N", "L1-N"]),
    location=st.sampled_from(["Outlet", "Outlet", "Outlet", "Inlet"]),
    format=st.sampled_from(["Raw", "Raw", "Raw", "SignedData"]),
)
AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@given(st.lists(SAMPLES, max_size=6))
def test_a_plain_reading_says_the_same_both_ways(samples: list[Sample]) -> None:
    reading = Reading(AT, tuple(samples))
    plain = _plain(reading)
    assert plain is None or plain == _measured(reading)


def test_the_reading_that_most_stations_send_is_a_plain_one() -> None:
    samples = (
        Sample("1234", unit="Wh"),
        Sample("11000", "Power.Active.Import", "W"),
        *(Sample("16.0", "Current.Import", "A", phase=phase) for phase in ("L1", "L2", "L3")),
        Sample("230", "Voltage", "V", phase="L1"),
    )
    plain = _plain(Reading(AT, samples))
    assert plain is not None
    assert (plain.register_mwh, plain.power_mw, plain.current_ma) == (1_234_000, 11_000_000, 16_000)
