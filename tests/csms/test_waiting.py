"""Sessions that wait for a price: none is lost, and each is priced as soon as somebody says what it costs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chargewire.charging.errors import Unknown
from chargewire.csms.parties import put_cpo
from chargewire.csms.places import put_location
from chargewire.csms.tariff_input import put_tariff
from chargewire.csms.waiting import Waiting, price_waiting, publish_held, retry
from chargewire.journal.memory import ListQuery, Ref, Unit, Write
from chargewire.journal.stamps import to_stamp
from csms.floor import CPO, Floor, _location

T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
hour = timedelta(hours=1)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def tariff(price: str, **more: Any) -> bytes:
    component = {"type": "ENERGY", "price": Decimal(price), "step_size": 1}
    return _encode({"currency": "EUR", "elements": [{"price_components": [component]}]} | more)


async def charge(floor: Floor, at: datetime, connector: int = 2, wh: int = 10_000) -> None:
    """Connector 2 names a tariff T2, which nobody has written."""
    begun = await floor.starts(connector=connector, register_wh=0, at=at)
    await floor.stops(begun.transaction_id, wh, at + hour)


async def waiting(floor: Floor) -> dict[str, Waiting]:
    page = await floor.journal.walk(ListQuery(kind="waiting", owners=(CPO,)))
    return {stored.ref.key: msgspec.json.decode(stored.body, type=Waiting) for stored in page.rows}


async def let_connector_name(floor: Floor, tariff_id: str | None) -> None:
    place = _location()
    place["stations"][0]["evses"][1]["connectors"][0]["tariff_id"] = tariff_id
    await put_location(floor.registry, "LOC1", msgspec.json.encode(place))


async def test_a_session_from_before_a_tariff_does_not_keep_later_ones_from_being_priced(floor: Floor) -> None:
    await charge(floor, T0)
    await charge(floor, T0 + 2 * hour)
    await put_tariff(floor.registry, CPO, "T2", tariff("0.40", valid_from=T0 + hour))
    assert await floor.price_waiting() == 1
    (cdr,) = await floor.cdrs()
    assert (cdr.start, cdr.cost.excl_vat) == (T0 + 2 * hour, Decimal("4.00"))
    (left,) = (await waiting(floor)).values()
    assert left.at == T0


async def test_a_cdr_that_was_priced_late_does_not_say_that_it_has_no_tariff(floor: Floor) -> None:
    await charge(floor, T0)
    body = {"network_id": "demo", "name": "CPO", "drop_flagged": ["no-tariff"]}
    await put_cpo(floor.registry, CPO, msgspec.json.encode(body))
    await floor.put_tariff("T2", "0.40")
    assert await floor.price_waiting() == 1
    (cdr,) = await floor.cdrs()
    assert "no-tariff" not in cdr.flags
    assert cdr.tariff is not None
    assert cdr.tariff.id == "T2"


async def test_a_connector_that_named_no_tariff_or_a_wrong_one_can_be_mended_afterwards(floor: Floor) -> None:
    await charge(floor, T0)
    await let_connector_name(floor, None)
    await charge(floor, T0 + 2 * hour)
    assert [each.tariff_id for each in (await waiting(floor)).values()] == ["T2", None]
    await let_connector_name(floor, "T1")
    assert await floor.price_waiting() == 2
    assert {cdr.tariff.id for cdr in await floor.cdrs() if cdr.tariff} == {"T1"}
    assert await waiting(floor) == {}


async def test_a_tariff_of_another_kind_is_not_taken_for_a_price(floor: Floor) -> None:
    await charge(floor, T0)
    await put_tariff(floor.registry, CPO, "T2", tariff("0.40", kind="reimbursement"))
    assert await floor.price_waiting() == 0
    assert len(await waiting(floor)) == 1


async def test_what_is_beyond_all_money_is_left_to_people_once_that_is_known(floor: Floor) -> None:
    await charge(floor, T0, wh=10**18)
    await put_tariff(floor.registry, CPO, "T2", tariff("999999999"))
    assert await floor.price_waiting() == 0
    ((session_id, left),) = (await waiting(floor)).items()
    assert left.why == "unpriceable"
    assert await retry(floor.registry, session_id) == {
        "session_id": session_id,
        "priced": False,
        "why": "unpriceable",
        "tariff_id": "T2",
    }


async def test_only_what_waits_since_a_moment_is_tried_if_so_asked(floor: Floor) -> None:
    await charge(floor, T0)
    await floor.put_tariff("T2", "0.40")
    later = to_stamp(datetime.now(UTC) + hour)
    assert await price_waiting(floor.journal, floor.directory, (CPO,), since=later) == 0
    assert await price_waiting(floor.journal, floor.directory, (CPO,), since=later - 2 * 3_600_000_000) == 1


async def test_what_an_older_version_left_waiting_is_priced_too(floor: Floor) -> None:
    await charge(floor, T0)
    ((session_id, _),) = (await waiting(floor)).items()
    stored = await floor.journal.get(Ref("waiting", CPO, session_id))
    assert stored is not None
    old = Write(ref=stored.ref, content=b'{"tariff_id":"T2","why":"no-tariff"}', expect=stored.version, what="new")
    await floor.journal.append(Unit(place="LOC1", writes=[old]))
    await floor.put_tariff("T2", "0.40")
    assert await floor.price_waiting() == 1


async def test_a_retry_says_what_came_of_it(floor: Floor) -> None:
    await charge(floor, T0)
    ((session_id, _),) = (await waiting(floor)).items()
    assert (await retry(floor.registry, session_id))["why"] == "no-tariff"
    await floor.put_tariff("T2", "0.40")
    assert (await retry(floor.registry, session_id))["priced"] is True
    for unknown in (session_id, "x", ""):
        with pytest.raises(Unknown):
            await retry(floor.registry, unknown)


async def test_each_session_that_is_over_is_published_held_dropped_or_waits_and_never_two_of_these(floor: Floor) -> None:
    """A CPO that holds small ones and drops one kind; a tariff comes, a held one is published: always exactly one."""
    body = {"network_id": "demo", "name": "C", "publish_all_cdrs": False, "drop_flagged": ["implausible-power"]}
    await put_cpo(floor.registry, CPO, msgspec.json.encode(body))

    async def places() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {session.id: [] for session in await floor.sessions()}
        for kind in ("cdr", "heldcdr"):
            for cdr in await floor.cdrs(kind):
                found[cdr.session_id].append(kind)
        for session_id in await waiting(floor):
            found[session_id].append("waiting")
        return found

    at = T0
    for connector in (1, 2):
        for wh in (0, 100, 500, 900_000, 10**18):
            begun = await floor.starts(connector=connector, register_wh=0, at=at)
            at += timedelta(seconds=90)
            await floor.stops(begun.transaction_id, wh, at)
            at += hour
    seen = await places()
    assert len(seen) == 10
    assert {len(each) for each in seen.values()} == {1}
    assert {each for found in seen.values() for each in found} == {"cdr", "heldcdr", "waiting"}
    await floor.put_tariff("T2", "0.40")
    await floor.price_waiting()
    held = await floor.cdrs("heldcdr")
    await publish_held(floor.registry, held[0].id)
    seen = await places()
    assert {len(each) for each in seen.values()} == {1}
    assert seen[held[0].session_id] == ["cdr"]
