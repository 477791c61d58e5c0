"""Taking CDRs back and saying them anew."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chargewire.charging import flags
from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.checks import checked
from chargewire.charging.closing import cdr_of
from chargewire.charging.correcting import correction_id_of, credit_for, credit_id_of, flagged_anew, measured_anew, remark_of
from chargewire.charging.errors import Refused
from chargewire.charging.plausible import max_power_w
from chargewire.charging.pricing import price
from chargewire.charging.session import Period
from chargewire.charging.tally import as_known
from chargewire.charging.tariff import Tariff
from charging.sessions import NOON, energy, full, started, stopped
from charging.test_pricing import TARIFFS, stays

minute = timedelta(minutes=1)
SESSION = as_known(started(0), [full(15, 3_000, 12_000), energy(30, 3_000)], stopped(45, 3_000))
CDR = cdr_of(SESSION, Cost(currency="EUR", excl_vat=Decimal("1.50")))


def made(some: Tariff, stay: tuple[list[Period], datetime], *others: Tariff) -> Cdr:
    """A CDR of such a stay by such a tariff, and by others for the driver and the owner."""
    periods, end = tuple(stay[0]), stay[1]
    costs = [price(each, periods, end, "Europe/Amsterdam") for each in (some, *others)]
    return replace(
        CDR,
        start=periods[0].start,
        stop=end,
        periods=periods,
        energy_wh=sum(each.energy_wh for each in periods),
        total_time_s=sum(each.charging_s + each.parking_s for each in periods),
        parking_time_s=sum(each.parking_s for each in periods),
        currency=some.currency,
        cost=costs[0],
        tariff=some,
        retail=costs[1] if others else None,
        reimbursement=costs[2] if others else None,
    )


@given(some=TARIFFS, retail=TARIFFS, reimbursement=TARIFFS, stay=stays())
@settings(max_examples=100, deadline=None)
def test_a_cdr_and_its_credit_come_to_nothing_in_each_line_and_total(
    some: Tariff, retail: Tariff, reimbursement: Tariff, stay: tuple[list[Period], datetime]
) -> None:
    cdr = made(some, stay, retail, reimbursement)
    credit = credit_for(cdr, "wrong")
    for name in ("cost", "retail", "reimbursement"):
        before, after = getattr(cdr, name), getattr(credit, name)
        assert before.excl_vat + after.excl_vat == 0
        assert (before.incl_vat or 0) + (after.incl_vat or 0) == 0
        assert (before.vat or 0) + (after.vat or 0) == 0
        for old, new in zip_longest(before.lines, after.lines):
            assert old.cost + new.cost == 0
            assert (old.exact or 0) + (new.exact or 0) == 0
            assert replace(new, cost=old.cost, exact=old.exact) == old
        assert sum((line.cost for line in after.lines), Decimal(0)) == after.excl_vat
    same = {
        name: getattr(credit, name) for name in ("energy_wh", "periods", "start", "stop", "total_time_s", "tariff", "flags")
    }
    assert same == {name: getattr(cdr, name) for name in same}


def test_a_credit_says_what_it_takes_back_and_why_and_cannot_be_taken_back() -> None:
    credit = credit_for(CDR, "the meter was broken")
    assert (credit.credit, credit.credit_of, credit.reason) == (True, CDR.id, "the meter was broken")
    assert remark_of(credit) == f"credit of {CDR.id}"
    with pytest.raises(Refused, match="credit"):
        credit_for(credit, "again")


def test_ids_follow_from_what_is_taken_back_so_that_it_happens_once() -> None:
    ids = {CDR.id, credit_id_of(CDR.id), correction_id_of(CDR.id), credit_id_of(correction_id_of(CDR.id))}
    assert len(ids) == 4
    assert {len(each) for each in ids} == {32}
    assert credit_id_of(CDR.id) == credit_id_of(CDR.id)


@given(some=TARIFFS, stay=stays(), wh=st.integers(0, 200_000), data=st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_measured_anew_adds_up(some: Tariff, stay: tuple[list[Period], datetime], wh: int, data: st.DataObject) -> None:
    cdr = made(some, stay)
    minutes = int((cdr.stop - cdr.start) / minute)
    begin = cdr.start + data.draw(st.integers(0, minutes - 1)) * minute
    stop = begin + data.draw(st.integers(1, int((cdr.stop - begin) / minute))) * minute
    cut = measured_anew(cdr, energy_wh=None, start=begin, stop=stop)
    assert cut.total_time_s == (stop - begin).total_seconds()
    assert cut.parking_time_s <= min(cdr.parking_time_s, cut.total_time_s)
    assert cut.energy_wh == sum(each.energy_wh for each in cut.periods) <= cdr.energy_wh
    assert cut.periods[0].start == begin
    new = measured_anew(cdr, energy_wh=wh, start=begin, stop=stop)
    assert new.energy_wh == wh == sum(each.energy_wh for each in new.periods)
    assert (new.total_time_s, new.parking_time_s) == (cut.total_time_s, cut.parking_time_s)
    assert all(each.energy_wh >= 0 for each in new.periods)


def test_what_is_not_corrected_stays() -> None:
    assert measured_anew(CDR, energy_wh=None, start=None, stop=None) == CDR
    assert measured_anew(CDR, energy_wh=CDR.energy_wh, start=CDR.start, stop=CDR.stop) == CDR


def test_a_session_of_no_time_and_no_energy_can_be_said_anew_but_gets_no_energy() -> None:
    nothing = replace(CDR, energy_wh=0, periods=(), stop=CDR.start, total_time_s=0, parking_time_s=0, max_power_w=None)
    assert measured_anew(nothing, energy_wh=None, start=None, stop=None) == nothing
    with pytest.raises(Refused, match="no time left"):
        measured_anew(nothing, energy_wh=100, start=None, stop=None)


def test_energy_goes_where_it_went_before_and_its_power_with_it() -> None:
    new = measured_anew(CDR, energy_wh=1_500, start=None, stop=None)
    assert [each.energy_wh for each in new.periods] == [each.energy_wh // 2 for each in CDR.periods]
    assert new.max_power_w == max_power_w(CDR.periods) // 2


def test_a_session_of_no_energy_gets_it_in_its_first_period_that_charged() -> None:
    idle = replace(CDR, energy_wh=0, periods=(Period(NOON, 0, 0, 60), Period(NOON + minute, 0, 60)), stop=NOON + 2 * minute)
    assert [each.energy_wh for each in measured_anew(idle, energy_wh=500, start=None, stop=None).periods] == [0, 500]


@pytest.mark.parametrize(
    ("start", "stop", "field"),
    [
        (CDR.start - minute, None, "start"),
        (None, CDR.stop + minute, "stop"),
        (CDR.start + 20 * minute, CDR.start + 10 * minute, "start"),
    ],
)
def test_a_session_can_be_found_to_have_been_shorter_only(start: datetime | None, stop: datetime | None, field: str) -> None:
    with pytest.raises(Refused) as refused:
        measured_anew(CDR, energy_wh=None, start=start, stop=stop)
    assert refused.value.field == field


def test_a_corrected_cdr_has_the_flags_of_what_it_says_now() -> None:
    wrong = replace(CDR, energy_wh=3_000_000, flags=("implausible-cost", "implausible-energy", "register-fell"))
    new = flagged_anew(replace(wrong, energy_wh=3_000))
    assert new.flags == (flags.CORRECTED, "register-fell")
    assert flags.IMPLAUSIBLE_ENERGY in flagged_anew(wrong).flags
    assert flagged_anew(new) == new
    assert checked(new) == new.flags


def test_what_a_cdr_stands_for_is_said_before_its_own_remark() -> None:
    assert remark_of(CDR) is None
    assert remark_of(replace(CDR, remark="see https://x")) == "see https://x"
    assert remark_of(replace(CDR, replaces="abc", remark="see https://x")) == "replaces abc; see https://x"
    assert remark_of(credit_for(replace(CDR, replaces="abc"), "r")) == f"credit of {CDR.id}"
