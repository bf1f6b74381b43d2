"""The unit of work and the schema, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError

from hub.sdk import Identity, Message, MessageSeen, Thread
from hub.store import (
    DatabaseBusy,
    SchemaTooNew,
    Store,
    StoreBusy,
    Tx,
    connections,
    inbox,
    lock_database,
    migrate,
    writer,
)
from hub.store.tables import inbox as inbox_table
from hub.store.tables import metadata, switch

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def put(name: str) -> object:
    """A unit that writes one row."""
    return lambda tx: connections.set_switch(tx, name, True, now=NOW)


def names(store: Store) -> set[str]:
    """What is written."""
    with store.read() as connection:
        return set(connection.execute(select(switch.c.name)).scalars())


def test_the_migrations_make_exactly_the_tables(database_url: str) -> None:
    """The first migration and the tables say the same, and a second run changes nothing."""
    assert migrate(database_url) == migrate(database_url)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_newer_schema_is_refused_naming_both_revisions(sqlite_url: str) -> None:
    """An old hub never works on a new database."""
    migrate(sqlite_url)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaTooNew, match=r"9999.*0003"):
        migrate(sqlite_url)


def test_one_bad_unit_costs_only_itself(database_url: str) -> None:
    """Units share a commit; when one raises, the others are committed one by one."""
    migrate(database_url)
    store = Store(database_url)
    gate = threading.Event()

    def wait(tx: Tx) -> None:
        gate.wait(5)

    def broken(tx: Tx) -> None:
        put("half")(tx)  # type: ignore[operator]
        raise ZeroDivisionError

    store.start()
    first = store.submit(wait)
    futures = [store.submit(unit) for unit in (put("a"), broken, put("b"))]  # type: ignore[arg-type]
    gate.set()
    first.result(5)
    futures[0].result(5)
    futures[2].result(5)
    with pytest.raises(ZeroDivisionError):
        futures[1].result(5)
    assert names(store) == {"a", "b"}
    store.close()


def test_what_follows_a_commit_never_runs_without_it(database_url: str) -> None:
    """``after_commit`` of a unit that was rolled back is forgotten."""
    migrate(database_url)
    store = Store(database_url)
    told: list[str] = []

    def good(tx: Tx) -> None:
        tx.after_commit.append(lambda: told.append("good"))

    def bad(tx: Tx) -> None:
        tx.after_commit.append(lambda: told.append("bad"))
        raise ZeroDivisionError

    store.run(good)
    with pytest.raises(ZeroDivisionError):
        store.run(bad)
    assert told == ["good"]
    store.close()


def test_a_full_queue_says_so_at_once(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cannot be served now gets ``StoreBusy``, which the web answers with 503."""
    monkeypatch.setattr(writer, "MAX_WAITING", 2)
    migrate(sqlite_url)
    store = Store(sqlite_url)
    gate = threading.Event()
    store.start()
    running = store.submit(lambda tx: gate.wait(5))
    while not store._queue.full():
        store.submit(lambda tx: None)
    with pytest.raises(StoreBusy):
        store.submit(lambda tx: None)
    gate.set()
    running.result(5)
    store.close()


def test_readers_cannot_write_on_sqlite(sqlite_url: str) -> None:
    """All threads but the writer hold read-only connections."""
    migrate(sqlite_url)
    store = Store(sqlite_url)
    with store.read() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("DELETE FROM switch"))
    store.close()


def test_a_disk_that_takes_nothing_more_is_busy_and_not_a_crash(sqlite_url: str) -> None:
    """``database or disk is full`` becomes ``StoreBusy``; what was committed stays."""
    migrate(sqlite_url)
    store = Store(sqlite_url)
    store.run(put("before"))  # type: ignore[arg-type]

    def fill(tx: Tx) -> None:
        pages = tx.execute(text("PRAGMA page_count")).scalar_one()
        tx.execute(text(f"PRAGMA max_page_count = {pages}"))
        connections.set_switch(tx, "big", "x" * 1_000_000, now=NOW)

    with pytest.raises(StoreBusy, match="full"):
        store.run(fill)
    assert names(store) == {"before"}
    store.close()


def test_a_backup_is_made_before_an_embedded_file_is_changed(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrating an existing file leaves a copy of it beside it."""
    module = sys.modules["hub.store.migrate"]  # the package exports the function under the same name
    migrate(sqlite_url)
    monkeypatch.setattr(module.ScriptDirectory, "get_current_head", lambda self: "9998")
    monkeypatch.setattr(module.command, "upgrade", lambda config, target: None)
    migrate(sqlite_url)
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    assert [copy.name.startswith("hub.sqlite.0003.") for copy in folder.glob("*.backup")] == [True]


OTHER = """
import sys
from hub.store import DatabaseBusy, lock_database
try:
    lock_database(sys.argv[1], "the other hub")
except DatabaseBusy as error:
    sys.exit(f"busy: {error}")
"""


def refused(url: str) -> str:
    """What another process is told that wants this database; empty when it gets it."""
    done = subprocess.run([sys.executable, "-c", OTHER, url], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stderr.strip()


@pytest.mark.parametrize("way", ["as it is", "lock deleted", "lock replaced", "symlink", "hard link", "database gone"])
def test_no_second_hub_gets_in_by_another_way(sqlite_url: str, way: str) -> None:
    """Whatever is done to the files meanwhile, or by which name it comes: the second hub is refused, the first one
    goes on writing, and after it the next one gets in."""
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    beside = file.with_name(f"{file.name}.lock")
    url = sqlite_url
    lock = lock_database(sqlite_url, "the first hub")
    migrate(sqlite_url)
    store = Store(sqlite_url)
    store.run(put("before"))  # type: ignore[arg-type]
    if way.startswith("lock"):
        beside.unlink()
    if way == "lock replaced":
        beside.write_text("somebody else")
    if way == "symlink":
        link = file.with_name("link.sqlite")
        link.symlink_to(file)
        url = f"sqlite:///{link}"
    if way == "hard link":
        twin = file.with_name("twin.sqlite")
        os.link(file, twin)
        url = f"sqlite:///{twin}"
    if way == "database gone":
        file.unlink()
    assert "Two hubs cannot share one SQLite file" in refused(url)
    if way != "database gone":
        store.run(put("after"))  # type: ignore[arg-type]
        assert names(store) == {"before", "after"}
    store.close()
    lock.release()
    assert refused(url) == ""


def test_the_holder_is_named_through_a_symlink(sqlite_url: str) -> None:
    """Who comes by another name still reads whom to stop."""
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    link = file.with_name("link.sqlite")
    link.symlink_to(file)
    lock = lock_database(sqlite_url, "the hub at port 1")
    with pytest.raises(DatabaseBusy, match="the hub at port 1"):
        lock_database(f"sqlite:///{link}", "the hub at port 2")
    lock.release()


def test_an_event_that_no_json_carries_is_parked(sqlite_url: str) -> None:
    """Half a character or endless lists in it: the others are stored, and nobody is asked to send it for ever."""
    migrate(sqlite_url)
    store = Store(sqlite_url)
    endless: list[object] = []
    for _ in range(900):
        endless = [endless]

    def seen(number: str, memo: object) -> MessageSeen:
        author, thread = Identity(network="n", id="a"), Thread(id=number)
        message = Message(
            network="n", id=number, author=author, thread=thread, text="x", created_at=NOW, answer_with={"memo": memo}
        )
        return MessageSeen(event_key=number, message=message)

    events = [seen("1", "\ud800"), seen("2", endless), seen("3", "sound")]
    assert len(store.run(lambda tx: inbox.add_events(tx, connection="c", events=events, now=NOW))) == 3
    with store.read() as connection:
        rows = connection.execute(select(inbox_table.c.state, inbox_table.c.reason).order_by(inbox_table.c.id)).all()
    assert [row.state for row in rows] == ["parked", "parked", "new"]
    assert all("cannot be stored" in row.reason for row in rows[:2])
    store.close()
