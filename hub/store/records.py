"""Links between tickets and helpdesk records, messages and helpdesk comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, text, update

from hub.store import rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

# In the words of the index uq_record_link_active: SQLite passes a partial index over for `active = 1`.
_ACTIVE_OF_TICKET = and_(*rows.where(t.record_link, "ticket_id", "connection"), text("record_link.active"))
_ACTIVE = select(t.record_link).where(_ACTIVE_OF_TICKET)
_RETIRE = update(t.record_link).where(_ACTIVE_OF_TICKET)


def active(connection: Connection, ticket_id: int, sink: str) -> Row[Any] | None:
    """The one active record of a ticket at a sink."""
    return run(connection, _ACTIVE, rows.at({"ticket_id": ticket_id, "connection": sink})).first()


def find(connection: Connection, sink: str, vendor_id: str) -> Row[Any] | None:
    """The link of a helpdesk record, active or not."""
    return rows.find(connection, t.record_link, {"connection": sink, "vendor_id": vendor_id})


def link(tx: Tx, *, ticket_id: int, sink: str, vendor_id: str, url: str, version: str, now: datetime) -> Row[Any]:
    """Link a record as the ticket's active one; an older active record stays as history."""
    known = find(tx.connection, sink, vendor_id)
    if known is not None:
        return known
    run(tx.connection, _RETIRE, {**rows.at({"ticket_id": ticket_id, "connection": sink}), "active": False})
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
    return rows.insert_returning(tx, t.record_link, values)


def change(tx: Tx, link_id: int, **values: Any) -> None:
    """Set columns of a record link."""
    rows.change(tx, t.record_link, {"id": link_id}, values)


def find_comment(connection: Connection, sink: str, vendor_id: str) -> Row[Any] | None:
    """The link of a helpdesk comment."""
    return rows.find(connection, t.comment_link, {"connection": sink, "vendor_id": vendor_id})


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
    rows.change(tx, t.comment_link, {"id": link_id}, values)


def by_id(connection: Connection, link_id: int) -> Row[Any]:
    """One record link."""
    return rows.one(connection, t.record_link, {"id": link_id})
