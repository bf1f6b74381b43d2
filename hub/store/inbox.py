"""The door in: arrivals, and the events taken from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, select, text, update

from hub.sdk import AnyEvent, Unreadable
from hub.store import rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

_earlier = t.inbox.alias("earlier")
_HELD = exists().where(
    and_(
        text("earlier.state = 'new'"),
        _earlier.c.connection == t.inbox.c.connection,
        _earlier.c.lane == t.inbox.c.lane,
        _earlier.c.id < t.inbox.c.id,
        _earlier.c.due_at > bindparam("now"),
    )
)
# The states in the words of the indexes: SQLite must see them to use a partial index.
_DUE = (
    select(t.inbox)
    .where(
        text("inbox.state = 'new'"),
        t.inbox.c.connection == bindparam("name"),
        t.inbox.c.due_at <= bindparam("now"),
        ~_HELD,
    )
    .order_by(t.inbox.c.id)
    .limit(bindparam("most"))
)
_WITH_DUE = (
    select(t.inbox.c.connection).where(text("inbox.state = 'new'"), t.inbox.c.due_at <= bindparam("now")).distinct()
)
_IS_NEW = select(t.inbox.c.id).where(*rows.where(t.inbox, "id"), t.inbox.c.state == "new").with_for_update()


def add_arrival(
    tx: Tx,
    *,
    connection: str,
    method: str,
    content_type: str,
    headers: dict[str, str],
    body: bytes,
    digest: str,
    note: str,
    now: datetime,
) -> int:
    """Store a raw body as it came; return its id."""
    values = {
        "connection": connection,
        "received_at": now,
        "method": method,
        "content_type": content_type,
        "headers": headers,
        "body": body,
        "digest": digest,
        "note": note,
    }
    return rows.insert_id(tx, t.arrival, values)


def add_events(
    tx: Tx, *, connection: str, events: Iterable[AnyEvent], now: datetime, arrival_id: int | None = None
) -> list[int]:
    """Store events as new (unreadable ones parked); return the ids of those that were not known."""
    ids = []
    for event, payload in map(_written, events):
        unreadable = event.type == "unreadable"
        row = insert_new(
            tx,
            t.inbox,
            {
                "connection": connection,
                "event_key": event.event_key,
                "arrival_id": arrival_id,
                "lane": event.lane or lane_of(event),
                "type": event.type,
                "payload": payload,
                "state": "parked" if unreadable else "new",
                "reason": event.reason if event.type == "unreadable" else "",
                "created_at": now,
                "due_at": now,
            },
            key=["connection", "event_key"],
        )
        if row is not None:
            ids.append(int(row.id))
    return ids


def _written(event: AnyEvent) -> tuple[AnyEvent, str]:
    """The event and its JSON. What no JSON carries (half a character, a thousand lists in each other) is parked, or its
    sender would try again for ever."""
    try:
        return event, event.model_dump_json()
    except ValueError as error:
        why = f"it cannot be stored: {error}"[:200]
        parked = Unreadable(event_key=f"unwritable:{event.event_key}", raw="", reason=why)
        return parked, parked.model_dump_json()


def lane_of(event: AnyEvent) -> str:
    """Events of one author, or of one record, come one after the other."""
    if event.type == "message":
        return f"author:{event.message.network}:{event.message.author.id}"
    if event.type == "message_deleted":
        return f"message:{event.network}:{event.message_id}"
    if event.type in ("comment", "record"):
        return f"record:{event.record_id}"
    if event.type == "hint":
        return f"record:{event.record}"
    return "unreadable"


def due(connection: Connection, name: str, *, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """A connection's new events that may go on, oldest first. One that must wait holds the later ones of its lane."""
    return run(connection, _DUE, {"name": name, "now": now, "most": limit}).all()


def nudged(name: str) -> str:
    """What to call when a connection has new events."""
    return f"inbox of {name}"


def with_due(connection: Connection, *, now: datetime) -> list[str]:
    """The connections that have events due."""
    return list(run(connection, _WITH_DUE, {"now": now}).scalars())


def by_id(connection: Connection, inbox_id: int) -> Row[Any] | None:
    """One event."""
    return rows.find(connection, t.inbox, {"id": inbox_id})


def is_new(tx: Tx, inbox_id: int) -> bool:
    """True while the event is still to be done: the check that makes a unit safe to run twice."""
    return run(tx.connection, _IS_NEW, rows.at({"id": inbox_id})).first() is not None


def finish(
    tx: Tx,
    inbox_id: int,
    state: str,
    *,
    now: datetime,
    reason: str = "",
    detail: str = "",
    ticket_id: int | None = None,
) -> None:
    """End an event: done, ignored(reason), parked(reason) or discarded(by)."""
    values = {"state": state, "reason": reason, "detail": detail, "done_at": now, "ticket_id": ticket_id}
    rows.change(tx, t.inbox, {"id": inbox_id}, values)


def postpone(tx: Tx, inbox_id: int, *, until: datetime, reason: str, count: bool = True) -> None:
    """Leave an event new and look again ``until``."""
    values: dict[str, Any] = {"due_at": until, "reason": reason}
    if count:
        values["attempts"] = t.inbox.c.attempts + 1
    tx.execute(update(t.inbox).where(t.inbox.c.id == inbox_id).values(**values))


def try_again(tx: Tx, inbox_id: int, *, now: datetime) -> None:
    """Take up a parked event as if it had just come."""
    values = {
        "state": "new",
        "reason": "tried again by hand",
        "detail": "",
        "due_at": now,
        "done_at": None,
        "attempts": 0,
    }
    rows.change(tx, t.inbox, {"id": inbox_id}, values)


def coalesce_hints(tx: Tx, row: Row[Any], *, now: datetime) -> None:
    """Later hints to the same record are answered by completing this one."""
    tx.execute(
        update(t.inbox)
        .where(
            t.inbox.c.connection == row.connection,
            t.inbox.c.lane == row.lane,
            t.inbox.c.type == "hint",
            t.inbox.c.state == "new",
            t.inbox.c.id != row.id,
        )
        .values(state="ignored", reason=f"joined with event {row.id}", done_at=now)
    )


def prune_arrivals(tx: Tx, *, before: datetime) -> int:
    """Drop raw bodies older than ``before`` whose events all ended; the inbox keys stay and still remove
    re-deliveries."""
    pending = exists().where(t.inbox.c.arrival_id == t.arrival.c.id, t.inbox.c.state.in_(("new", "parked")))
    old = select(t.arrival.c.id).where(t.arrival.c.received_at < before, ~pending).limit(500)
    ids = [row.id for row in tx.execute(old)]
    if ids:
        tx.execute(update(t.inbox).where(t.inbox.c.arrival_id.in_(ids)).values(arrival_id=None))
        tx.execute(delete(t.arrival).where(t.arrival.c.id.in_(ids)))
    return len(ids)


def count_by_state(connection: Connection) -> Sequence[Row[Any]]:
    """(connection, state, count)."""
    query = select(t.inbox.c.connection, t.inbox.c.state, func.count().label("count"))
    return connection.execute(query.group_by(t.inbox.c.connection, t.inbox.c.state)).all()
