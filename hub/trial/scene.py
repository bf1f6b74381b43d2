"""What the trial page shows: both sandboxes and the hub between them, in one answer that all viewers share."""

from __future__ import annotations

import hashlib
import json
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hub.flow.hub import Hub
from hub.sdk.sandboxes import SandboxPost, SandboxRecord
from hub.store import connections, messages, tickets, views
from hub.trial.drivers import Drivers, SandboxRefused

Json = dict[str, Any]
T = TypeVar("T")

FRESH_FOR = 0.7
"""Seconds an answer is good for: ten viewers cost as much as one."""
POSTS, RECORDS, TICKETS, EVENTS = 60, 30, 30, 14


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer, ready to be sent. Equal ``etag``: nothing changed."""

    body: bytes
    etag: str


class Scene:
    """Looks at everything at most every :data:`FRESH_FOR` seconds, and only while somebody asks."""

    def __init__(self, hub: Hub, drivers: Drivers, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub, self._drivers, self._source, self._clock = hub, drivers, source, clock
        self._lock = threading.Lock()
        self._shown: Shown | None = None
        self._at = 0.0
        self._posts: list[Json] = []
        self._records: list[Json] = []

    def now(self) -> Shown:
        """How things stand."""
        with self._lock:
            if self._shown is None or self._clock() - self._at >= FRESH_FOR:
                self._shown = self._look()
                self._at = self._clock()
            return self._shown

    def stale(self) -> None:
        """Somebody just did something: look again next time."""
        with self._lock:
            self._at = -FRESH_FOR

    def _look(self) -> Shown:
        trouble: list[str] = []
        network, helpdesk = self._drivers.names
        # What was seen last stays on the page while a sandbox is restarting.
        posts = _tried(lambda: self._drivers.posts(POSTS), network, trouble)
        records = _tried(lambda: self._drivers.records(RECORDS), helpdesk, trouble)
        if posts is not None:
            self._posts = [_post(post) for post in posts]
        if records is not None:
            self._records = [_record(record) for record in records]
        scene = {"posts": self._posts, "records": self._records, "hub": self._of_hub(), "trouble": trouble}
        body = json.dumps(scene, ensure_ascii=False, separators=(",", ":")).encode()
        return Shown(body, hashlib.sha256(body).hexdigest()[:32])

    def _of_hub(self) -> Json:
        with self._hub.store.read() as connection:
            overview = views.overview(connection, self._hub.now())
            newest = views.ticket_rows(connection, limit=TICKETS)
            told = [_ticket(connection, row) for row in newest]
            silent = views.alarms(connection)
            stopped = bool(stop_talking(connection))
        lags = [ticket["lag"] for ticket in told if ticket["lag"] is not None]
        return {
            "mode": next((one.mode for one in overview if one.name == self._source), "live"),
            "tickets": told,
            "count": newest[0].id if newest else 0,
            "waiting": sum(one.backlog for one in overview),
            "parked": sum(one.parked for one in overview),
            "lag": round(statistics.median(lags), 1) if lags else None,
            "silenced": stopped,
            "alarms": [f"{alarm.connection}: {alarm.text}" for alarm in silent],
        }

    def waiting(self) -> int:
        """How much is on its way through the hub, for those who wait until it is idle."""
        with self._hub.store.read() as connection:
            return sum(one.backlog for one in views.overview(connection, self._hub.now()))

    def longest_post(self) -> int | None:
        """How many characters a post may have on this network, as its account says."""
        with self._hub.store.read() as connection:
            account = connections.get(connection, self._source).account or {}
        limits = account.get("reply_limits") or {}
        found: int | None = limits.get("max_length")
        return found


def stop_talking(connection: Any) -> object:
    """Whether all that goes out is halted."""
    return connections.read_switch(connection, connections.STOP_TALKING)


def _tried(call: Callable[[], T], name: str, trouble: list[str]) -> T | None:
    try:
        return call()
    except SandboxRefused as error:
        trouble.append(f"{name}: {error}")
        return None


def _post(post: SandboxPost) -> Json:
    return {
        "id": post.id,
        "author": post.author,
        "text": post.text,
        "at": post.created_at.isoformat(),
        "own": post.own,
        "reply_to": post.reply_to,
        "permalink": post.permalink,
        "privacy": post.privacy,
    }


def _record(record: SandboxRecord) -> Json:
    return {
        "id": record.id,
        "subject": record.subject,
        "status": record.status,
        "requester": record.requester,
        "at": record.created_at.isoformat(),
        "priority": record.priority,
        "group": record.group,
        "tags": list(record.tags),
        "comments": [
            {
                "id": comment.id,
                "author": comment.author,
                "text": comment.text,
                "public": comment.public,
                "at": comment.created_at.isoformat(),
                "role": comment.role,
            }
            for comment in record.comments
        ],
    }


def _ticket(connection: Any, row: views.TicketView) -> Json:
    events = list(tickets.timeline(connection, row.id))
    opened = next((event for event in events if event.kind == "record_opened"), None)
    first = next((event for event in events if event.kind == "customer_wrote" and event.data), None)
    lag = None
    if opened is not None and first is not None:
        written = messages.by_id(connection, first.data["message"]).created_at
        lag = max(0.0, round((opened.at - written).total_seconds(), 1))
    drafts = [event.kind for event in events if event.kind in ("answer_drafted", "draft_released")]
    return {
        "code": row.code,
        "record": (opened.data or {}).get("record", "") if opened is not None else "",
        "draft": drafts[-1:] == ["answer_drafted"],
        "author": row.author,
        "subject": row.subject,
        "status": row.status,
        "kind": row.kind,
        "category": row.category,
        "priority": row.priority,
        "team": row.team,
        "lag": lag,
        "events": [
            {"at": event.at.isoformat(), "kind": event.kind, "actor": event.actor, "data": _facts(event.data or {})}
            for event in events[-EVENTS:]
        ],
        "done": sorted({event.kind for event in events}),
    }


def _facts(data: Json) -> Json:
    """What the page says about an event; ids stay behind."""
    told = {
        key: data[key] for key in ("reason", "reasons", "team", "permalink", "url", "parts", "status") if key in data
    }
    return {key: value for key, value in told.items() if value not in (None, "", [])}
