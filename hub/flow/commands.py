"""What agents tell the hub by a tag on a record (``hub.sdk.COMMANDS``): each is obeyed once, and its tag removed.

A helpdesk does not say who set a tag. A tag that a trigger or an automation set counts as an agent's word: an admin
wrote that rule, and customers cannot set tags. What a command cannot do is said in an internal note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.flow import category, compose, field_rules, files, texts, track
from hub.flow.hub import Hub
from hub.sdk import COMMANDS, Command, RecordChanged, UpdateFields, category_tag
from hub.sdk.commands import CATEGORY_TAG_PREFIX, SEND_DRAFT, WRONG_PERSON
from hub.store import Row, Tx, connections, deliveries, messages, people, redacting, same_person, sent, tickets

MOST_COPIES = 20
"""Of one answer, to the other conversations of its ticket: one human act, but not without bounds."""
COPIES_APART = timedelta(seconds=30)


@dataclass
class Order:
    """A command at work. ``tag`` is as the helpdesk has it; what goes back to the record is gathered in ``notes`` and
    ``fields`` (of ``UpdateFields``)."""

    hub: Hub
    tx: Tx
    ticket: Row[Any]
    actor: str
    now: datetime
    cause: str
    tag: str = ""
    notes: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    def say(self, name: str, **values: object) -> None:
        """Add a note of the texts."""
        self.notes.append(texts.note(name, self.hub.language, **values))

    def change(self, **values: Any) -> None:
        """Set columns of the ticket."""
        self.ticket = tickets.change(self.tx, self.ticket.id, now=self.now, **values)


def obey(hub: Hub, tx: Tx, row: Row[Any], ticket: Row[Any], event: RecordChanged, mirrored: dict[str, Any]) -> None:
    """Do what the tags of a record say and were not obeyed for yet; ``mirrored`` keeps those in ``obeyed``.

    A tag stays until its removal has arrived: until then it is no new word, afterwards it is.
    """
    if event.tags is None:
        return
    given = _given(event.tags)
    before = mirrored.pop("obeyed", ())
    if not given:
        return
    mirrored["obeyed"] = [tag for _, tag in given]
    updates = sent.updates(tx.connection, ticket.id, row.connection)
    new = [one for one in given if _is_new(updates, one[1], known=one[1] in before, at=event.changed_at)]
    if not new:
        return
    if _goes_round(hub, tx, row, ticket):
        return
    actor = event.assignee.name if event.assignee and event.assignee.name else "agent"
    order = Order(hub, tx, ticket, actor, hub.now(), cause=f"command:{row.event_key}")
    for command, order.tag in new:
        _DOES[command.name](order)
    note = "\n\n".join(order.notes)
    gone = tuple(tag for _, tag in new)
    track.tell_sink(
        hub,
        tx,
        track.fresh(tx, ticket.id),
        cause=order.cause,
        now=order.now,
        by_person=True,
        soon=True,
        note=note,
        tags_remove=gone,
        **order.fields,
    )


def _goes_round(hub: Hub, tx: Tx, row: Row[Any], ticket: Row[Any]) -> bool:
    """True when this ticket was ordered about so often that it can only be a rule of the helpdesk, which sets the tag
    again whenever the hub takes it away. The tag is left where it is then: nothing changes, and nothing fires."""
    since = hub.now() - track.FUSE_WINDOW
    if sent.ordered_since(tx.connection, ticket.id, since=since) < track.FUSE:
        return False
    text = f"fuse: more than {track.FUSE} commands in an hour for one ticket ({ticket.code}); does a rule set the tags?"
    connections.open_alarm(tx, row.connection, "fuse", text=text, now=hub.now())
    return True


def _given(tags: Sequence[str]) -> list[tuple[Command, str]]:
    """The commands among a record's tags, what waits as a draft first: another may speak of the answer it releases."""
    found = [
        (command, tag)
        for command in COMMANDS
        for tag in tags
        if (tag.startswith(command.tag) if command.takes_category else tag == command.tag)
    ]
    return sorted(found, key=lambda one: one[0] is not SEND_DRAFT)


def _is_new(updates: Sequence[Row[Any]], tag: str, *, known: bool, at: datetime) -> bool:
    """True when a tag that a record had ``at`` a time was set after our last removal of it, if there was one."""
    for update in updates:
        if tag in UpdateFields.model_validate_json(update.body).tags_remove:
            removed = field_rules.arrived(update)
            return removed is not None and removed < at
    return not known


# --- the commands ----------------------------------------------------------------------------------------------------


def _accept(order: Order) -> None:
    """The ticket stays; what sorted it has done its part. Takes "not for us" back."""
    tx, ticket = order.tx, order.ticket
    tx.write_later()
    if not ticket.not_ours and tickets.happened(tx.connection, ticket.id, "accepted"):
        order.say("command_accepted_already")
        return
    if ticket.not_ours:
        order.change(not_ours=False)
    tickets.add_event(tx, ticket.id, "accepted", now=order.now, actor=order.actor, category=ticket.category)


def _not_for_us(order: Order) -> None:
    """Solved, and marked so that nothing is said to the customer and nothing they add reopens it."""
    tx, ticket = order.tx, order.ticket
    if ticket.not_ours:
        order.say("command_not_ours_already")
        return
    drafts = deliveries.parked_with(tx.connection, ticket.id, compose.DRAFT)
    for draft in drafts:
        deliveries.change(tx, draft.id, state="discarded", reason="not for us", done_at=order.now)
    if drafts:
        compose.no_draft_waits(order.hub, tx, ticket, cause=order.cause, now=order.now)
    ended = {} if ticket.status in ("solved", "closed") else {"status": "solved", "solved_at": order.now}
    order.change(not_ours=True, **ended)
    if ended:
        order.fields["status"] = "solved"
    data = {"kind": ticket.kind, "category": ticket.category, "team": ticket.team, "language": ticket.language}
    tickets.add_event(tx, ticket.id, "not_for_us", now=order.now, actor=order.actor, **data)


def _other_category(order: Order) -> None:
    hub, tx, ticket = order.hub, order.tx, order.ticket
    name = next((one for one in hub.categories if category_tag(one) == order.tag), None)
    if name is None:
        known = ", ".join(sorted(map(category_tag, hub.categories)))
        order.say("command_no_such_category", category=order.tag.removeprefix(CATEGORY_TAG_PREFIX), tags=known or "-")
        return
    if name == ticket.category:
        order.say("command_category_already", category=category.label(hub, name))
        return
    done = category.change(hub, tx, ticket, name, actor=order.actor, now=order.now)
    order.ticket = track.fresh(tx, ticket.id)
    collected = {**order.fields.get("fields", {}), **done.fields.pop("fields", {})}
    order.fields.update(done.fields, **({"fields": collected} if collected else {}))
    order.notes += done.notes


def _wrong_person(order: Order) -> None:
    """The author of the customer's newest message is parted from the customer they were joined with. The request stays
    its opener's: an answer must not reach whoever happened to write last in it."""
    tx, ticket = order.tx, order.ticket
    last = messages.last_inbound(tx.connection, ticket)
    author = last.identity_id if last is not None else ticket.identity_id
    before = people.accounts(tx, author)
    if not people.part(tx, author, evidence=f"parted by {order.actor} in {ticket.code}", now=order.now):
        order.say("command_not_joined")
        return
    ours = people.accounts(tx, ticket.identity_id)
    owners, others = _labels(tx, ours), _labels(tx, [one for one in before if one not in ours])
    order.ticket = track.fresh(tx, ticket.id)
    tickets.add_event(tx, ticket.id, "person_parted", now=order.now, actor=order.actor, identity=others)
    order.say("command_parted", person=others, owner=owners)
    compose.keep_from_parted(order.hub, tx, before, cause=order.cause, now=order.now)


def _labels(tx: Tx, identities: Sequence[int]) -> str:
    found = [people.as_identity(people.identity_by_id(tx.connection, one)) for one in identities]
    return ", ".join(f"{one.label} ({one.network.capitalize()})" for one in found)


def _same_person(order: Order) -> None:
    """The newest proposal of this ticket that nobody has taken up is right: both accounts are one customer."""
    tx, ticket = order.tx, order.ticket
    proposed = same_person.proposed_in(tx.connection, ticket.id)
    if not proposed:
        order.say("command_nothing_proposed")
        return
    apart = [pair for pair in proposed if pair.high_id not in people.accounts(tx, pair.low_id)]
    pair = (apart or proposed)[0]
    ids = sorted((pair.low_id, pair.high_id), key=lambda one: one != ticket.identity_id)
    person, other = (people.as_identity(people.identity_by_id(tx.connection, one)) for one in ids)
    if not apart:
        order.say("command_same_already", person=person.label, other=other.label)
        return
    evidence = f"{pair.evidence}, confirmed by {order.actor} in {ticket.code}"
    people.join(tx, *ids, evidence=evidence, now=order.now)
    order.ticket = track.fresh(tx, ticket.id)
    data = {"identity": other.label, "network": other.network}
    tickets.add_event(tx, ticket.id, "person_joined", now=order.now, actor=order.actor, **data)
    order.say(
        "command_joined",
        person=person.label,
        network=person.network,
        other=other.label,
        other_network=other.network.capitalize(),
        macro=WRONG_PERSON.title.in_language(order.hub.language),
    )
    more = sum(one.state == "proposed" for one in apart[1:])
    if more:
        order.say("command_joined_more", number=more)


def _publish_to_all(order: Order) -> None:
    """The last answer goes to the ticket's other conversations too, one after the other."""
    hub, tx, ticket = order.hub, order.tx, order.ticket
    message_id = sent.last_answer(tx.connection, ticket.id)
    if message_id is None or redacting.marked(tx.connection, ticket.id, message_id):
        waits = deliveries.parked_with(tx.connection, ticket.id, compose.DRAFT)
        order.say("command_draft_first" if waits else "command_no_answer", tag=SEND_DRAFT.tag)
        return
    answer, told = messages.by_id(tx.connection, message_id), sent.told(tx.connection, message_id)
    copies, refused = 0, list[str]()
    others = [one for one in tickets.conversations(tx.connection, ticket) if compose.lane_of(one.id) not in told]
    for conversation in others[:MOST_COPIES]:
        under = messages.last_inbound_of(tx.connection, conversation.id)
        if under is None:
            continue
        attached = files.stored(answer)
        planned = compose.plan(
            hub, tx.connection, ticket, answer.text, now=order.now, under=under, attachments=attached
        )
        if planned.refused:
            refused.append(texts.reason(planned.refused, hub.language, **dict(planned.values)))
            continue
        source = conversation.connection
        watching = connections.get(tx.connection, source).mode == "observe"
        compose.put_out(
            tx,
            ticket,
            planned,
            under=under,
            source=source,
            message_id=message_id,
            cause=f"all:{message_id}:{conversation.id}",
            now=order.now,
            state=("discarded", "observe mode: nothing is published") if watching else ("waiting", ""),
            due_at=order.now + copies * COPIES_APART,
        )
        if not watching:
            cause = f"all:{message_id}:{conversation.id}"
            compose.tell_left(hub, tx, ticket, planned, cause=cause, now=order.now)
        copies += 1
        tx.after_commit.append(lambda source=source: hub.nudge(source))  # type: ignore[misc]
    if copies:
        tickets.add_event(
            tx, ticket.id, "published_to_all", now=order.now, actor=order.actor, message=message_id, number=copies
        )
    order.say("command_copies" if copies else "command_no_other", number=copies)
    if len(others) > MOST_COPIES:
        order.say("command_too_many", number=len(others) - MOST_COPIES, most=MOST_COPIES)
    for reason in dict.fromkeys(refused):
        order.say("command_copy_refused", number=refused.count(reason), reason=reason)


def _stop_updates(order: Order) -> None:
    if order.ticket.automation_stopped:
        order.say("command_stopped_already")
        return
    order.change(automation_stopped=True)
    tickets.add_event(order.tx, order.ticket.id, "updates_stopped", now=order.now, actor=order.actor)


def _ask_again(order: Order) -> None:
    """Recorded for whoever asks customers; the agent learns what is still missing."""
    tx, ticket = order.tx, order.ticket
    if not ticket.missing:
        order.say("command_nothing_missing")
    elif ticket.automation_stopped:
        order.say("command_asks_nothing", fields=category.missing_labels(order.hub, order.ticket))
    else:
        names = list(ticket.missing)
        tickets.add_event(tx, ticket.id, "asked_again", now=order.now, actor=order.actor, names=names)
        order.say("command_missing", fields=category.missing_labels(order.hub, order.ticket))


def _send_draft(order: Order) -> None:
    if not compose.release_drafts(order.hub, order.tx, order.ticket, actor=order.actor, now=order.now):
        order.say("command_no_draft")


_DOES: dict[str, Callable[[Order], None]] = {
    "accept": _accept,
    "not_for_us": _not_for_us,
    "other_category": _other_category,
    "wrong_person": _wrong_person,
    "same_person": _same_person,
    "publish_to_all": _publish_to_all,
    "stop_updates": _stop_updates,
    "ask_again": _ask_again,
    "send_draft": _send_draft,
}
