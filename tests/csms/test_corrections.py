"""Corrections of CDRs that are not like those of today."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from chargewire.charging.errors import Refused
from chargewire.csms.corrections import correct
from chargewire.journal.memory import Ref, Unit, Write
from csms.floor import CPO, Floor

T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


async def test_a_cdr_without_its_tariff_is_not_said_anew_at_the_old_cost(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 10_000, T0 + timedelta(hours=1))
    (cdr,) = await floor.cdrs()
    bare = Write(ref=Ref("cdr", CPO, "bare"), content=replace(cdr, id="bare", tariff=None), expect=0, what="new")
    await floor.journal.append(Unit(place="LOC1", writes=[bare]))
    with pytest.raises(Refused, match="tariff_id"):
        await correct(floor.registry, "bare", b'{"reason": "meter", "energy_wh": 5000}')
    _, corrected = await correct(floor.registry, "bare", b'{"reason": "meter", "energy_wh": 5000, "tariff_id": "T1"}')
    assert (cdr.cost.excl_vat, corrected.cost.excl_vat) == (Decimal("3.00"), Decimal("1.50"))
