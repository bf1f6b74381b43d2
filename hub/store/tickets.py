"""Tickets, their conversations and their timeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select, update

from hub.store import people, rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

SAME_TICKET_WITHIN = timedelta(hours=24)
REOPENS_WITHIN = timedelta(days=7)

_link = t.customer_link.c
_ACCOUNTS = select(_link.identity_id).where(
    _link.customer_id == people.CUSTOMER_OF.correlate(None).scalar_subquery(), _link.undone_at.is_(None)
)


def _statements(*, joined: bool) -> tuple[Select[Any], Select[Any]]:
    """An identity's tickets that are not closed, and those it has in a thread; ``joined``: its customer's."""

    def whose(table: Table) -> ColumnElement[bool]:
        return table.c.identity_id.in_(_ACCOUNTS) if joined else rows.where(table, "identity_id")[0]

    there = select(t.ticket).where(whose(t.ticket), *rows.where(t.ticket, "connection"), t.ticket.c.status != "closed")
    here = select(t.conversation.c.ticket_id).where(*rows.where(t.conversation, "thread_id"), whose(t.conversation))
    return there.order_by(t.ticket.c.id.desc()).limit(20), here


_STATEMENTS = {joined: _statements(joined=joined) for joined in (False, True)}
_CHANGE = update(t.ticket).where(*rows.where(t.ticket, "id")).values(version=t.ticket.c.version + 1).returning(t.ticket)


def by_id(connection: Connection, ticket_id: int) -> Row[Any]:
    """One ticket."""
    return rows.one(connection, t.ticket, {"id": ticket_id})


def by_code(connection: Connection, code: str) -> Row[Any] | None:
    """The ticket with this human number (upper or lower case) or uid."""
    query = select(t.ticket).where((t.ticket.c.code == code.upper()) | (t.ticket.c.uid == code))
    return connection.execute(query).first()


def by_uid(connection: Connection, uid: str) -> Row[Any] | None:
    """The ticket with this uid."""
    return rows.find(connection, t.ticket, {"uid": uid})


def for_message(
    connection: Connection,
    *,
    thread_id: int,
    identity_id: int,
    source: str,
    private: bool,
    now: datetime,
    joined: bool = False,
) -> tuple[Row[Any] | None, bool]:
    """The ticket a customer's new message belongs to, and whether it must be reopened; ``(None, False)``: a new one.

    Same thread and customer: its unsolved ticket, else one solved less than 7 days ago, reopened. Else the same
    identity on the same connection within 24 hours while the ticket is unsolved. What is private and what is public
    never share a ticket: an answer to the one must not appear under the other. What an agent called not ours takes in
    what is added to its threads, however late, and is never reopened by it. An
    identity that is ``joined`` has part in the tickets of its customer's other identities.
    """
    not_closed, in_this_thread = _STATEMENTS[joined]
    mine = rows.at({"identity_id": identity_id, "connection": source})
    candidates = [row for row in run(connection, not_closed, mine).all() if row.private == private]
    if not candidates:
        return None, False
    in_thread = rows.at({"thread_id": thread_id, "identity_id": identity_id})
    here = {row.ticket_id for row in run(connection, in_this_thread, in_thread)}
    for row in candidates:
        if row.id in here and row.status != "solved":
            return row, False
    for row in candidates:
        if row.id in here and row.not_ours:
            return row, False
    for row in candidates:
        if row.id in here and row.status == "solved" and (row.solved_at or row.updated_at) > now - REOPENS_WITHIN:
            return row, True
    for row in candidates:
        if row.status != "solved" and not row.not_ours and row.last_inbound_at > now - SAME_TICKET_WITHIN:
            return row, False
    return None, False


def create(tx: Tx, **values: Any) -> Row[Any]:
    """Make a ticket."""
    return rows.insert_returning(tx, t.ticket, values)


def change(tx: Tx, ticket_id: int, *, now: datetime, **values: Any) -> Row[Any]:
    """Set columns of a ticket and return it as it is now; its version goes up."""
    return run(tx.connection, _CHANGE, {"where_id": ticket_id, "updated_at": now, **values}).one()


def see_conversation(
    tx: Tx, *, thread_id: int, identity_id: int, ticket_id: int, connection: str, at: datetime, now: datetime
) -> int:
    """The id of the conversation of a customer in a thread within a ticket, with its clock moved to ``at``.

    The customer's first one in a thread makes them a participant of it.
    """
    key = {"thread_id": thread_id, "identity_id": identity_id, "ticket_id": ticket_id}
    values = {**key, "connection": connection, "created_at": now, "last_inbound_at": at}
    made = insert_new(tx, t.conversation, values, key=list(key))
    if made is not None:
        tx.later.add(t.participant, {"thread_id": thread_id, "identity_id": identity_id, "first_at": now}, new=True)
        return int(made.id)
    known = rows.change_returning(tx, t.conversation, key, {"last_inbound_at": at})
    assert known is not None  # noqa: S101 - the insert met it
    return int(known.id)


def conversation_by_id(connection: Connection, conversation_id: int) -> Row[Any]:
    """One conversation with its thread's natural key (``network``, ``thread_vendor_id``)."""
    query = (
        select(t.conversation, t.thread.c.network, t.thread.c.vendor_id.label("thread_vendor_id"))
        .join(t.thread, t.thread.c.id == t.conversation.c.thread_id)
        .where(t.conversation.c.id == conversation_id)
    )
    return connection.execute(query).one()


def conversations(connection: Connection, ticket: Row[Any]) -> Sequence[Row[Any]]:
    """A ticket's conversations with its customer, oldest first; not those with somebody who was parted from them."""
    here = t.conversation.c
    query = select(t.conversation).where(here.ticket_id == ticket.id, people.whose(here.identity_id, ticket))
    return connection.execute(query.order_by(here.id)).all()


def with_others(connection: Connection, identities: Collection[int]) -> Sequence[Row[Any]]:
    """The conversations that some of these accounts have in tickets of others of them, who are another customer."""
    here, link = t.conversation.c, t.customer_link.c
    query = (
        select(t.conversation)
        .join(t.ticket, t.ticket.c.id == here.ticket_id)
        .join(t.customer_link, link.identity_id == here.identity_id)
        .where(here.identity_id.in_(identities), t.ticket.c.identity_id.in_(identities))
        .where(link.undone_at.is_(None), link.customer_id != t.ticket.c.customer_id)
    )
    return connection.execute(query.order_by(here.id)).all()


def last_of(connection: Connection, identity_id: int) -> Row[Any] | None:
    """An identity's newest ticket."""
    query = select(t.ticket).where(t.ticket.c.identity_id == identity_id)
    return connection.execute(query.order_by(t.ticket.c.id.desc()).limit(1)).first()


def happened(connection: Connection, ticket_id: int, kind: str) -> bool:
    """True when the ticket's timeline has such a line."""
    query = select(t.event.c.id).where(t.event.c.ticket_id == ticket_id, t.event.c.kind == kind)
    return connection.execute(query.limit(1)).first() is not None


def in_thread(connection: Connection, thread_id: int) -> Sequence[Row[Any]]:
    """The conversations of a thread, newest first."""
    query = select(t.conversation).where(t.conversation.c.thread_id == thread_id)
    return connection.execute(query.order_by(t.conversation.c.id.desc())).all()


def add_event(tx: Tx, ticket_id: int, kind: str, /, *, now: datetime, actor: str = "", **data: Any) -> None:
    """Add a line to the ticket's timeline."""
    tx.later.add(t.event, {"ticket_id": ticket_id, "at": now, "kind": kind, "actor": actor, "data": data or None})


def timeline(connection: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """The ticket's events, oldest first."""
    query = select(t.event).where(t.event.c.ticket_id == ticket_id)
    return connection.execute(query.order_by(t.event.c.at, t.event.c.id)).all()
