"""Signed meter values: kept with the CDR, on both engines, whatever else happens to the session."""

from datetime import UTC, datetime, timedelta

import msgspec

from chargewire.charging.facts import Metered, SessionEnded
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.signed import SignedValues
from chargewire.journal.memory import ListQuery
from csms.floor import CPO, Floor
from ocmf import Meter

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BEGIN, END = "Transaction.Begin", "Transaction.End"
minute = timedelta(minutes=1)


def said(minutes: int, text: str, context: str, register_wh: int = 0) -> Reading:
    """A signed value beside the plain one, as stations send them."""
    return Reading(AT + minutes * minute, (Sample(str(register_wh)), Sample(text, format="SignedData", context=context)))


async def meters(floor: Floor, transaction_id: str, *readings: Reading) -> None:
    await floor.tell(Metered(connector_number=1, transaction_id=transaction_id, readings=readings), "MeterValues")


async def stops(floor: Floor, transaction_id: str, *readings: Reading) -> None:
    fact = SessionEnded(transaction_id=transaction_id, register_wh=5000, at=AT + 60 * minute, readings=readings)
    await floor.tell(fact, "StopTransaction")


async def kept(floor: Floor) -> list[SignedValues]:
    page = await floor.journal.walk(ListQuery(kind="signed", owners=(CPO,)))
    return [msgspec.json.decode(stored.body, type=SignedValues) for stored in page.rows]


async def test_what_the_meter_signed_is_kept_once_in_order_and_the_cdr_says_where(floor: Floor) -> None:
    meter = Meter()
    first, last = meter.signs(0, "B", "2026-11-24T08:00:00,000+0000"), meter.signs(5, "E", "2026-11-24T09:00:00,000+0000")
    begun = await floor.starts(at=AT)
    await meters(floor, begun.transaction_id, said(0, first, BEGIN))
    await meters(floor, begun.transaction_id, said(0, first, BEGIN))
    await stops(floor, begun.transaction_id, said(0, first, BEGIN), said(60, last, END, 5000))
    (cdr,), (signed,) = await floor.cdrs(), await kept(floor)
    assert [(value.text, value.context, value.encoding) for value in signed.values] == [
        (first, BEGIN, "OCMF"),
        (last, END, "OCMF"),
    ]
    assert all(meter.signed(value.text) for value in signed.values)
    assert (signed.session_id, signed.cdr_id, signed.evse_id) == (cdr.session_id, cdr.id, "NL*AAA*ECS-1*1")
    assert cdr.remark == signed.url
    assert str(cdr.remark).startswith(f"https://charge.example/signed/{cdr.session_id}.")
    assert cdr.energy_wh == 5000
    assert cdr.flags == ()


async def test_a_session_without_signed_values_has_no_remark_and_nothing_is_kept(floor: Floor) -> None:
    begun = await floor.starts(at=AT)
    await floor.meters(begun.transaction_id, 1000, AT + minute)
    await floor.stops(begun.transaction_id, 5000, AT + 60 * minute)
    assert [cdr.remark for cdr in await floor.cdrs()] == [None]
    assert await kept(floor) == []


async def test_after_a_crash_no_signed_value_is_missing(floor: Floor) -> None:
    texts = [Meter().signs(count, "C", "2026-11-24T08:30:00,000+0000") for count in range(4)]
    begun = await floor.starts(at=AT)
    for count, text in enumerate(texts[:3]):
        await meters(floor, begun.transaction_id, said(count, text, "Sample.Periodic", count))
        await floor.restart()
    await stops(floor, begun.transaction_id, said(60, texts[3], END, 5000))
    (signed,) = await kept(floor)
    assert [value.text for value in signed.values] == texts


async def test_a_session_that_waits_for_its_price_gets_its_remark_when_it_is_priced(floor: Floor) -> None:
    text = Meter().signs(5, "E", "2026-11-24T09:00:00,000+0000")
    begun = await floor.starts(at=AT, connector=2)
    await stops(floor, begun.transaction_id, said(60, text, END, 5000))
    assert await floor.cdrs() == []
    (signed,) = await kept(floor)
    await floor.put_tariff("T2", "0.40")
    assert await floor.price_waiting() == 1
    (cdr,) = await floor.cdrs()
    assert signed.url is not None
    assert cdr.remark == signed.url


async def test_what_is_signed_too_late_changes_nothing(floor: Floor) -> None:
    meter = Meter()
    begun = await floor.starts(at=AT)
    await stops(floor, begun.transaction_id, said(0, meter.signs(0, "B", "2026-11-24T08:00:00,000+0000"), BEGIN))
    before = await kept(floor)
    await meters(floor, begun.transaction_id, said(60, meter.signs(5, "E", "2026-11-24T09:00:00,000+0000"), END, 5000))
    assert await kept(floor) == before
    assert len(await floor.readings(before[0].session_id)) == 2


async def test_a_newer_start_closes_a_session_with_all_that_was_signed(floor: Floor) -> None:
    text = Meter().signs(1, "C", "2026-11-24T08:10:00,000+0000")
    begun = await floor.starts(at=AT)
    await meters(floor, begun.transaction_id, said(10, text, "Sample.Periodic", 1000))
    await floor.starts(at=AT + 30 * minute, register_wh=1000)
    (signed,), (cdr,) = await kept(floor), await floor.cdrs()
    assert [value.text for value in signed.values] == [text]
    assert cdr.remark == signed.url
