"""Puts right what a comparison found: missed events go through the inbox, lost links are written again."""

from __future__ import annotations

from typing import Any

from hub.flow import mirror, texts, track
from hub.flow.comparing import Difference
from hub.flow.converse import text_hash
from hub.flow.hub import Hub
from hub.sdk import AddComment, AnyEvent, CommentSeen, Receipt, RecordChanged, Said
from hub.store import Row, Tx, certificates, deliveries, inbox, records, tickets

FOUND_LATE = "found by a comparison more than a day after it was written"


def mend(hub: Hub, tx: Tx, name: str, link_id: int, difference: Difference) -> bool:
    """Put one difference of a record right; True when something was done about it."""
    link = records.by_id(tx.connection, link_id)
    if difference.repair == "link":
        return _link_comment(hub, tx, name, link, difference)
    if difference.repair == "late":
        return _take_over_late(hub, tx, name, link, difference)
    if difference.repair == "inbox":
        fed = [_feed(hub, tx, name, link, event) for event in difference.events]
        return all(fed)
    return False


def link_record(hub: Hub, tx: Tx, name: str, difference: Difference) -> bool:
    """Write the link of a record that was opened, as its receipt says."""
    row = deliveries.by_id(tx.connection, difference.delivery_id or 0)
    if row is None or not row.receipt:
        return False
    receipt = Receipt.model_validate(row.receipt)
    made = records.link(
        tx,
        ticket_id=row.ticket_id,
        sink=name,
        vendor_id=receipt.vendor_id,
        url=receipt.permalink,
        version=receipt.version,
        now=row.first_attempt_at or hub.now(),
    )
    return bool(made.ticket_id == row.ticket_id)


def _feed(hub: Hub, tx: Tx, name: str, link: Row[Any], event: AnyEvent) -> bool:
    """Let the flow take an event in, as if it had just come; one that came before is taken up again."""
    now = hub.now()
    if isinstance(event, RecordChanged):
        _let_it_count(tx, link, event)
    tx.after_commit.append(lambda: hub.nudge(inbox.nudged(name)))
    if inbox.add_events(tx, connection=name, events=[event], now=now):
        return True
    row = certificates.event_row(tx.connection, name, event.event_key)
    if row is None or row.state not in ("done", "ignored"):
        return row is not None and row.state == "new"
    certificates.reopen_event(tx, row.id, payload=event.model_dump_json(), now=now)
    return True


def _let_it_count(tx: Tx, link: Row[Any], event: RecordChanged) -> None:
    """What is read now must not be passed over as older than what is known."""
    mirrored, changed_at = dict(link.mirrored or {}), event.changed_at.timestamp()
    if mirrored.get("at", 0) > changed_at:
        records.change(tx, link.id, mirrored={**mirrored, "at": changed_at})


def _take_over_late(hub: Hub, tx: Tx, name: str, link: Row[Any], difference: Difference) -> bool:
    now, first = hub.now(), difference.events[0]
    if not isinstance(first, CommentSeen) or records.find_comment(tx.connection, name, first.comment.id):
        return False
    if not _feed(hub, tx, name, link, first):
        return False
    row = certificates.event_row(tx.connection, name, first.event_key)
    assert row is not None  # noqa: S101 - just fed
    # Applied and ended in this transaction: nobody else ever sees the event waiting.
    ticket = tickets.by_id(tx.connection, link.ticket_id)
    mirror.found_late(hub, tx, row, first, link, ticket, why=FOUND_LATE)
    when = f"{first.comment.created_at:%Y-%m-%d %H:%M} UTC"
    text = texts.note("found_late", hub.language, author=first.comment.author.name, when=when, network=ticket.network)
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"found-late:{name}:{first.comment.id}", by_person=True, now=now)
    for event in difference.events[1:]:
        _feed(hub, tx, name, link, event)
    return True


def _link_comment(hub: Hub, tx: Tx, name: str, link: Row[Any], difference: Difference) -> bool:
    event = difference.events[0]
    assert isinstance(event, CommentSeen)  # noqa: S101 - comparing made it so
    row = None if difference.delivery_id is None else deliveries.by_id(tx.connection, difference.delivery_id)
    made = records.link_comment(
        tx,
        sink=name,
        vendor_id=event.comment.id,
        record_link_id=link.id,
        message_id=difference.message_id if row is None else row.message_id,
        direction="theirs" if row is None else "ours",
        public=event.comment.public,
        text_hash=text_hash(event.comment.text),
        now=hub.now(),
    )
    return made is not None
