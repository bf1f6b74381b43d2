# SPDX-License-Identifier: GPL-3.0-or-later
"""Zendesk's background jobs: what became of each row that went with a hundred others.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from hub.sdk import Refused
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.payloads import is_id, text_of

Json = dict[str, Any]
State = Literal["running", "done", "broken", "forgotten"]

_FRESH = timedelta(seconds=1)
_KEEP = 5000
_DONE = frozenset({"completed", "complete"})
_BROKEN = frozenset({"failed", "killed"})


@dataclass(frozen=True, slots=True)
class Row:
    """What a job says of one row. ``id`` is the ticket's or user's, empty when it failed or was not told."""

    done: bool
    id: str = ""
    reason: str = ""


def state_of(job: Json | None) -> State:
    """``forgotten`` when Zendesk does not know the job (any more); an unknown word counts as running."""
    if job is None:
        return "forgotten"
    status = job.get("status")
    return "done" if status in _DONE else "broken" if status in _BROKEN else "running"


def row_of(job: Json, index: int, count: int, *, record_id: str = "") -> Row | None:
    """The row with this index of ``count`` sent, ``None`` when the job does not tell about it.

    Rows that worked carry the id (those of an update nothing else), rows that failed the index, some of them under
    the name ``id``: https://support.zendesk.com/hc/en-us/community/posts/4408861015066
    """
    results = job.get("results")
    rows = [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []
    for row in rows:
        if row.get("index") == index and not isinstance(row["index"], bool):
            return _row(row)
    if any("index" in row and not _failed(row) for row in rows):
        return None  # this job numbers its rows, and ours is not among them
    if record_id:
        for row in rows:
            if not _failed(row) and text_of(row.get("id")) == record_id:
                return _row(row)
    # Zendesk's support confirms that results stand in the order of the request.
    if len(rows) == count and "index" not in rows[index]:
        row = rows[index]
        if not record_id or _failed(row) or text_of(row.get("id")) in ("", record_id):
            return _row(row)
    return None


def _failed(row: Json) -> bool:
    return bool(row.get("error")) or row.get("success") is False or row.get("status") == "Failed"


def _row(row: Json) -> Row:
    if _failed(row):
        return Row(False, reason=text_of(row.get("error"))[:60] or "failed")
    found = text_of(row.get("id"))
    return Row(True, id=found if is_id(found) else "")


class Jobs:
    """What this connector instance knows of its jobs. One look asks for all that are open, for a second."""

    def __init__(self, client: ZendeskClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._open: OrderedDict[str, None] = OrderedDict()
        self._told: OrderedDict[str, tuple[datetime, Json | None]] = OrderedDict()
        self._running: tuple[datetime, list[str]] | None = None
        self._alone: OrderedDict[str, str] = OrderedDict()

    def started(self, job: Json) -> str:
        """Remember a job just made; returns its id."""
        job_id = text_of(job.get("id"))
        self._open[job_id] = None
        self._running = None
        return job_id

    def job(self, job_id: str) -> Json | None:
        """The job as Zendesk told it within the last second; ``None`` when Zendesk does not know it."""
        at, job = self._told.get(job_id, (None, None))
        if at is not None and (state_of(job) != "running" or self._now() - at < _FRESH):
            return job
        self._open[job_id] = None
        wanted = [job_id, *(other for other in self._open if other != job_id)][:100]
        found = {text_of(row.get("id")): row for row in self._ask(wanted, job_id)}
        for asked in wanted:
            self._keep(asked, found.get(asked))
        return found.get(job_id)

    def running(self) -> list[str]:
        """The account's jobs that may still be at work: what went into one of them is not surely absent."""
        if self._running is None or self._now() - self._running[0] >= _FRESH:
            newest = self._client.newest_jobs()
            self._running = (self._now(), [text_of(job["id"]) for job in newest if state_of(job) == "running"])
        return self._running[1]

    def send_alone(self, key: str, reason: str) -> None:
        """A job refused this delivery: by itself it gets the true error, and a conflict is read again."""
        self._alone[key] = reason
        while len(self._alone) > _KEEP:
            self._alone.popitem(last=False)

    def goes_alone(self, key: str) -> bool:
        """Whether a job refused this delivery before."""
        return key in self._alone

    def _ask(self, wanted: list[str], job_id: str) -> list[Json]:
        try:
            return self._client.jobs(wanted)
        except Refused:
            if len(wanted) == 1:
                return []
        # One that Zendesk has forgotten must not hide the others.
        try:
            return self._client.jobs([job_id])
        except Refused:
            return []

    def _keep(self, job_id: str, job: Json | None) -> None:
        if state_of(job) != "running":
            self._open.pop(job_id, None)
        self._told[job_id] = (self._now(), job)
        while len(self._told) > 300:
            self._told.popitem(last=False)
