"""What the hub sent, or is about to send, for one ticket: to its record, and to the customer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, cast, exists, func, literal, select

from hub.store import tables as t
from hub.store.deliveries import NOT_ENDED

LIVE = ("waiting", "claimed", "sending", "unknown")
_NOT_BEGUN = (
    t.delivery.c.verb == "reply",
    (t.delivery.c.state == "waiting") | ((t.delivery.c.state == "parked") & t.delivery.c.first_attempt_at.is_(None)),
)


def updates(connection: Connection, ticket_id: int, sink: str, *, most: int = 20) -> Sequence[Row[Any]]:
    """The newest field updates of a ticket's record that arrived or still may, newest first."""
    columns = t.delivery.c
    query = select(t.delivery).where(
        columns.ticket_id == ticket_id,
        columns.connection == sink,
        columns.verb == "update_fields",
        columns.state.in_((*LIVE, "done")),
    )
    return connection.execute(query.order_by(columns.id.desc()).limit(most)).all()


def last_answer(connection: Connection, ticket_id: int) -> int | None:
    """The message that was last published as an answer, or is on its way; ``None``: there is none."""
    columns = t.delivery.c
    query = select(columns.message_id).where(
        columns.ticket_id == ticket_id,
        columns.verb == "reply",
        columns.message_id.is_not(None),
        columns.state.in_((*LIVE, "done")),
    )
    return connection.execute(query.order_by(columns.message_id.desc()).limit(1)).scalar()


def told(connection: Connection, message_id: int) -> set[str]:
    """The lanes an answer went to, is going to, or stopped in."""
    query = (
        select(t.lane.c.key)
        .join(t.delivery, t.delivery.c.lane_id == t.lane.c.id)
        .where(t.delivery.c.message_id == message_id, t.delivery.c.verb == "reply")
        .where(t.delivery.c.state.not_in(("superseded", "discarded")))
    )
    return set(connection.execute(query).scalars())


def ordered_since(connection: Connection, ticket_id: int, *, since: datetime) -> int:
    """How often agents' commands changed a ticket's record since then."""
    columns = t.delivery.c
    query = select(func.count()).where(
        columns.ticket_id == ticket_id,
        columns.key.startswith("update_fields:command:", autoescape=True),
        columns.created_at > since,
    )
    return int(connection.execute(query).scalar_one())


def replies_not_begun(connection: Connection, message_id: int) -> Sequence[Row[Any]]:
    """What waits to be published of an answer, as a draft or in its turn: nothing of it can have left."""
    query = select(t.delivery).where(t.delivery.c.message_id == message_id, *_NOT_BEGUN)
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def waiting_in(connection: Connection, lanes: Collection[str]) -> Sequence[Row[Any]]:
    """What waits to be published in these lanes, as :func:`replies_not_begun`, each with its ``lane``."""
    query = (
        select(t.delivery, t.lane.c.key.label("lane"))
        .join(t.lane, t.lane.c.id == t.delivery.c.lane_id)
        .where(t.lane.c.key.in_(lanes), *_NOT_BEGUN)
    )
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def customer_words_kept_back(connection: Connection, ticket_id: int, sink: str, *, reason: str) -> Sequence[Row[Any]]:
    """A customer's messages of a ticket that never left for this helpdesk for this ``reason``, oldest first."""
    columns = t.delivery.c
    kept = select(columns.message_id).where(
        columns.ticket_id == ticket_id,
        columns.connection == sink,
        columns.state == "discarded",
        columns.reason == reason,
    )
    query = select(t.message).where(
        t.message.c.id.in_(kept), t.message.c.direction == "inbound", t.message.c.deleted_at.is_(None)
    )
    return connection.execute(query.order_by(t.message.c.id)).all()


def answers_waiting(
    connection: Connection, sources: Collection[str], *, since: datetime, told_by: str, most: int
) -> Sequence[Row[Any]]:
    """The ids of answers that wait to be published at ``sources``, might have been since then, and for which no
    delivery ``<told_by><message>:<source>:<sink>`` was made yet."""
    columns, note = t.delivery.c, t.delivery.alias()
    key = literal(told_by) + cast(columns.message_id, String) + ":" + columns.connection + ":" + t.ticket.c.sink
    query = (
        select(columns.id)
        .join(t.ticket, t.ticket.c.id == columns.ticket_id)
        .where(
            columns.connection.in_(sources),
            columns.state == "waiting",
            NOT_ENDED,  # says nothing more, but is what the index is of
            columns.verb == "reply",
            columns.part == 1,
            columns.message_id.is_not(None),
            (columns.due_at <= since) | (columns.first_attempt_at <= since),
            ~exists().where(note.c.key == key),
        )
    )
    return connection.execute(query.order_by(columns.id).limit(most)).all()


def waits(connection: Connection, delivery_id: int) -> Row[Any] | None:
    """A delivery, while it waits."""
    columns = t.delivery.c
    return connection.execute(select(t.delivery).where(columns.id == delivery_id, columns.state == "waiting")).first()
