"""Where the words of one message lie in the store, and putting others in their place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from hub.store import rows
from hub.store import tables as t
from hub.store.writer import Tx

REDACTED = "▇▇▇▇"
"""What stands for words that are gone: the same in every language, and the sign Zendesk uses."""

KIND = "redacted"
_FRAGMENT = 80
_AT_ONCE = 200
"""SQLite takes no condition of more than a thousand parts, and a post may have been edited as often."""


def marked(connection: Connection, ticket_id: int | None, message_id: int) -> Row[Any] | None:
    """The newest line of the timeline that says this message was redacted; ``None``: it was not."""
    if ticket_id is None:
        return None
    query = select(t.event).where(t.event.c.ticket_id == ticket_id, t.event.c.kind == KIND)
    found = connection.execute(query.order_by(t.event.c.id.desc())).all()
    return next((row for row in found if (row.data or {}).get("message") == message_id), None)


def revisions(connection: Connection, message_id: int) -> list[str]:
    """Every wording a message had."""
    query = select(t.message_revision.c.text).where(t.message_revision.c.message_id == message_id)
    return list(connection.execute(query).scalars())


def comments(connection: Connection, message_id: int) -> Sequence[Row[Any]]:
    """The helpdesk comments that carry a message, each with its record's id (``record_id``)."""
    query = (
        select(t.comment_link, t.record_link.c.vendor_id.label("record_id"), t.record_link.c.url.label("record_url"))
        .join(t.record_link, t.record_link.c.id == t.comment_link.c.record_link_id)
        .where(t.comment_link.c.message_id == message_id)
    )
    return connection.execute(query.order_by(t.comment_link.c.id)).all()


def sent_for(connection: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """Every delivery of a ticket, oldest first."""
    query = select(t.delivery).where(t.delivery.c.ticket_id == ticket_id)
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def set_body(tx: Tx, delivery_id: int, body: str) -> None:
    """Put other words into a delivery, and drop what a vendor said of the old ones."""
    rows.change(tx, t.delivery, {"id": delivery_id}, {"body": body})
    rows.change(tx, t.attempt, {"delivery_id": delivery_id}, {"detail": ""})


def follow_later(tx: Tx, message_id: int, *, ticket_id: int | None = None) -> None:
    """Mark what carries a message: what is leaving now is frozen, and a comment's id may be told later. Of its ticket,
    too, whatever is leaving: it names the ticket's subject."""
    column = t.delivery.c
    mine = column.message_id == message_id
    if ticket_id is not None:
        mine = or_(mine, and_(column.ticket_id == ticket_id, column.state.in_(("claimed", "sending", "unknown"))))
    tx.execute(update(t.delivery).where(mine, column.verb != "redact_comment").values(to_redact=True))


def discard_claimed(tx: Tx, delivery_id: int, *, reason: str, now: datetime) -> None:
    """End a delivery that a sender holds and has not begun to send; nothing when it has."""
    values = {"state": "discarded", "reason": reason, "done_at": now, "claim_token": "", "lease_until": None}
    rows.change(tx, t.delivery, {"id": delivery_id, "state": "claimed"}, values)


def set_text(tx: Tx, message_id: int, *, text: str, subject: str, attachments: list[dict[str, Any]]) -> None:
    """Make these a message's only words: of its revisions nothing is left but that they were."""
    tx.write_later()  # a revision may have come in this very commit
    values = {"text": text, "subject": subject, "attachments": attachments}
    rows.change(tx, t.message, {"id": message_id}, values)
    rows.change(tx, t.message_revision, {"message_id": message_id}, {"text": REDACTED})


def neighbours(connection: Connection, stored: Row[Any]) -> Sequence[Row[Any]]:
    """The messages that may quote this one: of its ticket, and of its thread."""
    near = t.message.c.ticket_id == stored.ticket_id
    if stored.thread_id is not None:
        here = select(t.conversation.c.id).where(t.conversation.c.thread_id == stored.thread_id)
        near = or_(near, t.message.c.conversation_id.in_(here))
    query = select(t.message).where(near, t.message.c.context.is_not(None))
    return connection.execute(query).all()


def set_context(tx: Tx, message_id: int, context: Any) -> None:
    """Put other quotes into a message."""
    rows.change(tx, t.message, {"id": message_id}, {"context": context})


def thread_title(connection: Connection, thread_id: int | None) -> str:
    """What a thread is called: often the first words said in it."""
    return "" if thread_id is None else str(rows.one(connection, t.thread, {"id": thread_id}).title)


def set_thread_title(tx: Tx, thread_id: int, title: str) -> None:
    """Call a thread something else."""
    rows.change(tx, t.thread, {"id": thread_id}, {"title": title})


def forget_shown(tx: Tx, ticket_id: int, message_id: int) -> None:
    """The timeline shows what would be, or was, published: of this message no more."""
    tx.write_later()
    query = select(t.event).where(t.event.c.ticket_id == ticket_id)
    for row in tx.execute(query).all():
        data = row.data or {}
        if data.get("message") == message_id and "parts" in data:
            rows.change(tx, t.event, {"id": row.id}, {"data": {**data, "parts": [REDACTED]}})


def events_with(connection: Connection, ids: Iterable[str], texts: Iterable[str]) -> Sequence[Row[Any]]:
    """The inbox rows that may name one of these vendor ids or hold one of these texts. Reads the whole inbox (no index
    knows what is in it): for the rare redaction only."""
    column = t.inbox.c.payload
    parts = [json.dumps(one, ensure_ascii=False) for one in ids]
    parts += [json.dumps(one, ensure_ascii=False)[1:-1][:_FRAGMENT] for one in texts]
    parts, found = list(dict.fromkeys(parts)), dict[int, Row[Any]]()
    for first in range(0, len(parts), _AT_ONCE):
        some = (column.contains(part, autoescape=True) for part in parts[first : first + _AT_ONCE])
        found |= {row.id: row for row in connection.execute(select(t.inbox).where(or_(*some)))}
    return [found[one] for one in sorted(found)]


def set_payload(tx: Tx, inbox_id: int, payload: str) -> None:
    """Put other words into an event."""
    rows.change(tx, t.inbox, {"id": inbox_id}, {"payload": payload, "detail": ""})


def forget_arrivals(tx: Tx, events: Iterable[Row[Any]]) -> None:
    """Empty the raw bodies from which these events, and the hints of their lanes, were taken. Nothing reads a body
    again once its events are in the inbox."""
    ids, lanes = set[int](), dict[str, set[str]]()
    for row in events:
        lanes.setdefault(row.connection, set()).add(row.lane)
        if row.arrival_id is not None:
            ids.add(row.arrival_id)
    for name, named in lanes.items():
        query = select(t.inbox.c.arrival_id).where(
            t.inbox.c.connection == name,
            t.inbox.c.arrival_id.is_not(None),
            t.inbox.c.type == "hint",
            t.inbox.c.lane.in_(named),
        )
        ids |= set(tx.execute(query).scalars())
    if ids:
        emptied = {"body": b"", "note": "emptied: something in it was redacted"}
        tx.execute(update(t.arrival).where(t.arrival.c.id.in_(ids)).values(**emptied))
