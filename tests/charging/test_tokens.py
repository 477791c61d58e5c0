"""What a driver is told."""

from datetime import timedelta

from msgspec.structs import replace

from chargewire.charging.token import Allowed, Token
from chargewire.charging.tokens import verdict
from charging.sessions import NOON

TOKEN = Token(uid="04AB", type="RFID", auth_id="NL-EMS-C0001-X", issuer="EMS", valid=True, whitelist="ALLOWED")


def test_a_valid_token_is_accepted() -> None:
    assert verdict(TOKEN, NOON) is Allowed.ACCEPTED


def test_a_token_that_nobody_knows_is_invalid() -> None:
    assert verdict(None, NOON) is Allowed.INVALID


def test_a_token_that_its_issuer_made_invalid_is_blocked_also_when_it_has_expired() -> None:
    assert verdict(replace(TOKEN, valid=False, expires_at=NOON - timedelta(days=1)), NOON) is Allowed.BLOCKED


def test_a_token_is_expired_from_its_moment_on() -> None:
    token = replace(TOKEN, expires_at=NOON)
    assert verdict(token, NOON - timedelta(microseconds=1)) is Allowed.ACCEPTED
    assert verdict(token, NOON) is Allowed.EXPIRED
