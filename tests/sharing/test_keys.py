"""Secrets under the instance key."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargewire.sharing.keys import BadKey, Keys, Unsealable


def test_a_key_file_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = Keys.load(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert Keys.load(tmp_path / "key").hash("secret") == first.hash("secret")


def test_a_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hello")
    with pytest.raises(BadKey):
        Keys.load(tmp_path / "key")
    (tmp_path / "key").write_text("00" * 31)
    with pytest.raises(BadKey):
        Keys.load(tmp_path / "key")


def test_another_instance_has_other_hashes() -> None:
    assert Keys.random().hash("secret") != Keys.random().hash("secret")


def test_a_hash_matches_its_secret_only() -> None:
    keys = Keys.random()
    assert keys.matches(keys.hash("secret"), b"secret")
    assert not keys.matches(keys.hash("secret"), "Secret")


@given(st.text(), st.text())
def test_what_is_sealed_opens_again_in_its_own_context_only(text: str, context: str) -> None:
    keys = Keys.random()
    sealed = keys.seal(text, context)
    assert keys.open(sealed, context) == text
    with pytest.raises(Unsealable):
        keys.open(sealed, context + "x")
    with pytest.raises(Unsealable):
        Keys.random().open(sealed, context)


@pytest.mark.parametrize("sealed", ["", "x", "é", "AAAA", "A" * 60, "%%%"])
def test_what_was_never_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(Unsealable):
        Keys.random().open(sealed, "")
