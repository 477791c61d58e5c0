"""What the remark of a 2.1.1 CDR says: which CDR it stands for, and where the signed meter values are."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from chargewire.charging.session import Period
from chargewire.charging.tariff import Element, PriceComponent, Tariff
from chargewire.protocols.ocpi.v211 import cdrs
from charging.sessions import NOON
from protocols.ocpi.test_settling import STAMP, ours

PER_KWH = Tariff(id="T", currency="EUR", elements=(Element((PriceComponent("ENERGY", Decimal("0.3"), 1),)),))
SHORT, LONG = "https://charge.example/signed/S1.0123", f"https://{'charge.' * 30}example/signed/S1.0123"


@pytest.mark.parametrize(
    ("replaces", "address", "said"),
    [
        (None, None, None),
        (None, SHORT, SHORT),
        ("C0", None, "replaces C0"),
        ("C0", SHORT, f"replaces C0; {SHORT}"),
        ("C0" * 16, LONG, LONG),
    ],
)
def test_the_address_of_signed_values_is_whole_or_not_there(
    replaces: str | None, address: str | None, said: str | None
) -> None:
    cdr = ours(PER_KWH, [Period(NOON, 1000, 3600)], NOON + timedelta(hours=1))
    written = cdrs.cdr_json(replace(cdr, replaces=replaces, remark=address), STAMP)
    assert msgspec.json.decode(written).get("remark") == said
