"""Read-only answers for people: plain frozen values for the console and ``--json``. No secret appears in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, func, literal, or_, select, union_all

from hub.store import connections
from hub.store import tables as t
from hub.store.door_view import (
    DRAFT,
    INBOX_NEW,
    INBOX_PARKED,
    OUTBOX_OPEN,
    Door,
    InboxView,
    OutboxView,
    ParkedDetail,
    ParkedView,
    inbox_rows,
    outbox_rows,
    parked,
    parked_one,
    without_secrets,
)
from hub.store.ticket_view import (
    AttemptView,
    DecisionView,
    DeliveryView,
    EventView,
    MessageView,
    RecordView,
    RevisionView,
    ThreadView,
    TicketDetail,
    ticket,
)

__all__ = [
    "AlarmView",
    "AttemptView",
    "AuditView",
    "ConnectionView",
    "Counts",
    "DecisionView",
    "DeliveryView",
    "Door",
    "EventView",
    "FiledView",
    "InboxView",
    "MessageView",
    "OutboxView",
    "ParkedDetail",
    "ParkedView",
    "RecordView",
    "RevisionView",
    "ThreadView",
    "TicketDetail",
    "TicketView",
    "alarms",
    "audit_rows",
    "counts",
    "drafts_waiting",
    "filed_as",
    "inbox_rows",
    "outbox_rows",
    "overview",
    "parked",
    "parked_one",
    "ticket",
    "ticket_rows",
    "without_secrets",
]

Health = Literal["ok", "paused", "waiting", "failing", "never checked"]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One connection as an operator sees it. ``backlog`` is what waits on either side, without what is parked."""

    name: str
    connector: str
    side: str
    mode: str
    health: Health
    paused: str
    paused_by: str
    last_error: str
    last_error_at: datetime | None
    last_success_at: datetime | None
    last_event_at: datetime | None
    next_poll_at: datetime | None
    blocked_until: datetime | None
    backlog: int
    parked: int
    calls: int
    signatures_rejected: int
    fingerprint: str
    handle: str
    gone: bool


@dataclass(frozen=True, slots=True)
class TicketView:
    """One line of the list of tickets. ``answer_waits``: an agent's answer is not published yet."""

    id: int
    code: str
    subject: str
    network: str
    connection: str
    author: str
    status: str
    kind: str
    category: str
    priority: str
    team: str
    created_at: datetime
    updated_at: datetime
    answered_at: datetime | None
    answer_waits: bool


@dataclass(frozen=True, slots=True)
class FiledView:
    """A ticket's code, and the helpdesk connection at which a record is its."""

    code: str
    connection: str


@dataclass(frozen=True, slots=True)
class AuditView:
    """What a person did."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An open alarm."""

    connection: str
    kind: str
    text: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is; ``messages_out`` is what customers could read. Reads whole tables: for a person who asked,
    not for a page that reloads."""

    tickets: int
    messages_in: int
    messages_out: int
    inbox: dict[str, int]
    outbox: dict[str, int]
    alarms: int
    stop_talking: bool


def overview(connection: Connection, now: datetime) -> list[ConnectionView]:
    """Every connection by name, with its health and what waits."""
    backlog: dict[str, int] = {}
    stopped: dict[str, int] = {}
    for row in connection.execute(_waiting()):
        counted = stopped if row.state == "parked" else backlog
        counted[row.connection] = counted.get(row.connection, 0) + row.number
    return [
        ConnectionView(
            name=row.name,
            connector=row.connector,
            side=row.side,
            mode=row.mode,
            health=_health(row, now),
            paused=row.paused,
            paused_by=row.paused_by,
            last_error=row.last_error,
            last_error_at=row.last_error_at,
            last_success_at=row.last_success_at,
            last_event_at=row.last_event_at,
            next_poll_at=row.next_poll_at,
            blocked_until=row.blocked_until,
            backlog=backlog.get(row.name, 0),
            parked=stopped.get(row.name, 0),
            calls=row.calls,
            signatures_rejected=row.signatures_rejected,
            fingerprint=row.fingerprint,
            handle=(row.account or {}).get("handle", ""),
            gone=row.gone,
        )
        for row in connections.every(connection)
    ]


def _waiting() -> Any:
    def by_state(table: Any, condition: Any) -> Select[Any]:
        columns = (table.c.connection, table.c.state, func.count().label("number"))
        return select(*columns).where(condition).group_by(table.c.connection, table.c.state)

    return union_all(by_state(t.inbox, INBOX_NEW), by_state(t.inbox, INBOX_PARKED), by_state(t.delivery, OUTBOX_OPEN))


def _health(row: Row[Any], now: datetime) -> Health:
    if row.paused:
        return "paused"
    if row.failures >= connections.BREAKER_OPENS_AFTER:
        return "failing"
    if row.blocked_until is not None and row.blocked_until > now:
        return "waiting"
    if row.failures or (row.last_error and row.last_success_at is None):
        return "failing"
    return "ok" if row.last_success_at is not None else "never checked"


def ticket_rows(
    connection: Connection, *, search: str = "", before: int | None = None, limit: int = 50
) -> list[TicketView]:
    """Tickets, newest first; ``search`` in code, subject, author, what was said, and the helpdesk's number."""
    query = select(t.ticket, t.identity.c.display_name, t.identity.c.handle, t.identity.c.vendor_id).join(
        t.identity, t.identity.c.id == t.ticket.c.identity_id
    )
    if search:
        said = select(literal(1)).where(
            t.message.c.ticket_id == t.ticket.c.id, t.message.c.text.icontains(search, autoescape=True)
        )
        filed = select(literal(1)).where(
            t.record_link.c.ticket_id == t.ticket.c.id, t.record_link.c.vendor_id == search
        )
        query = query.where(
            or_(
                t.ticket.c.code.icontains(search, autoescape=True),
                t.ticket.c.uid == search,
                t.ticket.c.subject.icontains(search, autoescape=True),
                t.identity.c.display_name.icontains(search, autoescape=True),
                t.identity.c.handle.icontains(search.removeprefix("@"), autoescape=True),
                said.exists(),
                filed.exists(),
            )
        )
    if before is not None:
        query = query.where(t.ticket.c.id < before)
    found = connection.execute(query.order_by(t.ticket.c.id.desc()).limit(limit)).all()
    held = _answers_waiting(connection, [row.id for row in found])
    return [
        TicketView(
            id=row.id,
            code=row.code,
            subject=row.subject,
            network=row.network,
            connection=row.connection,
            author=row.display_name or row.handle or row.vendor_id,
            status=row.status,
            kind=row.kind,
            category=row.category,
            priority=row.priority,
            team=row.team,
            created_at=row.created_at,
            updated_at=row.updated_at,
            answered_at=row.answered_at,
            answer_waits=row.id in held,
        )
        for row in found
    ]


def _answers_waiting(connection: Connection, ticket_ids: Sequence[int]) -> set[int]:
    rows = connection.execute(
        select(t.delivery.c.ticket_id)
        .where(t.delivery.c.ticket_id.in_(ticket_ids), t.delivery.c.verb == "reply")
        .where(OUTBOX_OPEN)
    )
    return {row.ticket_id for row in rows}


def filed_as(connection: Connection, record: str) -> list[FiledView]:
    """The tickets with this record in a helpdesk, by its number or its address. Several when two helpdesks (or two
    tickets) have one of that number."""
    # Agents copy the address from their browser, and that is not the one the API told.
    number = record.rstrip("/").rpartition("/")[2].partition("?")[0].lstrip("#")
    query = (
        select(t.ticket.c.code, t.record_link.c.connection, t.record_link.c.url)
        .join(t.record_link, t.record_link.c.ticket_id == t.ticket.c.id)
        .where(or_(t.record_link.c.vendor_id == number, t.record_link.c.url == record))
        .order_by(t.ticket.c.id)
    )
    rows = connection.execute(query).all()
    return [FiledView(row.code, row.connection) for row in [row for row in rows if row.url == record] or rows]


def drafts_waiting(connection: Connection, ticket_ids: Sequence[int]) -> set[int]:
    """Those of these tickets that hold an answer as a draft until somebody releases it."""
    rows = connection.execute(
        select(t.delivery.c.ticket_id)
        .where(t.delivery.c.ticket_id.in_(ticket_ids), t.delivery.c.verb == "reply", t.delivery.c.state == "parked")
        .where(t.delivery.c.reason.startswith(DRAFT), OUTBOX_OPEN)
    )
    return {row.ticket_id for row in rows}


def audit_rows(connection: Connection, limit: int = 200) -> list[AuditView]:
    """What people did, newest first."""
    rows = connection.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(limit))
    return [
        AuditView(id=row.id, at=row.at, actor=row.actor, action=row.action, object=row.object, data=row.data or {})
        for row in rows
    ]


def alarms(connection: Connection) -> list[AlarmView]:
    """The open alarms, newest first."""
    return [
        AlarmView(connection=row.connection, kind=row.kind, text=row.text, opened_at=row.opened_at)
        for row in connections.alarms(connection)
    ]


def counts(connection: Connection) -> Counts:
    """How much there is of everything."""

    def grouped(column: Any) -> dict[str, int]:
        return {
            str(key): int(number) for key, number in connection.execute(select(column, func.count()).group_by(column))
        }

    published = select(t.delivery.c.message_id).where(t.delivery.c.verb == "reply", t.delivery.c.state == "done")
    by_customers = t.message.c.direction == "inbound"
    readable = or_(t.message.c.origin == "network", t.message.c.id.in_(published))

    def messages(condition: Any) -> int:
        return connection.execute(select(func.count()).select_from(t.message).where(condition)).scalar_one()

    return Counts(
        tickets=connection.execute(select(func.count()).select_from(t.ticket)).scalar_one(),
        messages_in=messages(by_customers),
        messages_out=messages(and_(~by_customers, readable)),
        inbox=grouped(t.inbox.c.state),
        outbox=grouped(t.delivery.c.state),
        alarms=connection.execute(
            select(func.count()).select_from(t.alarm).where(t.alarm.c.closed_at.is_(None))
        ).scalar_one(),
        stop_talking=bool(connections.read_switch(connection, connections.STOP_TALKING)),
    )
