"""What a newcomer types first."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "tests/foreign/requirements.lock")


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return found[0].lower().replace("_", "-").replace(".", "-")


def _locked(lock: str) -> set[str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {_name(line) for line in lines if line and line[0] not in " #"}


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    named = re.findall(r"^make (\w+)", listed, re.MULTILINE)
    assert set(named) >= {"setup", "demo", "test", "check", "fix", "bench", "docs"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_comes_from_no_special_place(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = re.findall(r"^[a-z0-9].*(?:\n    .*)*", text, re.MULTILINE)
    assert [package.split()[0] for package in pinned if "--hash=sha256:" not in package] == []
    assert re.findall(r"--(?:extra-)?index-url|--find-links|file:|https?:", text) == []


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {_name(each) for each in project["project"]["dependencies"]}
    wanted = {_name(each) for each in project["dependency-groups"]["dev"]}
    assert needed - _locked("requirements.lock") == set()
    assert (needed | wanted) - _locked("requirements-dev.lock") == set()


def test_both_lock_files_pin_the_same_versions() -> None:
    pins = [
        set(re.findall(r"^([a-z0-9-]+==[^ ;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)) for lock in LOCKS
    ]
    assert pins[0] <= pins[1]
