"""An agent's public answer becomes what is said on the network: may it be said here, now, how?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.flow import files, incident, texts, track
from hub.flow.hub import Hub
from hub.flow.wording import clean, personal_data
from hub.sdk import AddComment, Attachment, RepliesInPrivate, RepliesInPublic, Reply, ReplyLimits, Said
from hub.sdk.commands import DRAFT_TAG, SEND_DRAFT
from hub.sdk.text import fits, split
from hub.store import Connection, Row, Tx, connections, deliveries, messages, people, sent, tickets

SEND_DRAFT_TAG = SEND_DRAFT.tag
DRAFT = "draft: waits for the agent's word"
PARTED = "it was for somebody who is another customer again"
MAX_PARTS = 10
NO_LIMITS = ReplyLimits(max_length=100_000)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be said where; or why it may not (``refused``, a key of the texts, with its values).

    Files go with the first part, which the others follow; ``left`` are those that cannot go.
    """

    parts: tuple[Reply, ...] = ()
    left: tuple[files.Left, ...] = ()
    refused: str = ""
    values: tuple[tuple[str, object], ...] = ()


def plan(
    hub: Hub,
    connection: Connection,
    ticket: Row[Any],
    text: str,
    *,
    now: datetime,
    under: Row[Any] | None = None,
    attachments: Sequence[Attachment] = (),
) -> Plan:
    """Plan an answer: under the newest post of the ticket's own customer (or the message ``under``), never wider than
    it, in parts that fit, with the files that the network takes."""
    if ticket.not_ours:
        return Plan(refused="not_ours")
    last = under or messages.last_inbound(connection, ticket)
    if last is None:
        return Plan(refused="no_conversation")
    conversation = tickets.conversation_by_id(connection, last.conversation_id)
    source = hub.connected.get(conversation.connection)
    needed = RepliesInPrivate if last.privacy == "direct" else RepliesInPublic
    # A connection that is left out for now gets its answers when it is back.
    can_answer = source.has(needed) if source else conversation.connection in hub.left_out
    if not can_answer:
        return Plan(refused="cannot_reply")
    row = connections.get(connection, conversation.connection)
    limits = track.reply_limits(row) or NO_LIMITS
    text = clean(text)
    taken, left = files.choose(attachments, limits)
    if not text and not taken:
        values = (("files", files.reasons(left, hub.language)),) if left else ()
        return Plan(refused="only_files" if left else "empty", values=values)
    if limits.window_hours and now > last.created_at + timedelta(hours=limits.window_hours):
        return Plan(refused="window_closed", values=(("hours", round(limits.window_hours)),))
    what = personal_data(text) if last.privacy != "direct" else ""
    if what:
        return Plan(refused="personal_data", values=(("what", what),))
    parts = [text] if fits(text, limits) else split(text, limits)
    if len(parts) > MAX_PARTS:
        return Plan(refused="too_long", values=(("parts", MAX_PARTS), ("length", limits.max_length)))
    to = people.as_identity(people.identity_by_id(connection, conversation.identity_id))
    return Plan(
        left=left,
        parts=tuple(
            Reply(
                network=conversation.network,
                thread_id=conversation.thread_vendor_id,
                reply_to=last.vendor_id,
                to=to,
                text=part,
                language=ticket.language,
                privacy=last.privacy,
                part=number,
                parts=len(parts),
                attachments=taken if number == 1 else (),
                answer_with=last.answer_with or {},
            )
            for number, part in enumerate(parts, 1)
        ),
    )


def compose(
    hub: Hub,
    tx: Tx,
    ticket: Row[Any],
    *,
    message_id: int,
    text: str,
    attachments: Sequence[Attachment] = (),
    cause: str,
    actor: str,
    now: datetime,
    copy_of: str = "",
) -> None:
    """Plan the answer and put it out, hold it as a draft, or show it only, as the source's mode says.

    What may not go out comes back to the agent as an internal note with the reason and the next step. ``copy_of`` names
    the record whose answer this is a copy of: copies leave one by one, and too many of them wait as drafts.
    """
    last = messages.last_inbound(tx.connection, ticket)
    planned = plan(hub, tx.connection, ticket, text, now=now, under=last, attachments=attachments)
    if planned.refused:
        refuse(hub, tx, ticket, cause=cause, name=planned.refused, values=dict(planned.values), now=now)
        return
    assert last is not None  # noqa: S101 - the plan is of it
    source = tickets.conversation_by_id(tx.connection, last.conversation_id).connection
    mode = connections.get(tx.connection, source).mode
    due_at = incident.turn(tx, copy_of, source, now=now) if copy_of and mode == "live" else now
    too_many = due_at is None
    if too_many:
        mode = "draft"
    state, reason = {
        "live": ("waiting", ""),
        "draft": ("parked", DRAFT),
        "observe": ("discarded", "observe mode: nothing is published"),
    }[mode]
    replaced = _replace_older_draft(tx, ticket, cause=cause, now=now) if mode == "draft" else False
    put_out(
        tx,
        ticket,
        planned,
        under=last,
        source=source,
        message_id=message_id,
        cause=cause,
        now=now,
        state=(state, reason),
        due_at=due_at,
    )
    kind = {"live": "answer_composed", "draft": "answer_drafted", "observe": "answer_observed"}[mode]
    shown = [_words(reply, hub.language) for reply in planned.parts]
    tickets.add_event(tx, ticket.id, kind, now=now, actor=actor, message=message_id, connection=source, parts=shown)
    if mode == "live":
        tx.after_commit.append(lambda: hub.nudge(source))
        tell_left(hub, tx, ticket, planned, cause=cause, now=now)
    else:
        name = "observed" if mode == "observe" else "draft_again" if replaced else "draft"
        name = "draft_copy" if too_many else name
        _show_plan(hub, tx, ticket, planned, message_id=message_id, name=name, cause=cause, now=now)


def put_out(
    tx: Tx,
    ticket: Row[Any],
    planned: Plan,
    *,
    under: Row[Any],
    source: str,
    message_id: int,
    cause: str,
    now: datetime,
    state: tuple[str, str] = ("waiting", ""),
    due_at: datetime | None = None,
) -> None:
    """Make a plan's parts deliveries of the conversation of the message ``under``; ``state`` comes with its reason."""
    for reply in planned.parts:
        deliveries.enqueue(
            tx,
            key=f"reply:{cause}:{source}:{reply.part}",
            connection=source,
            lane=lane_of(under.conversation_id),
            body=reply,
            now=now,
            ticket_id=ticket.id,
            message_id=message_id,
            by_person=True,
            answer=cause if reply.parts > 1 else None,
            part=reply.part,
            state=state[0],
            reason=state[1],
            due_at=due_at,
            priority=track.PRIORITIES.get(ticket.priority, 1),
        )


def lane_of(conversation_id: int) -> str:
    """The lane of what is said in a conversation."""
    return f"conversation-{conversation_id}"


def _replace_older_draft(tx: Tx, ticket: Row[Any], *, cause: str, now: datetime) -> bool:
    """An answer that was worded again is not published twice: one draft waits per ticket, the newest."""
    older = deliveries.parked_with(tx.connection, ticket.id, DRAFT)
    for row in older:
        deliveries.change(tx, row.id, state="superseded", reason=f"a newer draft: {cause}", done_at=now)
    return bool(older)


def tell_left(hub: Hub, tx: Tx, ticket: Row[Any], planned: Plan, *, cause: str, now: datetime) -> None:
    """Tell the agent which files do not go with an answer, why, and what to do; nothing when all go."""
    if not planned.left:
        return
    step = texts.next_step("files", hub.language)
    listed = files.reasons(planned.left, hub.language)
    text = texts.note("files_left", hub.language, network=planned.parts[0].network, files=listed, next_step=step)
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"files:{cause}", by_person=True, now=now)


def _words(reply: Reply, language: str) -> str:
    """A reply as people are shown it before it goes out: its text, and the files with it."""
    names = files.listed(reply.attachments)
    return "\n\n".join(filter(None, [reply.text, names and texts.note("would_carry", language, files=names)]))


def _show_plan(
    hub: Hub, tx: Tx, ticket: Row[Any], planned: Plan, *, message_id: int, name: str, cause: str, now: datetime
) -> None:
    """Show the agent, inside the record, what would be said where."""
    words = "\n\n— — —\n\n".join(_words(part, hub.language) for part in planned.parts)
    left = files.reasons(planned.left, hub.language)
    text = texts.note(
        name,
        hub.language,
        network=ticket.network,
        to=planned.parts[0].to.label,
        text="\n\n".join(filter(None, [words, left and texts.note("would_leave", hub.language, files=left)])),
        tag=SEND_DRAFT_TAG,
        macro=SEND_DRAFT.title.in_language(hub.language),
    )
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"{name}:{cause}", by_person=True, now=now, message_id=message_id)
    if name != "observed":
        track.tell_sink(hub, tx, ticket, cause=f"tag:{cause}", now=now, by_person=True, tags_add=(DRAFT_TAG,))


def release_drafts(hub: Hub, tx: Tx, ticket: Row[Any], *, actor: str, now: datetime) -> int:
    """Publish what waits as a draft; return how many parts."""
    rows = deliveries.parked_with(tx.connection, ticket.id, DRAFT)
    for row in rows:
        deliveries.change(tx, row.id, state="waiting", reason="", due_at=now)
        tx.after_commit.append(lambda name=row.connection: hub.nudge(name))  # type: ignore[misc]
    if rows:
        tickets.add_event(tx, ticket.id, "draft_released", now=now, actor=actor, parts=len(rows))
        no_draft_waits(hub, tx, ticket, cause=f"draft:{rows[-1].id}", now=now)
    return len(rows)


def no_draft_waits(hub: Hub, tx: Tx, ticket: Row[Any], *, cause: str, now: datetime) -> None:
    """Take the mark of a waiting draft off the record."""
    track.tell_sink(hub, tx, ticket, cause=f"no-{cause}", now=now, by_person=True, tags_remove=(DRAFT_TAG,))


def keep_from_parted(hub: Hub, tx: Tx, accounts: Collection[int], *, cause: str, now: datetime) -> None:
    """These accounts were one customer and are not any more: what waits to be said to one of them in a ticket of
    another is never said, and the agents of that ticket are told."""
    astray = {lane_of(one.id): one for one in tickets.with_others(tx.connection, accounts)}
    gone: dict[int, list[Row[Any]]] = {}
    for row in sent.waiting_in(tx.connection, astray.keys()):
        deliveries.change(tx, row.id, state="discarded", reason=PARTED, done_at=now)
        gone.setdefault(row.ticket_id, []).append(row)
    for ticket_id, found in gone.items():
        ticket, why = track.fresh(tx, ticket_id), f"{cause}:{ticket_id}"
        drafts = any(row.reason.startswith(DRAFT) for row in found)
        if drafts and not deliveries.parked_with(tx.connection, ticket_id, DRAFT):
            no_draft_waits(hub, tx, ticket, cause=why, now=now)
        to = people.identity_by_id(tx.connection, astray[found[0].lane].identity_id)
        owner = people.identity_by_id(tx.connection, ticket.identity_id)
        values: dict[str, object] = {"person": people.as_identity(to).label, "owner": people.as_identity(owner).label}
        refuse(hub, tx, ticket, cause=why, name="parted", values=values, now=now)


def refuse(
    hub: Hub, tx: Tx, ticket: Row[Any], *, cause: str, name: str, values: dict[str, object], now: datetime
) -> None:
    """Tell the agent that an answer did not go out, why, and what to do."""
    why = texts.reason(name, hub.language, **values)
    step = texts.next_step(name, hub.language, **values)
    tell_refusal(hub, tx, ticket, cause=cause, why=why, step=step, now=now)


def tell_refusal(hub: Hub, tx: Tx, ticket: Row[Any], *, cause: str, why: str, step: str, now: datetime) -> None:
    """The internal note of a refusal, and its line in the timeline."""
    tickets.add_event(tx, ticket.id, "answer_refused", now=now, actor="hub", reason=why)
    text = texts.note("refused", hub.language, network=ticket.network, reason=why, next_step=step)
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"refused:{cause}", by_person=True, now=now)
