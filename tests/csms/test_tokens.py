"""Who may charge: whitelists, partners that answer and partners that do not, closed places, groups."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from chargewire.charging.facts import SessionEnded, TokenShown, Verdict
from chargewire.charging.session import SessionStatus
from chargewire.charging.token import Allowed, Token
from chargewire.csms.token_input import put_token
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import Roaming, Subscription
from csms.floor import CPO, UID, Floor

PARTNER = "DE-PAR"


class Partner:
    """An eMSP that says `says`; None: it does not answer."""

    def __init__(self, says: Allowed | None) -> None:
        self.says = says
        self.asked: list[str] = []

    async def ask(self, cpo: str, emsp: str, token: Token, place: tuple[str, str] | None) -> Allowed | None:
        assert (cpo, emsp) == (CPO, PARTNER)
        self.asked.append(token.uid)
        return self.says


async def roam(floor: Floor, says: Allowed | None, whitelist: str = "ALLOWED", **more: Any) -> Partner:
    """Connect a partner that has one token, `PAR1`."""
    roaming = Roaming(role="CPO", party=CPO, partner=PARTNER, state="connected")
    await floor.registry.keep(
        Ref("subscription", "", "par"), Subscription(id="par", name="Partner", network_id="demo", roaming=roaming)
    )
    values = {"type": "RFID", "auth_id": "DE-PAR-C1-X", "issuer": "Partner", "valid": True, "whitelist": whitelist} | more
    await floor.registry.keep(Ref("token", PARTNER, "PAR1"), Token(uid="PAR1", **values), place="tokens/DE-PAR")
    partner = Partner(says)
    floor.csms.ask_partners(partner)
    return partner


async def shows(floor: Floor, uid: str) -> Verdict:
    verdict = await floor.tell(TokenShown(uid), "Authorize")
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.parametrize("whitelist", ["ALWAYS", "ALLOWED"])
async def test_a_partner_is_not_asked_about_a_token_that_it_has_let_us_judge(floor: Floor, whitelist: str) -> None:
    partner = await roam(floor, Allowed.BLOCKED, whitelist)
    assert (await shows(floor, "par1")).allowed is Allowed.ACCEPTED
    await floor.starts("PAR1", at=floor.now)
    [session] = await floor.sessions()
    assert (partner.asked, session.started.auth_method) == ([], "WHITELIST")


@pytest.mark.parametrize("whitelist", ["ALLOWED_OFFLINE", "NEVER"])
@pytest.mark.parametrize("says", [Allowed.ACCEPTED, Allowed.BLOCKED, Allowed.EXPIRED, Allowed.INVALID])
async def test_what_the_partner_says_is_what_the_driver_is_told(floor: Floor, whitelist: str, says: Allowed) -> None:
    await roam(floor, says, whitelist)
    assert (await shows(floor, "PAR1")).allowed is says


@pytest.mark.parametrize(("whitelist", "told"), [("ALLOWED_OFFLINE", Allowed.ACCEPTED), ("NEVER", Allowed.INVALID)])
async def test_without_an_answer_the_whitelist_says_whether_our_word_counts(
    floor: Floor, whitelist: str, told: Allowed
) -> None:
    await roam(floor, None, whitelist)
    begun = await floor.starts("PAR1", at=floor.now)
    [session] = await floor.sessions()
    assert begun.allowed is told
    assert "token-not-asked" in session.flags


async def test_a_yes_is_remembered_for_the_start_that_follows_and_says_so_in_the_session(floor: Floor) -> None:
    partner = await roam(floor, Allowed.ACCEPTED, "NEVER")
    await shows(floor, "PAR1")
    partner.says = None
    begun = await floor.starts("PAR1", at=floor.now)
    [session] = await floor.sessions()
    assert begun.allowed is Allowed.ACCEPTED
    assert (partner.asked, session.started.auth_method) == (["PAR1"], "AUTH_REQUEST")


async def test_a_start_from_the_time_when_the_station_was_offline_is_not_asked_about(floor: Floor) -> None:
    partner = await roam(floor, Allowed.BLOCKED, "NEVER")
    begun = await floor.starts("PAR1", at=floor.now - timedelta(minutes=6))
    assert (begun.allowed, partner.asked) == (Allowed.ACCEPTED, [])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"valid": False}, Allowed.BLOCKED), ({"expires_at": "past"}, Allowed.EXPIRED)],
    ids=["blocked", "expired"],
)
async def test_nobody_is_asked_about_a_token_that_is_no_good_as_we_know_it(
    floor: Floor, wrong: dict[str, Any], told: Allowed
) -> None:
    values = {"expires_at": floor.now - timedelta(days=1)} if "expires_at" in wrong else wrong
    partner = await roam(floor, Allowed.ACCEPTED, "NEVER", **values)
    assert ((await shows(floor, "PAR1")).allowed, partner.asked) == (told, [])


async def test_a_token_of_our_own_emsp_is_judged_by_us_whatever_its_whitelist(floor: Floor) -> None:
    partner = await roam(floor, Allowed.BLOCKED)
    await give(floor, UID, whitelist="NEVER")
    assert ((await shows(floor, UID)).allowed, partner.asked) == (Allowed.ACCEPTED, [])


async def test_a_token_tells_its_group_and_its_end(floor: Floor) -> None:
    until = floor.now + timedelta(days=3)
    await give(floor, UID, group_id="G1", expires_at=until)
    told = await shows(floor, UID)
    assert (told.allowed, told.group_id, told.expires_at) == (Allowed.ACCEPTED, "G1", until)
    begun = await floor.starts(at=floor.now)
    assert (begun.group_id, begun.expires_at) == ("G1", until)


@pytest.mark.parametrize(("group", "flagged"), [("G1", False), ("G2", True), (None, True)])
async def test_a_session_is_stopped_by_its_group_and_a_stop_by_others_is_flagged(
    floor: Floor, group: str | None, flagged: bool
) -> None:
    await give(floor, UID, group_id="G1")
    await give(floor, "OTHER", **({"group_id": group} if group else {}))
    begun = await floor.starts(at=floor.now)
    fact = SessionEnded(transaction_id=begun.transaction_id, register_wh=10, at=floor.now, token_uid="OTHER")
    verdict = await floor.tell(fact, "StopTransaction")
    [session] = await floor.sessions()
    assert (verdict.allowed, session.status) == (Allowed.ACCEPTED, SessionStatus.COMPLETED)
    assert ("stopped-by-other-token" in session.flags) is flagged


async def give(floor: Floor, uid: str, **more: Any) -> None:
    values = {"uid": uid, "auth_id": f"NL-EMS-{uid}", "issuer": "e", "whitelist": "ALWAYS"} | more
    await put_token(floor.registry, "NL-EMS", uid, msgspec.json.encode(values))


@pytest.mark.parametrize(
    ("rule", "may"),
    [
        ({"type": "CustomerExternalId", "value": "C-7"}, True),
        ({"type": "CustomerExternalId", "value": "C-8"}, False),
        ({"type": "ClosedGroups", "value": "fleet"}, True),
        ({"type": "ClosedGroups", "value": "nl-ems-CARD"}, True),
        ({"type": "ClosedGroups", "value": "others"}, False),
    ],
)
async def test_at_a_closed_place_only_those_charge_that_its_rules_name(floor: Floor, rule: dict[str, str], may: bool) -> None:
    await give(floor, "CARD", customer_id="C-7", group_id="FLEET")
    await floor.close_place(rule)
    begun = await floor.starts("CARD", at=floor.now)
    [session] = await floor.sessions()
    assert begun.allowed is (Allowed.ACCEPTED if may else Allowed.INVALID)
    assert ("token-not-here" in session.flags) is not may
    assert (await shows(floor, "CARD")).allowed is begun.allowed


async def test_a_partner_gets_hold_of_no_card_of_ours_by_writing_its_uid(floor: Floor) -> None:
    await roam(floor, Allowed.ACCEPTED)  # DE-PAR comes before NL-EMS by its name
    theirs = Token(uid=UID, type="RFID", auth_id="DE-PAR-C9-X", issuer="Partner", valid=True, whitelist="ALWAYS")
    await floor.registry.keep(Ref("token", PARTNER, UID), theirs, place="tokens/DE-PAR")
    await floor.starts(UID, at=floor.now)
    [session] = await floor.sessions()
    assert session.started.token.emsp == "NL-EMS"
