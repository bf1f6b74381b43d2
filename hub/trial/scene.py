"""What the trial page shows: both sandboxes and the hub between them, in one answer that all viewers share."""

from __future__ import annotations

import hashlib
import json
import logging
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

from hub.flow.hub import Hub
from hub.sdk.sandboxes import SandboxPost, SandboxRecord
from hub.store import connections, messages, tickets, views
from hub.trial.drivers import Drivers, SandboxRefused

log = logging.getLogger("hub.trial.scene")

Json = dict[str, Any]
T = TypeVar("T")

FRESH_FOR = 0.7
"""Seconds an answer is good for: ten viewers cost as much as one."""
AFTER_TROUBLE = 3.0
"""Seconds it is good for when something did not answer: asking costs a time-out each time."""
PATIENCE = 2.0
"""Seconds a viewer waits for a look: the threads that serve the page serve webhooks too."""
POSTS, RECORDS, TICKETS, EVENTS = 60, 30, 30, 14
STEPS = {"received": "customer_wrote", "sorted": "ticket_opened", "ticket": "record_opened"}
OPENS_AGAIN = ("customer_wrote", "reopened")
ANSWERED = {
    "agent_answered": "sending",
    "answer_composed": "sending",
    "answer_drafted": "drafted",
    "draft_released": "sending",
    "answer_observed": "observed",
    "answer_refused": "refused",
    "answer_published": "published",
    "answered_natively": "published",
}
"""What an event of the timeline makes of the answer."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer, ready to be sent. Equal ``etag``: nothing changed."""

    body: bytes
    etag: str


class NothingToShow(Exception):
    """Nothing has been seen yet, or the last look failed: ask again in a moment."""


class _Looking:
    """A look on its way."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._began = time.monotonic()

    def wait(self) -> None:
        """Until it is done, :data:`PATIENCE` seconds after it began at the latest, however many wait."""
        self.done.wait(max(0.0, self._began + PATIENCE - time.monotonic()))


class Scene:
    """Looks at everything at most every :data:`FRESH_FOR` seconds, and only while somebody asks.

    A look has a thread of its own: one of the web's would be missing for webhooks while a sandbox is slow.
    """

    def __init__(self, hub: Hub, drivers: Drivers, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub, self._drivers, self._source, self._clock = hub, drivers, source, clock
        self._lock = threading.Lock()
        self._shown: Shown | None = None
        self._looking: _Looking | None = None
        self._good_until: float | None = None
        self._acts = 0
        self._posts: list[Json] = []
        self._records: list[Json] = []

    def now(self) -> Shown:
        """How things stand, or stood while a look takes its time. Raises :class:`NothingToShow`."""
        with self._lock:
            looking, old = self._looking, self._shown
            begins = looking is None and (self._good_until is None or self._clock() >= self._good_until)
            if begins:
                looking = _Looking()
                threading.Thread(target=self._see, args=(looking, self._acts), name="trial-scene", daemon=True).start()
                self._looking = looking
        if looking is not None and (begins or old is None):
            looking.wait()
        with self._lock:
            if self._shown is None:
                raise NothingToShow
            return self._shown

    def stale(self) -> None:
        """Somebody just did something: look again next time."""
        with self._lock:
            self._acts += 1
            self._good_until = None

    def _see(self, looking: _Looking, acts: int) -> None:
        shown, good_for = None, AFTER_TROUBLE
        try:
            shown, good_for = self._look()
        except Exception:
            log.exception("the trial page cannot be shown")
        with self._lock:
            self._shown, self._looking = shown, None
            # What was done while it looked it may not have seen.
            self._good_until = self._clock() + good_for if acts == self._acts else None
        looking.done.set()

    def _look(self) -> tuple[Shown, float]:
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
        # Half a surrogate pair in somebody's text must not take the page from everybody.
        body = json.dumps(scene, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return Shown(body, hashlib.sha256(body).hexdigest()[:32]), AFTER_TROUBLE if trouble else FRESH_FOR

    def _of_hub(self) -> Json:
        with self._hub.store.read() as connection:
            overview = views.overview(connection, self._hub.now())
            newest = views.ticket_rows(connection, limit=TICKETS)
            drafts = views.drafts_waiting(connection, [row.id for row in newest])
            silent = views.alarms(connection)
            stopped = bool(stop_talking(connection))
            modes = {one.name: one.mode for one in overview}
            told = [
                _ticket(connection, row, draft=row.id in drafts, halted=stopped)
                | {"connection": row.connection, "mode": modes.get(row.connection, "live")}
                for row in newest
            ]
        lags = [ticket["lag"] for ticket in told if ticket["lag"] is not None]
        return {
            "mode": modes.get(self._source, "live"),
            "others": [
                one.name for one in overview if one.side == "source" and one.name != self._source and not one.gone
            ],
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

    def has_draft(self, record: str) -> bool:
        """Whether an answer given in this record waits as a draft."""
        # Not what is shown: that may be old, and whether the tag did something must be true.
        told = self._of_hub()["tickets"]
        return any(ticket["draft"] for ticket in told if ticket["record"] == record)

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


def _ticket(connection: Any, row: views.TicketView, *, draft: bool, halted: bool) -> Json:
    events = list(tickets.timeline(connection, row.id))
    said = {message.id: message for message in messages.of_ticket(connection, row.id)}
    opened = next((event for event in events if event.kind == "record_opened"), None)
    first = next((event for event in events if event.kind == "customer_wrote" and event.data), None)
    lag = None
    if opened is not None and first is not None:
        lag = max(0.0, round((opened.at - said[first.data["message"]].created_at).total_seconds(), 1))
    done = [name for name, kind in STEPS.items() if any(event.kind == kind for event in events)]
    answer = _answer(events, draft=draft, halted=halted)
    last = next((event for event in reversed(events) if event.kind == "customer_wrote" and event.data), None)
    return {
        "code": row.code,
        "record": (opened.data or {}).get("record", "") if opened is not None else "",
        "draft": draft,
        "author": row.author,
        "subject": row.subject,
        "status": row.status,
        "kind": row.kind,
        "category": row.category,
        "priority": row.priority,
        "team": row.team,
        "lag": lag,
        "events": _told(events, said)[-EVENTS:],
        "done": [*done, *(["answered"] if answer else []), *(["published"] if answer == "published" else [])],
        "answer": answer,
        "private": last is not None and said[last.data["message"]].privacy == "direct",
    }


def _answer(events: Sequence[Any], *, draft: bool, halted: bool) -> str:
    """How it stands with the answer to the customer's last word; empty when there is none yet."""
    state = "drafted" if draft else ""
    for event in events:
        if event.kind in OPENS_AGAIN:
            state = "drafted" if draft else ""
        elif event.kind == "answer_published" and (event.data or {}).get("part") != (event.data or {}).get("parts"):
            state = "sending"
        elif event.kind == "delivery_discarded":  # of a delivery to the helpdesk this tells nothing
            state = "refused" if state == "drafted" else state
        elif event.kind in ANSWERED:
            state = ANSWERED[event.kind]
    if state == "drafted" and not draft:
        state = "sending"
    if state == "published" and draft:
        state = "drafted"
    if state == "sending" and halted:
        state = "halted"
    return state


def _told(events: Sequence[Any], said: Mapping[int, Any]) -> list[Json]:
    """The timeline for people: an answer in several parts is published once."""
    told: list[Json] = []
    private = False
    for event, after in zip_longest(events, events[1:]):
        data = event.data or {}
        if event.kind == "customer_wrote" and data.get("message") in said:
            private = said[data["message"]].privacy == "direct"
        shown = {"at": event.at.isoformat(), "kind": event.kind, "actor": event.actor, "data": _facts(data)}
        if event.kind == "answer_published":
            if after is not None and after.kind == event.kind and (after.data or {}).get("part") == data["part"] + 1:
                continue
            shown["private"] = private
            shown["data"]["part"] = data["part"]
        told.append(shown)
    return told


def _facts(data: Json) -> Json:
    """What the page says about an event; ids stay behind."""
    told = {
        key: data[key] for key in ("reason", "reasons", "team", "permalink", "url", "parts", "status") if key in data
    }
    return {key: value for key, value in told.items() if value not in (None, "", [])}
