"""The scripts of a proof, one per side: what the hub does with a connector in an ordinary day, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from hub.flow.prove import PATIENCE, TEXT, NotSo, Proof, Skip
from hub.sdk import (
    PROOF,
    AddComment,
    AnyEvent,
    CommentSeen,
    Completes,
    DeleteReply,
    DeletesReplies,
    Delivery,
    EditReply,
    EditsReplies,
    FindsReplies,
    FindsTickets,
    Found,
    Hint,
    Message,
    MessageSeen,
    OpenTicket,
    PollsForMessages,
    RecordChanged,
    RedactComment,
    RedactsComments,
    Reply,
    ReportsChanges,
    Said,
    TicketView,
    UpdateFields,
)

FROM_AGENT = "Hello from the agent"
TAG = "sch-test"
DONE_TAG = "sch-tested"
SECOND = f"{TEXT}: a second message of the customer."
NOTE = f"{TEXT}: a note."
A_PERSON_TAKES = timedelta(minutes=10)
MOST_PAGES = 200


def sink_round(proof: Proof) -> None:
    """Open a ticket, find it, comment, note, an agent's answer, redaction, fields, the same key again."""
    SinkRound(proof).run()


class SinkRound:
    """One ticket's day."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.connector = proof.connector
        self.record = ""
        self.comment = ""
        self.cursor: dict[str, Any] | None = None
        self.view = TicketView(
            uid=PROOF + proof.code,
            code="SCH-TEST",
            subject=f"{TEXT} ({proof.code})",
            network=proof.person.network,
            source=proof.connector.toolbox.connection,
            requester=proof.person,
            kind="question",
            language="en",
            tags=(TAG,),
        )

    def run(self) -> None:
        """Every step in its order."""
        check(self.proof)
        self.cursor = _first_cursor(self.proof, ReportsChanges)
        self.open_and_find()
        self.say()
        self.read_back()
        self.agent_answers()
        self.redact()
        self.update_fields()

    def open_and_find(self) -> None:
        """The ticket, and looking for it as after a lost answer."""
        proof, first = self.proof, Said(text=f"{TEXT}.", author=self.proof.person)
        opening = proof.delivery("open", OpenTicket(ticket=self.view, said=first))
        with proof.step("open_ticket") as step:
            proof.journal.person(proof.person)
            receipt = proof.send(opening)
            self.record = receipt.vendor_id
            step.ids, step.seen = [self.record], {"permalink": bool(receipt.permalink)}
        with proof.step("find") as step:
            self._needs_ticket()
            found = proof.find(opening)
            if not isinstance(found, Found) or found.receipt.vendor_id != self.record:
                raise NotSo(f"looking for the ticket gave {type(found).__name__} in the place of the ticket")
            step.ids = [found.receipt.vendor_id]

    def say(self) -> None:
        """A comment of the customer, an internal note, and the note again under its key."""
        proof, noted = self.proof, ""
        with proof.step("add_comment") as step:
            self.comment = proof.send(self._comment("comment", Said(text=SECOND, author=proof.person))).vendor_id
            step.ids = [self.comment]
        note = self._comment("note", Said(text=NOTE), public=False) if self.record else None
        with proof.step("internal_note") as step:
            self._needs_ticket()
            assert note is not None  # noqa: S101 - there is a ticket
            noted = proof.send(note).vendor_id
            step.ids = [noted]
        _same_key_again(proof, note, noted, FindsTickets)

    def read_back(self) -> None:
        """The record as an agent has it, and what the vendor tells of changes."""
        proof = self.proof
        with proof.step("read_back") as step:
            self._needs_ticket()
            changed, comments = _record(proof, self.record)
            step.seen = {"status": changed.status, "comments": len(comments)}
            if changed.external_id != self.view.uid:
                raise NotSo("the ticket is read back without the hub's id")
            seen = [(one.comment.public, one.comment.text) for one in comments]
            for public, words in ((True, SECOND), (False, NOTE)):
                if not any(is_public is public and words in text for is_public, text in seen):
                    raise NotSo(f"the {'public comment' if public else 'internal note'} is not read back as such")
        with proof.step("changes") as step:
            self._needs_ticket()
            if self.cursor is None:
                raise Skip("it tells changes by webhook only")
            events, self.cursor = _pages(proof, self.cursor, self.record)
            step.seen = {"events_of_the_ticket": len(events)}
            if not events:  # Zendesk's plugin, for one, leaves out what the hub did itself
                raise Skip("it answers, and tells nothing of the hub's own doings: an agent's answer must show it")

    def agent_answers(self) -> None:
        """A person answers in the helpdesk, and the hub hears of it."""
        proof = self.proof
        with proof.step("agent_answers") as step:
            self._needs_ticket()
            if proof.ask is None:
                raise Skip("--unattended")
            if self.cursor is None:
                raise Skip("it tells changes by webhook only: let the hub run and answer a ticket of its own")
            proof.ask(f'In the helpdesk open record {self.record} and type "{FROM_AGENT}" as a public reply.')
            answer = _until(proof, self.cursor, self.record, _is_the_agents)
            step.ids, step.seen = [answer.comment.id], {"role": answer.comment.author.role}

    def redact(self) -> None:
        """The customer's comment is made unreadable."""
        proof = self.proof
        with proof.step("redact") as step:
            if not isinstance(self.connector, RedactsComments):
                raise Skip("it cannot redact")
            if not self.comment:
                raise Skip("there is no comment")
            body = RedactComment(record_id=self.record, comment_id=self.comment, reason="proof")
            proof.send(proof.delivery("redact", body))
            if any(SECOND in one.comment.text for one in _record(proof, self.record)[1]):
                raise NotSo("the comment can still be read")
            step.ids = [self.comment]

    def update_fields(self) -> None:
        """Tags and the status solved."""
        proof = self.proof
        with proof.step("update_fields") as step:
            self._needs_ticket()
            body = UpdateFields(ticket=self.view, record_id=self.record, status="solved", tags_add=(DONE_TAG,))
            proof.send(proof.delivery("fields", body))
            changed, _ = _record(proof, self.record)
            tagged = any(DONE_TAG in tag for tag in changed.tags or ())
            step.seen = {"status": changed.status, "tagged": tagged}
            if changed.status not in ("solved", "closed"):
                raise NotSo(f"it was set to solved and is {changed.status}")
            if changed.tags is not None and not tagged:
                raise NotSo("the tag is not there")

    def _comment(self, name: str, said: Said, *, public: bool = True) -> Delivery:
        self._needs_ticket()
        return self.proof.delivery(name, AddComment(ticket=self.view, record_id=self.record, said=said, public=public))

    def _needs_ticket(self) -> None:
        if not self.record:
            raise Skip("there is no ticket")


def source_round(proof: Proof) -> None:
    """A person writes; the hub answers, finds its answer, edits and deletes it."""
    connector, seen, reply = proof.connector, None, None
    check(proof)
    cursor = _first_cursor(proof, PollsForMessages)
    with proof.step("customer_writes") as step:
        if cursor is None:
            raise Skip("it gets messages by webhook only: let the hub run, and write to the account")
        if proof.ask is None:
            raise Skip("--unattended")
        proof.ask(f'From another account write to this one: "{TEXT} ({proof.code})"')
        event = _until(proof, cursor, "", lambda one: _is_the_message(proof, one))
        seen = _whole(proof, event).message
        step.ids, step.seen = [seen.id], {"privacy": seen.privacy, "thread": bool(seen.thread.id)}
    sent = proof.delivery("reply", _reply(connector, seen)) if seen is not None else None
    with proof.step("reply") as step:
        if sent is None:
            raise Skip("there is no message to answer")
        reply = proof.send(sent)
        step.ids, step.seen = [reply.vendor_id], {"permalink": bool(reply.permalink)}
    _same_key_again(proof, sent, reply.vendor_id if reply else "", FindsReplies)
    with proof.step("edit") as step:
        if not isinstance(connector, EditsReplies):
            raise Skip("it cannot edit")
        if reply is None or seen is None:
            raise Skip("there is no reply")
        body = EditReply(message_id=reply.vendor_id, text=f"{TEXT}: edited.", answer_with=seen.answer_with)
        step.ids = [proof.send(proof.delivery("edit", body)).vendor_id]
    with proof.step("delete") as step:
        if not isinstance(connector, DeletesReplies):
            raise Skip("it cannot delete")
        if reply is None or sent is None:
            raise Skip("there is no reply")
        gone = DeleteReply(message_id=reply.vendor_id, reason="the proof is over")
        step.ids = [proof.send(proof.delivery("delete", gone)).vendor_id or reply.vendor_id]
        proof.journal.undone(sent)


def check(proof: Proof) -> None:
    """The first step of every round."""
    with proof.step("check_connection") as step:
        account = proof.asked(proof.connector.check_connection)
        step.seen = {"fingerprint": bool(account.fingerprint)}


def _first_cursor(proof: Proof, role: type) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = []
    with proof.step("cursor"):
        if not isinstance(proof.connector, role):
            raise Skip("it is told news by webhook")
        found.append(proof.asked(proof.connector.first_cursor))  # type: ignore[attr-defined]
    return found[0] if found else None


def _same_key_again(proof: Proof, delivery: Delivery | None, vendor_id: str, finds: type) -> None:
    """Under the same key nothing happens twice: by the vendor where it knows keys, else because the hub looks."""
    with proof.step("same_key_again") as step:
        if delivery is None or not vendor_id:
            raise Skip("nothing was sent")
        if proof.connector.idempotent_for:
            again = proof.send(delivery.model_copy(update={"attempt": 2}))
            step.seen, step.ids = {"by": "key"}, [again.vendor_id]
            if again.vendor_id != vendor_id:
                raise NotSo("the vendor did it a second time under the same key")
            return
        if not isinstance(proof.connector, finds):
            raise Skip("its vendor knows no keys, and it cannot look: an unknown outcome is parked")
        found = proof.find(delivery)
        step.seen = {"by": "looking"}
        if not isinstance(found, Found):
            raise NotSo(f"looking for it gave {type(found).__name__}: the hub would not know that it is done")
        step.ids = [found.receipt.vendor_id]


def _record(proof: Proof, record: str) -> tuple[RecordChanged, list[CommentSeen]]:
    """The record as it is now, with its comments."""
    if not isinstance(proof.connector, Completes):
        raise Skip("it cannot read a record back")
    hint = Hint(event_key=f"proof:{proof.code}", record=record)
    events: Sequence[AnyEvent] = proof.asked(partial(proof.connector.complete, hint))
    records = [event for event in events if isinstance(event, RecordChanged)]
    if not records:
        raise NotSo("the ticket cannot be read back")
    return records[-1], [event for event in events if isinstance(event, CommentSeen)]


def _pages(proof: Proof, cursor: dict[str, Any], record: str) -> tuple[list[AnyEvent], dict[str, Any]]:
    """What is new, of this record only where there is one; others' are none of the proof's business."""
    found: list[AnyEvent] = []
    for _ in range(MOST_PAGES):
        page = proof.asked(partial(proof.connector.fetch_page, cursor))
        cursor = page.cursor
        for event in page.events:
            if isinstance(event, Hint) and event.record == record and isinstance(proof.connector, Completes):
                found += proof.asked(partial(proof.connector.complete, event))
            elif not record or getattr(event, "record_id", "") == record:
                found.append(event)
        if not page.has_more:
            break
    return found, cursor


def _until(proof: Proof, cursor: dict[str, Any], record: str, wanted: Callable[[AnyEvent], Any]) -> Any:
    """Poll until the wanted event comes; raises :class:`NotSo` when nobody does it in time."""
    connector, until = proof.connector, proof.now() + A_PERSON_TAKES
    every = float(getattr(connector.settings, "poll_every", connector.poll_every))
    while True:
        events, cursor = _pages(proof, cursor, record)
        for event in events:
            if wanted(event):
                return event
        if proof.now() >= until:
            raise NotSo(f"it did not come within {A_PERSON_TAKES.total_seconds() / 60:.0f} minutes")
        proof.wait(min(every, PATIENCE.total_seconds()))


def _is_the_agents(event: AnyEvent) -> bool:
    if not isinstance(event, CommentSeen):
        return False
    one = event.comment
    return one.public and not one.automatic and FROM_AGENT.casefold() in one.text.casefold()


def _is_the_message(proof: Proof, event: AnyEvent) -> bool:
    return isinstance(event, MessageSeen) and not event.message.own and proof.code in event.message.text


def _whole(proof: Proof, event: MessageSeen) -> MessageSeen:
    """The message with its thread."""
    connector = proof.connector
    if event.message.thread.id or not isinstance(connector, Completes):
        return event
    events = proof.asked(lambda: connector.complete(event))
    return next((one for one in events if isinstance(one, MessageSeen)), event)


def _reply(connector: Any, seen: Message) -> Reply:
    return Reply(
        network=connector.network,
        thread_id=seen.thread.id,
        reply_to=seen.id,
        to=seen.author,
        text=f"{TEXT}.",
        language="en",
        privacy=seen.privacy,
        answer_with=seen.answer_with,
    )
