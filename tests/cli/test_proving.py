"""`hub connections prove` in a terminal, against the sandbox: asked first, killed and cleaned up, reports, claims."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from hub.catalogue import Catalogue
from hub.cli import main
from hub.cli.proving import TITLES
from hub.configuration import load
from hub.sdk import PROOF, Refused
from hub.store import Store, connections
from hub.testing.quality import quality_of
from hub.testing.recordings import claim_problem
from plugins.sinks.zendesk.sandbox import ZendeskSandbox
from plugins.sinks.zendesk.sink import ZendeskSink
from tests.fakes.sandboxed import sandboxed

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "recordings"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZendeskSandbox]:
    """A running Zendesk."""
    with sandboxed(ZendeskSandbox, tmp_path_factory.mktemp("zendesk")) as running:
        yield running


class Place:
    """A configuration with the connection ``desk`` to the sandbox."""

    def __init__(self, folder: Path, sandbox: ZendeskSandbox) -> None:
        self.folder, self.sandbox = folder, sandbox
        settings = sandbox.connection_settings(webhook_url="")
        block = '[connections.desk]\nconnector = "zendesk"\nmode = "observe"\n'
        block += f'base_url = "{settings["base_url"]}"\nemail = "{settings["email"]}"\n'
        block += f'api_token = "{settings["api_token"]}"\npoll_every = 6\n\n'
        self.file = folder / "config/hub.toml"
        text = self.file.read_text().replace("[trial]\nenabled = true", "[trial]\nenabled = false")
        self.file.write_text(text.replace("# [alerts]", block + "# [alerts]"))
        teams = folder / "config/teams.toml"
        teams.write_text(teams.read_text().replace("trial-zendesk", "desk"))
        self.proofs = folder / "var/proofs"

    def type_in(self, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, ["connections", *arguments, "--config", str(self.file.parent)], **options)

    def left(self) -> list[str]:
        """Tickets and users of proofs that can still be seen."""
        records = [one for one in self.sandbox.records(limit=200) if one.external_id.startswith(PROOF)]
        tickets = [one.id for one in records if one.status != "deleted"]  # the last deletion is a job
        users = self.sandbox._call("GET", "/api/v2/users.json?page[size]=100")["users"]
        return tickets + [str(user["id"]) for user in users if PROOF in str(user["external_id"])]


@pytest.fixture
def place(tmp_path: Path, sandbox: ZendeskSandbox, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Before the hub's first run; the waits are short."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    real = __import__("time").sleep
    monkeypatch.setattr("hub.cli.proving.time.sleep", lambda seconds: real(min(seconds, 0.05)))
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    return Place(tmp_path, sandbox)


def test_it_says_what_it_will_do_and_where_and_asks_first(place: Place) -> None:
    """A no writes nothing."""
    answer = place.type_in("prove", "desk", input="n\n")
    assert answer.exit_code == 1
    assert "desk: a round at Zendesk, as" in answer.output
    for words in ("open one ticket", "ask you to answer", "at the end, whatever happens: delete all of it", "Begin?"):
        assert words in answer.output
    assert "Nothing was written." in answer.output
    assert not place.proofs.exists()
    assert place.left() == []


def test_a_round_writes_a_report_and_a_recording(place: Place) -> None:
    """Exit code 0; report for people and programs, recording, all mode 0600; nothing is left."""
    answer = place.type_in("prove", "desk", "--yes", "--unattended", "--json")
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
    assert report["ok"]
    assert [Path(one).suffix for one in report["files"]] == [".md", ".json", ".json"]
    for one in report["files"]:
        assert re.fullmatch(r"desk-\d{8}T\d{6}Z(\.recording)?\.(md|json)", Path(one).name)
        assert Path(one).stat().st_mode & 0o077 == 0
    page = Path(report["files"][0]).read_text()
    assert page.startswith("# zendesk: proven\n")
    assert "| agent_answers | skipped | --unattended |" in page
    assert f"plugin social-care-hub {report['plugin_version']}" in page
    with closing(sqlite3.connect(place.file.parents[1] / "var/hub.sqlite")) as database:
        (audited,) = database.execute("SELECT object, data FROM audit WHERE action = 'prove'").fetchall()
    assert (audited[0], json.loads(audited[1])) == ("desk", {"mode": "observe"})
    assert place.left() == []


@pytest.mark.parametrize("fails", [False, True])
def test_the_last_line_sums_up(place: Place, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    """Proven or not, how many steps, where it is written, and what the exit code means."""
    if fails:

        def refuse(*_: object) -> None:
            raise Refused("no redaction here")

        monkeypatch.setattr(ZendeskSink, "deliver", refuse)
    answer = place.type_in("prove", "desk", "--yes", "--unattended")
    last = answer.output.splitlines()[-1]
    counted = [len(re.findall(rf"^  {state} ", answer.output, re.MULTILINE)) for state in ("ok", "failed", "skipped")]
    assert sum(counted) == len(TITLES) - 4  # those of a network
    assert "Steps: {} ok, {} failed, {} skipped".format(*counted) in last
    words = (
        "desk: not proven. |(exit code 1: a step failed)" if fails else "desk: proven. |(exit code 0: nothing failed)"
    )
    assert all(part in last for part in words.split("|")), last
    (report,) = place.proofs.glob("*Z.md")
    assert f"Report: {report}; recording: {report.with_suffix('.recording.json')}" in last
    assert answer.exit_code == int(fails)


def test_a_killed_round_is_finished_by_clean_up(place: Place) -> None:
    """A real process, killed while it waits for the agent; the next one deletes what it left."""
    arguments = ["connections", "prove", "desk", "--yes", "--config", str(place.file.parent)]
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.cli", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    while ">>>" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert len(place.left()) == 2
    answer = place.type_in("prove", "desk", "--clean-up")
    assert answer.exit_code == 0, answer.output
    assert place.left() == []
    again = place.type_in("prove", "desk", "--clean-up")
    assert (again.exit_code, "no round has left anything" in again.output) == (0, True)


def test_a_live_connection_with_real_tickets_needs_a_word(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is called; with the word it asks as ever, and the report says so."""
    place.type_in("prove", "desk", input="n\n")
    store = Store(load(place.file).database_url)
    store.run(lambda tx: connections.change(tx, "desk", mode="live"))
    store.close()
    monkeypatch.setattr("hub.store.views.outbox_rows", lambda *_, **__: [object()])
    answer = place.type_in("prove", "desk", "--yes")
    assert answer.exit_code == 1
    assert "--on-live-account" in answer.output
    assert "Begin?" in place.type_in("prove", "desk", "--on-live-account", input="n\n").output
    proved = place.type_in("prove", "desk", "--on-live-account", "--yes", "--unattended", "--json")
    report = json.loads(proved.stdout)
    assert report["live_account"] is True
    assert "- on a live account" in Path(next(one for one in report["files"] if one.endswith(".md"))).read_text()


def test_credentials_and_retirements_are_shown(place: Place) -> None:
    """`list` tells what needs a person soon, `show` and `check` all; in JSON too, with days left."""
    place.type_in("prove", "desk", input="n\n")  # makes the database
    assert "All API tokens stop working" in place.type_in("check", "desk").output
    shown = place.type_in("show", "desk")
    assert "desk: API token ends on 2027-04-30 00:00 UTC" in shown.output
    assert "All API tokens stop working" in shown.output
    told = json.loads(place.type_in("show", "desk", "--json").stdout)
    (token,) = told["tokens"]
    assert (token["name"], token["expires_at"][:10]) == ("API token", "2027-04-30")
    assert token["days_left"] == (datetime(2027, 4, 30, tzinfo=UTC) - datetime.now(UTC)).days
    assert "2027-04-30" in [one["on"] for one in told["retirements"]]
    (row,) = json.loads(place.type_in("list", "--json").stdout)
    assert row["tokens"] == told["tokens"]
    checked = CliRunner().invoke(main, ["config", "check", "--config", str(place.file.parent)])
    assert "2027-04-30: All API tokens stop working" in checked.output
    assert checked.exit_code == 0


def test_plugins_say_when_they_were_proven_and_what_retires() -> None:
    """ "never" until somebody has done it; the vendor's dated rules with their sources."""
    listed = json.loads(CliRunner().invoke(main, ["plugins", "list", "--json"]).stdout)["plugins"]
    zendesk = next(one for one in listed if one["name"] == "zendesk")
    assert zendesk["proven_live"] == ""
    assert "2027-04-30" in [one["on"] for one in zendesk["policy"]["retirements"]]
    shown = CliRunner().invoke(main, ["plugins", "show", "zendesk"]).output
    assert re.search(r"proven live +never", shown)
    assert "2027-04-30  All API tokens stop working" in shown
    assert "https://developer.zendesk.com/api-reference/introduction/rate-limits/" in shown


CLASSES = [*Catalogue.load().sources.values(), *Catalogue.load().sinks.values()]


@pytest.mark.parametrize("connector", CLASSES, ids=lambda one: f"{one.__module__.split('.')[1]}-{one.name}")
def test_nothing_is_called_proven_without_its_recording(connector: Any) -> None:
    """A claim in quality.toml names date, version and who, and its recording lies in tests/recordings."""
    claim = quality_of(connector).proven_live
    assert claim_problem(claim, RECORDINGS / connector.name, datetime.now(UTC).date()) == ""


def test_a_claim_that_is_not_so_is_found(place: Place, tmp_path: Path) -> None:
    """Without a recording, of another day or version, or of a failed round; with the right one it holds."""
    answer = place.type_in("prove", "desk", "--yes", "--unattended", "--json")
    report = json.loads(answer.stdout)
    day = date.fromisoformat(report["started_at"][:10])
    claim = {"date": day, "version": report["plugin_version"], "who": "Acme"}
    folder = tmp_path / "recordings"
    folder.mkdir()
    assert "holds no recording" in claim_problem(claim, folder, day)
    file = folder / "round.json"
    shutil.copy(report["files"][2], file)
    assert claim_problem(claim, folder, day) == ""
    assert claim_problem({}, folder, day) == ""
    for changed, words in (
        ({"who": ""}, "lacks who"),
        ({"date": "yesterday"}, "lacks date"),
        ({"date": date(2099, 1, 1)}, "in the future"),
        ({"version": "9.9"}, "version 9.9"),
        ({"date": date(2020, 1, 1)}, "no recording of that day"),
    ):
        assert words in claim_problem({**claim, **changed}, folder, day)
    recording = json.loads(file.read_text())
    for lacking in ("ok", "proven"):
        file.write_text(json.dumps({**recording, lacking: False}))
        assert "nothing failed" in claim_problem(claim, folder, day)
