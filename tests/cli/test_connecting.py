"""`hub connections connect` and `remove`: the whole walk in a terminal, against a third party's OAuth server."""

from __future__ import annotations

import json
import logging
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from hub.catalogue import Catalogue
from hub.cli import main
from hub.configuration import load
from hub.flow import connect
from hub.sdk import SetupStep
from hub.store import Store, connections, consents, migrate
from hub.web import create_app
from hub.work.assembly import assemble
from tests.fakes.consenting import Client, ConsentDesk, ConsentVendor
from tests.web.serving import serving


class Place:
    """A configuration with the connection ``desk``, the vendor, and a person with a browser."""

    def __init__(self, folder: Path, vendor: ConsentVendor, vendor_url: str, port: int) -> None:
        self.folder, self.vendor, self.port = folder, vendor, port
        self.file = folder / "config/hub.toml"
        block = f'[connections.desk]\nconnector = "consent_desk"\nmode = "live"\nbase_url = "{vendor_url}"\n'
        block += f'client_id = "hub"\nclient_secret = "{Client.client_secret}"\n\n'
        text = self.file.read_text().replace("[trial]\nenabled = true", "[trial]\nenabled = false")
        self.file.write_text(text.replace("# [alerts]", block + "# [alerts]").replace(":8765", f":{port}"))
        vendor.client.redirect_urls.append(f"http://127.0.0.1:{port}/connect/callback")
        self.urls: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []

    def change(self, *pairs: tuple[str, str]) -> None:
        """Edit hub.toml."""
        text = self.file.read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    def type_in(self, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, ["connections", *arguments, "--config", str(self.file.parent)], **options)

    def connect(self, *arguments: str, person: dict[str, str] | None = None, **options: Any) -> Result:
        """The command, while a person opens the address and answers."""
        answers = {} if person is None else person

        def browse() -> None:
            back = self.vendor.say(self.urls.get(timeout=20), **answers)
            self.seen.append(requests.get(back, timeout=10).text)

        thread = threading.Thread(target=browse)
        thread.start()
        try:
            return self.type_in("connect", "desk", *arguments, **options)
        finally:
            thread.join()

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Something of the database."""
        store = Store(load(self.file).database_url)
        try:
            with store.read() as connection:
                return question(connection)
        finally:
            store.close()

    def row(self) -> Any:
        return self.ask(lambda read: connections.get(read, "desk"))

    def vault(self) -> list[str]:
        return list(self.ask(lambda read: consents.vault_names(read, "desk")))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Before the hub's first run."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    installed = Catalogue.load(only=["rules"])
    with_desk = Catalogue(
        {**installed._classes, ("sink", "consent_desk"): ConsentDesk},
        [*installed.plugins, *Catalogue.of(ConsentDesk).plugins],
        (),
    )
    monkeypatch.setattr(Catalogue, "load", lambda **_: with_desk)
    teams = tmp_path / "config/teams.toml"
    teams.write_text(teams.read_text().replace("trial-zendesk", "desk"))
    vendor = ConsentVendor()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(vendor.app) as (host, vendor_port):
        made = Place(tmp_path, vendor, f"http://{host}:{vendor_port}", port)
        start = connect.start

        def remember(*arguments: Any, **given: Any) -> Any:
            started = start(*arguments, **given)
            made.urls.put(started.url)  # not before it is written down: nobody sees the address earlier
            return started

        monkeypatch.setattr(connect, "start", remember)
        yield made


def test_from_nothing_to_connected(place: Place) -> None:
    """Guide, address, consent, the vendor's side, check: exit code 0, and the person's browser is told so."""
    place.change(("# public_url = ", "public_url = "))
    place.change(('public_url = "https://care.example.com"', f'public_url = "http://127.0.0.1:{place.port}"'))
    answer = place.connect("--yes")
    assert answer.exit_code == 0, answer.output
    for words in (
        "Register an application",
        f"\nhttp://127.0.0.1:{place.port}/connect/callback\n",
        "write: to open tickets",
        "its public address leads to this hub",
        "Connected: acme (acme)",
        "It answers as acme",
        "no signed call has come yet",
        "--- to paste: Privacy",
    ):
        assert words in answer.output, words
    assert re.findall(r"^desk: (\d)\.", answer.output, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert "Done: it is connected." in place.seen[0]
    assert (place.row().fingerprint, place.vault()) == ("acme", ["access_token", "refresh_token"])
    assert place.vendor.hooks == {f"http://127.0.0.1:{place.port}/hooks/desk"}


def test_the_vendor_s_side_is_left_alone_without_a_yes(place: Place) -> None:
    """The plan is shown and asked for; a no leaves it, with exit code 1."""
    place.change(("# public_url = ", "public_url = "))
    place.change(('public_url = "https://care.example.com"', f'public_url = "http://127.0.0.1:{place.port}"'))
    answer = place.connect(input="n\n")
    assert (answer.exit_code, place.vendor.hooks) == (1, set())
    assert "1 step(s) are still missing" in answer.output


def test_what_is_optional_does_not_hold_it_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0, and it says that something is missing and not needed; the callback's server keeps quiet."""
    queue_log = logging.getLogger("waitress.queue")
    monkeypatch.setattr(queue_log, "level", logging.NOTSET)
    wish = SetupStep(title="nicer view", state="missing", optional=True)
    monkeypatch.setattr(ConsentDesk, "plan_setup", lambda *_: [wish])
    answer = place.connect(input="n\n")
    assert answer.exit_code == 0, answer.output
    assert "1 optional step(s) are missing; it works without them." in answer.output
    assert queue_log.level == logging.ERROR, "it counts requests that wait, in the middle of the walk"


def test_settings_that_are_missing_do_not_hide_the_guide(place: Place) -> None:
    """The guide with what is missing in capitals, then every problem of this connection; exit code 2."""
    secret = (f'client_secret = "{Client.client_secret}"', 'client_secret = { env = "NOT_SET" }')
    place.change(('client_id = "hub"\n', ""), secret)
    answer = place.type_in("connect", "desk")
    assert answer.exit_code == 2, answer.output
    assert "confidential, for CLIENT_ID" in answer.output
    assert "connections.desk.client_id: is missing" in answer.output
    assert "NOT_SET is not set" in answer.output
    assert place.type_in("connect", "dsk").exit_code == 2


def test_the_guide_speaks_italian(place: Place) -> None:
    """On request, and in the hub's language."""
    place.change(('client_id = "hub"\n', ""))
    assert "Registra un'applicazione" in place.type_in("connect", "desk", "--language", "it").output


def test_a_no_changes_nothing(place: Place) -> None:
    """Exit code 1, in plain words in the terminal and in the browser."""
    answer = place.connect(person={"answer": "no"})
    assert answer.exit_code == 1
    assert "the person said no on the vendor's page" in answer.output
    assert place.vault() == []
    assert "answered with no" in place.seen[0]


def test_one_of_two_accounts(place: Place) -> None:
    """Asked in the terminal; by --account for scripts, which are told the accounts otherwise."""
    place.vendor.accounts = [{"id": "acme", "name": "Acme"}, {"id": "shop", "name": "Acme Shop"}]
    answer = place.connect(input="2\nn\n")
    assert "2. Acme Shop  shop" in answer.output
    assert place.row().fingerprint == "shop"
    assert "One more choice" in place.seen[0]
    told = json.loads(place.connect("--json", "--again").stdout)
    assert ([one["id"] for one in told["choices"]], told["outcome"]) == (["acme", "shop"], "choose")
    told = json.loads(place.connect("--json", "--account", "shop").stdout)
    assert (told["outcome"], told["ready"]) == ("done", False)


def test_another_account(place: Place) -> None:
    """Told, and left alone; taken with a word of its own, and paused until a person resumes."""
    place.connect(input="n\n")
    before = place.row().fingerprint
    answer = place.connect("--again", person={"user": "other"})
    assert (answer.exit_code, "Another account said yes: other (other)" in answer.output) == (1, True)
    assert (place.row().fingerprint, place.row().paused) == (before, "")
    answer = place.connect("--another-account", person={"user": "other"})
    assert (answer.exit_code, "hub connections resume desk" in answer.output) == (1, True)
    assert "another account" in place.row().paused
    assert place.type_in("resume", "desk").exit_code == 0
    assert place.type_in("check", "desk").exit_code == 0
    assert place.row().fingerprint == "other"


def test_pasted_on_a_server_without_a_browser(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address the browser ended at, where nothing listens; something else pasted is told as such."""
    with monkeypatch.context() as patched:
        patched.setattr(click, "prompt", lambda *_, **__: place.vendor.say(place.urls.get(timeout=20)))
        answer = place.type_in("connect", "desk", "--paste", input="n\n")
    assert "Connected: acme" in answer.output
    assert re.findall(r"^desk: (\d)\.", answer.output, re.MULTILINE) == ["1", "2", "3", "4"], "none is left out"
    refused = place.type_in("connect", "desk", "--paste", "--again", input="https://example.com/?state=x&code=y\n")
    assert (refused.exit_code, "not of a connection that was started here" in refused.output) == (1, True)


def test_a_port_that_is_taken(place: Place) -> None:
    """Exit code 3 and the way on, before anybody is sent anywhere."""
    with socket.create_server(("127.0.0.1", place.port)):
        answer = place.type_in("connect", "desk")
    assert (answer.exit_code, "--paste" in answer.output) == (3, True)
    assert place.urls.empty()


def test_beside_a_hub_that_runs(place: Place) -> None:
    """The running hub takes the person back; the command sees it in the database."""
    config = load(place.file)
    migrate(config.database_url)
    store = Store(config.database_url)
    catalogue = Catalogue.load()
    app = create_app(assemble(config, catalogue, store).hub, config, catalogue)
    with serving(app) as (_, port):
        place.change((f":{place.port}", f":{port}"))
        place.vendor.client.redirect_urls.append(f"http://127.0.0.1:{port}/connect/callback")
        answer = place.connect(input="n\n")
    store.close()
    assert "Connected: acme" in answer.output
    assert place.row().fingerprint == "acme"


def test_nothing_secret_is_printed(place: Place) -> None:
    """Neither the client's secret nor a token, nor the verifier."""
    answer = place.connect("--json")
    told = answer.output + "".join(place.seen)
    for token in place.vendor.tokens:
        assert token.access_token not in told
        assert token.refresh_token not in told
    assert Client.client_secret not in told


def test_removing(place: Place) -> None:
    """A dry run does nothing; then tokens and webhook are gone, the history stays, and the block is named."""
    place.change(("# public_url = ", "public_url = "))
    place.change(('public_url = "https://care.example.com"', f'public_url = "http://127.0.0.1:{place.port}"'))
    place.connect("--yes")
    answer = place.type_in("remove", "desk", "--dry-run")
    assert (answer.exit_code, "take back: webhook" in answer.output) == (0, True)
    assert place.vault()
    with pytest.MonkeyPatch.context() as patch:
        kept = SetupStep(title="ticket field", state="done", stays="it is switched off; its values stay")
        patch.setattr(ConsentDesk, "plan_setup", lambda *_: [kept])
        told = place.type_in("remove", "desk", "--dry-run").output
    assert "ticket field: it is switched off; its values stay" in told
    assert place.type_in("remove", "desk", input="n\n").exit_code == 1
    assert place.vault()
    answer = place.type_in("remove", "desk", "--yes")
    assert answer.exit_code == 0, answer.output
    assert (place.vault(), place.vendor.hooks, place.row().gone) == ([], set(), True)
    assert "take [connections.desk] out of" in re.sub(r"\s+", " ", answer.output)
    assert place.connect("--yes").exit_code == 0
    assert (place.row().gone, place.row().paused) == (False, "")


def test_a_connected_one_is_asked_about_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No new consent begins unasked: without a terminal it ends with exit code 2 and the way on; a no only looks."""
    place.connect("--yes")
    assert place.urls.empty()
    answer = place.type_in("connect", "desk", "--yes")
    assert (answer.exit_code, place.urls.empty()) == (2, True)
    assert "desk is connected already: acme, in mode live" in answer.output
    assert "hub connections connect desk --again" in answer.output
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("hub.cli.connecting.sys", terminal)
    answer = place.type_in("connect", "desk", input="\nn\n")
    assert ("It answers as acme" in answer.output, place.urls.empty()) == (True, True), answer.output


def test_beside_a_hub_that_runs_new_settings_need_a_restart(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub reads them at its start only: a check here leaves its pause, asks it to check, and says so."""
    place.connect("--yes")
    store = Store(load(place.file).database_url)
    now = datetime.now(UTC)

    def refuse(tx: Any) -> None:
        connections.pause(tx, "desk", reason="the login is refused", by="hub", now=now)
        connections.open_alarm(tx, "desk", "authentication", text="the login is refused", now=now)

    store.run(refuse)
    store.close()
    with monkeypatch.context() as running:
        running.setattr("hub.cli.status.is_running", lambda config: True)
        running.setattr("hub.cli.checking.PATIENCE", 0)
        answer = place.type_in("check", "desk")
    assert (answer.exit_code, "Restart the hub" in answer.output) == (1, True)
    assert (place.row().paused, place.row().probe_at > now) == ("the login is refused", True)
    assert [one.kind for one in place.ask(connections.alarms)] == ["authentication"]
    assert place.type_in("check", "desk").exit_code == 0
    assert place.row().paused == ""


def test_removing_when_the_vendor_is_down(place: Place) -> None:
    """Exit code 1 with what is left there; here all is done."""
    place.connect("--yes")
    place.vendor.down = True
    told = place.type_in("remove", "desk", "--yes", "--json")
    assert told.exit_code == 1
    assert len(json.loads(told.stdout)["left"]) == 2
    assert (place.vault(), place.row().gone) == ([], True)


def test_setup_takes_dry_run(place: Place) -> None:
    """The name that other tools have for the plan."""
    place.connect(input="n\n")
    answer = place.type_in("setup", "desk", "--dry-run")
    assert (answer.exit_code, "the plan" in answer.output, place.vendor.hooks) == (1, True, set())
