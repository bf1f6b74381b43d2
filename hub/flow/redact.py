"""Words that must be forgotten: a person says so here, or an agent removed them in the helpdesk.

What is forgotten of a message: its text, subject, revisions and files; the frozen bodies of its deliveries and whatever
else of its ticket repeats it; quotes of it in its thread; its events in the inbox, and the raw bodies they came in; the
ticket's subject and the thread's title, where they are its words.

What stays: that it was said, by whom, when and where; the data collected from it (a ticket's fields, encrypted); what a
router gave as its reasons; what nobody could read when it came (parked as unreadable); quotes of it that the helpdesk
was told with other messages; helpdesk history read by a backfill (encrypted); files of proofs; copies of the database.
A redaction takes nothing back on a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from hub.flow import compose, files, texts, track
from hub.flow.hub import Hub
from hub.flow.wording import first_words
from hub.sdk import AddComment, Comment, CommentSeen, RedactComment, RedactsComments, Said
from hub.store import Connection, Row, Tx, connections, deliveries, messages, records, redacting, tickets
from hub.store.redacting import REDACTED

IN_THE_AIR = ("claimed", "sending", "unknown")
SIGN = REDACTED[0]
TAKEN_BACK = "redacted before it went out"
SHORTEST = 4
TELLING = 20
"""A text of fewer characters is looked for elsewhere only when it has a digit or an @, and never below ``SHORTEST``:
"Thanks" stands in many an answer, and would be blackened in what the network is about to show."""
WORDS = frozenset({"text", "html", "note", "subject", "title"})


class NoSuchMessage(Exception):
    """The ticket has no message of this number, or there is no such ticket."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What a redaction reached, and what it left.

    ``there`` are the helpdesk's comments that are being redacted; ``by_hand`` those that this helpdesk lets only a
    person redact, or that are only observed; ``published`` are the permalinks (or ids) of what still stands on the
    network, ``going_out`` says that more may appear; ``title``: the helpdesk's record still has the words as its title.
    """

    there: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    going_out: bool = False
    title: bool = False


def redact(hub: Hub, code: str, message_id: int, *, actor: str, reason: str) -> Redaction:
    """Forget a message's words, and remove them from the helpdesk: a person's command. A second time does what was left
    to do. ``reason`` goes into the audit, the timeline and to the helpdesk.

    Raises :class:`NoSuchMessage`, and ``ValueError`` without a reason.
    """
    if not reason.strip():
        raise ValueError("a redaction needs a reason")

    def unit(tx: Tx) -> Redaction:
        now, ticket = hub.now(), tickets.by_code(tx.connection, code)
        stored = None if ticket is None else messages.find_by_id(tx.connection, message_id)
        if ticket is None or stored is None or stored.ticket_id != ticket.id:
            raise NoSuchMessage(f'ticket "{code}" has no message {message_id}')
        published, going_out = _published(tx.connection, stored)
        title = _forget(hub, tx, ticket, stored, text=REDACTED, attachments=[])
        told = {"message": stored.id, "reason": reason, "still_at": list(published), "title_at": title}
        tickets.add_event(tx, ticket.id, redacting.KIND, now=now, actor=actor, **told)
        connections.write_audit(
            tx, actor=actor, action="redact", object_=ticket.code, now=now, message=stored.id, reason=reason
        )
        there, by_hand = _tell_helpdesk(hub, tx, ticket, stored.id, reason=reason)
        return Redaction(there, by_hand, published, going_out, bool(title))

    return hub.store.run(unit)


def follow(hub: Hub, tx: Tx, row: Row[Any]) -> None:
    """A delivery ended, or its comment was found: if its message was redacted meanwhile, its words go now. ``row`` is
    the delivery as it is after that."""
    if not row.to_redact:
        return
    tx.write_later()
    _forget_frozen(tx, row)
    stored = None if row.message_id is None else messages.by_id(tx.connection, row.message_id)
    event = None if stored is None else redacting.marked(tx.connection, stored.ticket_id, stored.id)
    if stored is None or event is None:
        return
    ticket = track.fresh(tx, stored.ticket_id)
    _take_back(hub, tx, ticket, stored)  # it came back: what was redacted is not tried again
    _forget_deliveries(tx, ticket, stored, [], text=stored.text)
    if event.data.get("reason"):  # a person's command: a helpdesk's own redaction removes nothing elsewhere in it
        _, by_hand = _tell_helpdesk(hub, tx, ticket, stored.id, reason=event.data["reason"])
        if by_hand and row.verb in ("open_ticket", "add_comment"):
            _tell_by_hand(hub, tx, row, ticket, by_hand)


def follow_by_id(hub: Hub, tx: Tx, delivery_id: int) -> None:
    """As :func:`follow`, where the delivery as it is now is not at hand."""
    row = deliveries.by_id(tx.connection, delivery_id)
    if row is not None:
        follow(hub, tx, row)


def _tell_by_hand(hub: Hub, tx: Tx, row: Row[Any], ticket: Row[Any], comments: Sequence[str]) -> None:
    """Words arrived after the command named what a person must remove: nobody else would say so."""
    note = texts.note("redact_by_hand", hub.language, comments=", ".join(comments))
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=note), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"by-hand:{row.id}", by_person=True, now=hub.now())


def stopped(tx: Tx, delivery_id: int) -> bool:
    """Whether an answer whose first attempt certainly did not arrive was redacted meanwhile: it is not sent again."""
    row = deliveries.by_id(tx.connection, delivery_id)
    if row is None or row.verb != "reply" or not row.to_redact or row.message_id is None:
        return False
    return redacting.marked(tx.connection, row.ticket_id, row.message_id) is not None


def redacted_there(hub: Hub, tx: Tx, row: Row[Any], event: CommentSeen, known: Row[Any], ticket: Row[Any]) -> None:
    """The helpdesk removed words of a comment for good: the hub keeps only those that can still be read there.

    An answer that waits is not published any more; of one that was, the agent is told where it still stands.
    """
    if known.message_id is None:
        return
    stored, comment = messages.by_id(tx.connection, known.message_id), event.comment
    if stored.text == REDACTED:
        return
    theirs = known.direction == "theirs"
    text = comment.text if theirs else legible(stored.text, comment.text)
    kept = _files_left(hub, row.connection, stored, comment, theirs=theirs)
    tx.write_later()
    again = redacting.marked(tx.connection, ticket.id, stored.id) is not None
    if again and text == stored.text and kept == (stored.attachments or []):
        return
    now = hub.now()
    published, going_out = _published(tx.connection, stored)
    title = _forget(hub, tx, ticket, stored, text=text, attachments=kept)
    told = {"message": stored.id, "record": event.record_id, "still_at": list(published), "title_at": title}
    tickets.add_event(tx, ticket.id, redacting.KIND, now=now, actor=f"somebody in {row.connection}", **told)
    if stored.direction == "outbound" and (published or going_out):
        where = ", ".join(published) or ticket.network
        note = texts.note("redacted_but_published", hub.language, network=ticket.network, where=where)
        body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=note), public=False)
        track.to_sink(hub, tx, ticket, body, cause=f"redacted:{stored.id}", by_person=True, now=now)


def edited_after(hub: Hub, tx: Tx, row: Row[Any], stored: Row[Any]) -> bool:
    """Whether a message whose new wording just came (``row``) was redacted: then the new words are not taken over, or
    they would bring the old ones back, and the agent is told where to read them."""
    tx.write_later()
    if redacting.marked(tx.connection, stored.ticket_id, stored.id) is None:
        return False
    ticket, now = track.fresh(tx, stored.ticket_id), hub.now()
    _forget(hub, tx, ticket, stored, text=stored.text, attachments=stored.attachments or [])
    tickets.add_event(tx, ticket.id, "edited_after_redaction", now=now, actor=stored.author_name, message=stored.id)
    note = texts.note("edited_after_redaction", hub.language, network=ticket.network, where=stored.permalink)
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=note), public=False)
    track.to_sink(hub, tx, ticket, body, cause=f"edited-redacted:{row.id}", by_person=True, now=now)
    return True


def forget_event(tx: Tx, row: Row[Any], message_id: int | None) -> None:
    """An event that tells again what is known: when that was redacted meanwhile, the event must not keep it either."""
    stored = None if message_id is None else messages.by_id(tx.connection, message_id)
    if stored is None or SIGN not in stored.text:
        return
    tx.write_later()
    if redacting.marked(tx.connection, stored.ticket_id, stored.id) is None:
        return
    payload = json.loads(row.payload)
    for part, more in (("message", {"subject": ""}), ("comment", {"html": ""})):
        if payload.get(part):
            payload[part] = {**payload[part], **more, "text": stored.text, "attachments": []}
    redacting.set_payload(tx, row.id, json.dumps(payload, ensure_ascii=False))
    redacting.forget_arrivals(tx, [row])


def legible(words: str, shown: str) -> str:
    """``words`` without those that ``shown``, a blackened rendering of them among other things, does not show."""
    old = words.split()
    same = SequenceMatcher(None, old, shown.split(), autojunk=False).get_matching_blocks()
    readable = {at for block in same for at in range(block.a, block.a + block.size)}
    if len(readable) == len(old):
        return words
    kept = [word if at in readable else REDACTED for at, word in enumerate(old)]
    joined = " ".join(word for at, word in enumerate(kept) if word != REDACTED or kept[at - 1 : at] != [REDACTED])
    return joined or REDACTED


def _files_left(hub: Hub, connection: str, stored: Row[Any], comment: Comment, *, theirs: bool) -> list[dict[str, Any]]:
    if theirs:
        return [item.model_dump() for item in files.named_comment(hub, connection, comment)]
    # Which of them went there under which id nobody knows: fewer than there were, and none is kept.
    return stored.attachments or [] if len(comment.attachments) >= len(stored.attachments or []) else []


def _published(connection: Connection, stored: Row[Any]) -> tuple[tuple[str, ...], bool]:
    """Where a message stands on a network; whether more of it may appear there by itself."""
    replies = [row for row in redacting.sent_for(connection, stored.ticket_id) if row.message_id == stored.id]
    replies = [row for row in replies if row.verb == "reply"]
    found = [(row.receipt or {}).get("permalink") or row.receipt_id for row in replies if row.state == "done"]
    if stored.origin == "network" and stored.deleted_at is None:
        found.append(stored.permalink or stored.vendor_id)
    return tuple(dict.fromkeys(filter(None, found))), any(row.state in IN_THE_AIR for row in replies)


def _forget(
    hub: Hub, tx: Tx, ticket: Row[Any], stored: Row[Any], *, text: str, attachments: list[dict[str, Any]]
) -> str:
    """Put ``text`` in the place of a message's words, wherever they are; return the address (or id) of a helpdesk's
    record that still has them as its title."""
    gone = [stored.text, stored.subject, *redacting.revisions(tx.connection, stored.id)]
    gone = [one for one in gone if one and one != REDACTED]
    titles = {first_words(one) for one in gone}
    needles = _needles([*gone, *titles], text)
    subject = stored.subject if stored.subject in text else ""
    redacting.follow_later(tx, stored.id, ticket_id=ticket.id)
    redacting.set_text(tx, stored.id, text=text, subject=subject, attachments=attachments)
    _take_back(hub, tx, ticket, stored)
    title = ticket.subject in titles
    if title:
        ticket = tickets.change(tx, ticket.id, now=hub.now(), subject=first_words(text))
    old_title = redacting.thread_title(tx.connection, stored.thread_id)
    if stored.thread_id is not None and (old_title in titles or _blotted(old_title, needles, text) != old_title):
        redacting.set_thread_title(tx, stored.thread_id, first_words(text))
    _forget_deliveries(tx, ticket, stored, needles, text=text)
    for one in redacting.neighbours(tx.connection, stored):
        context = _without_quote(_blot(one.context, needles, text), stored.permalink, text)
        if context != one.context:
            redacting.set_context(tx, one.id, context)
            redacting.follow_later(tx, one.id)
            _forget_quotes(tx, one, stored.permalink, needles, text=text)
    redacting.forget_shown(tx, ticket.id, stored.id)
    _forget_events(tx, stored, needles, text=text)
    record = records.active(tx.connection, ticket.id, ticket.sink) if title else None
    return "" if record is None else record.url or record.vendor_id


def _take_back(hub: Hub, tx: Tx, ticket: Row[Any], stored: Row[Any]) -> None:
    """What waits to be published of a redacted answer, or stopped on its way, never is."""
    now, was_draft = hub.now(), False
    for row in redacting.sent_for(tx.connection, ticket.id):
        if row.message_id == stored.id and row.verb == "reply" and row.state in ("waiting", "parked"):
            was_draft |= row.reason == compose.DRAFT
            deliveries.change(tx, row.id, state="discarded", reason=TAKEN_BACK, done_at=now)
        elif row.message_id == stored.id and row.verb == "reply" and row.state == "claimed":
            redacting.discard_claimed(tx, row.id, reason=TAKEN_BACK, now=now)
    if was_draft:
        compose.no_draft_waits(hub, tx, ticket, cause=f"redacted:{stored.id}", now=now)


def _forget_frozen(tx: Tx, row: Row[Any]) -> None:
    """What a delivery in the air said besides its message: the ticket's subject, and quotes."""
    old = json.loads(row.body)
    body = dict(old)
    if body.get("ticket") and row.ticket_id is not None:
        body["ticket"] = {**body["ticket"], "subject": track.fresh(tx, row.ticket_id).subject}
    if body.get("said", {}).get("context") and row.message_id is not None:
        body["said"] = {**body["said"], "context": messages.by_id(tx.connection, row.message_id).context or []}
    if body != old:
        redacting.set_body(tx, row.id, json.dumps(body, ensure_ascii=False))


def _forget_deliveries(tx: Tx, ticket: Row[Any], stored: Row[Any], needles: Sequence[str], *, text: str) -> None:
    for row in redacting.sent_for(tx.connection, ticket.id):
        if row.state in IN_THE_AIR:
            continue  # what may be leaving is frozen; `follow` comes back to it
        old = json.loads(row.body)
        body = _blot(old, needles, text)
        if row.message_id == stored.id:
            body = _emptied(body, text, same=body == old)
        if body.get("ticket"):
            body["ticket"]["subject"] = ticket.subject
        if body != old:
            redacting.set_body(tx, row.id, json.dumps(body, ensure_ascii=False))


def _forget_quotes(tx: Tx, quoting: Row[Any], permalink: str, needles: Sequence[str], *, text: str) -> None:
    """What was, or will be, told with a message that quotes the redacted one."""
    for row in redacting.sent_for(tx.connection, quoting.ticket_id):
        old = json.loads(row.body)
        if row.message_id != quoting.id or row.state in IN_THE_AIR or not old.get("said"):
            continue
        context = _without_quote(_blot(old["said"]["context"], needles, text), permalink, text)
        if context != old["said"]["context"]:
            body = {**old, "said": {**old["said"], "context": context}}
            redacting.set_body(tx, row.id, json.dumps(body, ensure_ascii=False))


def _emptied(body: dict[str, Any], text: str, *, same: bool) -> dict[str, Any]:
    """A delivery of the message itself, also where it says it in other words: split, or with a heading."""
    if body["verb"] == "reply":
        return {**body, "text": text, "attachments": []}
    if body["verb"] not in ("open_ticket", "add_comment"):
        return body
    said = {**body["said"], "attachments": []}
    if same or said.get("author"):
        said["text"] = text
    return {**body, "said": said}


def _forget_events(tx: Tx, stored: Row[Any], needles: Sequence[str], *, text: str) -> None:
    linked = {(one.connection, one.vendor_id) for one in redacting.comments(tx.connection, stored.id)}
    ids = [vendor_id for _, vendor_id in linked] + ([stored.vendor_id] if stored.vendor_id else [])
    touched = []
    for row in redacting.events_with(tx.connection, ids, needles):
        old = json.loads(row.payload)
        payload = _blot(old, needles, text)
        message, comment = payload.get("message"), payload.get("comment")
        if message and (message.get("network"), message.get("id")) == (stored.network, stored.vendor_id):
            payload["message"] = {**message, "text": text, "subject": "", "attachments": []}
        if comment and (row.connection, comment.get("id")) in linked:
            payload["comment"] = {**comment, "text": text, "html": "", "attachments": []}
        if payload != old:
            redacting.set_payload(tx, row.id, json.dumps(payload, ensure_ascii=False))
            touched.append(row)
    redacting.forget_arrivals(tx, touched)


def _tell_helpdesk(
    hub: Hub, tx: Tx, ticket: Row[Any], message_id: int, *, reason: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Have the helpdesk's comments of a message redacted: those it does itself, and those a person must."""
    there, by_hand, now = list[str](), list[str](), hub.now()
    for one in redacting.comments(tx.connection, message_id):
        connected = hub.connected.get(one.connection)
        able = connected is None or connected.has(RedactsComments)
        if one.connection != ticket.sink or not able:
            by_hand.append(one.vendor_id)
            continue
        body = RedactComment(record_id=one.record_id, comment_id=one.vendor_id, reason=reason)
        cause = f"redact:{one.vendor_id}"
        track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now, message_id=message_id)
        watched = connections.seen(tx, one.connection).mode == "observe"
        (by_hand if watched else there).append(one.vendor_id)
    return tuple(there), tuple(by_hand)


def _needles(gone: Sequence[str], text: str) -> list[str]:
    """What to look for, the longest first; not what the new text itself says."""
    found = {one for one in gone if _telling(one.strip()) and one not in text}
    return sorted(found, key=len, reverse=True)


def _telling(text: str) -> bool:
    return len(text) >= TELLING or (len(text) >= SHORTEST and any(one.isdigit() or one == "@" for one in text))


def _blotted(value: str, needles: Sequence[str], text: str) -> str:
    for needle in needles:
        # Whole words only: "order 12" is not in "order 123".
        value = re.sub(rf"(?<!\w){re.escape(needle)}(?!\w)", lambda _: text, value)
    return value


def _blot(value: Any, needles: Sequence[str], text: str, *, words: bool = False) -> Any:
    """A JSON value with ``text`` for the needles, in what people said only: ids and keys stay."""
    if isinstance(value, str):
        return _blotted(value, needles, text) if words else value
    if isinstance(value, list):
        return [_blot(one, needles, text, words=words) for one in value]
    if isinstance(value, dict):
        return {name: _blot(one, needles, text, words=name in WORDS) for name, one in value.items()}
    return value


def _without_quote(context: Any, permalink: str, text: str) -> Any:
    return [{**one, "text": text} if permalink and one.get("permalink") == permalink else one for one in context]
