"""Opening a database: SQLite with one writer and read-only readers, or PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, overload

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import PoolProxiedConnection

ADVISORY_KEY = 0x5C40


class DatabaseBusy(Exception):
    """Another hub holds this database; the message names it."""


def open_engines(url: str) -> tuple[Engine, Engine]:
    """The writer's engine and the readers' engine for ``url``."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, writer=True), _sqlite(url, writer=False)
    # Parameters hold customers' texts, and errors go into the log.
    engine = create_engine(url, pool_size=20, max_overflow=40, pool_pre_ping=True, hide_parameters=True)
    return engine, engine


def _sqlite(url: str, *, writer: bool) -> Engine:
    # Every thread that reads holds a query_only connection: a deferred read-then-write fails at once on SQLite.
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": 30},
        **({"pool_size": 1, "max_overflow": 0} if writer else {"pool_size": 20, "max_overflow": 60}),
    )

    @event.listens_for(engine, "connect")
    def set_up(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # we emit BEGIN ourselves
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "busy_timeout = 30000",
            "cache_size = -32000",
            "secure_delete = ON",  # what was redacted must not lie in a freed page
            *(() if writer else ("query_only = ON",)),
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    def begin(dbapi_connection: PoolProxiedConnection) -> None:
        dbapi_connection.cursor().execute("BEGIN IMMEDIATE" if writer else "BEGIN")

    # Not an event listener for "begin": with one on the engine every statement pays for looking for others.
    engine.dialect.do_begin = begin  # type: ignore[method-assign]
    return engine


class Lock:
    """Held by the one process that works on a database; it ends with the process, however that ends."""

    def __init__(self, *held: IO[str] | Connection) -> None:
        self._held = held

    def release(self) -> None:
        """Let the next hub in. On SQLite only after the store is closed: see :func:`lock_database`."""
        for one in reversed(self._held):
            one.close()


def lock_database(url: str, owner: str) -> Lock:
    """Take the lock that keeps a second ``hub run`` off this database. Raises :class:`DatabaseBusy` naming the
    holder."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return Lock(_lock_postgresql(url, owner))
    # Two locks, as each has a hole that the other closes. The one beside the file is gone when somebody deletes it, and
    # another name (a hard link) has another one. The one on the database itself is gone when the database is deleted,
    # as `hub trial reset` does. SQLite locks byte ranges (fcntl), which flock does not touch; but closing any handle of
    # a file drops this process' byte ranges on it, so ours stays open until the store is closed.
    database = Path(parsed.database or "").resolve()
    beside = database.with_name(f"{database.name}.lock")
    database.parent.mkdir(parents=True, exist_ok=True)
    note = _flocked(beside)
    held = note and _flocked(database)
    if note is None or held is None:
        if note is not None:
            note.close()
        try:
            holder = beside.read_text().strip()
        except OSError:
            holder = ""
        raise DatabaseBusy(
            f"{parsed.database} is in use by {holder or 'an unnamed process'}. "
            "Two hubs cannot share one SQLite file: stop the other one."
        )
    note.truncate(0)
    note.write(f"{owner} (process {os.getpid()})")
    note.flush()
    return Lock(note, held)


@contextmanager
def alone(engine: Engine, what: str) -> Iterator[None]:
    """Nobody else is at ``what`` on this database meanwhile, in this process or another one: who comes later waits."""
    number = zlib.crc32(what.encode())
    if engine.dialect.name == "sqlite":
        if not engine.url.database:
            yield  # in memory: there is no other process, and whoever needs it holds a lock of the threads too
            return
        database = Path(engine.url.database).resolve()
        file = database.with_name(f"{database.name}.{number:08x}.lock")
        with _flocked(file, wait=True) as held:
            try:
                yield
            finally:
                Path(held.name).unlink(missing_ok=True)
        return
    with engine.connect() as connection, connection.begin():
        at = {"space": ADVISORY_KEY, "what": number - 2**31}
        connection.execute(text("SELECT pg_advisory_xact_lock(CAST(:space AS int), CAST(:what AS int))"), at)
        yield


@overload
def _flocked(path: Path, *, wait: Literal[True]) -> IO[str]: ...


@overload
def _flocked(path: Path) -> IO[str] | None: ...


def _flocked(path: Path, *, wait: bool = False) -> IO[str] | None:
    """The file, made if it is missing, locked for this process; ``None`` when another one has it, unless it is to be
    waited for."""
    while True:
        handle = path.open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine, there = os.fstat(handle.fileno()), path.stat()
        except BlockingIOError:
            handle.close()
            return None
        except FileNotFoundError:
            handle.close()
            continue
        except OSError:
            handle.close()
            raise
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return handle
        handle.close()  # between opening and locking somebody put another file in its place


def has_tables(connection: Connection) -> bool:
    """False while no hub has ever started on this database."""
    return inspect(connection).has_table("switch")


def _lock_postgresql(url: str, owner: str) -> Connection:
    connection = create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"application_name": owner[:60]}
    ).connect()
    if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY}).scalar():
        return connection
    holder = connection.execute(
        text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.objid = :key AND l.granted LIMIT 1"
        ),
        {"key": ADVISORY_KEY},
    ).scalar()
    connection.close()
    raise DatabaseBusy(f"this database is in use by {holder or 'another hub'}: stop that hub run first")
