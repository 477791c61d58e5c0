"""Fail if a test was skipped that this machine could have run.

The one good reason is that the independent data is not there, and then the folder must really be missing.

    python .ci/skipped.py build/tests.xml
"""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree  # the file is our own, written by the run before

DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"))


def skipped(report: Path) -> list[tuple[str, str]]:
    """Name and reason of every skipped test of a JUnit report."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            if skip.get("type") != "pytest.xfail":
                found.append((f"{case.get('classname')}::{case.get('name')}", skip.get("message", "")))
    return found


def is_excused(reason: str) -> bool:
    """Whether a reason to skip is about data that is not on this machine."""
    return not DATA.is_dir() and "data" in reason.lower()


def main(report: Path) -> int:
    if not report.is_file():
        print(f"{report} was not written: the tests did not end", file=sys.stderr)
        return 1
    bad = [(name, reason) for name, reason in skipped(report) if not is_excused(reason)]
    for name, reason in bad:
        print(f"skipped, and should have run: {name}: {reason}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
