"""`hub backfill`: what an operator types, sees, and may interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import delete

from hub.catalogue import Catalogue
from hub.cli import leisure, main
from hub.cli.opening import Misused
from hub.sdk import (
    Account,
    Agent,
    AuthenticationFailed,
    Backfills,
    Comment,
    DeliversTickets,
    Delivery,
    Failure,
    HistoryPage,
    PastTicket,
    RateLimited,
    Receipt,
    Settings,
    Sink,
)
from hub.store import Store, migrate
from hub.store.history import Past
from hub.store.side_tables import past_ticket

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def past(number: int) -> PastTicket:
    """One solved ticket."""
    at = BEGAN + timedelta(hours=number)
    said = Comment(id=f"c{number}", public=True, author=Agent(name="Anna"), text="late", created_at=at)
    solver = Agent(id="u2", name="Alex", role="agent")
    dates: dict[str, Any] = {"created_at": at, "updated_at": at}
    return PastTicket(record_id=f"h{number}", status="solved", group="Care", solver=solver, comments=(said,), **dates)


class OldDesk(Sink, DeliversTickets, Backfills):
    """A helpdesk with three old tickets, one a page."""

    name = "old_desk"
    display_name = "Old desk"
    Settings: ClassVar[type[Settings]] = Settings
    tickets: ClassVar[list[PastTicket]] = []
    troubles: ClassVar[list[Exception]] = []
    fingerprint: ClassVar[str] = "desk"

    def check_connection(self) -> Account:
        """Whose it is."""
        return Account(fingerprint=self.fingerprint)

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Nothing is ever posted by these commands."""
        raise NotImplementedError

    def history_page(self, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        """One ticket."""
        if self.troubles:
            raise self.troubles.pop(0)
        after = cursor.get("after", 0)
        there = min(after + 1, len(self.tickets))
        return HistoryPage(
            tickets=tuple(self.tickets[after:there]),
            cursor={"after": there},
            has_more=there < len(self.tickets),
            total=len(self.tickets),
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with ``desk``, a network and a helpdesk without history, after a first start."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    for name, value in {"tickets": [past(n) for n in (1, 2, 3)], "troubles": [], "fingerprint": "desk"}.items():
        monkeypatch.setattr(OldDesk, name, value)
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    installed = Catalogue.load(only=["mastodon", "zendesk", "rules"])
    classes = {**installed._classes, ("sink", "old_desk"): OldDesk}
    with_desk = Catalogue(classes, [*installed.plugins, *Catalogue.of(OldDesk).plugins], ())
    monkeypatch.setattr(Catalogue, "load", lambda **_: with_desk)
    file = tmp_path / "config/hub.toml"
    blocks = '[connections.desk]\nconnector = "old_desk"\n\n[connections.plain]\nconnector = "mastodon"\n'
    blocks += 'base_url = "http://127.0.0.1:9"\naccess_token = "x"\n\n'
    text = file.read_text().replace("# [alerts]", blocks + "# [alerts]").replace("enabled = true", "enabled = false")
    file.write_text(text)
    teams = tmp_path / "config/teams.toml"
    teams.write_text(teams.read_text().replace('"trial-zendesk"', '"desk"'))
    (tmp_path / "var").mkdir(exist_ok=True)
    migrate(f"sqlite:///{tmp_path / 'var/hub.sqlite'}")
    return tmp_path


def type_in(folder: Path, *arguments: str) -> Result:
    """A command in this folder."""
    return CliRunner().invoke(main, [*arguments, "--config", str(folder / "config")])


def test_the_past_is_read_and_summed_up(folder: Path) -> None:
    """Tickets, comments, solvers, groups and dates, for people and for scripts; again it is only what changed."""
    answer = type_in(folder, "backfill", "desk", "--since", "2026-01-01")
    assert answer.exit_code == 0, answer.output
    lines = dict(line.split(None, 1) for line in answer.stdout.splitlines() if "  " in line)
    assert (lines["tickets"], lines["comments"], lines["solvers"], lines["groups"]) == ("3", "3", "1", "1")
    assert "3 tickets are new" in answer.stdout
    told = json.loads(type_in(folder, "backfill", "desk", "--since", "2026-01-02", "--json").stdout)
    assert (told["new"], told["changed"], told["resumed"], told["past"]["tickets"]) == (0, 0, True, 3)
    assert set(told["past"]) == set(Past.__dataclass_fields__)


def test_waiting_is_said(folder: Path) -> None:
    """A rate limit: how long and why, on standard error; the command goes on by itself."""
    OldDesk.troubles[:] = [RateLimited("ten exports a minute", retry_after=0.5)]
    answer = type_in(folder, "backfill", "desk", "--since", "2026-01-01")
    assert answer.exit_code == 0, answer.output
    assert "waiting 1 s: ten exports a minute" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nodesk",), 1, 'There is no connection "nodesk"'),
        (("plain",), 1, "plain is a network whose plugin (mastodon) does not offer its history. These can: desk"),
        (("desk", "--since", "yesterday"), 2, '--since cannot be "yesterday"'),
        (("desk", "--since", "2999-01-01"), 2, "must lie in the past"),
        (("desk", "--since", "0d"), 2, '--since cannot be "0d"'),
    ],
    ids=["unknown", "a network", "no time", "the future", "nothing"],
)
def test_what_cannot_be_asked_is_explained(folder: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    """One sentence on standard error that says what to do."""
    answer = type_in(folder, "backfill", *arguments)
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert words in answer.stderr


def test_nothing_to_read_is_said(folder: Path) -> None:
    """No error: there may be none."""
    OldDesk.tickets.clear()
    answer = type_in(folder, "backfill", "desk")
    assert answer.exit_code == 0
    assert "There was nothing to read" in answer.stdout


def test_nothing_new_is_told_from_nothing_there(folder: Path) -> None:
    """After its bookmark: since when nothing changed, and how to read all of it again; not that there is no ticket."""
    assert type_in(folder, "backfill", "desk", "--since", "2026-01-01").exit_code == 0
    for left in (3, 0):
        answer = type_in(folder, "backfill", "desk", "--since", "2026-01-02")
        assert answer.exit_code == 0, answer.output
        assert "desk: nothing changed since the last backfill (20" in answer.stdout
        assert "--afresh reads everything again" in answer.stdout
        assert "nothing to read" not in answer.stdout
        assert ("tickets" in answer.stdout) == bool(left)
        store = Store(f"sqlite:///{folder / 'var/hub.sqlite'}")
        store.run(lambda tx: tx.execute(delete(past_ticket)))
        store.close()


def test_trouble_ends_it_and_says_how_to_go_on(folder: Path) -> None:
    """Refused credentials, and another account under the same name: nothing of that one is read."""
    OldDesk.troubles[:] = [AuthenticationFailed("the token is dead")]
    answer = type_in(folder, "backfill", "desk", "--since", "2026-01-01")
    assert answer.exit_code == 1
    assert "the token is dead" in answer.stderr
    assert "goes on from there" in answer.stderr
    OldDesk.fingerprint = "another"
    answer = type_in(folder, "backfill", "desk", "--since", "2026-01-01")
    assert "another account answers" in answer.stderr
    assert answer.exit_code == 1


def test_since_is_read_as_people_write_it() -> None:
    """Hours, days, weeks, a date, a time with its zone."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert leisure.since("30d", now) == now - timedelta(days=30)
    assert leisure.since("12H", now) == now - timedelta(hours=12)
    assert leisure.since("2w", now) == now - timedelta(weeks=2)
    assert leisure.since("2026-11-01T00:00:00+02:00", now) == datetime(2026, 10, 31, 22, tzinfo=UTC)
    assert leisure.since("2026-11-01", now) == datetime(2026, 11, 1).astimezone(UTC)
    with pytest.raises(Misused):
        leisure.since("99999w", now)


CHILD = """
import os, sys, time
from hub.catalogue import Catalogue
from hub.cli import main
from tests.cli.test_backfill import OldDesk, past
OldDesk.tickets[:] = [past(n) for n in range(1, 41)]
plain = OldDesk.history_page
def slow(self, cursor, *, since):
    time.sleep(0.05)
    print(cursor.get("after", 0), flush=True)
    return plain(self, cursor, since=since)
OldDesk.history_page = slow
installed = Catalogue.load(only=["mastodon", "zendesk", "rules"])
classes = {**installed._classes, ("sink", "old_desk"): OldDesk}
made = Catalogue(classes, [*installed.plugins, *Catalogue.of(OldDesk).plugins], ())
Catalogue.load = staticmethod(lambda **_: made)
main(["backfill", "desk", "--since", "2026-01-01", "--calls-a-minute", "2500", "--config", sys.argv[1]])
"""


def test_kill_9_loses_nothing(folder: Path) -> None:
    """Killed in the middle, the next run begins at the page that was not finished and ends with all of them."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", CHILD, str(folder / "config")]
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "17":
                child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    asked = [int(line) for line in done.stdout.splitlines() if line.strip().isdigit()]
    assert 17 <= asked[0] < 39, "the signal may take a page or two to arrive"
    assert asked == list(range(asked[0], 40))
    OldDesk.tickets[:] = [past(n) for n in range(1, 41)]
    assert (
        json.loads(type_in(folder, "backfill", "desk", "--json", "--since", "2026-01-02").stdout)["past"]["tickets"]
        == 40
    )
