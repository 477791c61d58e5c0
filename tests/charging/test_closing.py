"""From a session to its CDR."""

from decimal import Decimal

import pytest

from chargewire.charging.cdr import Cost
from chargewire.charging.closing import cdr_id_of, cdr_of, is_small
from chargewire.charging.tally import as_known
from charging.sessions import energy, full, started, stopped

COST = Cost(currency="EUR", excl_vat=Decimal("1.50"))


def test_the_id_of_a_cdr_follows_from_the_session_and_fits_36_characters() -> None:
    assert cdr_id_of("NLAAA0001") == cdr_id_of("NLAAA0001") != cdr_id_of("NLAAA0002")
    assert len(cdr_id_of("x" * 36)) == 32


def test_a_cdr_adds_up() -> None:
    session = as_known(started(0), [full(15, 3_000, 12_000), energy(30, 3_000)], stopped(45, 3_000))
    cdr = cdr_of(session, COST)
    assert (cdr.energy_wh, cdr.total_time_s, cdr.parking_time_s, cdr.max_power_w) == (3_000, 2_700, 1_800, 12_000)
    assert cdr.stop - cdr.start == session.stopped.at - session.started.at if session.stopped else False
    assert cdr.id == cdr_id_of(session.id)


def test_flags_of_the_session_go_with_its_cdr() -> None:
    assert cdr_of(as_known(started(0), [], stopped(60, 90_000)), COST).flags == ("implausible-power",)


@pytest.mark.parametrize("session", [as_known(started(0), [], None), as_known(started(0, accepted=False), [], stopped(5, 0))])
def test_a_session_that_runs_or_is_invalid_has_no_cdr(session: object) -> None:
    with pytest.raises(ValueError, match=r"is (ACTIVE|INVALID)"):
        cdr_of(session, COST)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "wh", "small"), [(1.9, 199, True), (2, 199, False), (1.9, 200, False), (60, 0, False), (0, 0, True)]
)
def test_small_is_what_misses_both_limits(minutes: float, wh: int, small: bool) -> None:
    assert is_small(cdr_of(as_known(started(0), [], stopped(minutes, wh)), COST)) is small
