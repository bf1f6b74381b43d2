"""What happens in the helpdesk comes to the ticket; an agent's public word goes on to the customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.flow import commands, compose, field_rules, files, redact, texts, track
from hub.flow.converse import text_hash
from hub.flow.hub import Hub
from hub.sdk import AddComment, CommentSeen, RecordChanged, Said
from hub.store import Row, Tx, deliveries, inbox, messages, records, sent, tickets

SINK_VERBS = ("open_ticket", "add_comment", "update_fields")
HUMAN_ROLES = ("agent", "admin")


def comment_seen(hub: Hub, tx: Tx, row: Row[Any], event: CommentSeen) -> None:
    """Apply one comment event: ours, automatic, internal, public, changed, or made public late."""
    now, comment = hub.now(), event.comment
    link = records.find(tx.connection, row.connection, event.record_id)
    if link is None:
        _no_record(hub, tx, row)
        return
    known = records.find_comment(tx.connection, row.connection, comment.id)
    if known is not None:
        _seen_again(hub, tx, row, event, known, link)
        return
    ticket = tickets.by_id(tx.connection, link.ticket_id)
    ours = deliveries.by_uuid(tx.connection, comment.origin) if comment.origin else None
    if ours is not None:
        _link(tx, row, event, link, message_id=ours.message_id, direction="ours", now=now)
        redact.follow(hub, tx, ours)
        redact.forget_event(tx, row, ours.message_id)
        inbox.finish(tx, row.id, "ignored", reason="our own comment", now=now, ticket_id=ticket.id)
        return
    if not comment.origin and deliveries.in_flight(tx.connection, ticket_ids=[ticket.id], side=SINK_VERBS):
        inbox.postpone(
            tx, row.id, until=now + hub.timing.echo_retry, reason="waiting for a delivery in flight", count=False
        )
        return
    _theirs(hub, tx, row, event, link, ticket)


def _no_record(hub: Hub, tx: Tx, row: Row[Any]) -> None:
    now = hub.now()
    if deliveries.opening_in_flight(tx.connection, row.connection):
        # The webhook may be faster than the answer of the call that opened the record.
        inbox.postpone(
            tx, row.id, until=now + hub.timing.echo_retry, reason="waiting for a record being opened", count=False
        )
    else:
        inbox.finish(tx, row.id, "ignored", reason="not a record of ours", now=now)


def _link(
    tx: Tx, row: Row[Any], event: CommentSeen, link: Row[Any], *, message_id: int | None, direction: str, now: datetime
) -> None:
    records.link_comment(
        tx,
        sink=row.connection,
        vendor_id=event.comment.id,
        record_link_id=link.id,
        message_id=message_id,
        direction=direction,
        public=event.comment.public,
        text_hash=text_hash(event.comment.text),
        now=now,
    )


def found_late(
    hub: Hub, tx: Tx, row: Row[Any], event: CommentSeen, link: Row[Any], ticket: Row[Any], *, why: str
) -> None:
    """Take over a comment that a comparison found and nobody had told of, without publishing it: ``why`` says why."""
    _theirs(hub, tx, row, event, link, ticket, held=why)


def _theirs(
    hub: Hub, tx: Tx, row: Row[Any], event: CommentSeen, link: Row[Any], ticket: Row[Any], *, held: str = ""
) -> None:
    now, comment = hub.now(), event.comment
    attachments = files.named_comment(hub, row.connection, comment)
    human = comment.author.role in HUMAN_ROLES and not comment.automatic
    message_id = messages.insert_local(
        tx,
        ticket_id=ticket.id,
        direction="outbound",
        public=comment.public,
        privacy="public" if comment.public else "direct",
        sender_kind="agent" if human else "system",
        author_name=comment.author.name,
        origin="helpdesk",
        text=comment.text,
        attachments=[item.model_dump() for item in attachments],
        created_at=comment.created_at,
        received_at=now,
    )
    _link(tx, row, event, link, message_id=message_id, direction="theirs", now=now)
    data: dict[str, Any] = {"message": message_id, "role": comment.author.role, "via": comment.via}
    if comment.copied_from:
        data["copied_from"] = comment.copied_from
    why = not_for_customer(event, link, human=human) or held
    if why:
        kind = "note_written" if not comment.public else "comment_not_published"
        tickets.add_event(tx, ticket.id, kind, now=now, actor=comment.author.name, reason=why, **data)
        inbox.finish(tx, row.id, "done", reason=f"not published: {why}", now=now, ticket_id=ticket.id)
        return
    tickets.change(tx, ticket.id, now=now, answered_at=now, last_person_at=now)
    tickets.add_event(tx, ticket.id, "agent_answered", now=now, actor=comment.author.name, **data)
    compose.compose(
        hub,
        tx,
        track.fresh(tx, ticket.id),
        message_id=message_id,
        text=comment.text,
        attachments=attachments,
        cause=f"comment:{row.connection}:{comment.id}",
        actor=comment.author.name,
        now=now,
        copy_of=_copy_of(row, event, link),
    )
    inbox.finish(tx, row.id, "done", now=now, ticket_id=ticket.id)


def _copy_of(row: Row[Any], event: CommentSeen, link: Row[Any]) -> str:
    """Names the words that reach the incidents of one problem, each time the same; empty for any other answer. What
    somebody pasted into each of them is as good as a copy."""
    comment = event.comment
    problem = comment.copied_from or (link.mirrored or {}).get("problem", "")
    return f"{row.connection}:{problem}:{text_hash(comment.text)[:16]}" if problem else ""


def not_for_customer(event: CommentSeen, link: Row[Any], *, human: bool) -> str:
    """Why a comment does not go to the customer; empty when it does.

    A reply is only a comment that is public when first seen, by a human agent, and younger than the record link.
    """
    if not event.comment.public:
        return "an internal note"
    if event.comment.automatic:
        return f"written by an automatism ({event.comment.via or 'unknown'})"
    if not human:
        return f"written by the role {event.comment.author.role or 'unknown'}"
    # The helpdesk counts in whole seconds, the link in milliseconds.
    if event.comment.created_at < link.created_at.replace(microsecond=0):
        return "older than the link to this ticket"
    if event.comment.origin:  # a second hub on this account, or one before a new start: no person's word
        return "written by another hub"
    if event.comment.redacted:
        return "redacted in the helpdesk before the hub saw it"
    return ""


def _seen_again(hub: Hub, tx: Tx, row: Row[Any], event: CommentSeen, known: Row[Any], link: Row[Any]) -> None:
    now, comment = hub.now(), event.comment
    if comment.redacted:
        redact.redacted_there(hub, tx, row, event, known, tickets.by_id(tx.connection, link.ticket_id))
        records.change_comment(tx, known.id, text_hash=text_hash(comment.text))
        if known.direction == "ours" or comment.public == known.public:
            inbox.finish(tx, row.id, "done", reason="redacted there", now=now, ticket_id=link.ticket_id)
            return
    else:
        redact.forget_event(tx, row, known.message_id)
    if known.direction == "ours" or (comment.public == known.public and text_hash(comment.text) == known.text_hash):
        inbox.finish(tx, row.id, "ignored", reason="already known", now=now, ticket_id=link.ticket_id)
        return
    records.change_comment(tx, known.id, public=comment.public, text_hash=text_hash(comment.text))
    ticket = tickets.by_id(tx.connection, link.ticket_id)
    if comment.public and not known.public and not known.first_seen_public:
        tickets.add_event(
            tx, ticket.id, "note_made_public", now=now, actor=comment.author.name, message=known.message_id
        )
        text = texts.note("old_note_made_public", hub.language, network=ticket.network)
        body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
        cause = f"made-public:{row.connection}:{comment.id}"
        track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now)
        inbox.finish(
            tx,
            row.id,
            "parked",
            reason="an old internal note was made public; it was not published and the agent was told. "
            "Discard this when it is settled.",
            now=now,
            ticket_id=ticket.id,
        )
        return
    if known.public and not comment.public and known.message_id is not None:
        _take_back(tx, known.message_id, now=now)
    tickets.add_event(tx, ticket.id, "comment_changed", now=now, actor=comment.author.name, message=known.message_id)
    reason = "changed after it was first seen; what the customer was told stays"
    inbox.finish(tx, row.id, "done", reason=reason, now=now, ticket_id=ticket.id)


def _take_back(tx: Tx, message_id: int, *, now: datetime) -> None:
    """Its author made an answer internal before it, or all of it, went out: what waits stays inside."""
    for row in sent.replies_not_begun(tx.connection, message_id):
        reason = "its author made it an internal note before it went out"
        deliveries.change(tx, row.id, state="discarded", reason=reason, done_at=now)


def record_changed(hub: Hub, tx: Tx, row: Row[Any], event: RecordChanged) -> None:
    """Take over status, assignee, priority and tags; follow merges and deletions; obey the agents' commands."""
    now = hub.now()
    link = records.find(tx.connection, row.connection, event.record_id)
    if link is None:
        _no_record(hub, tx, row)
        return
    mirrored, clock, seen = dict(link.mirrored or {}), event.changed_at.timestamp(), seen_fields(event)
    stale = clock < mirrored.get("at", 0)
    if stale and not field_rules.newer(mirrored, seen, clock):
        inbox.finish(tx, row.id, "ignored", reason="older than what is known", now=now, ticket_id=link.ticket_id)
        return
    ticket = tickets.by_id(tx.connection, link.ticket_id)
    merged = bool(event.merged_into and event.merged_into != link.merged_into) and not stale
    values: dict[str, Any] = {"last_seen_at": now}
    if event.deleted and not stale:
        values.update(deleted_at=now, deleted_how="reported by the helpdesk", active=False)
        tickets.add_event(tx, ticket.id, "record_deleted", now=now, actor=row.connection, record=event.record_id)
    if merged or event.deleted:
        mirrored.update(seen, at=max(clock, mirrored.get("at", 0)))
    else:
        field_rules.Rules(hub, tx, row, ticket, event, mirrored).apply(seen)
    if link.active and not (stale or merged or event.deleted):
        commands.obey(hub, tx, row, track.fresh(tx, ticket.id), event, mirrored)
    records.change(tx, link.id, mirrored=mirrored, version=link.version if stale else event.version, **values)
    if merged:
        _merged(tx, link, event, ticket, now=now)
    inbox.finish(tx, row.id, "done", now=now, ticket_id=ticket.id)


def seen_fields(event: RecordChanged) -> dict[str, Any]:
    """The fields that were reported, as they are kept with the record link."""
    seen = {
        "status": event.status,
        "vendor_status": event.vendor_status or None,
        "priority": event.priority,
        "tags": None if event.tags is None else sorted(event.tags),
        "assignee": None if event.assignee is None else event.assignee.name or event.assignee.id,
        "group": event.group,
        "category": event.category,
        "problem": event.problem,
    }
    return {name: value for name, value in seen.items() if value is not None}


def _merged(tx: Tx, link: Row[Any], event: RecordChanged, ticket: Row[Any], *, now: datetime) -> None:
    tickets.add_event(tx, ticket.id, "record_merged", now=now, actor=link.connection, into=event.merged_into)
    target = records.find(tx.connection, link.connection, event.merged_into)
    records.change(tx, link.id, merged_into=event.merged_into, active=False)
    if target is None:
        # What the customer says from now on goes to the record the agents kept.
        records.link(
            tx, ticket_id=ticket.id, sink=link.connection, vendor_id=event.merged_into, url="", version="", now=now
        )
