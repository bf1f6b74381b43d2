"""What comparisons with a helpdesk showed, and what the store holds for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, or_, select

from hub.store import rows
from hub.store import tables as t
from hub.store.side_tables import certificate
from hub.store.writer import Tx

IN_MOTION = ("waiting", "claimed", "sending", "unknown")
SINK_VERBS = ("open_ticket", "add_comment", "update_fields")


@dataclass(frozen=True, slots=True)
class CertificateView:
    """One comparison as people see it. ``left`` is what was not put right; ``agrees`` when both sides are the same.
    ``young`` is what differed and was too young to count: it may still have been on its way."""

    id: int
    connection: str
    at: datetime
    since: datetime | None
    whole: bool
    records: int
    comments: int
    moving: int
    young: int
    found: int
    repaired: int
    differences: tuple[dict[str, str], ...]
    ours: str
    theirs: str

    @property
    def left(self) -> int:
        """Differences that are still there."""
        return self.found - self.repaired

    @property
    def agrees(self) -> bool:
        """Nothing differs, and everything could be read."""
        return not self.left


def links(connection: Connection, name: str, *, since: datetime | None) -> Sequence[Row[Any]]:
    """Record links of a sink to compare: all that live, or those not solved yet and those touched since. An unsolved
    one may have changed without our hearing of it; that is what is looked for."""
    query: Select[Any] = (
        select(t.record_link.c.id, t.record_link.c.vendor_id, t.record_link.c.ticket_id)
        .join(t.ticket, t.ticket.c.id == t.record_link.c.ticket_id)
        .where(
            t.record_link.c.connection == name,
            t.record_link.c.deleted_at.is_(None),
            t.record_link.c.merged_into == "",
        )
    )
    if since is not None:
        query = query.where(
            or_(
                t.ticket.c.status.not_in(("solved", "closed")),
                t.ticket.c.updated_at >= since,
                t.record_link.c.last_seen_at >= since,
                t.record_link.c.created_at >= since,
            )
        )
    return connection.execute(query.order_by(t.record_link.c.id)).all()


def comments_of(connection: Connection, link_id: int) -> Sequence[Row[Any]]:
    """The comment links of a record."""
    query = select(t.comment_link).where(t.comment_link.c.record_link_id == link_id)
    return connection.execute(query.order_by(t.comment_link.c.id)).all()


def delivered(connection: Connection, ticket_id: int, name: str) -> Sequence[Row[Any]]:
    """A ticket's deliveries at a sink that could have left a comment or a record there."""
    query = select(t.delivery).where(
        t.delivery.c.ticket_id == ticket_id, t.delivery.c.connection == name, t.delivery.c.verb.in_(SINK_VERBS)
    )
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def is_moving(connection: Connection, name: str, *, lane: str, ticket_id: int) -> bool:
    """True while something of this record waits to be taken in or sent: both sides may rightly differ."""
    coming = select(t.inbox.c.id).where(t.inbox.c.connection == name, t.inbox.c.lane == lane, t.inbox.c.state == "new")
    going = select(t.delivery.c.id).where(
        t.delivery.c.ticket_id == ticket_id, t.delivery.c.connection == name, t.delivery.c.state.in_(IN_MOTION)
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in (coming, going))


def event_row(connection: Connection, name: str, event_key: str) -> Row[Any] | None:
    """The inbox row of an event, whatever became of it."""
    return rows.find(connection, t.inbox, {"connection": name, "event_key": event_key})


def reopen_event(tx: Tx, inbox_id: int, *, payload: str, now: datetime) -> None:
    """Take an ended event up again with what the helpdesk says now."""
    values = {
        "state": "new",
        "payload": payload,
        "reason": "taken up again by a comparison",
        "detail": "",
        "due_at": now,
        "done_at": None,
        "attempts": 0,
    }
    rows.change(tx, t.inbox, {"id": inbox_id}, values)


def lost_message(connection: Connection, ticket_id: int, *, created_at: datetime) -> Sequence[Row[Any]]:
    """Messages of agents of this moment that no comment link names."""
    linked = exists().where(t.comment_link.c.message_id == t.message.c.id)
    query = select(t.message).where(
        t.message.c.ticket_id == ticket_id,
        t.message.c.origin == "helpdesk",
        t.message.c.created_at == created_at,
        ~linked,
    )
    return connection.execute(query.order_by(t.message.c.id)).all()


def without_record(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """Tickets of a sink that have no record there, oldest first."""
    linked = exists().where(t.record_link.c.ticket_id == t.ticket.c.id, t.record_link.c.connection == name)
    query: Select[Any] = select(t.ticket.c.id, t.ticket.c.code, t.ticket.c.created_at).where(
        t.ticket.c.sink == name, ~linked
    )
    return connection.execute(query.order_by(t.ticket.c.id)).all()


def add(tx: Tx, values: dict[str, Any]) -> int:
    """Keep a certificate."""
    return rows.insert_id(tx, certificate, values)


def latest(connection: Connection, name: str = "", *, limit: int = 60) -> list[CertificateView]:
    """Certificates, newest first; of one connection when it is named."""
    query = select(certificate).order_by(certificate.c.at.desc(), certificate.c.id.desc()).limit(limit)
    if name:
        query = query.where(certificate.c.connection == name)
    return [_view(row) for row in connection.execute(query)]


def named(connection: Connection) -> list[str]:
    """The connections that have certificates."""
    return list(connection.scalars(select(certificate.c.connection).distinct().order_by(certificate.c.connection)))


def _view(row: Row[Any]) -> CertificateView:
    names = CertificateView.__dataclass_fields__
    values = {name: getattr(row, name) for name in names if name != "differences"}
    return CertificateView(**values, differences=tuple(row.differences or ()))
