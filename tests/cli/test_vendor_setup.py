"""`hub connections setup`: the plan, what the hub does of it, and what a script may wait for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from hub.catalogue import Catalogue
from hub.cli import main
from hub.cli.credentials import still
from hub.sdk import (
    Account,
    AuthenticationFailed,
    DeliversTickets,
    Delivery,
    Failure,
    Receipt,
    ReceivesWebhooks,
    Secret,
    SetsUp,
    Settings,
    SetupStep,
    Sink,
    WebhookRequest,
    Words,
)

COMMAND = "curl -X POST https://desk.example.com/queues \\\n\t--data '" + "x" * 200 + "'"


class DeskSettings(Settings):
    """A token, to be hidden."""

    token: Secret


class Desk(Sink, DeliversTickets, ReceivesWebhooks, SetsUp):
    """A helpdesk whose queue a person makes and whose webhook the hub makes."""

    name = "setup_desk"
    display_name = "Setup desk"
    Settings: ClassVar[type[Settings]] = DeskSettings
    there: ClassVar[dict[str, Any]] = {}

    def check_connection(self) -> Account:
        return Account(fingerprint="desk")

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        raise NotImplementedError

    def verify(self, request: WebhookRequest) -> None:
        raise NotImplementedError

    def events(self, request: WebhookRequest) -> Sequence[Any]:
        raise NotImplementedError

    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        if "refuses" in self.there:
            raise AuthenticationFailed(f"the token {self.settings.token.get_secret_value()} is not valid")
        queue, hook = ("done" if name in self.there else "missing" for name in ("queue", "hook"))
        return [
            SetupStep(title="queue Care", state=queue, by="person", instructions=COMMAND),  # type: ignore[arg-type]
            SetupStep(
                title=f"webhook to {webhook_url} with {self.settings.token.get_secret_value()}",
                state=hook,  # type: ignore[arg-type]
            ),
            SetupStep(title=Words(en="trigger", it="automatismo"), state="unknown", by="person"),
        ]

    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        self.there["hook"] = webhook_url
        return self.plan_setup(webhook_url)

    def remove_setup(self) -> Sequence[SetupStep]:
        self.there.pop("hook", None)
        return [SetupStep(title="queue Care", state="done", by="person")] if "queue" in self.there else []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the connection ``desk``, before the hub's first run."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setattr(Desk, "there", {})
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    installed = Catalogue.load(only=["mastodon", "zendesk", "rules"])
    with_desk = Catalogue(
        {**installed._classes, ("sink", "setup_desk"): Desk}, [*installed.plugins, *Catalogue.of(Desk).plugins], ()
    )
    monkeypatch.setattr(Catalogue, "load", lambda **_: with_desk)
    file = tmp_path / "config/hub.toml"
    blocks = '[connections.desk]\nconnector = "setup_desk"\ntoken = "t0psecret"\n\n[connections.plain]\n'
    blocks += 'connector = "mastodon"\nbase_url = "http://127.0.0.1:9"\naccess_token = "x"\n\n'
    text = file.read_text().replace("# public_url", "public_url")
    file.write_text(text.replace("# [alerts]", blocks + "# [alerts]"))
    return tmp_path


def type_in(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["connections", "setup", *arguments, "--config", str(folder / "config")])


def test_the_plan_is_shown_and_nothing_is_done(folder: Path) -> None:
    """Every step with its state and who does it; the exit code says that something is missing."""
    answer = type_in(folder, "desk")
    assert answer.exit_code == 1, answer.output
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["1.", "missing", "person", "queue", "Care"] in lines
    assert ["3.", "unknown", "person", "trigger"] in lines
    assert "hub connections setup desk --apply" in answer.stdout
    assert Desk.there == {}


def test_instructions_can_be_copied(folder: Path) -> None:
    """A command stands there as the plugin wrote it: not wrapped, not moved to the right, tabs as blanks."""
    lines = type_in(folder, "desk").stdout.splitlines()
    first = lines.index("curl -X POST https://desk.example.com/queues \\")
    assert lines[first + 1] == "    --data '" + "x" * 200 + "'"


def test_apply_does_the_hub_s_steps_and_leaves_a_person_theirs(folder: Path) -> None:
    """The webhook is made with the connection's public address; the queue is still missing, so it is exit code 1."""
    answer = type_in(folder, "desk", "--apply")
    assert Desk.there == {"hook": "https://care.example.com/hooks/desk"}
    assert answer.exit_code == 1
    assert "Yours: one step" in answer.stdout


def test_a_script_can_wait_for_it(folder: Path) -> None:
    """Once the person has done the last step the exit code is 0, with what is unknown named but not counted."""
    Desk.there["queue"] = "made"
    answer = type_in(folder, "desk", "--apply")
    assert answer.exit_code == 0, answer.output
    assert "nothing is missing; what is unknown" in answer.stdout
    assert COMMAND.splitlines()[0] not in answer.stdout


def test_what_is_optional_is_not_called_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 below a row marked missing: the last line says which kind of missing that is."""
    wish = SetupStep(title="nicer view", state="missing", optional=True)
    monkeypatch.setattr(Desk, "plan_setup", lambda *_: [wish, wish])
    answer = type_in(folder, "desk")
    assert answer.exit_code == 0, answer.output
    assert "nothing that must be there is missing; 2 optional steps are." in answer.stdout


def test_remove_takes_back_and_says_what_stays(folder: Path) -> None:
    """What a person made is left to that person, with exit code 1; when nothing stays it is 0."""
    Desk.there |= {"queue": "made", "hook": "made"}
    answer = type_in(folder, "desk", "--remove")
    assert (answer.exit_code, Desk.there) == (1, {"queue": "made"})
    assert "left for a person to remove" in answer.stdout
    Desk.there.clear()
    assert type_in(folder, "desk", "--remove").exit_code == 0


def test_json_is_for_scripts(folder: Path) -> None:
    """The plan before and after, and whether all is ready, in one object and nothing else on standard output."""
    Desk.there["queue"] = "made"
    told = json.loads(type_in(folder, "desk", "--apply", "--json").stdout)
    assert (told["ready"], told["webhook_url"]) == (True, "https://care.example.com/hooks/desk")
    assert [step["state"] for step in told["before"]] == ["done", "missing", "unknown"]
    assert [step["state"] for step in told["steps"]] == ["done", "done", "unknown"]


@pytest.mark.parametrize("json_wanted", [(), ("--json",)])
def test_no_secret_is_printed(folder: Path, json_wanted: tuple[str, ...]) -> None:
    """A token that a plugin let slip into a step or an error is blotted out."""
    told = type_in(folder, "desk", *json_wanted)
    assert "with ***" in told.stdout
    Desk.there["refuses"] = True
    refused = type_in(folder, "desk", *json_wanted)
    assert refused.exit_code == 1
    assert "AuthenticationFailed: the token *** is not valid" in refused.stderr
    assert "t0psecret" not in told.output + refused.output


def test_a_step_is_told_in_the_hub_s_language(folder: Path) -> None:
    """One that has both languages; in JSON it is one text, too."""
    file = folder / "config/hub.toml"
    file.write_text(file.read_text().replace('language = "en"', 'language = "it"'))
    assert "person  automatismo" in type_in(folder, "desk").stdout
    assert json.loads(type_in(folder, "desk", "--json").stdout)["steps"][2]["title"] == "automatismo"


@pytest.mark.parametrize(
    ("hours", "words"),
    [(49, "2 days"), (47.5, "47 hours"), (23.9, "23 hours"), (1.5, "1 hour"), (0.5, "30 minutes"), (0.01, "less than")],
)
def test_what_is_left_of_a_credential(hours: float, words: str) -> None:
    """Below two days in hours: 23 hours are not "0 days"."""
    assert still(timedelta(hours=hours)).startswith(words)


def test_without_a_public_address_the_plugin_is_told_so(folder: Path) -> None:
    """The connector gets an empty address, as its contract says, and can ask for one in its plan."""
    file = folder / "config/hub.toml"
    file.write_text(file.read_text().replace("public_url = ", "# public_url = "))
    assert json.loads(type_in(folder, "desk", "--json").stdout)["webhook_url"] == ""


def test_a_connector_without_the_role_is_told_from_one_that_is_not_ready(folder: Path) -> None:
    """Exit code 2 and a way on, so that a script does not wait for ever."""
    answer = type_in(folder, "plain")
    assert answer.exit_code == 2
    assert "nothing the hub can set up at Mastodon" in answer.stderr


def test_a_misspelt_connection_gets_a_suggestion(folder: Path) -> None:
    """Exit code 1 and the near name."""
    answer = type_in(folder, "dek")
    assert (answer.exit_code, 'did you mean "desk"?' in answer.stderr) == (1, True)
