"""`hub reconcile`: both sides, the differences in words, the repair, and the exit code a script waits for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from hub.catalogue import Catalogue
from hub.cli import main
from hub.sdk import (
    Account,
    Agent,
    AnyEvent,
    AuthenticationFailed,
    Comment,
    CommentSeen,
    Completes,
    DeliversTickets,
    Delivery,
    Event,
    Failure,
    Receipt,
    Settings,
    Sink,
)
from hub.store import Store, migrate, records, tables
from hub.work.assembly import utc_now

WRITTEN = timedelta(hours=2)


class ReadableDesk(Sink, DeliversTickets, Completes):
    """A helpdesk with one record, on which an agent wrote what the hub never heard of."""

    name = "readable_desk"
    display_name = "Readable desk"
    Settings: ClassVar[type[Settings]] = Settings
    comments: ClassVar[list[str]] = []
    troubles: ClassVar[list[Exception]] = []

    def check_connection(self) -> Account:
        """Whose it is."""
        return Account(fingerprint="desk")

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Nothing is sent by this command."""
        raise NotImplementedError

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record's comments."""
        if self.troubles:
            raise self.troubles.pop(0)
        agent, at = Agent(id="u2", name="Alex", role="agent"), utc_now() - WRITTEN
        return [
            CommentSeen(
                event_key=f"comment:{number}",
                lane="record:r1",
                record_id="r1",
                comment=Comment(id=number, public=True, author=agent, text="late", created_at=at),
            )
            for number in self.comments
        ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A hub that has run, with one ticket linked to the record ``r1``."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setattr(ReadableDesk, "comments", ["c1"])
    monkeypatch.setattr(ReadableDesk, "troubles", [])
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    installed = Catalogue.load(only=["mastodon", "webhook", "rules"])
    classes = {**installed._classes, ("sink", "readable_desk"): ReadableDesk}
    made = Catalogue(classes, [*installed.plugins, *Catalogue.of(ReadableDesk).plugins], ())
    monkeypatch.setattr(Catalogue, "load", lambda **_: made)
    file = tmp_path / "config/hub.toml"
    blocks = '[connections.desk]\nconnector = "readable_desk"\n\n[connections.plain]\nconnector = "mastodon"\n'
    blocks += 'base_url = "http://127.0.0.1:9"\naccess_token = "x"\n\n'
    file.write_text(
        file.read_text().replace("# [alerts]", blocks + "# [alerts]").replace("enabled = true", "enabled = false")
    )
    teams = tmp_path / "config/teams.toml"
    teams.write_text(teams.read_text().replace('"trial-zendesk"', '"desk"'))
    (tmp_path / "var").mkdir(exist_ok=True)
    url = f"sqlite:///{tmp_path / 'var/hub.sqlite'}"
    migrate(url)
    store = Store(url)
    store.run(_a_linked_ticket)
    yield tmp_path
    store.close()


def _a_linked_ticket(tx: Any) -> None:
    now = utc_now() - timedelta(days=1)
    who = {"network": "fake", "vendor_id": "anna", "created_at": now}
    identity = tx.execute(tables.identity.insert().values(**who).returning(tables.identity.c.id)).scalar()
    values = {"uid": "sch-1", "code": "SCH-1", "connection": "plain", "network": "fake", "identity_id": identity}
    values |= {"sink": "desk", "created_at": now, "updated_at": now, "last_inbound_at": now, "last_person_at": now}
    ticket = tx.execute(tables.ticket.insert().values(**values).returning(tables.ticket.c.id)).scalar()
    records.link(tx, ticket_id=ticket, sink="desk", vendor_id="r1", url="", version="", now=now)


def type_in(folder: Path, *arguments: str) -> Result:
    """A command in this folder."""
    return CliRunner().invoke(main, ["reconcile", *arguments, "--config", str(folder / "config")])


def inbox(folder: Path) -> list[Any]:
    """What waits for the hub."""
    store = Store(f"sqlite:///{folder / 'var/hub.sqlite'}")
    try:
        with store.read() as connection:
            return list(connection.execute(tables.inbox.select()))
    finally:
        store.close()


def test_a_difference_is_told_in_words_and_nothing_is_changed(folder: Path) -> None:
    """Ticket, record, what it means, the command that repairs; exit code 1."""
    answer = type_in(folder, "desk")
    assert answer.exit_code == 1, answer.output
    for words in ("SCH-1", "a comment never arrived", "hub reconcile desk --repair"):
        assert words in answer.stdout, words
    assert "fingerprint" not in answer.stdout, "of the comments: equal where fields differ"
    assert inbox(folder) == []


def test_the_repair_puts_it_into_the_inbox_once(folder: Path) -> None:
    """A running hub takes it from there; twice does no more than once."""
    told = json.loads(type_in(folder, "desk", "--repair", "--json").stdout)
    assert (told["found"], told["repaired"], told["left"], told["agrees"]) == (1, 1, 0, True)
    assert [(row.event_key, row.state) for row in inbox(folder)] == [("comment:c1", "new")]
    again = type_in(folder, "desk", "--repair", "--all")
    assert again.exit_code == 0, again.output
    assert "1 record was not compared, with something on its way" in again.stdout
    assert "Both sides agree, but for what is left out." in again.stdout
    assert len(inbox(folder)) == 1


def test_what_is_too_young_is_left_out_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in silence: how much, and until when, in the last line, in JSON and in the certificate."""
    monkeypatch.setattr("tests.cli.test_reconcile.WRITTEN", timedelta(minutes=1))
    answer = type_in(folder, "desk")
    assert answer.exit_code == 0, answer.output
    last = answer.stdout.splitlines()[-1]
    until = re.search(
        r"1 difference is younger than 5 minutes and may be on its way. Compare again after (.+)\.$", last
    )
    assert until, last
    left = datetime.fromisoformat(until[1]) - utc_now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    told = json.loads(type_in(folder, "desk", "--json").stdout)
    assert (told["young"], told["found"], told["agrees"]) == (1, 0, True)
    assert datetime.fromisoformat(told["young_until"]) - datetime.fromisoformat(told["at"]) == timedelta(minutes=5)


def test_sides_that_agree(folder: Path) -> None:
    """Exit code 0."""
    ReadableDesk.comments.clear()
    told = json.loads(type_in(folder, "desk", "--json").stdout)
    assert [one["kind"] for one in told["differences"]] == ["record_not_ours"]
    ReadableDesk.comments.append("c1")
    type_in(folder, "desk", "--repair")
    assert type_in(folder, "desk", "--since", "2d").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nodesk",), 1, 'There is no connection "nodesk"'),
        (("plain",), 1, "plain is a network; helpdesks are compared. These can: desk"),
        (("desk", "--since", "soon"), 2, '--since cannot be "soon"'),
        (("desk", "--since", "7d", "--all"), 2, "Give either --since or --all."),
    ],
    ids=["unknown", "a network", "no time", "both"],
)
def test_what_cannot_be_asked_is_explained(folder: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    """One sentence on standard error."""
    answer = type_in(folder, *arguments)
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert words in answer.stderr


def test_a_vendor_that_refuses_us_gives_no_certificate(folder: Path) -> None:
    """What was compared until then is said."""
    ReadableDesk.troubles[:] = [AuthenticationFailed("the token is dead")]
    answer = type_in(folder, "desk")
    assert answer.exit_code == 1
    assert "No certificate was made; 0 records were compared" in answer.stderr
