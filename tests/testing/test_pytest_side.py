"""The kit inside a real pytest run: which checks there are, what a waiver does, what is told at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SOURCE = """
from hub.sdk import Completes, PollsForMessages, Source
from hub.testing.reference_source import ReferenceSettings, ReferenceSource as R


class TinySource(Source, PollsForMessages, Completes):
    name = "tiny"
    display_name = "Tiny"
    network = "tiny"
    Settings = ReferenceSettings
    call, complain, check_connection = R.call, R.complain, R.check_connection
    first_cursor, fetch_page, told, event = R.first_cursor, R.fetch_page, R.told, R.event
    message, complete = R.message, R.complete
"""

SUITE = '''
import json
from pathlib import Path

from hub.testing import SourceConformance
from hub.testing.reference_network import BASE_URL, TOKEN, ReferenceNetwork
from sch_tiny.source import TinySource


class TestTiny(SourceConformance):
    connector = TinySource
    settings = {"base_url": BASE_URL, "token": TOKEN}
    fixtures = Path(__file__).parent / "fixtures"

    def vendor(self):
        return ReferenceNetwork()

    def events_of(self, rig, fixture):
        return [rig.connector.event(json.loads(fixture.body))]

    def test_of_the_author(self):
        """Tests of the author's own run beside the checks."""
'''

QUALITY = """
tier = "silver"
owner = "somebody"
[waivers]
name_is_folder_and_entry_point = "not installed in this test"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A distribution with one small connector and its tests, as an author has it."""
    plugin = tmp_path / "sch_tiny"
    (plugin / "fixtures").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    (plugin / "__init__.py").write_text("")
    (plugin / "source.py").write_text(SOURCE)
    (plugin / "README.md").write_text("`base_url`, `token`, `webhook_secrets`")
    (plugin / "quality.toml").write_text(QUALITY)
    (tmp_path / "test_tiny.py").write_text(SUITE)
    fixtures = ROOT / "tests" / "testing" / "planted" / "fixtures"
    (tmp_path / "fixtures").mkdir()
    for name in ("said__with_a_picture.json", "deleted__by_author.json"):
        (tmp_path / "fixtures" / name).write_text((fixtures / name).read_text())
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest there, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment = {**clean, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_a_plugin_runs_its_checks(project: Path) -> None:
    """Expected events are written on demand; what the connector cannot do is not checked; waivers are told; the
    report is written."""
    written = pytest_in(project, "-q", "--update-expected", "-k", "fixtures_give")
    assert written.returncode == 0, written.stdout
    run = pytest_in(project, "-v", "--conformance-report", "report")
    assert run.returncode == 0, run.stdout[-3000:]
    assert "test_poll_under[429]" in run.stdout
    assert "test_of_the_author" in run.stdout
    for role in ("changed_body_is_refused", "reply_under", "setup_twice", "private_posts"):
        assert role not in run.stdout
    assert "waived  name_is_folder_and_entry_point - not installed in this test" in run.stdout
    told = json.loads((project / "report" / "source-tiny.json").read_text())
    assert (told["tier"], told["claimed"]) == ("silver", "silver")
    assert told["checks"]["name_is_folder_and_entry_point"]["result"] == "waived"
    assert told["checks"]["poll_under[429]"]["result"] == "passed"
    assert "of_the_author" not in told["checks"]
    assert "silver" in (project / "report" / "source-tiny.svg").read_text()


def test_a_waiver_that_is_no_longer_needed_fails(project: Path) -> None:
    """Whoever repairs the connector takes the waiver away."""
    (project / "sch_tiny" / "quality.toml").write_text(QUALITY + 'deletions_are_told = "it tells none"\n')
    run = pytest_in(project, "-q", "-k", "deletions_are_told")
    assert run.returncode == 1
    assert "XPASS(strict)" in run.stdout


def test_an_empty_scaffold_says_where_to_begin(project: Path) -> None:
    """Without fixtures the first failure is one sentence that says what to do."""
    for path in (project / "fixtures").iterdir():
        path.unlink()
    run = pytest_in(project, "-q", "-x")
    assert run.returncode == 1
    assert "describe your first event in" in run.stdout
    assert "fixtures/<event>__<case>.json" in run.stdout
    assert "1 failed" in run.stdout


def test_the_pytest_plugin_imports_nothing_heavy() -> None:
    """pytest loads it at every start, before coverage is measured, in projects that have nothing to do with us."""
    code = (
        "import sys, pytest; before = set(sys.modules); import hub.testing.pytest_plugin;"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('hub')), "
        "sorted(name for name in sys.modules if name.startswith('hub')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[] ['hub', 'hub.testing', 'hub.testing.pytest_plugin']"
