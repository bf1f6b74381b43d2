"""Opening a database: SQLite with one writer and read-only readers, or PostgreSQL."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
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

    def __init__(self, held: IO[str] | Connection) -> None:
        self._held = held

    def release(self) -> None:
        """Let the next hub in."""
        self._held.close()


def lock_database(url: str, owner: str) -> Lock:
    """Take the lock that keeps a second ``hub run`` off this database. Raises :class:`DatabaseBusy` naming the
    holder."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return Lock(_lock_postgresql(url, owner))
    path = Path(f"{parsed.database}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "an unnamed process"
        handle.close()
        raise DatabaseBusy(
            f"{parsed.database} is in use by {holder}. Two hubs cannot share one SQLite file: stop the other one."
        ) from None
    handle.seek(0)
    handle.truncate()
    handle.write(f"{owner} (process {os.getpid()})")
    handle.flush()
    return Lock(handle)


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
