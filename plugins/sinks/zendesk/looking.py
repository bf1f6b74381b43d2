# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a delivery: by its job, else by consistent reads of the tickets themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.sdk import (
    Absent,
    Accepted,
    AddComment,
    CannotTell,
    Delivery,
    Found,
    OpenTicket,
    Receipt,
    RedactComment,
    Refused,
    Toolbox,
    UpdateFields,
)
from plugins.sinks.zendesk import payloads
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import OddAnswer
from plugins.sinks.zendesk.jobs import Jobs, row_of, state_of
from plugins.sinks.zendesk.outgoing import external_user_id
from plugins.sinks.zendesk.payloads import text_of, time_of
from plugins.sinks.zendesk.redaction import is_black
from plugins.sinks.zendesk.sending import Sending

Json = dict[str, Any]
Outcome = Found | Absent | CannotTell | Accepted

LOOK_AGAIN = 2.0
_SKEW = timedelta(minutes=2)
PATIENCE = timedelta(minutes=30)
"""How long a job may run. After that the tickets themselves are asked, and nothing is called absent while it runs."""


class Looking:
    """One per connector instance, with the same :class:`Jobs` as its :class:`Sending`."""

    def __init__(
        self, client: ZendeskClient, directory: Directory, jobs: Jobs, sending: Sending, toolbox: Toolbox
    ) -> None:
        self._client = client
        self._directory = directory
        self._jobs = jobs
        self._sending = sending
        self._now = toolbox.now

    def find(self, delivery: Delivery) -> Outcome:
        """See :meth:`hub.sdk.connectors.Finds.find`."""
        memo = delivery.memo
        try:
            if "users_job" in memo:
                return self._users_made(delivery, memo)
            if "job" in memo:
                by_job = self._by_job(delivery, memo)
                if by_job is not None:
                    return by_job
            return self._unless_a_job_runs(delivery, memo) or self._by_reading(delivery)
        except OddAnswer as error:
            return CannotTell(reason=error.summary)
        except Refused as error:
            return CannotTell(reason=f"Zendesk does not let us look: {error.summary}")

    def _users_made(self, delivery: Delivery, memo: Json) -> Outcome:
        """The ticket itself was not sent yet, so ``Absent`` is always true; it is said once the users are there."""
        job = self._jobs.job(text_of(memo["users_job"]))
        if state_of(job) == "running" and not self._took_too_long(memo):
            return Accepted(memo=memo, look_after=LOOK_AGAIN)
        rows, count = memo.get("rows"), memo.get("of")
        people = self._sending.people_of(delivery)
        for person, index in zip(people, rows if isinstance(rows, list) else [], strict=False):
            if not isinstance(index, int):
                continue  # known already
            external_id = external_user_id(person)
            row = row_of(job, index, count) if job is not None and isinstance(count, int) else None
            if row is not None and row.done and row.id:
                self._directory.learn(external_id, int(row.id))
            else:
                self._jobs.send_alone(external_id, "a job did not make this user")
        return Absent()

    def _by_job(self, delivery: Delivery, memo: Json) -> Outcome | None:
        """What the job says; ``None`` when it says nothing about this delivery."""
        job = self._jobs.job(text_of(memo["job"]))
        state = state_of(job)
        if state == "running" and not self._took_too_long(memo):
            return Accepted(memo=memo, look_after=LOOK_AGAIN)
        if job is None or state == "running":
            return None
        record_id = getattr(delivery.body, "record_id", "")
        index, count = memo.get("index"), memo.get("of")
        row = (
            row_of(job, index, count, record_id=record_id)
            if isinstance(index, int) and isinstance(count, int)
            else None
        )
        if row is None:
            if state == "broken":
                self._jobs.send_alone(delivery.key, "its job failed")
            return None
        if not row.done:
            self._jobs.send_alone(delivery.key, row.reason)
            return Absent()
        opened = isinstance(delivery.body, OpenTicket)
        ticket_id = row.id if opened else record_id
        if not ticket_id:
            return None
        # A job tells no comment's id: the ticket's audits will, by our key in them.
        vendor_id = "" if isinstance(delivery.body, AddComment) else ticket_id
        return Found(receipt=Receipt(vendor_id=vendor_id, permalink=self._sending.permalink(ticket_id)))

    def _unless_a_job_runs(self, delivery: Delivery, memo: Json) -> Outcome | None:
        """Wait for the jobs that ran at the first look: one of them may be ours, started just before a crash. A job
        that begins later cannot hold this delivery."""
        if isinstance(delivery.body, RedactComment):  # never goes in one
            return None
        watched = memo.get("watching")
        if isinstance(watched, list):
            running = [one for one in watched if state_of(self._jobs.job(text_of(one))) == "running"]
            since = memo
        else:
            running, since = self._jobs.running(), {"since": self._now().timestamp()}
        if not running:
            return None
        if self._took_too_long(since):
            return CannotTell(reason="jobs of this account run without end: it may be in one of them")
        return Accepted(memo={"watching": running[:100], "since": since["since"]}, look_after=LOOK_AGAIN)

    def _took_too_long(self, memo: Json) -> bool:
        since = memo.get("since")
        return not isinstance(since, int | float) or self._now().timestamp() - since > PATIENCE.total_seconds()

    def _by_reading(self, delivery: Delivery) -> Outcome:
        body = delivery.body
        if isinstance(body, OpenTicket):
            return self._find_ticket(body, delivery.key)
        if isinstance(body, RedactComment):
            event = self._sending.comment_event(body.record_id, body.comment_id)
            if event is None or not is_black(event):
                return Absent()
            return Found(receipt=Receipt(vendor_id=body.comment_id, permalink=self._sending.permalink(body.record_id)))
        if isinstance(body, AddComment | UpdateFields):
            try:
                audits, complete = self._client.audits(body.record_id)
            except Refused as error:
                return CannotTell(reason=f"the record cannot be read: {error.summary}")
            for audit in reversed(audits):
                if payloads.delivery_key_of(audit) == delivery.key:
                    answer = {"ticket": {"id": int(body.record_id)}, "audit": audit}
                    receipt = self._sending.receipt(answer, comment=isinstance(body, AddComment))
                    return Found(receipt=receipt.model_copy(update={"already_there": True}))
            if not complete:
                return CannotTell(reason="the record has more audits than we read")
            if _stands_without_key(audits, body.said.text if isinstance(body, AddComment) else body.note, delivery):
                return CannotTell(reason="the record holds these words, but not under our key")
            return Absent()
        return CannotTell(reason=f"Zendesk cannot do {body.verb}")

    def _find_ticket(self, body: OpenTicket, key: str) -> Outcome:
        tickets = [
            ticket
            for ticket in self._client.tickets_by_external_id(body.ticket.uid)
            # A follow-up carries the same external id as the closed ticket it follows.
            if text_of(ticket.get("external_id")) == body.ticket.uid and text_of(ticket.get("id")) != body.follow_up_of
        ]
        for ticket in tickets[:5]:
            for audit in self._client.audits(text_of(ticket.get("id")))[0]:
                if payloads.delivery_key_of(audit) == key:
                    receipt = self._sending.receipt({"ticket": ticket, "audit": audit}, comment=False)
                    return Found(receipt=receipt.model_copy(update={"already_there": True}))
        if not tickets:
            return Absent()
        return CannotTell(reason="a record of this ticket exists, but this delivery did not make it")


def _stands_without_key(audits: list[Json], text: str, delivery: Delivery) -> bool:
    """Whether somebody wrote these words since the first attempt, under no key: Zendesk promises the audits' metadata
    for single writes only, and a job that dropped it must not make us say everything twice."""
    wanted = _letters(text)[:200]
    since = delivery.first_attempt_at
    if not wanted or since is None:
        return False
    return any(
        wanted in _letters(text_of(event.get("plain_body")) or text_of(event.get("body")))
        for audit in audits
        if not payloads.delivery_key_of(audit) and (time_of(audit.get("created_at")) or since) >= since - _SKEW
        for event in payloads.comment_events(audit)
    )


def _letters(text: str) -> str:
    """What no rendering changes."""
    return "".join(letter for letter in text if letter.isalnum())
