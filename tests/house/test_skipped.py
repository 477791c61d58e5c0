"""CI must notice when a test did not run."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.a" name="test_one"/>
<testcase classname="tests.a" name="test_two"><skipped type="pytest.skip" message="{reason}">here</skipped></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def script() -> ModuleType:
    path = Path(__file__).parents[2] / ".ci" / "skipped.py"
    spec = importlib.util.spec_from_file_location("skipped", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _report(folder: Path, reason: str) -> Path:
    path = folder / "tests.xml"
    path.write_text(REPORT.format(reason=reason))
    return path


def test_a_test_that_could_have_run_fails_the_build(script: ModuleType, tmp_path: Path) -> None:
    assert script.main(_report(tmp_path, "no PostgreSQL on this machine")) == 1


def test_independent_data_may_be_absent(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _report(tmp_path, "the independent data is not there")
    monkeypatch.setattr(script, "DATA", tmp_path / "nowhere")
    assert script.main(report) == 0
    monkeypatch.setattr(script, "DATA", tmp_path)
    assert script.main(report) == 1


def test_a_run_that_wrote_no_report_fails_the_build(script: ModuleType, tmp_path: Path) -> None:
    assert script.main(tmp_path / "missing.xml") == 1
