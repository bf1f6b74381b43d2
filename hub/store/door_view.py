"""What came in and what goes out, row by row: for the console, ``hub parked`` and ``--json``. Secrets are masked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, select, text

from hub.store import tables as t
from hub.store.ticket_view import AttemptView

Door = Literal["inbox", "outbox"]

GREATEST_ID = 2**63 - 1
"""Drivers raise on a greater number instead of finding nothing."""
PREVIEW = 160
OWN_MEMO = ("answer_with", "fields", "emails", "phones")
"""Parts of a payload that people need not see to decide: a connector's memo, and collected personal data."""
SECRET_WORDS = ("token", "secret", "password", "authorization", "api_key", "apikey", "cookie", "credential")

MADE_PUBLIC = "an old internal note was made public"
"""How the reason of an event begins that is parked for people to know of it."""
DRAFT = "draft:"
"""How the reason of a delivery begins that waits for the agent's word."""

# Written out, not bound: SQLite uses a partial index only when it can read the condition.
INBOX_NEW = text("inbox.state = 'new'")
INBOX_PARKED = text("inbox.state = 'parked'")
OUTBOX_OPEN = text("delivery.state NOT IN ('done','superseded','discarded')")


@dataclass(frozen=True, slots=True)
class ParkedView:
    """One thing that stopped. ``what`` is an event's type or a delivery's verb."""

    door: Door
    id: int
    connection: str
    what: str
    reason: str
    since: datetime
    ticket_code: str
    detail: str

    @property
    def only_to_settle(self) -> bool:
        """True when there is nothing to try again: somebody reads it and closes it."""
        return self.reason.startswith(MADE_PUBLIC)

    @property
    def is_draft(self) -> bool:
        """True for an answer that waits until somebody says that it may be published."""
        return self.reason.startswith(DRAFT)


@dataclass(frozen=True, slots=True)
class ParkedDetail:
    """The same with all there is: the payload (secrets masked), the trace, and what was tried."""

    view: ParkedView
    state: str
    payload: Any
    trace: str
    attempts: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True)
class InboxView:
    """One event that came in."""

    id: int
    connection: str
    what: str
    event_key: str
    state: str
    reason: str
    attempts: int
    created_at: datetime
    due_at: datetime
    done_at: datetime | None
    ticket_code: str


@dataclass(frozen=True, slots=True)
class OutboxView:
    """One delivery that goes out."""

    id: int
    connection: str
    what: str
    state: str
    reason: str
    attempts: int
    created_at: datetime
    due_at: datetime
    done_at: datetime | None
    ticket_code: str
    permalink: str


def parked(connection: Connection, limit: int = 200, *, name: str = "") -> list[ParkedView]:
    """What stopped at either door (at one connection, with ``name``), newest first."""
    events = _with_code(t.inbox).where(INBOX_PARKED)
    sendings = _with_code(t.delivery).where(text("delivery.state = 'parked'"), OUTBOX_OPEN)
    found = [
        _parked_view(door, row)
        for door, table, query in (("inbox", t.inbox, events), ("outbox", t.delivery, sendings))
        for row in connection.execute(_page(query, table, name=name, before=None, limit=limit))
    ]
    return sorted(found, key=lambda one: one.since, reverse=True)[:limit]


def parked_one(connection: Connection, door: str, number: int) -> ParkedDetail | None:
    """One event or delivery with everything, whether it is (still) parked or not."""
    if door not in ("inbox", "outbox") or not 0 <= number <= GREATEST_ID:
        return None
    table = t.inbox if door == "inbox" else t.delivery
    row = connection.execute(_with_code(table).where(table.c.id == number)).first()
    if row is None:
        return None
    tried: Sequence[Row[Any]] = ()
    if door == "outbox":
        query = select(t.attempt).where(t.attempt.c.delivery_id == number).order_by(t.attempt.c.id)
        tried = connection.execute(query).all()
    return ParkedDetail(
        view=_parked_view(door, row),
        state=row.state,
        payload=without_secrets(_read(row.payload if door == "inbox" else row.body)),
        trace=row.detail if door == "inbox" else "",
        attempts=tuple(AttemptView.of(one) for one in tried),
    )


def _parked_view(door: str, row: Row[Any]) -> ParkedView:
    is_event = door == "inbox"
    return ParkedView(
        door="inbox" if is_event else "outbox",
        id=row.id,
        connection=row.connection,
        what=row.type if is_event else row.verb,
        reason=row.reason,
        since=(row.done_at if is_event else row.last_attempt_at) or row.created_at,
        ticket_code=row.code or "",
        detail=_preview(_read(row.payload if is_event else row.body)),
    )


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _preview(payload: Any) -> str:
    """The words of it, if it has any."""
    if not isinstance(payload, dict):
        return ""
    for key in ("message", "comment", "said"):
        if isinstance(payload.get(key), dict):
            payload = payload[key]
    words = " ".join(str(payload.get("text") or payload.get("note") or payload.get("raw") or "").split())
    return words if len(words) <= PREVIEW else words[: PREVIEW - 1] + "…"


def without_secrets(value: Any, key: str = "") -> Any:
    """A payload as people may see it: memos, personal fields and whatever is named like a secret are masked."""
    if value and (key in OWN_MEMO or any(word in key.lower() for word in SECRET_WORDS)):
        return "…"
    if isinstance(value, dict):
        return {name: without_secrets(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def inbox_rows(
    connection: Connection, *, state: str = "", name: str = "", before: int | None = None, limit: int = 50
) -> list[InboxView]:
    """Events, newest first. The next page is ``before`` the last id."""
    query = _page(_with_code(t.inbox), t.inbox, state=state, name=name, before=before, limit=limit)
    return [
        InboxView(
            id=row.id,
            connection=row.connection,
            what=row.type,
            event_key=row.event_key,
            state=row.state,
            reason=row.reason,
            attempts=row.attempts,
            created_at=row.created_at,
            due_at=row.due_at,
            done_at=row.done_at,
            ticket_code=row.code or "",
        )
        for row in connection.execute(query)
    ]


def outbox_rows(
    connection: Connection, *, state: str = "", name: str = "", before: int | None = None, limit: int = 50
) -> list[OutboxView]:
    """Deliveries, newest first. The next page is ``before`` the last id."""
    query = _page(_with_code(t.delivery), t.delivery, state=state, name=name, before=before, limit=limit)
    return [
        OutboxView(
            id=row.id,
            connection=row.connection,
            what=row.verb,
            state=row.state,
            reason=row.reason,
            attempts=row.attempts,
            created_at=row.created_at,
            due_at=row.due_at,
            done_at=row.done_at,
            ticket_code=row.code or "",
            permalink=(row.receipt or {}).get("permalink", ""),
        )
        for row in connection.execute(query)
    ]


def _with_code(table: Any) -> Select[Any]:
    return select(table, t.ticket.c.code).outerjoin(t.ticket, t.ticket.c.id == table.c.ticket_id)


def _page(
    query: Select[Any], table: Any, *, state: str = "", name: str = "", before: int | None, limit: int
) -> Select[Any]:
    if state:
        query = query.where(table.c.state == state)
    if name:
        query = query.where(table.c.connection == name)
    if before is not None:
        query = query.where(table.c.id < before)
    return query.order_by(table.c.id.desc()).limit(limit)
