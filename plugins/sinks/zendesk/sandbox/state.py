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
DROP INDEX IF EXISTS document_parent;
DROP INDEX IF EXISTS document_external;
CREATE INDEX IF NOT EXISTS document_children ON document (kind, parent, id);
CREATE INDEX IF NOT EXISTS document_externals ON document (kind, external_id, id);
CREATE INDEX IF NOT EXISTS document_changed ON document (kind, changed_seq);
CREATE INDEX IF NOT EXISTS document_status ON document (kind, json_extract(body, '$.status'));
CREATE INDEX IF NOT EXISTS document_email ON document (kind, json_extract(body, '$.email'));
CREATE TABLE IF NOT EXISTS blob (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL
);
"""
# The indexes end in the id: without it SQLite reads a whole kind in the order of ids rather than sort three rows.


class State:
    """One connection, one lock: a call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        self._lock = threading.RLock()
        self._settings: dict[str, str] | None = None

    def forget(self) -> None:
        """Read the settings anew; another hand changed the file."""
        self._settings = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on an exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                self._settings = None
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction that may fail alone."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
            self._settings = None
            raise
        self._db.execute("RELEASE part")

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
        """Insert a document by its ``id``, or replace its body; parent and change stay unless given."""
        self._db.execute(
            "INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET "
            "parent = coalesce(excluded.parent, parent), external_id = excluded.external_id, body = excluded.body, "
            "changed_seq = coalesce(excluded.changed_seq, changed_seq), "
            "changed_at = coalesce(excluded.changed_at, changed_at)",
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

    def page(self, kind: str, *, start: int, size: int, **equal: object) -> tuple[list[Json], bool]:
        """One page of the documents whose fields equal these values, oldest first, and whether there are more."""
        where, values = _condition(kind, equal)
        rows = self._all(f"{where} ORDER BY id LIMIT ? OFFSET ?", *values, size + 1, start)
        return rows[:size], len(rows) > size

    def where(self, kind: str, **equal: object) -> list[Json]:
        """The documents whose fields equal these values, oldest first."""
        where, values = _condition(kind, equal)
        return self._all(f"{where} ORDER BY id", *values)

    def count(self, kind: str, **equal: object) -> int:
        """How many documents there are whose fields equal these values."""
        where, values = _condition(kind, equal)
        row = self._db.execute(f"SELECT COUNT(*) FROM document WHERE {where}", values).fetchone()  # noqa: S608 - ours
        return int(row[0])

    def remove(self, kind: str, number: int) -> None:
        """Delete a document."""
        self._db.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, number))

    def keep_bytes(self, number: int, body: bytes) -> None:
        """Keep the content of a file."""
        self._db.execute("INSERT OR REPLACE INTO blob VALUES (?, ?)", (number, body))

    def bytes_of(self, number: int) -> bytes | None:
        """The content of a file."""
        row = self._db.execute("SELECT body FROM blob WHERE id = ?", (number,)).fetchone()
        return bytes(row[0]) if row else None

    def drop_bytes(self, number: int) -> None:
        """Forget the content of a file."""
        self._db.execute("DELETE FROM blob WHERE id = ?", (number,))

    def changed(self, kind: str, *, after_seq: int, since: int, until: int, limit: int) -> list[tuple[int, Json, int]]:
        """Documents changed after a sequence number and within a span of time, in the order of their last change, each
        between its sequence number and its second."""
        rows = self._db.execute(
            "SELECT changed_seq, body, changed_at FROM document WHERE kind = ? AND changed_seq > ? AND changed_at >= ? "
            "AND changed_at <= ? ORDER BY changed_seq LIMIT ?",
            (kind, after_seq, since, until, limit),
        ).fetchall()
        return [(int(seq), json.loads(body), int(at)) for seq, body, at in rows]

    def setting(self, name: str, default: str = "") -> str:
        """A setting's value."""
        if self._settings is None:
            self._settings = dict(self._db.execute("SELECT name, value FROM setting"))
        return self._settings.get(name, default)

    def number(self, name: str, default: float = 0) -> float:
        """A setting that is a number."""
        value = self.setting(name)
        return float(value) if value else default

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))
        if self._settings is not None:
            self._settings[name] = value

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


def _condition(kind: str, equal: Json) -> tuple[str, list[object]]:
    where: list[str] = ["kind = ?"]
    values: list[object] = [kind]
    for name, value in equal.items():
        values_of = value if isinstance(value, tuple) else (value,)
        where.append(f"json_extract(body, '$.{name}') IN ({','.join('?' * len(values_of))})")
        values.extend(values_of)
    return " AND ".join(where), values
