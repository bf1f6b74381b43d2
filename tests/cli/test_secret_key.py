"""`hub secrets`: another key for everything, cut off at any point; and going on without one that is lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import insert, text

import hub as hub_package
from hub.cli import main
from hub.configuration import HubConfig, load
from hub.sdk import HistoryPage
from hub.store import Store, connections, history, lock_database, migrate, same_person
from hub.store import tables as t
from hub.store.rekey import KEY_CHECK, verify
from hub.store.secrets import Cipher, StoredVault
from hub.store.side_tables import consent, own_secret, past_ticket, person_key
from hub.work.assembly import WrongKey, key_of, settle_key, utc_now

TEXT = '{"text":"\\"sealed\\": \\"no\\""}'
BODY = '{"verb":"open","ticket": {"fields":{"sealed": "%s"}},"said":' + TEXT + ',"fields":{"sealed":"%s"}}'


@pytest.fixture
def config(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> HubConfig:
    """A hub that has run, on each database, with something in every encrypted place."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.delenv("HUB_SECRET_KEY", raising=False)
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    file = tmp_path / "config/hub.toml"
    lines = file.read_text().replace('database = "sqlite"', f"database = {json.dumps(database_url)}")
    if database_url not in lines:
        lines = lines.replace("[hub]", f"[hub]\ndatabase = {json.dumps(database_url)}", 1)
    file.write_text(lines)
    made = load(file)
    assert made.database_url == database_url
    migrate(database_url)
    store = Store(database_url)
    fill(store, Cipher(settle_key(made, store)))
    store.close()
    return made


def fill(store: Store, cipher: Cipher) -> None:
    """600 customers, so that it takes more than one batch, and one of everything else."""
    now = utc_now()
    for name in ("desk", "shop"):
        store.run(
            lambda tx, name=name: connections.ensure(tx, name=name, connector="x", side="sink", mode="live", now=now)
        )
    StoredVault(store, cipher, "desk", utc_now).write("access_token", "t0ken")

    def unit(tx: Any) -> None:
        people = [{"vendor_id": str(one), "contact": cipher.encrypt(f"{one}@example.com")} for one in range(600)]
        people = [{**one, "network": "n", "created_at": now} for one in people]
        tx.execute(insert(t.identity), people)
        ticket = {
            "uid": "u", "code": "SC-1", "connection": "n", "network": "n", "identity_id": 1, "sink": "desk",
            "fields": cipher.encrypt('{"order": "4711"}'), "created_at": now, "updated_at": now, "last_inbound_at": now,
            "last_person_at": now,
        }  # fmt: skip
        tx.execute(insert(t.ticket).values(ticket))
        tx.execute(insert(t.lane).values(connection="desk", key="k"))
        body = BODY % (cipher.encrypt('{"a": 1}'), cipher.encrypt('{"b": 2}'))
        delivery = {"key": "k", "uuid": "u", "lane_id": 1, "connection": "desk", "verb": "open", "body": body}
        tx.execute(insert(t.delivery).values(**delivery, created_at=now, due_at=now))
        past = {"connection": "desk", "vendor_id": "1", "content": cipher.encrypt("{}")}
        tx.execute(insert(past_ticket).values(**past, created_at=now, updated_at=now, read_at=now))
        secret = {"name": same_person.BLINDING, "ciphertext": cipher.encrypt("00"), "created_at": now}
        tx.execute(insert(own_secret).values(**secret))
        tx.execute(insert(person_key).values(digest="d", identity_id=1, created_at=now))
        waiting = {"state": "s", "kind": "consent", "connection": "desk", "verifier": cipher.encrypt("v")}
        tx.execute(insert(consent).values(**waiting, created_at=now, expires_at=now))

    store.run(unit)


VALUES = 600 + 1 + 1 + 1 + 1 + 1 + 1


def hub(config: HubConfig, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["secrets", *arguments, "--config", str(config.folder)])


def with_store(config: HubConfig, do: Callable[[Store], Any]) -> Any:
    store = Store(config.database_url)
    try:
        return do(store)
    finally:
        store.close()


def readable(config: HubConfig) -> int:
    """How much can be read with the key that is in place; the hub would start."""

    def do(store: Store) -> int:
        key = key_of(config, store)
        assert key
        assert StoredVault(store, Cipher(key), "desk", utc_now).read("access_token") == "t0ken"
        return verify(store, Cipher(key))

    return int(with_store(config, do))


def body(config: HubConfig) -> str:
    def do(store: Store) -> str:
        with store.read() as connection:
            return str(connection.execute(text("SELECT body FROM delivery")).scalar())

    return str(with_store(config, do))


def test_everything_is_under_the_new_key(config: HubConfig) -> None:
    """All values open with it, none with the old one, which is kept aside for backups; the frozen body is the same."""
    file = config.var_dir / "secret.key"
    old, before = file.read_bytes(), body(config)
    answer = hub(config, "rotate")
    assert answer.exit_code == 0, answer.output
    assert f"Read back with it: {VALUES} values." in answer.output
    assert file.read_bytes() != old
    (kept,) = config.var_dir.glob("secret.key.old-*")
    assert kept.read_bytes() == old
    assert (file.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o600)
    assert not list(config.var_dir.glob("*.new*"))
    assert readable(config) == VALUES
    tokens = [part for part in before.split('"') if part.startswith("gAAAA")]
    after = body(config)
    fresh = [part for part in after.split('"') if part.startswith("gAAAA")]
    for one, other in zip(tokens, fresh, strict=True):
        before = before.replace(one, other)
    assert before == after


def test_twice_keeps_both_old_keys(config: HubConfig) -> None:
    """Two changes on one day: each old key has a file of its own."""
    for _ in range(2):
        assert hub(config, "rotate").exit_code == 0
    assert len(list(config.var_dir.glob("secret.key.old-*"))) == 2
    assert readable(config) == VALUES


def test_not_while_a_hub_runs(config: HubConfig) -> None:
    """Exit code 3, naming the hub that holds the database; nothing is changed."""
    lock = lock_database(config.database_url, owner="the hub at there")
    old = (config.var_dir / "secret.key").read_bytes()
    answer = hub(config, "rotate")
    lock.release()
    assert (answer.exit_code, "the hub at there" in answer.output) == (3, True)
    assert (config.var_dir / "secret.key").read_bytes() == old


KILLED = """
import os, signal, sys
import hub.cli.secret_key as at
from hub.store import rekey
from hub.store.writer import Store
from hub.cli import main

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(owner, name):
    real = getattr(owner, name)
    def replaced(*given, **named):
        real(*given, **named)
        die()
    setattr(owner, name, replaced)

point = sys.argv[1]
if point == "before the new key is whole": at.os.replace = die
if point == "after the new key is written": die_after(at, "_write_key")
if point == "in the middle of the transaction": rekey._bodies = die
if point == "before the commit": rekey._audit = die
if point == "after the commit": rekey.verify = die
if point == "before the swap": at._swap = die
if point == "in the middle of the swap": die_after(at.os, "link")
if point == "after the swap": die_after(at, "_swap")
main(["secrets", "rotate", "--config", sys.argv[2]])
"""

POINTS = [
    "before the new key is whole",
    "after the new key is written",
    "in the middle of the transaction",
    "before the commit",
    "after the commit",
    "before the swap",
    "in the middle of the swap",
    "after the swap",
]


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere(config: HubConfig, point: str) -> None:
    """kill -9: either the hub starts with all it had, or it says to run the command again; once more, and all is well
    with nothing lost and no key that opens anything thrown away."""
    environ = {key: value for key, value in os.environ.items() if key != "HUB_SECRET_KEY"}
    command = [sys.executable, "-c", KILLED, point, str(config.folder)]
    killed = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stdout + killed.stderr
    if point in ("after the commit", "before the swap", "in the middle of the swap"):
        assert "hub secrets rotate" in refusal(config)
    else:
        assert readable(config) == VALUES
    answer = hub(config, "rotate")
    assert answer.exit_code == 0, answer.output
    assert readable(config) == VALUES
    assert not list(config.var_dir.glob("*.new*"))


def test_with_the_key_in_the_environment(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what to put there, as often as it is asked; a second run under the new key says that it is complete."""
    file = config.var_dir / "secret.key"
    monkeypatch.setenv("HUB_SECRET_KEY", file.read_text().strip())
    file.unlink()
    for _ in range(2):
        answer = hub(config, "rotate")
        assert answer.exit_code == 0, answer.output
        (line,) = (line for line in answer.output.splitlines() if line.startswith("HUB_SECRET_KEY="))
    assert "hub secrets rotate" in refusal(config)
    monkeypatch.setenv("HUB_SECRET_KEY", line.partition("=")[2])
    assert readable(config) == VALUES
    answer = hub(config, "rotate")
    assert "the change is complete" in answer.output
    assert not list(config.var_dir.glob("secret.key*"))


def refusal(config: HubConfig) -> str:
    with pytest.raises(WrongKey) as caught:
        with_store(config, lambda store: key_of(config, store))
    return str(caught.value)


def test_what_does_not_open_stops_the_change(config: HubConfig) -> None:
    """A value under a third key: nothing is changed, and its place is named without the value."""
    stray = Cipher(Fernet.generate_key()).encrypt("x")
    with_store(config, lambda store: store.run(lambda tx: tx.execute(t.ticket.update().values(fields=stray))))
    answer = hub(config, "rotate")
    assert answer.exit_code == 1
    assert "tickets' collected data, (1,)" in answer.output
    assert stray not in answer.output
    assert not list(config.var_dir.glob("*.new*"))


def test_a_lost_key_is_given_up_only_when_asked(config: HubConfig) -> None:
    """While the key opens the database nothing can be given up; a dry run only counts."""
    assert "nothing is lost" in hub(config, "forget-lost-key", "--yes").output
    (config.var_dir / "secret.key").unlink()
    assert "forget-lost-key" in refusal(config)
    answer = hub(config, "forget-lost-key", "--dry-run")
    assert (answer.exit_code, "customers' addresses: 600" in answer.output) == (0, True)
    assert "forget-lost-key" in refusal(config)


def test_the_hub_goes_on_without_its_key(config: HubConfig) -> None:
    """What cannot be read is gone and counted, the rest stays; connections say to connect again; a new key works."""
    (config.var_dir / "secret.key").unlink()
    answer = hub(config, "forget-lost-key", "--yes")
    assert answer.exit_code == 0, answer.output
    assert "hub connections connect desk" in answer.output

    def do(store: Store) -> None:
        key = key_of(config, store)
        assert key
        assert verify(store, Cipher(key)) == 0
        with store.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM identity")).scalar() == 600
            assert connection.execute(text("SELECT count(*) FROM person_key")).scalar() == 0
            assert "connect desk" in connections.get(connection, "desk").paused
            assert connections.get(connection, "shop").paused == ""
            assert [one.kind for one in connections.alarms(connection)] == ["authentication"]
            assert connections.read_switch(connection, KEY_CHECK)
            (left,) = connection.execute(text("SELECT body FROM delivery")).scalars()
        assert json.loads(left) == {
            "verb": "open",
            "ticket": {"fields": {}},
            "said": {"text": '"sealed": "no"'},
            "fields": {},
        }

    with_store(config, do)


def test_half_a_key_says_what_to_do(config: HubConfig) -> None:
    """Exit code 2 with the backup and, when there is none, the way on; which works."""
    file = config.var_dir / "secret.key"
    file.write_bytes(file.read_bytes()[:20])
    answer = hub(config, "forget-lost-key", "--yes")
    assert answer.exit_code == 2
    assert "Restore it from your backup." in answer.output
    assert f"mv {file} {file}.broken, then: hub secrets forget-lost-key" in answer.output
    file.rename(f"{file}.broken")
    assert hub(config, "forget-lost-key", "--yes").exit_code == 0
    assert with_store(config, lambda store: key_of(config, store))


@pytest.mark.parametrize("half", [False, True], ids=["lost", "half of it"])
def test_nothing_is_ok_under_a_lost_key(config: HubConfig, half: bool) -> None:
    """Every list says so of the connections whose tokens lie under it, and how to go on; others are as they were."""

    def seen(*command: str) -> Any:
        answer = CliRunner().invoke(main, [*command, "--config", str(config.folder)])
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    def health() -> dict[str, str]:
        return {row["name"]: row["health"] for row in json.loads(seen("connections", "list", "--json"))}

    with_store(config, lambda store: store.run(lambda tx: connections.change(tx, "desk", last_success_at=utc_now())))
    assert health() == {"desk": "ok", "shop": "never checked"}
    file = config.var_dir / "secret.key"
    if half:
        file.write_bytes(file.read_bytes()[:20])
    else:
        file.unlink()
    assert health() == {"desk": "no key", "shop": "never checked"}
    for command in (("connections", "list"), ("connections", "show", "desk"), ("status",)):
        told = seen(*command)
        assert "no key" in told
        assert "forget-lost-key" in told
    told = json.loads(seen("status", "--json"))
    assert [row["health"] for row in told["connections"]] == ["no key", "never checked"]


def test_what_was_known_of_the_vendors_goes_with_the_key(config: HubConfig) -> None:
    """No plan says done of a webhook whose secret is gone, no bookmark lies behind past tickets that are gone, and the
    message names what to do again; the plan of a connection that lost nothing stays."""
    plan = {"steps": [{"title": "webhook", "state": "done"}], "at": utc_now().timestamp()}

    def fill_more(tx: Any) -> None:
        for name in ("desk", "shop"):
            connections.set_switch(tx, f"setup:{name}", plan, now=utc_now())
        row = history.begin(tx, "desk", since=utc_now(), afresh=False, now=utc_now())
        history.store_page(tx, row, HistoryPage(tickets=(), cursor={"after": 1}), sealed={}, now=utc_now())
        history.begin(tx, "desk", since=utc_now(), afresh=False, now=utc_now())

    with_store(config, lambda store: store.run(fill_more))
    (config.var_dir / "secret.key").unlink()
    assert hub(config, "forget-lost-key", "--dry-run").exit_code == 0

    def known(store: Store) -> tuple[bool, bool, int]:
        with store.read() as connection:
            of_desk, of_shop = (connections.read_switch(connection, f"setup:{name}") for name in ("desk", "shop"))
            bookmarks = connection.execute(text("SELECT count(*) FROM backfill")).scalar()
        return "steps" in of_desk, "steps" in of_shop, int(bookmarks or 0)

    assert with_store(config, known) == (True, True, 2)
    answer = hub(config, "forget-lost-key", "--yes")
    assert with_store(config, known) == (False, True, 0)
    for words in ("connections connect desk", "connections setup desk --apply", "hub backfill NAME"):
        assert words in answer.output, words


def test_a_key_that_is_not_lost_but_half_changed(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be given up while the new key lies there."""
    file = config.var_dir / "secret.key"
    monkeypatch.setenv("HUB_SECRET_KEY", file.read_text().strip())
    file.unlink()
    assert hub(config, "rotate").exit_code == 0
    answer = hub(config, "forget-lost-key", "--yes")
    assert (answer.exit_code, "hub secrets rotate" in answer.output) == (1, True)


def test_a_key_that_lies_there_is_not_lost(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key in the environment, or an older database put back after a change of the key, must not cost the data:
    the file that opens it is named."""
    before = (config.var_dir / "secret.key").read_bytes()
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    answer = hub(config, "forget-lost-key", "--yes")
    assert (answer.exit_code, "HUB_SECRET_KEY is set to another one" in answer.output) == (1, True)
    monkeypatch.delenv("HUB_SECRET_KEY")
    assert readable(config) == VALUES
    (config.var_dir / "secret.key.old-2026-01-01").write_bytes(before)
    (config.var_dir / "secret.key").write_bytes(Fernet.generate_key())
    answer = hub(config, "forget-lost-key", "--yes")
    assert (answer.exit_code, "secret.key.old-2026-01-01 opens this database" in answer.output) == (1, True)


def test_whoever_encrypts_is_known() -> None:
    """A new encrypted column must come into hub.store.rekey.PLACES, or a change of the key would lose it: then add its
    file here too."""
    folder = Path(hub_package.__file__).parent
    found = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*.py")
        if re.search(r"\bencrypt(_json)?\(|\bseal\(", file.read_text())
    }
    flow = {f"flow/{name}.py" for name in ("backfill", "category", "connect", "converse", "hub", "sealing", "track")}
    assert found == flow | {
        "store/same_person.py",
        "store/secrets.py",
        "store/rekey.py",
        "work/assembly.py",
        "cli/opening.py",
    }
