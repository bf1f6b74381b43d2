"""One ticket with everything that happened to it, for the console and ``hub ticket show``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from hub.store import answer_view, messages, people, tickets
from hub.store import tables as t
from hub.store.secrets import SecretUnreadable


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try (or look) of a delivery."""

    started_at: datetime
    ended_at: datetime | None
    outcome: str
    summary: str
    detail: str
    vendor_request_id: str

    @classmethod
    def of(cls, row: Row[Any]) -> AttemptView:
        """From its row."""
        return cls(row.started_at, row.ended_at, row.outcome, row.summary, row.detail, row.vendor_request_id)


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One thing done, or to be done, at one connection. ``receipt_id`` and ``permalink`` are its proof; ``privacy`` is
    who may read a reply, empty for anything else."""

    id: int
    key: str
    connection: str
    verb: str
    state: str
    reason: str
    part: int
    by_person: bool
    message_id: int | None
    created_at: datetime
    due_at: datetime
    done_at: datetime | None
    receipt_id: str
    permalink: str
    privacy: str
    attempts: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A message as it once read."""

    revision: str
    text: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What a router answered about a message, and why."""

    message_id: int
    router: str
    answer: dict[str, Any]
    reasons: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    """One thing said. ``side`` is who said it: ``customer`` or ``company``. ``not_published`` is why a public comment
    of the helpdesk did not reach the customer (so far), empty when it did; ``awaited``: it still may. ``privacy`` is
    who can read it on the network, an answer too (``direct``: in private). ``id`` is for ``hub ticket redact``."""

    id: int
    side: str
    origin: str
    sender_kind: str
    author: str
    public: bool
    privacy: str
    not_published: str
    awaited: bool
    text: str
    permalink: str
    attachments: tuple[dict[str, Any], ...]
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    redacted: bool
    revisions: tuple[RevisionView, ...]
    deliveries: tuple[DeliveryView, ...]
    decisions: tuple[DecisionView, ...]

    @property
    def internal(self) -> bool:
        """True for a note, which only agents see; what was said in private on a network is none."""
        return not self.public and self.origin != "network"


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A place of talk of this ticket."""

    connection: str
    network: str
    vendor_id: str
    title: str
    permalink: str
    last_inbound_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordView:
    """A helpdesk record of this ticket."""

    connection: str
    vendor_id: str
    url: str
    active: bool
    created_at: datetime
    deleted_at: datetime | None
    merged_into: str


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of the timeline."""

    id: int
    at: datetime
    kind: str
    actor: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """A ticket with both sides. ``fields_readable`` is false when they were encrypted under another key; ``joined`` are
    the customer's other accounts, as (name, network)."""

    code: str
    uid: str
    subject: str
    status: str
    kind: str
    language: str
    category: str
    complexity: str
    priority: str
    team: str
    agent: str
    sink: str
    network: str
    connection: str
    tags: tuple[str, ...]
    fields: dict[str, str]
    fields_readable: bool
    missing: tuple[str, ...]
    requester: str
    requester_handle: str
    requester_url: str
    joined: tuple[tuple[str, str], ...]
    created_at: datetime
    updated_at: datetime
    solved_at: datetime | None
    answered_at: datetime | None
    automation_stopped: bool
    threads: tuple[ThreadView, ...]
    records: tuple[RecordView, ...]
    messages: tuple[MessageView, ...]
    events: tuple[EventView, ...]
    decisions: tuple[DecisionView, ...]
    deliveries: tuple[DeliveryView, ...]


def ticket(connection: Connection, code: str, decrypt: Callable[[str | None], Any]) -> TicketDetail | None:
    """The ticket with this code (any letter case) or uid; ``None`` when there is none.

    ``decrypt`` opens the collected fields (``Hub.decrypt_json``).
    """
    row = tickets.by_code(connection, code)
    if row is None:
        return None
    author = connection.execute(select(t.identity).where(t.identity.c.id == row.identity_id)).one()
    deliveries = _deliveries(connection, row.id)
    decisions = _decisions(connection, row.id)
    fields, readable = _fields(row, decrypt)
    timeline = tickets.timeline(connection, row.id)
    return TicketDetail(
        code=row.code,
        uid=row.uid,
        subject=row.subject,
        status=row.status,
        kind=row.kind,
        language=row.language,
        category=row.category,
        complexity=row.complexity,
        priority=row.priority,
        team=row.team,
        agent=row.agent,
        sink=row.sink,
        network=row.network,
        connection=row.connection,
        tags=tuple(row.tags or ()),
        fields=fields,
        fields_readable=readable,
        missing=tuple(row.missing or ()),
        requester=author.display_name or author.handle or author.vendor_id,
        requester_handle=author.handle,
        requester_url=author.profile_url,
        joined=_joined(connection, row) if author.joined else (),
        created_at=row.created_at,
        updated_at=row.updated_at,
        solved_at=row.solved_at,
        answered_at=row.answered_at,
        automation_stopped=row.automation_stopped,
        threads=_threads(connection, row.id),
        records=_records(connection, row.id),
        messages=_messages(
            connection, row.id, deliveries, decisions, answer_view.refusals(timeline), _redacted(timeline)
        ),
        events=tuple(
            EventView(id=one.id, at=one.at, kind=one.kind, actor=one.actor, data=one.data or {}) for one in timeline
        ),
        decisions=decisions,
        deliveries=deliveries,
    )


def _joined(connection: Connection, row: Row[Any]) -> tuple[tuple[str, str], ...]:
    others = [one for one in people.identities_of(connection, row.customer_id) if one != row.identity_id]
    known = (people.as_identity(people.identity_by_id(connection, one)) for one in others)
    return tuple((one.label, one.network) for one in known)


def _fields(row: Row[Any], decrypt: Callable[[str | None], Any]) -> tuple[dict[str, str], bool]:
    try:
        return {str(name): str(value) for name, value in (decrypt(row.fields) or {}).items()}, True
    except SecretUnreadable:
        return {}, False


def _deliveries(connection: Connection, ticket_id: int) -> tuple[DeliveryView, ...]:
    query = select(t.delivery).where(t.delivery.c.ticket_id == ticket_id).order_by(t.delivery.c.id)
    rows = connection.execute(query).all()
    tried: dict[int, list[AttemptView]] = {}
    for one in _children(connection, t.attempt, "delivery_id", [row.id for row in rows]):
        tried.setdefault(one.delivery_id, []).append(AttemptView.of(one))
    return tuple(
        DeliveryView(
            id=row.id,
            key=row.key,
            connection=row.connection,
            verb=row.verb,
            state=row.state,
            reason=row.reason,
            part=row.part,
            by_person=row.by_person,
            message_id=row.message_id,
            created_at=row.created_at,
            due_at=row.due_at,
            done_at=row.done_at,
            receipt_id=row.receipt_id or "",
            permalink=(row.receipt or {}).get("permalink", ""),
            privacy=json.loads(row.body).get("privacy", "public") if row.verb == "reply" else "",
            attempts=tuple(tried.get(row.id, ())),
        )
        for row in rows
    )


def _decisions(connection: Connection, ticket_id: int) -> tuple[DecisionView, ...]:
    query = select(t.decision).where(t.decision.c.ticket_id == ticket_id).order_by(t.decision.c.id)
    return tuple(
        DecisionView(
            message_id=row.message_id,
            router=row.router,
            answer={name: value for name, value in row.answer.items() if name != "reasons"},
            reasons=tuple(row.answer.get("reasons", ())),
            created_at=row.created_at,
        )
        for row in connection.execute(query)
    )


def _messages(
    connection: Connection,
    ticket_id: int,
    deliveries: Sequence[DeliveryView],
    decisions: Iterable[DecisionView],
    refused: Mapping[int, str],
    redacted: set[int],
) -> tuple[MessageView, ...]:
    rows = messages.of_ticket(connection, ticket_id)
    revisions: dict[int, list[RevisionView]] = {}
    for one in _children(connection, t.message_revision, "message_id", [row.id for row in rows]):
        revisions.setdefault(one.message_id, []).append(RevisionView(one.revision, one.text, one.seen_at))
    privacies = answer_view.privacies(rows, deliveries)
    replies = {row.id: [one for one in deliveries if one.message_id == row.id and one.verb == "reply"] for row in rows}
    fates = {row.id: answer_view.not_published(connection, row, replies[row.id], refused) for row in rows}
    return tuple(
        MessageView(
            id=row.id,
            side="customer" if row.direction == "inbound" else "company",
            origin=row.origin,
            sender_kind=row.sender_kind,
            author=row.author_name,
            public=row.public,
            privacy=privacies[row.id],
            not_published=fates[row.id][0],
            awaited=fates[row.id][1],
            text=row.text,
            permalink=row.permalink,
            attachments=tuple(row.attachments or ()),
            created_at=row.created_at,
            edited_at=row.edited_at,
            deleted_at=row.deleted_at,
            redacted=row.id in redacted,
            revisions=tuple(revisions.get(row.id, ())),
            deliveries=tuple(one for one in deliveries if one.message_id == row.id),
            decisions=tuple(one for one in decisions if one.message_id == row.id),
        )
        for row in rows
    )


def _redacted(timeline: Iterable[Row[Any]]) -> set[int]:
    return {event.data["message"] for event in timeline if event.kind == "redacted" and event.data}


def _children(connection: Connection, table: Table, column: str, parents: list[int]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for start in range(0, len(parents), 500):  # SQLite takes a limited number of parameters
        query = select(table).where(table.c[column].in_(parents[start : start + 500])).order_by(table.c.id)
        found += connection.execute(query).all()
    return found


def _threads(connection: Connection, ticket_id: int) -> tuple[ThreadView, ...]:
    query = (
        select(t.thread, t.conversation.c.last_inbound_at, t.conversation.c.connection.label("through"))
        .join(t.conversation, t.conversation.c.thread_id == t.thread.c.id)
        .where(t.conversation.c.ticket_id == ticket_id)
        .order_by(t.conversation.c.id)
    )
    return tuple(
        ThreadView(
            connection=row.through,
            network=row.network,
            vendor_id=row.vendor_id,
            title=row.title,
            permalink=row.permalink,
            last_inbound_at=row.last_inbound_at,
        )
        for row in connection.execute(query)
    )


def _records(connection: Connection, ticket_id: int) -> tuple[RecordView, ...]:
    query = select(t.record_link).where(t.record_link.c.ticket_id == ticket_id).order_by(t.record_link.c.id)
    return tuple(
        RecordView(
            connection=row.connection,
            vendor_id=row.vendor_id,
            url=row.url,
            active=row.active,
            created_at=row.created_at,
            deleted_at=row.deleted_at,
            merged_into=row.merged_into,
        )
        for row in connection.execute(query)
    )
