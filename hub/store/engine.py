"""Opening a database: SQLite with one writer and read-only readers, or PostgreSQL."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url


class DatabaseBusy(Exception):
    """Another hub holds this SQLite file; the message names it."""


def open_engines(url: str) -> tuple[Engine, Engine]:
    """The writer's engine and the readers' engine for ``url``."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, writer=True), _sqlite(url, writer=False)
    engine = create_engine(url, pool_size=20, max_overflow=40, pool_pre_ping=True)
    return engine, engine


def _sqlite(url: str, *, writer: bool) -> Engine:
    # Every thread that reads holds a query_only connection: a deferred read-then-write fails at once on SQLite.
    engine = create_engine(
        url,
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

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def lock_file(url: str, owner: str) -> IO[str] | None:
    """Take the OS lock that keeps a second hub off this SQLite file (``None`` for PostgreSQL).

    Raises :class:`DatabaseBusy` naming the holder. The lock ends with the process, however it ends.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    path = Path(parsed.database + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "an unnamed process"
        handle.close()
        raise DatabaseBusy(
            f"{parsed.database} is in use by {holder}. Two hubs cannot share one SQLite file: stop the other one, "
            "or use PostgreSQL."
        ) from None
    handle.seek(0)
    handle.truncate()
    handle.write(f"{owner} (process {os.getpid()})")
    handle.flush()
    return handle
