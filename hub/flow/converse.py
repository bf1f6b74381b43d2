"""A customer's message finds its conversation and its ticket, and goes on to the helpdesk."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

from hub.flow import assign, collect, files, recognise, redact, settle, texts, track
from hub.flow.classify import Classified
from hub.flow.hub import Hub
from hub.flow.wording import first_words
from hub.sdk import (
    AddComment,
    Message,
    MessageDeleted,
    MessageSeen,
    OpenTicket,
    Quote,
    Receipt,
    Reply,
    Said,
    TicketView,
)
from hub.sdk.commands import ACCEPT
from hub.store import Row, RunAgain, Tx, connections, deliveries, inbox, messages, people, sent, tickets

REPLY_VERBS = ("reply", "edit_reply", "delete_reply")
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def message_seen(hub: Hub, tx: Tx, row: Row[Any], event: MessageSeen, classified: Classified) -> None:
    """Apply one message event: new, edited, already known, or our own."""
    message, now = files.named_message(hub, row.connection, event.message), hub.now()
    made_at = connections.seen(tx, row.connection).made_at
    known = messages.find(tx.connection, message.network, message.id)
    if known is not None and known.conversation_id is None and known.deleted_at is not None:
        inbox.finish(tx, row.id, "ignored", reason="deleted before it arrived", now=now)
    elif known is not None:
        _known_again(hub, tx, row, message, known)
    elif message.own:
        _own(hub, tx, row, message)
    elif message.created_at < made_at:
        # An edit made today of a post from before is history too.
        inbox.finish(tx, row.id, "ignored", reason="written before the connection was made", now=now)
    else:
        _new(hub, tx, row, message, classified)


def _new(hub: Hub, tx: Tx, row: Row[Any], message: Message, classified: Classified) -> None:
    now = hub.now()
    contact = (
        hub.encrypt_json({"emails": message.author.emails, "phones": message.author.phones})
        if (message.author.emails or message.author.phones)
        else None
    )
    identity = people.see_identity(tx, message.author, now=now, contact=contact)
    thread_id = people.see_thread(tx, message.network, message.thread, connection=row.connection, now=now)
    ticket, reopen = tickets.for_message(
        tx.connection,
        thread_id=thread_id,
        identity_id=identity.id,
        source=row.connection,
        private=message.privacy == "direct",
        now=now,
        joined=identity.joined,
    )
    is_new = ticket is None
    if ticket is None:
        ticket, found = _make_ticket(hub, tx, row, message, identity, classified)
    conversation_id = tickets.see_conversation(
        tx,
        thread_id=thread_id,
        identity_id=identity.id,
        ticket_id=ticket.id,
        connection=row.connection,
        at=message.created_at,
        now=now,
    )
    stored = messages.insert_from_network(
        tx,
        message,
        direction="inbound",
        thread_id=thread_id,
        identity_id=identity.id,
        conversation_id=conversation_id,
        ticket_id=ticket.id,
        now=now,
    )
    if stored is None:
        raise RunAgain("the message appeared meanwhile")
    for router, answer in classified.answers:
        messages.add_decision(tx, message_id=stored.id, ticket_id=ticket.id, router=router, answer=answer, now=now)
    if not is_new:
        found = _follow_up(hub, tx, ticket, message, reopen=reopen)
    tickets.add_event(tx, ticket.id, "customer_wrote", now=now, actor=message.author.label, message=stored.id)
    cause = f"message:{message.network}:{message.id}"
    if is_new:
        _open_record(hub, tx, ticket, stored, identity, cause=cause, now=now)
    else:
        to_helpdesk(hub, tx, track.fresh(tx, ticket.id), stored, cause=cause, now=now)
    told = (*message.author.emails, *message.author.phones, *found.values())
    recognise.recognise(hub, tx, ticket, identity, told, now=now)
    inbox.finish(tx, row.id, "done", now=now, ticket_id=ticket.id)


def _make_ticket(
    hub: Hub, tx: Tx, row: Row[Any], message: Message, identity: Row[Any], classified: Classified
) -> tuple[Row[Any], dict[str, str]]:
    """The new ticket, and what the message says for its fields."""
    now, uid = hub.now(), f"sch-{uuid.uuid4().hex}"
    fields = classified.fields
    team = assign.team_for(hub, source=row.connection, fields=fields)
    category = hub.categories.get(fields["category"])
    found = collect.find_fields(category, message.text, {})
    ticket = tickets.create(
        tx,
        uid=uid,
        code=uid[4:20],
        connection=row.connection,
        network=message.network,
        identity_id=identity.id,
        customer_id=people.customer_of(tx, identity.id),
        subject=subject_of(message),
        kind=fields["kind"],
        language=fields.get("language", ""),
        category=fields["category"],
        complexity=fields["complexity"],
        priority=fields["priority"],
        status="new",
        team=team.name,
        agent=assign.agent_for(hub, tx.connection, team, fields),
        sink=sink_of(hub, team.sink),
        private=message.privacy == "direct",
        tags=list(classified.tags),
        fields=hub.encrypt_json(found),
        missing=collect.missing_fields(category, found),
        created_at=now,
        updated_at=now,
        last_inbound_at=now,
        last_person_at=now,
    )
    ticket = tickets.change(tx, ticket.id, now=now, code=code_of(ticket.id))
    reasons = [reason for _, answer in classified.answers for reason in answer.reasons]
    tickets.add_event(
        tx, ticket.id, "ticket_opened", now=now, actor="hub", team=team.name, reasons=reasons, **_shown(fields)
    )
    return ticket, found


def _shown(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value and name not in ("team", "agent")}


def sink_of(hub: Hub, wanted: str) -> str:
    """The team's sink, also while it is left out: its tickets wait for it and never open in another helpdesk. In the
    trial, where no sink of that name is configured, the only one there is."""
    sinks = hub.sinks()
    return wanted if wanted in sinks or wanted in hub.left_out or not sinks else sinks[0]


def _follow_up(hub: Hub, tx: Tx, ticket: Row[Any], message: Message, *, reopen: bool) -> dict[str, str]:
    """Return what the message says for the ticket's fields that nobody knew."""
    now = hub.now()
    known = hub.decrypt_json(ticket.fields)
    category = hub.categories.get(ticket.category)
    found = collect.find_fields(category, message.text, known)
    values: dict[str, Any] = {"last_inbound_at": now, "last_person_at": now}
    if found != known:
        values.update(fields=hub.encrypt_json(found), missing=collect.missing_fields(category, found))
    if reopen:
        values.update(status="open", solved_at=None)
        tickets.add_event(tx, ticket.id, "reopened", now=now, actor=message.author.label)
    tickets.change(tx, ticket.id, now=now, **values)
    new = {name: value for name, value in found.items() if name not in known}
    if new:
        tickets.add_event(tx, ticket.id, "fields_collected", now=now, actor="hub", names=sorted(new))
        track.tell_sink(
            hub,
            tx,
            track.fresh(tx, ticket.id),
            cause=f"fields:message:{message.network}:{message.id}",
            now=now,
            by_person=True,
            fields=new,
        )
    return new


def _open_record(
    hub: Hub, tx: Tx, ticket: Row[Any], stored: Row[Any], identity: Row[Any], *, cause: str, now: datetime
) -> None:
    """As :func:`to_helpdesk` for a ticket that was just made: it can have no record, and all its rows are at hand."""
    second_step = assign.is_second_step(ticket)
    source = connections.seen(tx, ticket.connection)
    view = track.view_from(hub, ticket, identity=identity, last=stored, source=source, unassigned=second_step)
    body = OpenTicket(ticket=view, said=said_of(stored, people.as_identity(identity)), public=True)
    track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=stored.id)
    if second_step:
        assign.assign(hub, tx, ticket, cause=ticket.uid, agent=ticket.agent)


def to_helpdesk(hub: Hub, tx: Tx, ticket: Row[Any], stored: Row[Any], *, cause: str, now: datetime) -> None:
    """Open the helpdesk record with this message, or add the message to it."""
    said = said_of(stored, people.as_identity(people.identity_by_id(tx.connection, stored.identity_id)))
    known = track.has_record(tx.connection, ticket)
    if ticket.not_ours:
        _note_only(hub, tx, ticket, said, cause=cause, now=now, message_id=stored.id, known=known)
        return
    view = track.view_of(hub, tx.connection, ticket, unassigned=not known and assign.is_second_step(ticket))
    if not known:
        known = _tell_what_was_observed(hub, tx, ticket, view, now=now)
    body: OpenTicket | AddComment = (AddComment if known else OpenTicket)(ticket=view, said=said, public=True)
    track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=stored.id)
    if ticket.status == "open" and ticket.answered_at is not None and isinstance(body, AddComment):
        track.tell_sink(hub, tx, ticket, cause=f"reopen:{cause}", now=now, by_person=True, status="open", soon=True)


def _tell_what_was_observed(hub: Hub, tx: Tx, ticket: Row[Any], view: TicketView, *, now: datetime) -> bool:
    """What the customer wrote while this helpdesk was only observed opens the record now, in its order; True when there
    was something. A customer's first words must not be in the subject alone."""
    if connections.seen(tx, ticket.sink).mode == "observe":
        return False
    earlier = sent.customer_words_kept_back(tx.connection, ticket.id, ticket.sink, reason=track.ONLY_OBSERVED)
    opened = False
    for message in earlier:
        said = said_of(message, people.as_identity(people.identity_by_id(tx.connection, message.identity_id)))
        body: OpenTicket | AddComment = (AddComment if opened else OpenTicket)(ticket=view, said=said, public=True)
        told = {"cause": f"observed:{message.id}", "message_id": message.id}
        # None: it was told already, to a record that is gone by now.
        opened |= track.to_sink(hub, tx, ticket, body, by_person=True, now=now, **told) is not None
    return opened


def _note_only(
    hub: Hub, tx: Tx, ticket: Row[Any], said: Said, *, cause: str, now: datetime, message_id: int, known: bool
) -> None:
    """What a customer adds to a request that is not for us: an internal note, because a comment of theirs would make
    the helpdesk reopen it, and nothing where the record is gone."""
    if not known:
        return
    why = texts.note("customer_wrote_again", hub.language, tag=ACCEPT.tag)
    told = said.model_copy(update={"author": None, "text": f"{why}\n\n{said.text}"})
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=told, public=False)
    track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=message_id)


def said_of(stored: Row[Any], author: Any, *, text: str | None = None) -> Said:
    """A stored message as the helpdesk is told it."""
    return Said(
        text=stored.text if text is None else text,
        author=author,
        created_at=stored.created_at,
        permalink=stored.permalink,
        attachments=files.stored(stored),
        context=tuple(Quote.model_validate(item) for item in stored.context or ()),
    )


def _known_again(hub: Hub, tx: Tx, row: Row[Any], message: Message, known: Row[Any]) -> None:
    now = hub.now()
    echo = known.direction == "outbound" and message.edited_at is None
    if echo or not messages.add_revision(tx, known.id, message.revision, message.text, now=now):
        redact.forget_event(tx, row, known.id)
        reason = "echo of our own answer" if known.direction == "outbound" else "already known"
        inbox.finish(tx, row.id, "ignored", reason=reason, now=now, ticket_id=known.ticket_id)
        return
    if redact.edited_after(hub, tx, row, known):
        reason = "edited after it was redacted: the new words are not kept"
        inbox.finish(tx, row.id, "done", reason=reason, now=now, ticket_id=known.ticket_id)
        return
    older = message.edited_at is None or (known.edited_at is not None and message.edited_at <= known.edited_at)
    if older or known.deleted_at is not None:
        inbox.finish(tx, row.id, "done", reason="an older revision, kept", now=now, ticket_id=known.ticket_id)
        return
    changed = message.text != known.text
    messages.apply_edit(tx, known.id, message)
    if changed and known.ticket_id is not None:
        _tell_edit(hub, tx, known, message)
    inbox.finish(tx, row.id, "done", now=now, ticket_id=known.ticket_id)


def _tell_edit(hub: Hub, tx: Tx, known: Row[Any], message: Message) -> None:
    now, ticket = hub.now(), track.fresh(tx, known.ticket_id)
    kind = "customer_edited" if known.direction == "inbound" else "answer_edited_natively"
    tickets.add_event(tx, ticket.id, kind, now=now, actor=message.author.label, message=known.id)
    for waiting in deliveries.of_message(tx.connection, known.id, connection_name=ticket.sink):
        if (
            waiting.state == "waiting"
            and waiting.first_attempt_at is None
            and waiting.verb in ("open_ticket", "add_comment")
        ):
            body = (OpenTicket if waiting.verb == "open_ticket" else AddComment).model_validate_json(waiting.body)
            said = body.said.model_copy(update={"text": message.text})
            deliveries.change(tx, waiting.id, body=body.model_copy(update={"said": said}).model_dump_json())
            return
    stored = messages.by_id(tx.connection, known.id)
    text = f"{texts.note('customer_edited', hub.language)}\n\n{message.text}"
    author = people.as_identity(people.identity_by_id(tx.connection, known.identity_id)) if known.identity_id else None
    said = said_of(stored, author, text=text).model_copy(update={"context": ()})
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=said, public=known.direction == "inbound")
    track.to_sink(
        hub,
        tx,
        ticket,
        body,
        cause=f"edit:{message.network}:{message.id}:{message.revision}",
        by_person=True,
        now=now,
        message_id=known.id,
    )


def message_deleted(hub: Hub, tx: Tx, row: Row[Any], event: MessageDeleted) -> None:
    """The author removed a message: keep that it is gone, tell the helpdesk, never resurrect it."""
    now = hub.now()
    known = messages.find(tx.connection, event.network, event.message_id)
    if known is None:
        messages.insert_tombstone(tx, event.network, event.message_id, at=event.at or now, now=now)
        inbox.finish(tx, row.id, "done", reason="deleted before it arrived", now=now)
        return
    if known.deleted_at is not None:
        inbox.finish(tx, row.id, "ignored", reason="already known as deleted", now=now, ticket_id=known.ticket_id)
        return
    messages.mark_deleted(tx, known.id, at=event.at or now)
    if known.ticket_id is not None:
        ticket = track.fresh(tx, known.ticket_id)
        by = known.author_name
        kind = "customer_deleted" if known.direction == "inbound" else "answer_deleted_natively"
        tickets.add_event(tx, ticket.id, kind, now=now, actor=by, message=known.id)
        if known.direction == "inbound":
            text = texts.note("customer_deleted", hub.language, network=ticket.network, text=known.text)
            body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
            cause = f"delete:{event.network}:{event.message_id}"
            track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=known.id)
    inbox.finish(tx, row.id, "done", now=now, ticket_id=known.ticket_id)


def _own(hub: Hub, tx: Tx, row: Row[Any], message: Message) -> None:
    """What our own account said: an echo, to be matched by vendor id once nothing is in flight, or said natively."""
    now = hub.now()
    if deliveries.by_receipt(tx.connection, message.network, message.id) is not None:
        inbox.finish(tx, row.id, "ignored", reason="echo of our own answer", now=now)
        return
    thread = people.find_thread(tx.connection, message.network, message.thread.id)
    here = tickets.in_thread(tx.connection, thread.id) if thread is not None else []
    if not here:
        inbox.finish(tx, row.id, "ignored", reason="our own post, outside any conversation", now=now)
        return
    if deliveries.in_flight(tx.connection, ticket_ids=[c.ticket_id for c in here], side=REPLY_VERBS):
        # The echo may come before the send call returned: only the receipt can tell it from a native answer.
        inbox.postpone(
            tx, row.id, until=now + hub.timing.echo_retry, reason="waiting for an answer in flight", count=False
        )
        return
    if _proves_unknown(hub, tx, message, [c.ticket_id for c in here]):
        inbox.finish(tx, row.id, "done", reason="proves an answer whose outcome was unknown", now=now)
        return
    answered = messages.find(tx.connection, message.network, message.reply_to) if message.reply_to else None
    conversation = next((c for c in here if answered is not None and c.id == answered.conversation_id), here[0])
    ticket = track.fresh(tx, conversation.ticket_id)
    author = people.see_identity(tx, message.author, now=now)
    stored = messages.insert_from_network(
        tx,
        message,
        direction="outbound",
        thread_id=conversation.thread_id,
        identity_id=author.id,
        conversation_id=conversation.id,
        ticket_id=ticket.id,
        now=now,
    )
    if stored is None:
        raise RunAgain("the message appeared meanwhile")
    tickets.change(tx, ticket.id, now=now, answered_at=now, last_person_at=now)
    tickets.add_event(tx, ticket.id, "answered_natively", now=now, actor=message.author.label, message=stored.id)
    text = f"{texts.note('said_natively', hub.language, network=message.network)}\n\n{message.text}"
    said = said_of(stored, None, text=text).model_copy(update={"by_company": True, "context": ()})
    # Public, because the customer can read it; the hub's origin mark keeps it from being published again.
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=said, public=True)
    cause = f"native:{message.network}:{message.id}"
    track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=stored.id)
    inbox.finish(tx, row.id, "done", reason="said in the native app", now=now, ticket_id=ticket.id)


def _proves_unknown(hub: Hub, tx: Tx, message: Message, ticket_ids: list[int]) -> bool:
    """An answer was parked because nobody could tell whether it arrived; here it is."""
    said = " ".join(message.text.split())
    for row in deliveries.unknown_replies(tx.connection, ticket_ids):
        body = Reply.model_validate_json(row.body)
        text = " ".join(body.text.split())
        # Files alone: whom they are for is all that was said.
        same = said.endswith(text) if text else len(said.split()) <= 1
        if body.reply_to == message.reply_to and same and (text or len(message.attachments) == len(body.attachments)):
            receipt = Receipt(vendor_id=message.id, permalink=message.permalink, at=message.created_at)
            settle.received(hub, tx, row, receipt, token=None)
            return True
    return False


def subject_of(message: Message) -> str:
    """The first words of a message, at most 80 characters, for the helpdesk's list of tickets."""
    return first_words(message.subject or message.text)


def code_of(ticket_id: int) -> str:
    """The human number: short, unambiguous letters, not telling how many tickets there are."""
    number = (ticket_id * 387_420_489 + 104_729) % 2**30  # odd factor: one code per id below 2**30
    return "SCH-" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(25, -1, -5))


def text_hash(text: str) -> str:
    """What two wordings have in common once spaces are evened out."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:32]
