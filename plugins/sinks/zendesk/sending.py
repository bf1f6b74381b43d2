# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes deliveries to Zendesk: a few one by one, with their receipts at once; many together, by jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from hub.sdk import (
    Accepted,
    AddComment,
    ConnectorError,
    Delivery,
    Failure,
    Identity,
    OpenTicket,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    RecordClosed,
    RedactComment,
    Refused,
    Toolbox,
    UpdateFields,
)
from plugins.sinks.zendesk import applied, outgoing, payloads
from plugins.sinks.zendesk.answer_fields import AnswerFields
from plugins.sinks.zendesk.batches import Batch, Outcome, Stop, is_of_the_connection, is_urgent, later
from plugins.sinks.zendesk.categories import Categories
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import GONE, UpdateConflict
from plugins.sinks.zendesk.files import Files
from plugins.sinks.zendesk.jobs import Jobs
from plugins.sinks.zendesk.payloads import is_id, text_of, time_of
from plugins.sinks.zendesk.redaction import blackened, is_black
from plugins.sinks.zendesk.settings import ZendeskSettings

Json = dict[str, Any]
FEW = 4
"""From so many on a job costs fewer calls than single ones: the job and one or two looks at it."""
AT_MOST = 20
"""Single writes in one ``deliver`` call: it must end well before the hub's lease does."""
TIME_FOR_SINGLES = timedelta(seconds=20)
FIRST_LOOK = 1.0
ROWS = 100


class Sending:
    """One per connector instance."""

    def __init__(
        self,
        client: ZendeskClient,
        directory: Directory,
        jobs: Jobs,
        categories: Categories,
        answers: AnswerFields,
        settings: ZendeskSettings,
        toolbox: Toolbox,
    ) -> None:
        self._client = client
        self._directory = directory
        self._jobs = jobs
        self._categories = categories
        self._answers = answers
        self._settings = settings
        self._origin = settings.origin
        self._now = toolbox.now
        self._log = toolbox.log
        self._files = Files(client, toolbox, settings.origin)
        self._no_user_jobs = False

    @property
    def files(self) -> Files:
        """The files of this instance."""
        return self._files

    def use(self, settings: ZendeskSettings) -> None:
        """Send by these settings from now on: the setup may have made fields meanwhile."""
        self._settings = settings

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome each, in order. What is urgent goes also when the account's calls run short."""
        self._files.begin()
        batch = Batch(deliveries)
        wait = self._client.budget.wait(self._now())
        for delivery in deliveries:
            if wait and not is_urgent(delivery):
                why = "most of the account's calls are used: agents need the rest"
                batch.settle(delivery, Failure(RateLimited(why, retry_after=wait, scope="lane")))
        many = [one for one in batch.open() if self._fits_a_job(one)]
        openings = [one for one in many if isinstance(one.body, OpenTicket)]
        # A job does its rows in any order: two of one record never go together.
        changes = [one for one in many if not isinstance(one.body, OpenTicket) and not batch.must_wait(one)]
        try:
            if len(openings) >= FEW:
                self._open_many(batch, openings)
            if len(changes) >= (1 if self._client.budget.few_updates(self._now()) else FEW):
                self._change_many(batch, changes)
            self._send_singly(batch)
        except Stop as stop:
            for delivery in batch.open():
                batch.settle(delivery, Failure(stop.error))
        return batch.outcomes()

    def _fits_a_job(self, delivery: Delivery) -> bool:
        body = delivery.body
        if self._jobs.goes_alone(delivery.key):
            return False
        if isinstance(body, OpenTicket):
            return not body.follow_up_of
        return isinstance(body, AddComment | UpdateFields) and is_id(body.record_id)

    # --- one by one ------------------------------------------------------------------------------------------------

    def _send_singly(self, batch: Batch) -> None:
        began = self._now()
        for number, delivery in enumerate(batch.open()):
            late = number >= AT_MOST or self._now() - began > TIME_FOR_SINGLES
            if late or batch.must_wait(delivery):
                batch.settle(delivery, Failure(later()))
            else:
                self._tried(batch, delivery, lambda one=delivery: self._send_to_people(one))  # type: ignore[misc]

    def _tried(self, batch: Batch, delivery: Delivery, send: Callable[[], Outcome | None]) -> None:
        """Settle one; ``Stop`` when its failure is one of the connection, which the next would only meet again."""
        try:
            outcome = send()
        except ConnectorError as error:
            batch.settle(delivery, Failure(error))
            if is_of_the_connection(error):
                raise Stop(error) from error
        else:
            if outcome is not None:
                batch.settle(delivery, outcome)

    def _send_to_people(self, delivery: Delivery) -> Receipt:
        """As ``_send``, once more when it is refused because a user we remember was merged or deleted in Zendesk."""
        remembered = {
            outgoing.external_user_id(one): one for one in self.people_of(delivery) if self._directory.known(one)
        }
        try:
            return self._send(delivery)
        except Refused as error:
            if isinstance(error, RecordClosed) or error.detail == GONE:
                raise
            if not [one for one in remembered.values() if self._directory.renewed(one)]:
                raise
        return self._send(delivery)

    def _send(self, delivery: Delivery) -> Receipt:
        body = delivery.body
        if isinstance(body, OpenTicket):
            ticket = self._ticket_of(delivery, body)
            return self.receipt(self._client.create_ticket(ticket, key=delivery.key), comment=False)
        if isinstance(body, AddComment):
            changes = self._comment_of(delivery, body)
            receipt = self.receipt(self._client.update_ticket(body.record_id, changes), comment=True)
            if not receipt.comment_id:
                raise OutcomeUnknown("Zendesk accepted the comment but answered without it")
            return receipt
        if isinstance(body, UpdateFields):
            return self._update(body, delivery.key)
        if isinstance(body, RedactComment):
            return self._redact(body)
        raise Refused(f"Zendesk cannot do {body.verb}")

    def _update(self, body: UpdateFields, key: str) -> Receipt:
        for _ in range(2):
            current = self._client.ticket(body.record_id) if outgoing.needs_reading(body) else None
            changes = self._changes_of(body, key, current)
            if changes.keys() <= outgoing.NOTHING:
                return self.receipt({"ticket": current or self._client.ticket(body.record_id)}, comment=False)
            try:
                answer = self._client.update_ticket(body.record_id, changes)
            except UpdateConflict as error:
                conflict = error
                continue
            if left := applied.check(changes, answer, current):
                self._log.warning("Zendesk left out of an update: %s", ", ".join(left))
            return self.receipt(answer, comment=False)
        raise conflict

    def _redact(self, body: RedactComment) -> Receipt:
        event = self.comment_event(body.record_id, body.comment_id)
        if event is None:
            raise Refused("there is no such comment in the record", detail=GONE)
        if not is_black(event):
            html, urls = blackened(event)
            self._client.redact(body.record_id, body.comment_id, html, urls)
        return Receipt(vendor_id=body.comment_id, permalink=self.permalink(body.record_id), at=self._now())

    # --- many together ---------------------------------------------------------------------------------------------

    def _open_many(self, batch: Batch, openings: list[Delivery]) -> None:
        ready = self._people_first(batch, openings)
        rows: list[tuple[Delivery, Json]] = []
        for delivery in ready:
            body = delivery.body
            assert isinstance(body, OpenTicket)  # noqa: S101 - the caller chose them
            self._tried(batch, delivery, lambda d=delivery, b=body: _kept(rows, d, self._ticket_of(d, b)))  # type: ignore[misc]
        self._by_job(batch, rows, self._client.create_tickets)

    def _change_many(self, batch: Batch, changes: list[Delivery]) -> None:
        changes = self._people_first(batch, changes)
        current = self._read_many(batch, changes)
        rows: list[tuple[Delivery, Json]] = []
        for delivery in changes:
            body = delivery.body
            if isinstance(body, AddComment):
                self._tried(batch, delivery, lambda d=delivery, b=body: _kept(rows, d, self._comment_of(d, b)))  # type: ignore[misc]
            elif isinstance(body, UpdateFields) and (body.record_id in current or not outgoing.needs_reading(body)):
                self._tried(batch, delivery, lambda d=delivery, b=body: self._row_of(rows, d, b, current))  # type: ignore[misc]
        for delivery, row in rows:
            row["id"] = int(delivery.body.record_id)  # type: ignore[union-attr]  # openings are not among them
        self._by_job(batch, rows, self._client.update_tickets)

    def _row_of(
        self, rows: list[tuple[Delivery, Json]], delivery: Delivery, body: UpdateFields, current: dict[str, Json]
    ) -> Receipt | None:
        ticket = current.get(body.record_id)
        row = self._changes_of(body, delivery.key, ticket if outgoing.needs_reading(body) else None)
        if row.keys() <= outgoing.NOTHING:
            return self.receipt({"ticket": ticket}, comment=False) if ticket else None
        rows.append((delivery, row))
        return None

    def _read_many(self, batch: Batch, changes: list[Delivery]) -> dict[str, Json]:
        """The tickets that safe updates are held against, in one call."""
        bodies = [one.body for one in changes if isinstance(one.body, UpdateFields)]
        ids = [body.record_id for body in bodies if outgoing.needs_reading(body)]
        if not ids:
            return {}
        try:
            return {text_of(ticket["id"]): ticket for ticket in self._client.tickets(ids)}
        except ConnectorError as error:
            raise Stop(error) from error  # nothing was sent

    def _by_job(self, batch: Batch, rows: list[tuple[Delivery, Json]], start: Callable[[Sequence[Json]], Json]) -> None:
        """Send the rows in one job; too few of them go singly instead."""
        if not rows or (len(rows) < FEW and not self._client.budget.few_updates(self._now())):
            return
        try:
            job_id = self._jobs.started(start([row for _, row in rows]))
        except Refused as error:  # the job as a whole: whose fault it is, single calls tell
            for delivery, _ in rows:
                self._jobs.send_alone(delivery.key, error.summary)
            return
        except ConnectorError as error:
            for delivery, _ in rows:
                batch.settle(delivery, Failure(error))
            if is_of_the_connection(error):
                raise Stop(error) from error
            return
        since = self._now().timestamp()
        for index, (delivery, _) in enumerate(rows):
            memo = {"job": job_id, "index": index, "of": len(rows), "since": since}
            batch.settle(delivery, Accepted(memo=memo, look_after=FIRST_LOOK))

    def _people_first(self, batch: Batch, deliveries: list[Delivery]) -> list[Delivery]:
        """Those whose people Zendesk's ids are known for. The others wait for a job that makes the users, or have them
        made one by one where they are few."""
        unknown: dict[str, Identity] = {}
        ready: list[Delivery] = []
        waiting: list[Delivery] = []
        for delivery in deliveries:
            missing = [one for one in self.people_of(delivery) if not self._directory.known(one)]
            if not missing:
                ready.append(delivery)
            elif len(unknown) + len(missing) <= ROWS:
                unknown |= {outgoing.external_user_id(one): one for one in missing}
                waiting.append(delivery)
            else:
                batch.settle(delivery, Failure(later()))
        if len(unknown) < FEW or self._no_user_jobs or any(self._jobs.goes_alone(key) for key in unknown):
            return ready + waiting[:AT_MOST]
        places = {external_id: index for index, external_id in enumerate(unknown)}
        try:
            job_id = self._jobs.started(self._client.save_users([outgoing.user_for(one) for one in unknown.values()]))
        except Refused as error:  # many accounts have bulk imports of users switched off
            self._log.info("users are made one by one: %s", error.summary)
            self._no_user_jobs = True
            return ready + waiting[:AT_MOST]
        except ConnectorError as error:
            raise Stop(error) from error  # nothing was sent, and users may be made twice
        since = self._now().timestamp()
        for delivery in waiting:
            # Places and not ids: a memo lies in the database as it is.
            rows = [places.get(outgoing.external_user_id(one)) for one in self.people_of(delivery)]
            memo = {"users_job": job_id, "rows": rows, "of": len(places), "since": since}
            batch.settle(delivery, Accepted(memo=memo, look_after=FIRST_LOOK))
        return ready

    # --- what is written -------------------------------------------------------------------------------------------

    def _ticket_of(self, delivery: Delivery, body: OpenTicket) -> Json:
        if body.follow_up_of and not is_id(body.follow_up_of):
            raise Refused(f"{body.follow_up_of[:40]!r} is not a Zendesk id")
        requester = self._directory.customer(outgoing.stands_for(body.ticket.requester, body.ticket, self._settings))
        author, category = self._author(body), self._categories.choice(body.ticket.category)
        uploads, links = self._files.attach(delivery.key, body.said.attachments, attempt=delivery.attempt)
        ticket = outgoing.new_ticket(
            body,
            self._settings,
            key=delivery.key,
            requester_id=requester,
            author_id=author,
            uploads=uploads,
            links=links,
            choices=[*self._answers.choices(body), *([category] if category is not None else [])],
        )
        try:
            ticket |= self._directory.assignment(self._settings.assign, body.ticket.group)
        except Refused as error:  # a wrong group name must not cost the customer the ticket
            self._log.warning("opened without its group: %s", error.summary)
        return ticket

    def _comment_of(self, delivery: Delivery, body: AddComment) -> Json:
        author = self._author(body)
        uploads, links = self._files.attach(delivery.key, body.said.attachments, attempt=delivery.attempt)
        return outgoing.new_comment(
            body,
            self._settings,
            key=delivery.key,
            author_id=author,
            uploads=uploads,
            links=links,
            choices=self._answers.choices(body),
        )

    def _changes_of(self, body: UpdateFields, key: str, current: Json | None) -> Json:
        return outgoing.field_changes(
            body,
            self._settings,
            key=key,
            current=current,
            belongs=self._belongs(body),
            category=self._categories.choice(body.category),
            choices=self._answers.choices(body),
        )

    def _author(self, body: OpenTicket | AddComment) -> int | None:
        """The customer; ``None`` (our own account) when the hub or the company speaks."""
        said = body.said
        if said.author is None or said.by_company:
            return None
        return self._directory.customer(outgoing.stands_for(said.author, body.ticket, self._settings))

    def people_of(self, delivery: Delivery) -> list[Identity]:
        """Whose users a delivery needs, always in the same order."""
        body = delivery.body
        people = [body.ticket.requester] if isinstance(body, OpenTicket) else []
        if isinstance(body, OpenTicket | AddComment) and body.said.author is not None and not body.said.by_company:
            people.append(body.said.author)
        if isinstance(body, UpdateFields) and body.requester is not None:
            people.append(body.requester)
        view = getattr(body, "ticket", None)
        return [outgoing.stands_for(one, view, self._settings) for one in people] if view is not None else []

    def _belongs(self, body: UpdateFields) -> Json:
        """Who answers it, and whose it is."""
        changes = self._directory.assignment(self._settings.assign, body.group, body.agent)
        if body.requester is not None:
            person = outgoing.stands_for(body.requester, body.ticket, self._settings)
            changes["requester_id"] = self._directory.customer(person)
        return changes

    # --- what came of it -------------------------------------------------------------------------------------------

    def receipt(self, answer: Json, *, comment: bool) -> Receipt:
        """The receipt of an answer ``{"ticket": ..., "audit": ...}``."""
        ticket, audit = payloads.part_of(answer, "ticket"), payloads.part_of(answer, "audit")
        ticket_id = text_of(ticket.get("id"))
        if not ticket_id:
            raise OutcomeUnknown("Zendesk accepted it but answered without the record")
        comments = payloads.comment_events(audit)
        comment_id = text_of(comments[0].get("id")) if comments else ""
        return Receipt(
            vendor_id=comment_id if comment else ticket_id,
            comment_id=comment_id,
            permalink=self.permalink(ticket_id),
            at=time_of(audit.get("created_at")) or time_of(ticket.get("updated_at")),
            version=text_of(ticket.get("updated_at")),
        )

    def permalink(self, ticket_id: str) -> str:
        """Where an agent finds the ticket."""
        return f"{self._origin}/agent/tickets/{ticket_id}"

    def comment_event(self, ticket_id: str, comment_id: str) -> Json | None:
        """One comment as its audit has it."""
        audits, _ = self._client.audits(ticket_id)
        events = (event for audit in audits for event in payloads.comment_events(audit))
        return next((event for event in events if text_of(event.get("id")) == comment_id), None)


def _kept(rows: list[tuple[Delivery, Json]], delivery: Delivery, row: Json) -> None:
    rows.append((delivery, row))
