"""The commands, on a database with a history, while no hub runs."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from hub.cli import COMMANDS, main, printing
from hub.cli.connections import print_connections
from hub.cli.printing import clean
from hub.configuration import shipped
from hub.sdk import Account
from hub.store import views
from hub.store.secrets import Cipher
from tests.fakes.house import House

WORDS = "My parcel is late [red]\x1b[31m"


class Shell:
    """Types commands into a folder with a configuration and a database."""

    def __init__(self, folder: Path, house: House) -> None:
        self.folder, self.house = folder, house

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--config", str(self.folder / "config")])

    def settle(self) -> None:
        """Let the hub work; commands go by the wall clock, so its own must not be behind."""
        self.house.clock.time = max(self.house.clock.time, datetime.now(UTC) + timedelta(seconds=1))
        self.house.settle(seconds=8, most=20)

    def json(self, *arguments: str) -> Any:
        answer = self(*arguments, "--json")
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    return tmp_path


@pytest.fixture
def shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    import os

    (folder / "var").mkdir()
    house = House(f"sqlite:///{folder}/var/hub.sqlite")
    house.hub.cipher = Cipher(os.environ["HUB_SECRET_KEY"].encode())
    house.settle(seconds=2, most=5)
    house.network.post("anna", WORDS)
    house.settle(seconds=8, most=20)
    house.network.faults.add("reply", "refused")
    house.helpdesk.comment("r1", "Tomorrow it comes")
    house.settle(seconds=8, most=20)
    yield Shell(folder, house)
    house.close()


def change(folder: Path, old: str, new: str, file: str = "hub.toml") -> None:
    path = folder / "config" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_help_names_every_command_and_exit_code() -> None:
    """`hub --help` lists all commands and what the exit codes mean."""
    text = CliRunner().invoke(main, ["--help"]).output
    assert all(name in text for name in COMMANDS)
    assert "3  the hub cannot start" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded(name: str) -> None:
    """Each entry of the table leads to a command that explains itself."""
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_init_writes_what_is_shipped_and_never_overwrites(tmp_path: Path) -> None:
    """The files are those of the package; a second time nothing is touched."""
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    assert {path.name for path in (tmp_path / "config").iterdir()} == set(shipped())
    (tmp_path / "config/hub.toml").write_text("mine")
    answer = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert answer.exit_code == 2
    assert (tmp_path / "config/hub.toml").read_text() == "mine"


def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder the message names `hub init`, and the exit code is that of a wrong configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    answer = CliRunner().invoke(main, ["status"])
    assert answer.exit_code == 2
    assert "hub init" in answer.output


def test_the_environment_names_the_configuration(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --config and without ./config the variable HUB_CONFIG counts."""
    monkeypatch.chdir("/")
    monkeypatch.setenv("HUB_CONFIG", str(shell.folder / "config"))
    assert CliRunner().invoke(main, ["ticket", "list"]).exit_code == 0


def test_before_the_first_run_there_is_no_database(folder: Path) -> None:
    """A command that needs the database says that the hub has never run, and makes none."""
    answer = CliRunner().invoke(main, ["status", "--config", str(folder)])
    assert answer.exit_code == 1
    assert "never run" in answer.output
    assert not (folder / "var/hub.sqlite").exists()


def test_config_check_tells_all_problems_at_once(folder: Path) -> None:
    """Two mistakes in two files are two lines, each with its place, and exit code 2."""
    change(folder, "senders = 4", 'senders = "many"')
    change(folder, 'default_team = "care"', 'default_team = "car"', "teams.toml")
    answer = CliRunner().invoke(main, ["config", "check", "--json", "--config", str(folder)])
    assert answer.exit_code == 2
    assert {problem["path"] for problem in json.loads(answer.stdout)["problems"]} == {"hub.senders", "default_team"}


def test_config_check_judges_what_others_leave(folder: Path) -> None:
    """A missing secret, a misspelt key, a wrong rule, a bad team and an unknown sink are told in one go, each once."""
    connection = """[connections.acme]
connector = "zendesk"
mode = "loud"
subdomian = "acme"
email = "nope"
api_token = { env = "NOWHERE_TOKEN" }
human_roles = ["agent", "end-user"]
"""
    change(folder, "# [alerts]", connection + "\n# [alerts]")
    change(folder, 'then.kind = "spam"', 'then.kind = "spm"')
    change(folder, 'default_team = "care"', 'default_team = "car"', "teams.toml")
    change(folder, 'sink = "trial-zendesk"\ngroup = "Billing"', 'sink = "acm"', "teams.toml")
    change(folder, 'name = "postcode"', 'name = "Post Code"', "categories.toml")
    answer = CliRunner().invoke(main, ["config", "check", "--json", "--config", str(folder)])
    told = [problem["path"] for problem in json.loads(answer.stdout)["problems"]]
    assert sorted(told) == [
        "categories.delivery.fields[1].name",
        "connections.acme.api_token",
        "connections.acme.email",
        "connections.acme.human_roles",
        "connections.acme.mode",
        "connections.acme.subdomian",
        "default_team",
        "routers[0].rules[1].then.kind",
        "teams.billing.sink",
    ]
    assert "should" not in answer.stdout


def test_config_check_is_good_as_shipped(folder: Path) -> None:
    """What `hub init` writes has nothing wrong in it."""
    answer = CliRunner().invoke(main, ["config", "check", "--config", str(folder)])
    assert (answer.exit_code, "good" in answer.output) == (0, True)


def test_config_check_diff_shows_what_a_restart_changes(shell: Shell) -> None:
    """Connections that come and go are told with their names."""
    changes = shell.json("config", "check", "--diff")["changes"]
    assert {(change["connection"], change["change"]) for change in changes} == {
        ("desk", "gone"),
        ("network", "gone"),
        ("trial-mastodon", "new"),
        ("trial-zendesk", "new"),
    }


def test_config_check_online_asks_the_vendor(folder: Path) -> None:
    """Nobody answers at the address: the connection is named with the reason, exit code 1."""
    connection = '[connections.acme]\nconnector = "mastodon"\nbase_url = "http://127.0.0.1:9"\naccess_token = "x"\n'
    change(folder, "# [alerts]", connection + "\n# [alerts]")
    answer = CliRunner().invoke(main, ["config", "check", "--online", "--json", "--config", str(folder)])
    assert answer.exit_code == 1
    online = json.loads(answer.stdout)["online"]
    assert [(one["connection"], one["ok"]) for one in online] == [("acme", False)]
    assert "TemporaryFailure" in online[0]["says"]


def test_tickets_are_listed_and_found(shell: Shell) -> None:
    """The list has the ticket; a search for its words finds it, another does not."""
    code = shell.json("ticket", "list")[0]["code"]
    assert [one["code"] for one in shell.json("ticket", "list", "--search", "parcel")] == [code]
    assert shell.json("ticket", "list", "--search", "lamp") == []
    (line,) = [line for line in shell("ticket", "list").output.splitlines() if code in line]
    assert line.split()[2] == shell.json("ticket", "list")[0]["network"]


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"health": "failing", "next_poll_at": timedelta(minutes=5)}, True),
        ({"health": "waiting", "blocked_until": timedelta(minutes=5)}, True),
        ({"health": "failing", "next_poll_at": timedelta(minutes=-5)}, False),
        ({"health": "paused", "paused": "the token is refused", "next_poll_at": timedelta(minutes=5)}, False),
        ({"health": "ok", "next_poll_at": timedelta(minutes=5)}, False),
    ],
)
def test_a_failing_connection_says_when_it_is_tried_again(
    shell: Shell, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], again: bool
) -> None:
    """Its next time stands beside the trouble; a paused one waits for a person, a good one has no trouble."""
    with shell.house.store.read() as connection:
        row = views.overview(connection, datetime.now(UTC))[0]
    given = {
        name: datetime.now(UTC) + value if isinstance(value, timedelta) else value for name, value in changes.items()
    }
    row = replace(row, **{"last_error": "no answer", "blocked_until": None, "next_poll_at": None, **given})
    print_connections([row])
    at = row.next_poll_at or row.blocked_until
    assert at is not None
    assert (f"tries again at {at.astimezone():%H:%M:%S}" in " ".join(capsys.readouterr().out.split())) is again


def test_a_tickets_story_has_both_sides(shell: Shell) -> None:
    """Customer, agent, events and deliveries stand in one text, and the same as JSON."""
    code = shell.json("ticket", "list")[0]["code"]
    text = shell("ticket", "show", code.lower()).output
    for words in (
        "customer: anna",
        "My parcel is late [red]",
        "Tomorrow it comes",
        "ticket opened",
        "open_ticket at desk",
    ):
        assert words in text
    assert shell.json("ticket", "show", code)["code"] == code


def test_a_message_is_redacted_by_its_number(shell: Shell) -> None:
    """The story names the number; without a yes nothing happens; what stays on the network is said plainly."""
    code = shell.json("ticket", "list")[0]["code"]
    number = shell.json("ticket", "show", code)["messages"][0]["id"]
    assert f"#{number}  customer: anna" in shell("ticket", "show", code).output
    wanted = ("ticket", "redact", code, str(number), "--reason", "a card number")
    assert (shell(*wanted).exit_code, shell(*wanted[:3], "99", *wanted[4:], "--yes").exit_code) == (1, 1)
    assert "parcel is late" in shell("ticket", "show", code).output
    answer = shell(*wanted, "--yes")
    assert answer.exit_code == 0, answer.output
    assert "NOT taken back on the network, where it can still be read: https://fake.example.com/p1" in answer.output
    story = shell("ticket", "show", code).output
    assert "parcel is late" not in story
    assert "(public, redacted)" in story
    assert "a card number" in story


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    """Escape sequences, bells and carriage returns of strangers become blanks; new lines and letters stay."""
    assert clean("a\x1b[31mb\x07\rc\nè😂") == "a [31mb  c\nè😂"


def test_an_unknown_ticket_is_exit_code_one(shell: Shell) -> None:
    """Scripts can tell that there is no such ticket."""
    answer = shell("ticket", "show", "SCH-NOPE")
    assert (answer.exit_code, answer.output.strip()) == (1, 'There is no ticket "SCH-NOPE".')


def test_what_is_parked_is_shown_retried_and_audited(shell: Shell) -> None:
    """The refused answer is listed with its reason, tried again by hand, and the audit knows who did it."""
    (one,) = shell.json("parked", "list")
    assert (one["door"], one["what"]) == ("outbox", "reply")
    number = str(one["id"])
    assert "Tomorrow it comes" in shell("parked", "show", "outbox", number).output
    assert shell("parked", "retry", "outbox", number).exit_code == 0
    shell.settle()
    assert [post["text"] for post in shell.house.network.own()] == ["Tomorrow it comes"]
    assert shell.json("parked", "list") == []
    ((actor, action),) = shell.house.rows("SELECT actor, action FROM audit")
    assert actor.startswith("cli (user ")
    assert action == "retry"


def test_a_draft_is_published_by_hand_only_when_that_is_said(shell: Shell) -> None:
    """A draft stays a draft; --publish-draft sends it."""
    assert shell("connections", "mode", "network", "draft").exit_code == 0
    shell.house.helpdesk.comment("r1", "A draft")
    shell.settle()
    (draft,) = [one for one in shell.json("parked", "list") if one["reason"].startswith("draft")]
    answer = shell("parked", "retry", "outbox", str(draft["id"]))
    assert answer.exit_code == 1
    assert "--publish-draft" in answer.output
    assert shell("parked", "retry", "outbox", str(draft["id"]), "--publish-draft").exit_code == 0
    shell.settle()
    assert "A draft" in [post["text"] for post in shell.house.network.own()]


def test_a_helpdesk_has_no_draft(shell: Shell) -> None:
    """The mode is refused with the reason, and nothing changes."""
    answer = shell("connections", "mode", "desk", "draft")
    assert answer.exit_code == 1
    assert "desk is a helpdesk" in answer.output


def test_a_ticket_is_found_by_its_record(shell: Shell) -> None:
    """The helpdesk's number, and an address that ends with it, lead to the ticket."""
    code = shell.json("ticket", "list")[0]["code"]
    for word in ("r1", "#r1", "https://desk.example/agent/tickets/r1"):
        assert shell.json("ticket", "show", word)["code"] == code


def test_tables_keep_codes_whole_and_fit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In 60 columns the code is unbroken, the long text folds, and the dispensable column is left out."""
    monkeypatch.setattr(printing, "PIPE_WIDTH", 60)
    row = ("SCH-0123456789-ABCDEFG", "x" * 30, "words " * 30)
    printing.print_table(("code", "extra", "why"), [row], empty="", whole=("code", "extra"), dispensable=("extra",))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert any(row[0] in line for line in lines)
    assert "extra" not in "".join(lines)


def test_a_reader_that_had_enough_is_no_error(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe ends the command without a word."""

    def closed(*_: Any, **__: Any) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(printing, "print_json", closed)
    answer = shell("ticket", "list", "--json")
    assert (answer.exit_code, answer.output) == (1, "")


def test_a_connection_is_shown_with_its_webhook(shell: Shell) -> None:
    """The address is that of the hub, for a connector that takes webhooks; others have none."""
    change(shell.folder, "# public_url", "public_url")
    shell.house.hub.store.run(
        lambda tx: tx.connection.execute(text("UPDATE connection SET connector = 'zendesk' WHERE name = 'desk'"))
    )
    shown = {row["name"]: row["webhook"] for row in shell.json("connections", "list")}
    assert shown == {"network": "", "desk": "https://care.example.com/hooks/desk"}
    assert "https://care.example.com/hooks/desk" in shell("connections", "show", "desk").output


def test_what_is_parked_is_discarded_with_a_reason(shell: Shell) -> None:
    """A discarded delivery never goes out, and the reason stays; a second time it is not parked any more."""
    number = str(shell.json("parked", "list")[0]["id"])
    assert shell("parked", "discard", "outbox", number, "--reason", "called her").exit_code == 0
    assert shell("parked", "discard", "outbox", number).exit_code == 1
    shell.settle()
    assert shell.house.network.own() == []
    (reason,) = shell.house.rows(f"SELECT reason FROM delivery WHERE id = {number}")[0]
    assert "called her" in reason


def test_a_running_hub_follows_what_is_switched(shell: Shell) -> None:
    """Mode, pause and resume from another process take effect in the hub that works on the same file."""
    assert shell("connections", "mode", "network", "observe").exit_code == 0
    assert shell("connections", "pause", "desk", "--reason", "maintenance").exit_code == 0
    shown = {row["name"]: row for row in shell.json("connections", "list")}
    assert shown["network"]["mode"] == "observe"
    assert (shown["desk"]["health"], shown["desk"]["paused"]) == ("paused", "maintenance")
    shell.house.network.post("luca", "Second post")
    shell.settle()
    assert list(shell.house.helpdesk.records) == ["r1"]
    assert shell("connections", "resume", "desk").exit_code == 0
    shell.settle()
    assert list(shell.house.helpdesk.records) == ["r1", "r2"]


def test_an_unknown_connection_gets_a_suggestion(shell: Shell) -> None:
    """A misspelt name is exit code 1 and names the near one."""
    answer = shell("connections", "pause", "netwrk")
    assert answer.exit_code == 1
    assert 'did you mean "network"?' in answer.output


def test_stop_talking_halts_and_lets_go(shell: Shell) -> None:
    """While halted nothing reaches the network; after --off what waited goes out."""
    assert shell("stop-talking", "--reason", "incident").exit_code == 0
    assert shell.json("status")["counts"]["stop_talking"] is True
    shell.house.helpdesk.comment("r1", "Second answer")
    shell.settle()
    assert shell.house.network.own() == []
    assert shell.json("stop-talking", "--off") == {"stop_talking": False, "changed": True}
    shell.settle()
    assert [post["text"] for post in shell.house.network.own()] == ["Second answer"]


def test_status_says_that_nothing_runs(shell: Shell) -> None:
    """Without a hub at the configured address the status says so, and the counts are those of the database."""
    change(shell.folder, "127.0.0.1:8765", "127.0.0.1:9")
    shown = shell.json("status")
    assert (shown["running"], shown["counts"]["tickets"]) == (False, 1)
    assert {row["health"] for row in shown["connections"]} == {"stopped"}
    assert shell("status").output.startswith("The hub is not running")


def test_a_login_link_is_made_beside_the_hub(shell: Shell) -> None:
    """The link leads to the configured address."""
    assert shell("login-link").output.startswith("http://127.0.0.1:8765/login/")
    assert shell.json("login-link")["link"].startswith("http://127.0.0.1:8765/login/")


def test_the_support_bundle_holds_no_words_and_no_secrets(shell: Shell) -> None:
    """Everything in it is free of what people wrote, who they are, and of settings' values."""
    connection = (
        '[connections.acme]\nconnector = "mastodon"\nbase_url = "http://127.0.0.1:9"\naccess_token = "s3cret"\n'
    )
    change(shell.folder, "# [alerts]", connection + "\n# [alerts]")
    assert shell("connections", "pause", "desk").exit_code == 0
    file = shell.folder / "bundle.zip"
    assert shell("support-bundle", str(file)).exit_code == 0
    with zipfile.ZipFile(file) as archive:
        text = "\n".join(archive.read(name).decode() for name in archive.namelist())
    assert '"trial": true' in text
    for secret in ("parcel", "Tomorrow", "anna", "s3cret", "127.0.0.1:9", "cli (user"):
        assert secret not in text
    assert shell("support-bundle", str(file)).exit_code == 2
    assert Path(shell.json("support-bundle")["file"]).parent == shell.folder / "var"


def test_plugins_are_described(folder: Path) -> None:
    """A plugin's settings are listed; an unknown one gets a suggestion."""
    shown = CliRunner().invoke(main, ["plugins", "show", "mastodon", "--json"])
    assert "base_url" in {row["name"] for row in json.loads(shown.stdout)["plugins"][0]["settings"]}
    assert {
        one["name"] for one in json.loads(CliRunner().invoke(main, ["plugins", "list", "--json"]).stdout)["plugins"]
    }
    wrong = CliRunner().invoke(main, ["plugins", "show", "mastodn"])
    assert (wrong.exit_code, 'did you mean "mastodon"?' in wrong.output) == (1, True)


def test_no_trace_without_debug(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is one sentence; with --debug it is the error itself."""
    from hub.store import views

    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(views, "ticket_rows", fail)
    answer = shell("ticket", "list")
    assert answer.exit_code == 1
    assert "unexpected: KeyError" in answer.output
    assert "Traceback" not in answer.output
    assert isinstance(shell("--debug", "ticket", "list").exception, KeyError)


def test_replay_without_a_hub_says_so(shell: Shell) -> None:
    """No hub at the address: exit code 1 and how to start it; a wrong column: exit code 2."""
    file = shell.folder / "texts.csv"
    file.write_text("text\nhello\n")
    answer = shell("replay", str(file), "--text-column", "text", "--url", "http://127.0.0.1:9")
    assert answer.exit_code == 1
    assert "hub run" in answer.output
    assert shell("replay", str(file), "--text-column", "body").exit_code == 2


def test_trial_reset_deletes_the_trial_as_a_whole(shell: Shell) -> None:
    """The sandboxes' state and, without other connections, the hub's memory of it are gone; the key stays."""
    (shell.folder / "var/trial/mastodon").mkdir(parents=True)
    assert shell("trial", "reset", "--yes").exit_code == 0
    assert not (shell.folder / "var/trial").exists()
    assert not (shell.folder / "var/hub.sqlite").exists()
    assert "nothing to delete" in shell("trial", "reset", "--yes").output


def test_a_check_that_meets_another_account_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is paused, the reason is printed, and the exit code is 1; the right account is exit code 0."""
    from contextlib import nullcontext

    from hub.cli import connections
    from tests.fakes.connectors import FakeSink

    monkeypatch.setattr(connections, "open_hub", lambda *_, **__: nullcontext(shell.house.hub))
    assert shell("connections", "check", "desk").exit_code == 0
    monkeypatch.setattr(FakeSink, "check_connection", lambda self: Account(fingerprint="another"))
    for arguments in ((), ("--json",)):
        answer = shell("connections", "check", "desk", *arguments)
        assert answer.exit_code == 1
        assert "another account answers under this name" in answer.stdout
        assert "desk is paused" in answer.stderr


def test_a_record_number_of_two_tickets_is_not_guessed(shell: Shell) -> None:
    """A number two tickets have is told with both codes; the address and the uid lead to one."""
    shell.house.network.post("luca", "Where is my lamp?")
    shell.settle()
    luca, anna = (one["code"] for one in shell.json("ticket", "list"))
    address = "https://desk.example/api/tickets/7.json"
    second = f"UPDATE record_link SET connection = 'other', vendor_id = 'r1', url = '{address}' WHERE vendor_id = 'r2'"
    shell.house.hub.store.run(lambda tx: tx.connection.execute(text(second)))
    answer = shell("ticket", "show", "r1")
    assert answer.exit_code == 1
    assert all(word in answer.output for word in (f"{anna} (at desk)", f"{luca} (at other)"))
    assert shell.json("ticket", "show", address)["code"] == luca
    assert shell.json("ticket", "show", shell.json("ticket", "show", luca)["uid"])["code"] == luca


def test_an_answer_nobody_read_is_marked(shell: Shell) -> None:
    """What was refused by the network does not look published; afterwards the mark is gone."""
    code = shell.json("ticket", "list")[0]["code"]
    assert ", not published: " in shell("ticket", "show", code).output
    number = str(shell.json("parked", "list")[0]["id"])
    assert shell("parked", "retry", "outbox", number).exit_code == 0
    shell.settle()
    assert "not published" not in shell("ticket", "show", code).output


def test_no_parked_number_is_too_great_to_show(shell: Shell) -> None:
    """A number no database holds is not found, and no error."""
    answer = shell("parked", "show", "inbox", "9" * 23)
    assert (answer.exit_code, answer.output.strip()) == (1, f"There is no inbox {'9' * 23}.")
