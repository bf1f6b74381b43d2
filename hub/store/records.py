"""Links between tickets and helpdesk records, messages and helpdesk comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hub.store import tables as t
from hub.store.upsert import insert_new
from hub.store.writer import Tx


def active(connection: Connection, ticket_id: int, sink: str) -> Row[Any] | None:
    """The one active record of a ticket at a sink."""
    query = select(t.record_link).where(
        t.record_link.c.ticket_id == ticket_id, t.record_link.c.connection == sink, t.record_link.c.active
    )
    return connection.execute(query).first()


def find(connection: Connection, sink: str, vendor_id: str) -> Row[Any] | None:
    """The link of a helpdesk record, active or not."""
    query = select(t.record_link).where(t.record_link.c.connection == sink, t.record_link.c.vendor_id == vendor_id)
    return connection.execute(query).first()


def link(tx: Tx, *, ticket_id: int, sink: str, vendor_id: str, url: str, version: str, now: datetime) -> Row[Any]:
    """Link a record as the ticket's active one; an older active record stays as history."""
    known = find(tx.connection, sink, vendor_id)
    if known is not None:
        return known
    tx.execute(
        update(t.record_link)
        .where(t.record_link.c.ticket_id == ticket_id, t.record_link.c.connection == sink, t.record_link.c.active)
        .values(active=False)
    )
    values = {
        "ticket_id": ticket_id,
        "connection": sink,
        "vendor_id": vendor_id,
        "url": url,
        "version": version,
        "mirrored": {},
        "created_at": now,
        "last_seen_at": now,
        "active": True,
    }
    return tx.execute(t.record_link.insert().values(**values).returning(t.record_link)).one()


def change(tx: Tx, link_id: int, **values: Any) -> None:
    """Set columns of a record link."""
    tx.execute(update(t.record_link).where(t.record_link.c.id == link_id).values(**values))


def find_comment(connection: Connection, sink: str, vendor_id: str) -> Row[Any] | None:
    """The link of a helpdesk comment."""
    query = select(t.comment_link).where(t.comment_link.c.connection == sink, t.comment_link.c.vendor_id == vendor_id)
    return connection.execute(query).first()


def link_comment(
    tx: Tx,
    *,
    sink: str,
    vendor_id: str,
    record_link_id: int,
    message_id: int | None,
    direction: str,
    public: bool,
    now: datetime,
    text_hash: str = "",
    on_behalf_of: str = "",
) -> Row[Any] | None:
    """Link a comment; ``None`` when it is linked already."""
    return insert_new(
        tx,
        t.comment_link,
        {
            "connection": sink,
            "vendor_id": vendor_id,
            "record_link_id": record_link_id,
            "message_id": message_id,
            "direction": direction,
            "public": public,
            "first_seen_public": public,
            "text_hash": text_hash,
            "on_behalf_of": on_behalf_of,
            "created_at": now,
        },
        key=["connection", "vendor_id"],
    )


def change_comment(tx: Tx, link_id: int, **values: Any) -> None:
    """Set columns of a comment link."""
    tx.execute(update(t.comment_link).where(t.comment_link.c.id == link_id).values(**values))
