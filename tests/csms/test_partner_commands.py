"""What came of an order, in OCPI's words."""

from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from chargewire.charging.commands import Answer, Order, Unlock
from chargewire.csms.partner_commands import result_of
from chargewire.protocols.ocpi.v211 import words

WORDS = ("Accepted", "Rejected", "Unlocked", "UnlockFailed", "NotSupported", "Unreadable", "")
STATES = ("ANSWERED", "FAILED", "TIMEOUT")


def order(state: str, status: str | None, error: str | None) -> Order:
    answer = None if status is None else Answer(status=status)
    command, now = Unlock(connector_number=1), datetime(2026, 11, 24, tzinfo=UTC)
    return Order(
        id="1", station_id="CS1", command=command, asked_by="DE-XYZ", expires_at=now, state=state, answer=answer, error=error
    )


@given(
    st.sampled_from(STATES),
    st.none() | st.sampled_from(WORDS) | st.text(max_size=20),
    st.none() | st.sampled_from(("timeout", "offline", "NotImplemented: no", "NotSupported", "InternalError")) | st.text(),
)
def test_every_end_of_an_order_has_a_word_and_it_is_yes_only_if_the_station_said_so(
    state: str, status: str | None, error: str | None
) -> None:
    result = result_of(order(state, status, error))
    assert result in get_args(words.CommandResponseType)
    assert (result == "ACCEPTED") == (status in ("Accepted", "Unlocked"))
    assert result != "TIMEOUT" or status is None


def test_a_start_that_no_session_followed_was_accepted_all_the_same() -> None:
    assert result_of(order("TIMEOUT", "Accepted", "accepted, but no session followed")) == "ACCEPTED"
