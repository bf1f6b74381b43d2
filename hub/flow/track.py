"""The ticket as others see it: its view for a sink, and what the sink must be told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.flow.hub import Hub
from hub.flow.sealing import seal, unseal
from hub.sdk import Account, AddComment, OpenTicket, Proof, RedactComment, ReplyLimits, TicketView, UpdateFields
from hub.store import Connection, Row, Tx, connections, deliveries, messages, people, records, tickets

ONLY_OBSERVED = "observe mode: nothing is written to this helpdesk"
FUSE = 20
FUSE_WINDOW = timedelta(hours=1)
PRIORITIES = {"low": 0, "normal": 1, "high": 2, "urgent": 3}


def view_of(hub: Hub, connection: Connection, ticket: Row[Any], *, unassigned: bool = False) -> TicketView:
    """The ticket as a sink's connector sees it; ``unassigned`` leaves out the team's group."""
    return view_from(
        hub,
        ticket,
        identity=people.identity_by_id(connection, ticket.identity_id),
        last=messages.last_inbound(connection, ticket),
        source=connections.get(connection, ticket.connection),
        unassigned=unassigned,
    )


def view_from(
    hub: Hub, ticket: Row[Any], *, identity: Row[Any], last: Row[Any] | None, source: Row[Any], unassigned: bool
) -> TicketView:
    """As :func:`view_of`, from rows that are at hand: the requester, the last inbound message, the connection."""
    limits = reply_limits(source)
    team = hub.teams.teams.get(ticket.team)
    return TicketView(
        uid=ticket.uid,
        code=ticket.code,
        subject=ticket.subject,
        network=ticket.network,
        source=ticket.connection,
        requester=people.as_identity(identity),
        permalink=last.permalink if last else "",
        privacy=last.privacy if last else "public",
        kind=ticket.kind,
        language=ticket.language,
        category=ticket.category,
        complexity=ticket.complexity,
        priority=ticket.priority,
        status=ticket.status,
        team=ticket.team,
        group=team.group if team and not unassigned else "",
        tags=tuple(ticket.tags or ()),
        fields=hub.decrypt_json(ticket.fields),
        missing=tuple(ticket.missing or ()),
        answer_limit=limits.max_length if limits else None,
        answer_by=last.created_at + timedelta(hours=limits.window_hours)
        if last and limits and limits.window_hours
        else None,
        mode=source.mode,
    )


def reply_limits(source: Row[Any]) -> ReplyLimits | None:
    """What a reply at this connection may hold, as its vendor last said; ``None`` before it was ever asked."""
    return Account.model_validate(source.account).reply_limits if source.account else None


def to_sink(
    hub: Hub,
    tx: Tx,
    ticket: Row[Any],
    body: OpenTicket | AddComment | UpdateFields | RedactComment,
    *,
    cause: str,
    by_person: bool,
    now: datetime,
    message_id: int | None = None,
    due_at: datetime | None = None,
) -> int | None:
    """Put a delivery to the ticket's helpdesk into its lane; ``None`` when the same effect was asked for before.

    In ``observe`` the helpdesk is not touched: the delivery ends at once as discarded and shows what would have gone.
    The fuse parks what no person caused after 20 in an hour, counted from the last word of a person.
    """
    state, reason = "waiting", ""
    if connections.seen(tx, ticket.sink).mode == "observe":
        state, reason = "discarded", ONLY_OBSERVED
    elif not by_person:
        since = max(now - FUSE_WINDOW, ticket.last_person_at)
        if deliveries.automatic_since(tx.connection, ticket.id, since=since) >= FUSE:
            state, reason = "parked", f"fuse: more than {FUSE} automatic deliveries in an hour for one ticket"
            connections.open_alarm(tx, ticket.sink, "fuse", text=f"{reason} ({ticket.code})", now=now)
    made = deliveries.enqueue(
        tx,
        key=f"{body.verb}:{cause}:{ticket.sink}",
        connection=ticket.sink,
        lane=f"ticket-{ticket.id}",
        body=seal(hub, body),
        now=now,
        ticket_id=ticket.id,
        message_id=message_id,
        by_person=by_person,
        due_at=due_at,
        priority=PRIORITIES.get(ticket.priority, 1),
        state=state,
        reason=reason,
    )
    if made is not None and state == "waiting":
        tx.after_commit.append(lambda: hub.nudge(ticket.sink))
    return made


def tell_sink(
    hub: Hub,
    tx: Tx,
    ticket: Row[Any],
    *,
    cause: str,
    now: datetime,
    by_person: bool,
    proofs: tuple[Proof, ...] = (),
    note: str = "",
    soon: bool = False,
    **fields: Any,
) -> None:
    """Update the helpdesk record's fields, with notes. What waits already is folded in: one update per ticket.

    It leaves at once when ``soon``, otherwise within five seconds, so that a proof rides on a later change.
    """
    body = UpdateFields(ticket=view_of(hub, tx.connection, ticket), proofs=proofs, note=note, **fields)
    due_at = now if soon else now + hub.timing.proof_alone_after
    older = deliveries.waiting_update(tx.connection, ticket.id, ticket.sink)
    if older is not None:
        body = _fold(unseal(hub, UpdateFields.model_validate_json(older.body)), body)
        due_at = min(due_at, older.due_at)
        by_person = by_person or older.by_person
    made = to_sink(hub, tx, ticket, body, cause=cause, by_person=by_person, now=now, due_at=due_at)
    if made is not None and older is not None:
        deliveries.change(
            tx, older.id, state="superseded", reason=f"folded into {made}", superseded_by=made, done_at=now
        )


def _fold(older: UpdateFields, newer: UpdateFields) -> UpdateFields:
    removed = set(newer.tags_remove)
    return newer.model_copy(
        update={
            "status": newer.status or older.status,
            "priority": newer.priority or older.priority,
            "group": newer.group or older.group,
            "agent": newer.agent or older.agent,
            "category": newer.category or older.category,
            "requester": newer.requester or older.requester,
            "tags_add": tuple(dict.fromkeys(tag for tag in (*older.tags_add, *newer.tags_add) if tag not in removed)),
            "tags_remove": tuple(
                dict.fromkeys(tag for tag in (*older.tags_remove, *newer.tags_remove) if tag not in newer.tags_add)
            ),
            "fields": {**older.fields, **newer.fields},
            "proofs": (*older.proofs, *newer.proofs),
            "note": "\n\n".join(part for part in (older.note, newer.note) if part),
        }
    )


def has_record(connection: Connection, ticket: Row[Any]) -> bool:
    """True when the ticket has a living record at its helpdesk, or one is on its way."""
    link = records.active(connection, ticket.id, ticket.sink)
    if link is not None and link.deleted_at is None:
        return True
    return deliveries.open_for(connection, ticket.id, ticket.sink, "open_ticket") is not None


def fresh(tx: Tx, ticket_id: int) -> Row[Any]:
    """The ticket as it is now."""
    return tickets.by_id(tx.connection, ticket_id)
