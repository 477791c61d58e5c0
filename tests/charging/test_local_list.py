"""What stands on a station's list, and how it gets there."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chargewire.charging.commands import ListedToken
from chargewire.charging.local_list import ListLimits, applied, difference, messages, wanted_list
from chargewire.charging.token import Allowed, Token
from charging.sessions import NOON

TOKEN = Token(uid="04AB", type="RFID", auth_id="NL-EMS-C0001-X", issuer="EMS", valid=True, whitelist="ALLOWED")
LIMITS = ListLimits()
uids = st.sampled_from([*"ABCDEFG", "a-long-uid", "one-that-no-idTag-can-hold"])
tokens = st.lists(
    st.builds(
        lambda uid, valid, whitelist, expires, group: replace(
            TOKEN, uid=uid, valid=valid, whitelist=whitelist, expires_at=expires, group_id=group
        ),
        uids,
        st.booleans(),
        st.sampled_from(["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]),
        st.none() | st.integers(-5, 5).map(lambda days: NOON + timedelta(days=days)),
        st.none() | st.sampled_from("GH"),
    ),
    unique_by=lambda token: token.uid,
)


@given(tokens, st.booleans(), st.sets(uids))
def test_a_list_never_lets_in_a_token_that_may_not_charge_or_that_its_emsp_wants_to_be_asked_about(
    given_: list[Token], asks_first: bool, before: set[str]
) -> None:
    known = {token.uid.casefold(): token for token in given_}
    keys = {uid.casefold() for uid in before}
    wanted = wanted_list(given_, None, ListLimits(asks_first=asks_first), keys, NOON)
    for key, listed in wanted.listed.items():
        token = known[key]
        if listed.allowed is Allowed.ACCEPTED:
            assert token.valid
            assert token.expires_at is None or token.expires_at > NOON
            assert token.whitelist in ("ALWAYS", "ALLOWED", *(["ALLOWED_OFFLINE"] if asks_first else []))
            assert len(token.uid) <= 20
        else:
            assert key in keys, "nobody is told of bad tokens that the station never knew"


@given(st.lists(tokens, min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 6))
def test_whatever_changes_the_station_has_the_list_that_it_should_have_and_versions_rise(
    steps: list[list[Token]], chunk: int, length: int
) -> None:
    has: dict[str, ListedToken] = {}
    version = 0
    for number, known in enumerate(steps):
        wanted = wanted_list(known, None, ListLimits(length=length), has, NOON).listed
        full = number == 0
        changes = tuple(wanted.values()) if full else difference(has, wanted)
        for message in messages(changes, version + 1, chunk, full=full):
            assert message.version == version + 1
            assert len(message.tokens) <= chunk
            has, version = applied(has, message), message.version
            assert len(has) <= length, "the station has no room for more, also on the way"
        assert has == wanted


def test_a_whole_list_that_is_empty_is_sent_and_no_change_is_not() -> None:
    [empty] = messages((), 4, 10, full=True)
    assert (empty.version, empty.full, empty.tokens) == (4, True, ())
    assert messages((), 4, 10, full=False) == []


def test_a_token_that_was_listed_and_is_blocked_is_listed_as_blocked_and_one_that_is_unknown_is_taken_off() -> None:
    has = wanted_list([TOKEN, replace(TOKEN, uid="GONE")], None, LIMITS, (), NOON).listed
    wanted = wanted_list([replace(TOKEN, valid=False)], None, LIMITS, has, NOON).listed
    assert difference(has, wanted) == (ListedToken(uid="GONE"), ListedToken(uid="04AB", allowed=Allowed.BLOCKED))


def test_what_has_no_room_is_counted_and_bad_tokens_make_room_for_good_ones() -> None:
    known = [replace(TOKEN, uid=uid) for uid in "ABC"] + [replace(TOKEN, uid="BAD", valid=False), replace(TOKEN, uid="x" * 21)]
    wanted = wanted_list(known, None, ListLimits(length=2), {"bad"}, NOON)
    assert sorted(wanted.listed) == ["a", "b"]
    assert wanted.left_out == 2
