"""A proof against the Zendesk sandbox: the round, what it leaves, its recording replayed, kills, interruptions."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from hub.configuration import Connection, Team, Teams
from hub.flow import proving, rounds
from hub.flow.hub import Connected, Hub
from hub.flow.prove import TEXT, Journal, Proof, Step
from hub.flow.proving import Proved, Versions
from hub.flow.recording import RecordingSession, RecordingVault, StandingClock
from hub.sdk import PROOF, Identity, Refused
from hub.sdk.redacting import Redactor
from hub.store import Store, connections, views
from hub.store.secrets import Cipher
from hub.store.tables import metadata
from hub.testing.recordings import Recording
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.sandbox import ZendeskSandbox
from plugins.sinks.zendesk.sink import ZendeskSink
from tests.fakes.sandboxed import sandboxed

VERSIONS = Versions(hub="0.0.0", plugin="0.0.0", distribution="tests")
TOKEN_WORDS = re.compile(r"Authorization|Bearer |Basic ", re.I)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZendeskSandbox]:
    """A running Zendesk."""
    with sandboxed(ZendeskSandbox, tmp_path_factory.mktemp("zendesk")) as running:
        yield running


class Ground:
    """A hub with the connection ``desk`` to the sandbox."""

    def __init__(self, url: str, sandbox: Any, folder: Path, **more: Any) -> None:
        self.sandbox, self.folder = sandbox, folder
        # As at Zendesk itself, whose host the replay has; a sandbox of this machine may be polled more often.
        given = sandbox.connection_settings(webhook_url="") | {"poll_every": 12} | more
        settings = ZendeskSink.Settings.model_validate(given)
        self.store = Store(url)
        metadata.create_all(self.store.writer_engine)
        config = Connection(name="desk", connector="zendesk", mode="observe")
        self.hub = Hub(
            store=self.store,
            cipher=Cipher(Fernet.generate_key()),
            connected={"desk": Connected(config=config, connector=ZendeskSink, settings=settings)},
            routers=[],
            teams=Teams(default_team="care", teams={"care": Team(name="care", sink="desk", group="Care")}),
            categories={},
            now=lambda: datetime.now(UTC),
        )
        self.store.run(
            lambda tx: connections.ensure(
                tx, name="desk", connector="zendesk", side="sink", mode="observe", now=self.hub.now()
            )
        )
        self.told: list[Step] = []

    def prove(self, ask: Callable[[str], None] | None = None, **more: Any) -> Proved:
        """A round that waits for nobody longer than it must."""
        return proving.prove(
            self.hub,
            "desk",
            self.folder,
            VERSIONS,
            sleep=more.pop("sleep", a_moment),
            ask=ask,
            told=self.told.append,
            **more,
        )

    def clean_up(self) -> list[Proved]:
        return proving.clean_up(self.hub, "desk", self.folder, VERSIONS, sleep=a_moment, told=self.told.append)

    def state(self, name: str) -> tuple[str, str]:
        (step,) = (one for one in self.told if one.name == name)
        return step.state, step.reason

    def journals(self) -> list[Path]:
        return sorted(self.folder.glob("*.journal.json"))

    def left(self) -> list[str]:
        """What of any proof can still be seen in the helpdesk: tickets and users."""
        tickets = [one for one in self.sandbox.records(limit=100) if one.external_id.startswith(PROOF)]
        users = self.sandbox._call("GET", "/api/v2/users.json?page[size]=100")["users"]
        return [one.id for one in tickets if one.status != "deleted"] + [
            str(user["id"]) for user in users if PROOF in str(user["external_id"])
        ]


def a_moment(seconds: float) -> None:
    """The sandbox needs a moment for its jobs, and for nothing else."""
    time.sleep(min(seconds, 0.05))


@pytest.fixture
def ground(database_url: str, sandbox: ZendeskSandbox, tmp_path: Path) -> Iterator[Ground]:
    """On both databases."""
    made = Ground(database_url, sandbox, tmp_path / "proofs")
    yield made
    made.store.close()


@pytest.fixture
def place(sqlite_url: str, sandbox: ZendeskSandbox, tmp_path: Path) -> Iterator[Ground]:
    """Where the database does not matter."""
    made = Ground(sqlite_url, sandbox, tmp_path / "proofs")
    yield made
    made.store.close()


def test_a_whole_round_leaves_nothing_behind(ground: Ground) -> None:
    """Every step works on the sandbox; ticket, user and journal are gone, and the calls are on the bill."""
    proved = ground.prove()
    assert proved.ok, proved.report["steps"]
    states = {step["name"]: step["state"] for step in proved.report["steps"]}
    assert (states.pop("agent_answers"), states.pop("changes")) == ("skipped", "skipped")
    assert proved.report["proven"]
    assert "an agent's answer must show it" in ground.state("changes")[1], "it reads back nothing of its own doings"
    assert set(states.values()) == {"ok"}
    assert {"open_ticket", "find", "same_key_again", "internal_note", "redact", "update_fields", "clean_up"} <= set(
        states
    )
    assert ground.left() == []
    assert ground.journals() == []
    with ground.store.read() as read:
        assert connections.get(read, "desk").calls == proved.report["calls"] > 10


def test_an_agent_s_answer_is_waited_for(place: Ground) -> None:
    """The person does as they are told, and the hub hears of it."""

    def answer(words: str) -> None:
        found = re.search(r'record (\d+) and type "([^"]+)"', words)
        assert found
        place.sandbox.answer(found[1], found[2], public=True)

    proved = place.prove(answer)
    assert place.state("agent_answers") == ("ok", ""), proved.report["steps"]
    assert proved.ok, proved.report["steps"]


def test_the_recording_replays_and_another_request_fails(place: Ground, tmp_path: Path) -> None:
    """The same steps with the same outcomes without a network; a changed answer or an asked difference is told."""
    proved = place.prove()
    file = tmp_path / "round.json"
    file.write_text(json.dumps(proved.recording))
    recording = Recording.load(file)
    replay = recording.replay()
    proof = _again(recording, replay)
    assert replay.differs == []
    assert [(step.name, step.state) for step in proof.steps] == recording.steps
    assert replay.left == []
    other = Recording({**recording.told, "code": "ffff0000"})
    replay = other.replay()
    _again(other, replay)
    assert replay.differs
    assert "body" in replay.differs[0] or "url" in replay.differs[0]


def _again(recording: Recording, replay: Any) -> Proof:
    connector = replay.connector(ZendeskSink)
    journal = Journal.begin(None, connection="desk", connector="zendesk", code=recording.code, at=replay.now())
    proof = Proof(connector, code=recording.code, now=replay.now, wait=replay.wait, journal=journal)
    logging.getLogger("hub.prove").disabled = True
    try:
        proof.run(rounds.sink_round)
    finally:
        logging.getLogger("hub.prove").disabled = False
    return proof


def test_a_recording_holds_no_secret_no_address_and_no_host(place: Ground) -> None:
    """Token, e-mail, telephone, cookie and host are placeholders; the report has not even names."""
    settings = place.hub.connected["desk"].settings
    proved = place.prove()
    shown = json.dumps(proved.recording)
    host = settings.base_url.removeprefix("http://")
    for word in (settings.api_token.get_secret_value(), settings.email, host, "127.0.0.1", "sandbox.example", "cookie"):
        assert word not in shown, word
    assert not TOKEN_WORDS.search(shown)
    assert "host-1.invalid" in shown
    assert "person-1@example.invalid" in shown
    report = json.dumps(proved.report)
    with place.store.read() as read:
        assert connections.get(read, "desk").name == "desk"
    for word in (settings.email, host, settings.api_token.get_secret_value(), "@"):
        assert word not in report, word


def test_a_recording_holds_no_word_of_other_customers(place: Ground, sandbox: ZendeskSandbox) -> None:
    """The exports that a round reads are those of the whole account."""
    comment = {"body": "My IBAN is IT60X0542811101000000123456, via Roma 1"}
    sandbox._sandbox("POST", "agent/create", {"ticket": {"subject": "My divorce", "comment": comment}})
    proved = place.prove()
    told = json.dumps([proved.recording, proved.report])
    assert proved.ok
    assert "incremental/tickets" in told
    assert [word for word in ("divorce", "IT60X", "via Roma") if word in told] == []
    assert TEXT in told, "what the proof itself wrote is needed for its replay"


def test_a_killed_round_is_cleaned_up_after_by_another_process(place: Ground, sandbox: ZendeskSandbox) -> None:
    """The journal is on the disk before the ticket is: killed right after the ticket was made, its id unknown."""

    class Killed(BaseException):
        pass

    def die(self: Proof, delivery: Any) -> Any:
        self.connector.deliver([delivery])
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Proof, "_once", die)
        patch.setattr(Proof, "clean_up", lambda self: None)
        with pytest.raises(Killed):
            place.prove()
    assert len(place.left()) == 2
    (journal,) = place.journals()
    assert journal.stat().st_mode & 0o077 == 0
    (cleaned,) = place.clean_up()
    assert cleaned.ok
    assert (place.left(), place.journals()) == ([], [])
    assert place.clean_up() == []


def test_an_interrupted_round_cleans_up(place: Ground) -> None:
    """Ctrl-C in the middle: what was made is deleted, and the report says failed."""

    def interrupt(words: str) -> None:
        raise KeyboardInterrupt

    proved = place.prove(interrupt)
    assert not proved.ok
    assert place.state("agent_answers") == ("failed", "interrupted")
    assert place.state("clean_up")[0] == "ok"
    assert (place.left(), place.journals()) == ([], [])


def test_what_cannot_be_deleted_keeps_its_journal_and_is_told(place: Ground, sandbox: ZendeskSandbox) -> None:
    """No permission to delete: failed with the reason; once it is given, the clean-up finishes."""
    with pytest.MonkeyPatch.context() as patch:
        real = Metadata.call

        def refuse(self: Metadata, method: str, path: str, body: Any = None) -> Any:
            if method == "DELETE":
                raise Refused("Zendesk refuses it (403)")
            return real(self, method, path, body)

        patch.setattr(Metadata, "call", refuse)
        proved = place.prove()
    assert not proved.ok
    assert "may not delete tickets" in place.state("clean_up")[1]
    assert len(place.journals()) == 1
    assert [one.ok for one in place.clean_up()] == [True]
    assert (place.left(), place.journals()) == ([], [])


def test_only_what_a_proof_made_is_ever_deleted(place: Ground) -> None:
    """A wrong id in a journal, or a customer, is refused."""
    sink: Any = place.hub.instance("desk")
    body = {"ticket": {"subject": "A real one", "comment": {"body": "help"}, "external_id": "sch-real-1"}}
    number = place.sandbox._call("POST", "/api/v2/tickets.json", body)["ticket"]["id"]
    with pytest.raises(Refused, match="it stays"):
        sink.clean_up([str(number)])
    with pytest.raises(Refused, match="its user stays"):
        sink.clean_up([], [Identity(network="mastodon", id="7")])
    assert any(one.id == str(number) and one.status != "deleted" for one in place.sandbox.records(limit=100))


def test_a_failing_step_does_not_end_the_round(place: Ground) -> None:
    """What depends on it is skipped; a bug of a plugin is told by its name only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ZendeskSink, "find", _raise(ValueError("customer text")))
        logging.getLogger("hub.prove").disabled = True
        try:
            proved = place.prove()
        finally:
            logging.getLogger("hub.prove").disabled = False
    assert place.state("find") == ("failed", "unexpected: ValueError")
    assert place.state("update_fields")[0] == "ok"
    assert "customer text" not in json.dumps(proved.report)
    assert place.left() == []


def _raise(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def test_a_refused_opening_skips_what_needs_the_ticket(place: Ground) -> None:
    """Nothing was made: nothing is cleaned up but the person who may have been, and no journal stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ZendeskSink, "deliver", _raise(Refused("no")))
        proved = place.prove()
    assert place.state("open_ticket") == ("failed", "Refused: no")
    assert place.state("add_comment") == ("skipped", "there is no ticket")
    assert not proved.ok
    assert place.journals() == []


def test_a_live_connection_with_real_tickets_is_refused(place: Ground) -> None:
    """Only live and used counts: an observed or a fresh one may be proven."""
    assert proving.why_not(place.hub, "desk") == ""
    place.store.run(lambda tx: connections.change(tx, "desk", mode="live"))
    assert proving.why_not(place.hub, "desk") == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "outbox_rows", lambda *_, **__: [object()])
        assert "real tickets" in proving.why_not(place.hub, "desk")


def test_both_ways_of_calling_are_recorded_once(sandbox: ZendeskSandbox) -> None:
    """``request`` and ``exchange``, also an exchange that fails, each moves the clock; nothing else does."""
    clock = StandingClock(lambda: datetime.now(UTC))
    http = RecordingSession(Redactor(), clock, user_agent="test")
    assert http.request("GET", f"{sandbox.base_url}/_sandbox/ready").ok
    assert http.exchange("GET", f"{sandbox.base_url}/_sandbox/ready").ok
    with pytest.raises(requests.ConnectionError):
        http.exchange("POST", "http://127.0.0.1:9/none", body=b'{"password": "hunter22"}')
    seen = [(one["method"], one["url"], one.get("status"), "failed" in one) for one in http.exchanges]
    assert seen == [
        ("GET", "https://host-1.invalid/_sandbox/ready", 200, False),
        ("GET", "https://host-1.invalid/_sandbox/ready", 200, False),
        ("POST", "https://host-2.invalid/none", None, True),
    ]
    assert http.exchanges[2]["body"] == {"json": {"password": "secret-1"}}
    assert len(clock.ticks) == 4
    http.close()


def test_what_lay_in_the_vault_is_recorded_without_its_secrets() -> None:
    """Tokens become placeholders, those of a JSON value too and wherever they were sent; times and scopes stay."""
    vault = MemoryVault()
    stored = {"access": "a-token-1", "refresh": "r-token-1", "scope": "read", "expires_at": "2026-11-24T00:00:00+00:00"}
    vault.write("oauth", json.dumps(stored))
    vault.write("mark", "0123456789abcdef")
    redactor = Redactor()
    recorded = RecordingVault(vault, redactor)
    assert json.loads(str(recorded.read("oauth"))) == stored
    assert recorded.read("mark") == "0123456789abcdef"
    assert recorded.read("none") is None
    hidden = {**stored, "access": "secret-1", "refresh": "secret-2"}
    assert recorded.found["oauth"]["value"] == {"json": hidden}
    assert recorded.found["mark"]["value"] == {"text": "secret-3"}
    assert recorded.found["none"] == {}
    assert redactor.body(b'{"said": "Bearer a-token-1"}') == {"json": {"said": "Bearer secret-1"}}


def test_redacting_twice_changes_nothing() -> None:
    """A replay redacts what was redacted: the same places get the same placeholders."""
    given = {
        "user": {"id": 7, "name": "Ada Lovelace", "email": "ada@acme.example", "phone": "+39 055 1234567"},
        "url": "https://acme.vendor.example/api/v2/tickets/7.json?token=abcdef123&page=2",
        "body": "Ada Lovelace wrote from 10.1.2.3, call +39 055 1234567, or ada@acme.example",
        "after_cursor": "MTIzNDU2Nzg5",
        "metadata": {"latitude": 43.7, "location": "Florence"},
    }
    once = Redactor().value(given)
    assert Redactor().value(once) == once
    shown = json.dumps(once)
    for word in ("Ada", "Lovelace", "acme", "055", "abcdef123", "10.1.2.3", "43.7", "Florence"):
        assert word not in shown, word
    assert once["user"]["id"] == 7
    assert once["after_cursor"] == "MTIzNDU2Nzg5"
    assert once["body"].startswith(once["user"]["name"])
