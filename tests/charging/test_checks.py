"""What CDRs are checked for."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from chargewire.charging import flags
from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.checks import CHECKS, checked, group_of
from chargewire.charging.closing import cdr_of
from chargewire.charging.tally import as_known
from charging.sessions import started, stopped


def cdr(total: str, wh: int = 20_000, currency: str = "EUR") -> Cdr:
    cost = Cost(currency=currency, excl_vat=Decimal(total))
    return cdr_of(as_known(started(0), [], stopped(120, wh)), cost)


@pytest.mark.parametrize(
    ("total", "wh", "currency", "flag"),
    [
        ("1000.00", 400_000, "EUR", None),
        ("1000.01", 400_000, "EUR", flags.IMPLAUSIBLE_COST),
        ("100.00", 20_000, "EUR", None),  # 5 a kWh
        ("100.01", 20_000, "EUR", flags.IMPLAUSIBLE_COST),
        ("50.00", 100, "EUR", None),  # dear, but nobody asks below 50
        ("50.01", 100, "EUR", flags.IMPLAUSIBLE_COST),
        ("50.01", 0, "EUR", flags.IMPLAUSIBLE_COST),  # much money, no energy
        ("50000", 100_000, "JPY", None),  # no smaller unit than the yen
        ("50001", 100_000, "JPY", flags.IMPLAUSIBLE_COST),
        ("0.00", 0, "EUR", None),
        ("-0.01", 20_000, "EUR", flags.NEGATIVE_COST),
    ],
)
def test_costs_that_nobody_would_believe_are_flagged(total: str, wh: int, currency: str, flag: str | None) -> None:
    some = replace(cdr(total, wh, currency), flags=())
    assert checked(some) == ((flag,) if flag else ())


def test_what_the_driver_pays_and_the_owner_gets_is_checked_too() -> None:
    dear = Cost(currency="EUR", excl_vat=Decimal("5000"))
    assert flags.IMPLAUSIBLE_COST in checked(replace(cdr("1.00"), retail=dear))
    assert flags.IMPLAUSIBLE_COST in checked(replace(cdr("1.00"), reimbursement=dear))


def test_a_token_that_belongs_to_nobody_known_is_flagged() -> None:
    nobody = replace(cdr("1.00").token, emsp=None)
    assert checked(replace(cdr("1.00"), token=nobody)) == (flags.NO_CONTRACT,)


def test_every_flag_of_a_group_has_a_meaning_and_only_a_missing_tariff_is_worth_waiting_for() -> None:
    assert set(CHECKS) <= set(flags.FLAGS)
    assert {flag for flag, check in CHECKS.items() if check.retries} == {flags.NO_TARIFF}
    assert {group_of(flag) for flag in CHECKS} == {"configuration", "feasibility", "billing rules", "final cost"}
    assert group_of(flags.NO_TIME) == "measurement"
