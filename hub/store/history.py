"""A helpdesk's past: tickets as it had them before or beside us, and how far a backfill has read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from hub.sdk import HistoryPage, PastTicket
from hub.store import rows
from hub.store.side_tables import backfill, past_ticket
from hub.store.upsert import insert_or_update
from hub.store.writer import Tx

AT_ONCE = 400
"""Parameters in one IN: older SQLite takes 999."""


class BackfillMoved(Exception):
    """Another process reads the past of this connection too, and has moved the bookmark."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What one page brought: tickets not known before, and known ones that had changed."""

    new: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """All that is stored of a connection's past."""

    tickets: int
    comments: int
    solvers: int
    groups: int
    oldest: datetime | None
    newest: datetime | None


def open_or_last(connection: Connection, name: str) -> Row[Any] | None:
    """The backfill of a connection that is not done; else the last one that is."""
    query = select(backfill).where(backfill.c.connection == name)
    return connection.execute(query.order_by(backfill.c.done_at.is_not(None), backfill.c.id.desc()).limit(1)).first()


def begin(tx: Tx, name: str, *, since: datetime, afresh: bool, now: datetime) -> Row[Any]:
    """The row to go on with: the open one, or a new one from where the last one ended.

    One that began later than ``since`` does not cover it: that one starts again at ``since``, and so does everything
    when ``afresh``.
    """
    known = open_or_last(tx.connection, name)
    covers = known is not None and known.since <= since and not afresh
    if known is not None and known.done_at is None:
        if not covers:
            tx.execute(
                update(backfill)
                .where(backfill.c.id == known.id)
                .values(since=since, cursor={}, read=0, total=None, started_at=now, updated_at=now)
            )
        return rows.one(tx.connection, backfill, {"id": known.id})
    values = {
        "connection": name,
        "since": known.since if known is not None and covers else since,
        "cursor": known.cursor if known is not None and covers else {},
        "read": 0,
        "started_at": now,
        "updated_at": now,
    }
    return rows.insert_returning(tx, backfill, values)


def store_page(
    tx: Tx, row: Row[Any], page: HistoryPage, *, sealed: Mapping[str, str], now: datetime
) -> tuple[Row[Any], Stored]:
    """Keep the tickets of a page and the bookmark behind it; the backfill's row as it is then.

    ``sealed`` is the encrypted content by record id, of the newest where a ticket comes twice. Raises
    :class:`BackfillMoved` when the row is no longer the one that was read.
    """
    newest = newest_of(page)
    known = _known(tx.connection, row.connection, list(newest))
    fresh = [one for vendor_id, one in newest.items() if vendor_id not in known]
    changed = [one for vendor_id, one in newest.items() if vendor_id in known and one.updated_at > known[vendor_id]]
    for ticket in (*fresh, *changed):
        values = _values(row.connection, ticket, sealed[ticket.record_id], now)
        insert_or_update(tx, past_ticket, values, key=["connection", "vendor_id"])
    moved = (
        update(backfill)
        .where(backfill.c.id == row.id, backfill.c.read == row.read, backfill.c.updated_at == row.updated_at)
        .values(
            cursor=page.cursor,
            read=row.read + len(page.tickets),
            total=page.total if page.total is not None else row.total,
            updated_at=now,
            done_at=None if page.has_more else now,
        )
        .returning(backfill)
    )
    after = tx.execute(moved).first()
    if after is None:
        raise BackfillMoved(f"another backfill of {row.connection} is at work")
    return after, Stored(new=len(fresh), changed=len(changed))


def newest_of(page: HistoryPage) -> dict[str, PastTicket]:
    """The tickets of a page by record id: where one comes twice, the newer one holds."""
    return {ticket.record_id: ticket for ticket in sorted(page.tickets, key=lambda ticket: ticket.updated_at)}


def past(connection: Connection, name: str) -> Past:
    """Counts and dates of what is stored."""
    c = past_ticket.c

    def kinds(column: Any) -> Any:
        return func.count(func.distinct(func.nullif(column, "")))

    found = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(c.comments), 0),
            kinds(c.solver),
            kinds(c.group_name),
            func.min(c.created_at),
            func.max(c.updated_at),
        ).where(c.connection == name)
    ).one()
    return Past(int(found[0]), int(found[1]), int(found[2]), int(found[3]), found[4], found[5])


def tickets(connection: Connection, name: str, decrypt: Callable[[str], str]) -> list[PastTicket]:
    """Every stored ticket of a connection, the one that changed first first."""
    query = select(past_ticket.c.content).where(past_ticket.c.connection == name)
    query = query.order_by(past_ticket.c.updated_at, past_ticket.c.id)
    return [PastTicket.model_validate_json(decrypt(row.content)) for row in connection.execute(query)]


def _known(connection: Connection, name: str, vendor_ids: Sequence[str]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for start in range(0, len(vendor_ids), AT_ONCE):
        some = vendor_ids[start : start + AT_ONCE]
        query = select(past_ticket.c.vendor_id, past_ticket.c.updated_at)
        query = query.where(past_ticket.c.connection == name, past_ticket.c.vendor_id.in_(some))
        found |= {row.vendor_id: row.updated_at for row in connection.execute(query)}
    return found


def _values(name: str, ticket: PastTicket, content: str, now: datetime) -> dict[str, Any]:
    return {
        "connection": name,
        "vendor_id": ticket.record_id,
        "external_id": ticket.external_id,
        "status": ticket.status,
        "channel": ticket.channel,
        "group_name": ticket.group,
        "solver": ticket.solver.id,
        "tags": list(ticket.tags),
        "comments": len(ticket.comments),
        "content": content,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "solved_at": ticket.solved_at,
        "read_at": now,
    }
