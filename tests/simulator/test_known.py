"""A virtual station with its local authorization list, filled by a foreign CSMS, and with its cache when it is offline."""

from ocpp.v16 import call
from ocpp.v16.datatypes import AuthorizationData, IdTagInfo

from chargewire.simulator.car import Car
from simulator.conftest import living
from simulator.foreign_csms import ForeignCsms, until

OFFLINE = {"AllowOfflineTxForUnknownId": "false", "LocalAuthorizeOffline": "true"}


def entry(uid: str, status: str | None = "Accepted", **more: str) -> AuthorizationData:
    return AuthorizationData(id_tag=uid, id_tag_info=IdTagInfo(status=status, **more) if status else None)  # type: ignore[arg-type]


async def send(csms: ForeignCsms, version: int, update_type: str, *entries: AuthorizationData) -> str:
    request = call.SendLocalList(list_version=version, update_type=update_type, local_authorization_list=list(entries))  # type: ignore[arg-type]
    return str((await csms.ask("CS-1", request)).status)


async def version(csms: ForeignCsms) -> int:
    return int((await csms.ask("CS-1", call.GetLocalListVersion())).list_version)


async def test_a_list_is_taken_whole_then_changed_then_emptied(csms: ForeignCsms) -> None:
    async with living(csms, settings=OFFLINE) as station:
        assert await version(csms) == 0
        assert await send(csms, 3, "Full", entry("AA"), entry("BB", parent_id_tag="G1")) == "Accepted"
        assert await version(csms) == 3
        assert await send(csms, 3, "Differential", entry("CC")) == "VersionMismatch"
        assert await send(csms, 4, "Differential", entry("CC", "Blocked"), entry("AA", None)) == "Accepted"
        known = station.known_tokens
        now = station.charger.clock()
        assert [known.allowed(uid, now) for uid in ("AA", "bb", "CC")] == [None, "Accepted", "Blocked"]
        assert await send(csms, 1, "Full") == "Accepted"
        assert (await version(csms), known.allowed("BB", now)) == (1, None)


async def test_a_list_that_is_longer_than_the_station_can_keep_is_refused_and_the_one_before_stays(csms: ForeignCsms) -> None:
    async with living(csms, settings={"LocalAuthListMaxLength": "2", "SendLocalListMaxLength": "2"}):
        assert await send(csms, 1, "Full", entry("AA"), entry("BB")) == "Accepted"
        assert await send(csms, 2, "Differential", entry("CC")) == "Failed"
        assert await send(csms, 2, "Full", entry("AA"), entry("BB"), entry("CC")) == "Failed"
        assert await version(csms) == 1


async def test_a_station_whose_list_is_off_says_so(csms: ForeignCsms) -> None:
    async with living(csms, settings={"LocalAuthListEnabled": "false"}):
        assert await version(csms) == -1
        assert await send(csms, 1, "Full", entry("AA")) == "NotSupported"


async def test_offline_a_listed_token_charges_and_others_do_not(csms: ForeignCsms) -> None:
    async with living(csms, settings=OFFLINE) as station:
        old = "2020-01-01T00:00:00Z"
        await send(csms, 1, "Full", entry("GOOD"), entry("BAD", "Blocked"), entry("OLD", expiry_date=old))
        await station.authorize("CACHED")
        csms.refused_tokens.add("BAD")
        station.disconnect(stay_away_s=60)
        await until(lambda: not station.ready.is_set(), "offline")
        may = {uid: await station.authorize(uid) for uid in ("GOOD", "good", "BAD", "OLD", "CACHED", "NOBODY")}
        assert may == {"GOOD": True, "good": True, "BAD": False, "OLD": False, "CACHED": True, "NOBODY": False}
        station.known_tokens.forget()
        assert not await station.authorize("CACHED")
        station.charger.arrive(1, Car())
        assert await station.present(1, "GOOD")
        assert len(station.outbox) > 0


async def test_offline_anybody_charges_where_unknown_ids_may_but_never_one_that_is_blocked(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        await send(csms, 1, "Full", entry("BAD", "Blocked"))
        station.disconnect(stay_away_s=60)
        await until(lambda: not station.ready.is_set(), "offline")
        assert await station.authorize("NOBODY")
        assert not await station.authorize("BAD")


async def test_a_token_of_the_same_group_ends_a_session_and_another_does_not(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        await send(csms, 1, "Full", entry("A", parent_id_tag="G"), entry("B", parent_id_tag="G"), entry("C", parent_id_tag="H"))
        station.charger.arrive(1, Car())
        assert await station.present(1, "A")
        assert not await station.present(1, "C")
        assert station.charger.plugs[1].transaction
        assert await station.present(1, "B")
        assert station.charger.plugs[1].transaction is None
