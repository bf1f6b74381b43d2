"""A recording of customers' texts: its rows, and which of them were posted already."""

from __future__ import annotations

import csv
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

TWITTER = "%a %b %d %H:%M:%S %z %Y"


class RecordingProblem(Exception):
    """The file cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text. ``number`` counts the file's rows from 1; ``due`` is seconds after the first, 0 without times."""

    number: int
    author: str
    text: str
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a row: the network's id, and when it was sent off (epoch seconds)."""

    post_id: str
    at: float


def read(path: Path, *, text: str, author: str = "", time: str = "", limit: int | None = None) -> list[Row]:
    """The rows in the file's order; rows without a text are left out. Without an author column every row is a customer
    of its own. Raises :class:`RecordingProblem`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(csv.DictReader(file), text, author, time, limit))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingProblem(f"{path} cannot be read: {error}") from error


def _rows(reader: csv.DictReader[str], text: str, author: str, time: str, limit: int | None) -> Iterator[Row]:
    columns = reader.fieldnames or []
    for name in filter(None, (text, author, time)):
        if name not in columns:
            raise RecordingProblem(f'there is no column "{name}"; the file has: {", ".join(columns) or "none"}')
    first: datetime | None = None
    latest: dict[str, float] = {}
    taken = 0
    for number, line in enumerate(reader, 1):
        said = (line[text] or "").strip()
        if not said:
            continue
        if limit is not None and taken >= limit:
            return
        taken += 1
        who = (line[author] or "").strip() if author else ""
        who = who[:60] or f"customer {number}"
        due = 0.0
        if time:
            at = _time(line[time] or "", number)
            first = first or at
            # An author's texts keep the file's order, whatever their times say.
            due = max(0.0, (at - first).total_seconds(), latest.get(who, 0.0))
            latest[who] = due
        yield Row(number, who, said, due)


def _epoch(value: str) -> datetime:
    seconds = float(value)
    if seconds < 100_000_000:  # 1973: a date without hyphens such as 20171108 is none
        raise ValueError(value)
    return datetime.fromtimestamp(seconds, UTC)


def _time(value: str, number: int) -> datetime:
    for parse in (
        _epoch,
        datetime.fromisoformat,
        lambda text: datetime.strptime(text, TWITTER),  # noqa: DTZ007 - the format holds the zone
        parsedate_to_datetime,
    ):
        try:
            found = parse(value)
        except (ValueError, TypeError, OverflowError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise RecordingProblem(f'row {number}: "{value}" is no time that is understood here')


class Memory:
    """Which rows of this very file were posted: kept beside the trial's state, so that both vanish together."""

    def __init__(self, folder: Path, recording: Path, columns: tuple[str, ...]) -> None:
        digest = hashlib.sha256(recording.read_bytes() + "\0".join(columns).encode()).hexdigest()[:24]
        self.digest = digest
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / f"replay-{digest}.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS posted (row INTEGER PRIMARY KEY, post_id TEXT NOT NULL, at REAL NOT NULL)"
        )

    def key(self, row: Row) -> str:
        """The idempotency key of a row: a crash between posting and remembering must not post it twice."""
        return f"replay-{self.digest}-{row.number}"

    def posted(self) -> dict[int, Posted]:
        """Row number -> what became of it."""
        with self._lock:
            found = self._db.execute("SELECT row, post_id, at FROM posted").fetchall()
        return {int(row): Posted(str(post_id), float(at)) for row, post_id, at in found}

    def remember(self, row: Row, posted: Posted) -> None:
        """At once on disk."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO posted VALUES (?, ?, ?)", (row.number, posted.post_id, posted.at))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
