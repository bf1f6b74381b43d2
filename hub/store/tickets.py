"""Tickets, their conversations and their timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hub.store import tables as t
from hub.store.upsert import insert_new
from hub.store.writer import Tx

SAME_TICKET_WITHIN = timedelta(hours=24)
REOPENS_WITHIN = timedelta(days=7)


def by_id(connection: Connection, ticket_id: int) -> Row[Any]:
    """One ticket."""
    return connection.execute(select(t.ticket).where(t.ticket.c.id == ticket_id)).one()


def by_code(connection: Connection, code: str) -> Row[Any] | None:
    """The ticket with this human number (upper or lower case) or uid."""
    query = select(t.ticket).where((t.ticket.c.code == code.upper()) | (t.ticket.c.uid == code))
    return connection.execute(query).first()


def by_uid(connection: Connection, uid: str) -> Row[Any] | None:
    """The ticket with this uid."""
    return connection.execute(select(t.ticket).where(t.ticket.c.uid == uid)).first()


def for_message(
    connection: Connection, *, thread_id: int, identity_id: int, source: str, now: datetime
) -> tuple[Row[Any] | None, bool]:
    """The ticket a customer's new message belongs to, and whether it must be reopened; ``(None, False)``: a new one.

    Same thread and customer: its unsolved ticket. Else the same identity on the same connection within 24 hours while
    the ticket is unsolved. Else one solved less than 7 days ago in the same thread, reopened.
    """
    mine = (
        select(t.ticket)
        .where(t.ticket.c.identity_id == identity_id, t.ticket.c.connection == source, t.ticket.c.status != "closed")
        .order_by(t.ticket.c.id.desc())
        .limit(20)
    )
    candidates = connection.execute(mine).all()
    if not candidates:
        return None, False
    threads = select(t.conversation.c.ticket_id).where(
        t.conversation.c.thread_id == thread_id, t.conversation.c.identity_id == identity_id
    )
    here = {row.ticket_id for row in connection.execute(threads)}
    for row in candidates:
        if row.id in here and row.status != "solved":
            return row, False
    for row in candidates:
        if row.status != "solved" and row.last_inbound_at > now - SAME_TICKET_WITHIN:
            return row, False
    for row in candidates:
        if row.id in here and row.status == "solved" and (row.solved_at or row.updated_at) > now - REOPENS_WITHIN:
            return row, True
    return None, False


def create(tx: Tx, **values: Any) -> Row[Any]:
    """Make a ticket."""
    return tx.execute(t.ticket.insert().values(**values).returning(t.ticket)).one()


def change(tx: Tx, ticket_id: int, *, now: datetime, **values: Any) -> None:
    """Set columns of a ticket; its version goes up."""
    tx.execute(
        update(t.ticket)
        .where(t.ticket.c.id == ticket_id)
        .values(updated_at=now, version=t.ticket.c.version + 1, **values)
    )


def see_conversation(
    tx: Tx, *, thread_id: int, identity_id: int, ticket_id: int, connection: str, at: datetime, now: datetime
) -> int:
    """The id of the conversation of a customer in a thread within a ticket, with its clock moved to ``at``."""
    values = {
        "thread_id": thread_id,
        "identity_id": identity_id,
        "ticket_id": ticket_id,
        "connection": connection,
        "created_at": now,
        "last_inbound_at": at,
    }
    made = insert_new(tx, t.conversation, values, key=["thread_id", "identity_id", "ticket_id"])
    if made is not None:
        return int(made.id)
    where = (
        (t.conversation.c.thread_id == thread_id)
        & (t.conversation.c.identity_id == identity_id)
        & (t.conversation.c.ticket_id == ticket_id)
    )
    changed = update(t.conversation).where(where).values(last_inbound_at=at).returning(t.conversation.c.id)
    return int(tx.execute(changed).scalar_one())


def conversation_by_id(connection: Connection, conversation_id: int) -> Row[Any]:
    """One conversation with its thread's natural key (``network``, ``thread_vendor_id``)."""
    query = (
        select(t.conversation, t.thread.c.network, t.thread.c.vendor_id.label("thread_vendor_id"))
        .join(t.thread, t.thread.c.id == t.conversation.c.thread_id)
        .where(t.conversation.c.id == conversation_id)
    )
    return connection.execute(query).one()


def in_thread(connection: Connection, thread_id: int) -> Sequence[Row[Any]]:
    """The conversations of a thread, newest first."""
    query = select(t.conversation).where(t.conversation.c.thread_id == thread_id)
    return connection.execute(query.order_by(t.conversation.c.id.desc())).all()


def add_event(tx: Tx, ticket_id: int, kind: str, /, *, now: datetime, actor: str = "", **data: Any) -> None:
    """Add a line to the ticket's timeline."""
    tx.execute(t.event.insert().values(ticket_id=ticket_id, at=now, kind=kind, actor=actor, data=data or None))


def timeline(connection: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """The ticket's events, oldest first."""
    query = select(t.event).where(t.event.c.ticket_id == ticket_id)
    return connection.execute(query.order_by(t.event.c.at, t.event.c.id)).all()
