# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox remembers: documents in one SQLite file, so that a restart changes nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, id INTEGER NOT NULL, parent INTEGER, external_id TEXT COLLATE NOCASE, body TEXT NOT NULL,
    changed_seq INTEGER, changed_at INTEGER, PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS document_parent ON document (kind, parent);
CREATE INDEX IF NOT EXISTS document_external ON document (kind, external_id);
CREATE INDEX IF NOT EXISTS document_changed ON document (kind, changed_seq);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL
);
"""


class State:
    """One connection, one lock: a call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on an exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def next(self, counter: str, *, start: int = 1) -> int:
        """The next number of a counter."""
        row = self._db.execute(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (counter, start),
        ).fetchone()
        return int(row[0])

    def last(self, counter: str) -> int:
        """The last number given out, or 0."""
        row = self._db.execute("SELECT value FROM counter WHERE name = ?", (counter,)).fetchone()
        return int(row[0]) if row else 0

    def put(
        self,
        kind: str,
        body: Json,
        *,
        parent: int | None = None,
        changed_seq: int | None = None,
        changed_at: int | None = None,
    ) -> None:
        """Insert or replace a document by its ``id``."""
        self._db.execute(
            "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, body["id"], parent, body.get("external_id"), json.dumps(body), changed_seq, changed_at),
        )

    def get(self, kind: str, number: int) -> Json | None:
        """A document by id."""
        if number.bit_length() > 63:  # SQLite would raise
            return None
        return self._one("kind = ? AND id = ?", kind, number)

    def by_external_id(self, kind: str, external_id: str) -> list[Json]:
        """Documents with this external id (which ignores case), oldest first."""
        return self._all("kind = ? AND external_id = ? ORDER BY id", kind, external_id)

    def children(self, kind: str, parent: int) -> list[Json]:
        """Documents that belong to another, oldest first."""
        return self._all("kind = ? AND parent = ? ORDER BY id", kind, parent)

    def all(self, kind: str, *, newest: int | None = None) -> list[Json]:
        """Every document of a kind, oldest first; or the ``newest`` so many, newest first."""
        if newest is None:
            return self._all("kind = ? ORDER BY id", kind)
        return self._all("kind = ? ORDER BY id DESC LIMIT ?", kind, newest)

    def changed(self, kind: str, *, after_seq: int, since: int, until: int, limit: int) -> list[tuple[int, Json]]:
        """Documents changed after a sequence number and within a span of time, in the order of their last change."""
        rows = self._db.execute(
            "SELECT changed_seq, body FROM document WHERE kind = ? AND changed_seq > ? AND changed_at >= ? "
            "AND changed_at <= ? ORDER BY changed_seq LIMIT ?",
            (kind, after_seq, since, until, limit),
        ).fetchall()
        return [(int(seq), json.loads(body)) for seq, body in rows]

    def setting(self, name: str, default: str = "") -> str:
        """A setting's value."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else default

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def remembered_answer(self, key: str, *, not_before: float) -> tuple[str, Json] | None:
        """The digest of the body and the answer given under this key, unless too old."""
        row = self._db.execute(
            "SELECT digest, answer FROM idempotency WHERE key = ? AND at >= ?", (key, not_before)
        ).fetchone()
        return (str(row[0]), json.loads(row[1])) if row else None

    def remember_answer(self, key: str, digest: str, answer: Json, at: float) -> None:
        """Keep the answer given under this key."""
        self._db.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?)", (key, digest, json.dumps(answer), at)
        )

    def _one(self, where: str, *values: object) -> Json | None:
        row = self._db.execute(f"SELECT body FROM document WHERE {where}", values).fetchone()  # noqa: S608 - our texts
        return dict(json.loads(row[0])) if row else None

    def _all(self, where: str, *values: object) -> list[Json]:
        rows = self._db.execute(f"SELECT body FROM document WHERE {where}", values)  # noqa: S608 - our texts
        return [dict(json.loads(row[0])) for row in rows]
