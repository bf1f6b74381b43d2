# SPDX-License-Identifier: GPL-3.0-or-later
"""The Zendesk connector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    Account,
    AddComment,
    AnyEvent,
    AuthenticationFailed,
    CannotTell,
    Completes,
    ConfigurationError,
    Connector,
    ConnectorError,
    DeliversTickets,
    Delivery,
    Event,
    Failure,
    FindsTickets,
    Found,
    Hint,
    OpenTicket,
    OutcomeUnknown,
    Page,
    Receipt,
    ReceivesWebhooks,
    RecordClosed,
    RedactComment,
    RedactsComments,
    Refused,
    ReportsChanges,
    Sink,
    Toolbox,
    Unreadable,
    UpdateFields,
    WebhookRequest,
)
from plugins.sinks.zendesk import outgoing, payloads, webhooks
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import GONE, OddAnswer, UpdateConflict
from plugins.sinks.zendesk.payloads import is_id, text_of, time_of
from plugins.sinks.zendesk.redaction import blackened, is_black
from plugins.sinks.zendesk.settings import ZendeskSettings

UID_PREFIX = "sch-"
"""External ids of our tickets start with it; other tickets of the account are none of our business."""

Json = dict[str, Any]


class ZendeskSink(Sink, DeliversTickets, FindsTickets, ReportsChanges, ReceivesWebhooks, Completes, RedactsComments):
    """Zendesk Support through zenpy."""

    name: ClassVar[str] = "zendesk"
    display_name: ClassVar[str] = "Zendesk"
    vendor_docs_url: ClassVar[str] = "https://developer.zendesk.com/api-reference/ticketing/introduction/"
    reaches = ("{subdomain}.zendesk.com", "{base_url}")
    Settings = ZendeskSettings
    # Only creates take Zendesk's Idempotency-Key (for two hours); updates do not, so every unknown is looked up.
    idempotent_for: timedelta | None = None

    settings: ZendeskSettings

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox) -> None:
        Connector.__init__(self, settings, toolbox)
        self._client = ZendeskClient(settings, toolbox)
        self._directory = Directory(self._client, toolbox.now, settings.human_roles)

    # --- who we are ------------------------------------------------------------------------------------------------

    def check_connection(self) -> Account:
        """Whose account this is. The account must be an agent's."""
        try:
            user = self._client.me()
        except Refused as error:
            raise ConfigurationError(
                f"there is no Zendesk for this account at {self.settings.origin}: {error.summary}", detail=error.detail
            ) from error
        user_id, role = text_of(user.get("id")), text_of(user.get("role"))
        if not user_id:  # Zendesk answers 200 with an anonymous user when it does not know the credentials
            raise AuthenticationFailed("Zendesk does not know these credentials (it answers as to a stranger)")
        if role not in ("agent", "admin"):
            raise ConfigurationError(f"the account is a Zendesk {role or 'user'}; it must be an agent or admin")
        return Account(
            fingerprint=self._fingerprint(user_id, user),
            id=user_id,
            handle=text_of(user.get("email")),
            display_name=text_of(user.get("name")),
            url=f"{self.settings.origin}/agent",
            details={"role": role},
        )

    def _fingerprint(self, user_id: str, user: Json) -> str:
        host = self.settings.loopback_host
        if not host:
            return f"{self.settings.origin}#{user_id}"
        # A sandbox may come back on another port. Every sandbox counts its ids from the same number: the time its
        # user was made tells two of them apart.
        return f"{host}#{user_id}@{text_of(user.get('created_at'))}"

    # --- hub -> Zendesk --------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Send each delivery with one write; a record number in ``record_id``."""
        return [self._deliver(delivery) for delivery in deliveries]

    def _deliver(self, delivery: Delivery) -> Receipt | Failure:
        body = delivery.body
        try:
            if isinstance(body, OpenTicket):
                return self._open(body, delivery.key)
            if isinstance(body, AddComment):
                author = self._author(body)
                changes = outgoing.new_comment(body, self.settings, key=delivery.key, author_id=author)
                receipt = self._receipt(self._client.update_ticket(body.record_id, changes), comment=True)
                if not receipt.comment_id:
                    raise OutcomeUnknown("Zendesk accepted the comment but answered without it")
                return receipt
            if isinstance(body, UpdateFields):
                return self._update(body, delivery.key)
            if isinstance(body, RedactComment):
                return self._redact(body)
            raise Refused(f"Zendesk cannot do {body.verb}")
        except ConnectorError as error:
            if isinstance(error, Refused) and not isinstance(error, RecordClosed) and error.detail != GONE:
                self._directory.forget_customers()
            return Failure(error)

    def _open(self, body: OpenTicket, key: str) -> Receipt:
        if body.follow_up_of and not is_id(body.follow_up_of):
            raise Refused(f"{body.follow_up_of[:40]!r} is not a Zendesk id")
        ticket = outgoing.new_ticket(
            body,
            self.settings,
            key=key,
            requester_id=self._directory.customer(body.ticket.requester),
            author_id=self._author(body),
        )
        try:
            ticket |= self._assignment(body.ticket.group, "")
        except Refused as error:  # a wrong group name must not cost the customer the ticket
            self.toolbox.log.warning("opened without its group: %s", error.summary)
        answer = self._client.create_ticket(ticket, key=key)
        return self._receipt(answer, comment=False)

    def _update(self, body: UpdateFields, key: str) -> Receipt:
        assignment = self._assignment(body.group, body.agent)
        for _ in range(2):
            current = self._client.ticket(body.record_id) if outgoing.needs_reading(body) else None
            changes = outgoing.field_changes(body, self.settings, key=key, current=current) | assignment
            if changes.keys() <= {"metadata", "safe_update", "updated_stamp"}:
                return self._receipt({"ticket": current or self._client.ticket(body.record_id)}, comment=False)
            try:
                return self._receipt(self._client.update_ticket(body.record_id, changes), comment=False)
            except UpdateConflict as error:
                conflict = error
        raise conflict

    def _redact(self, body: RedactComment) -> Receipt:
        event = self._comment_event(body.record_id, body.comment_id)
        if event is None:
            raise Refused("there is no such comment in the record", detail=GONE)
        if not is_black(event):
            html, urls = blackened(event)
            self._client.redact(body.record_id, body.comment_id, html, urls)
        return Receipt(vendor_id=body.comment_id, permalink=self._permalink(body.record_id), at=self.toolbox.now())

    def _author(self, body: OpenTicket | AddComment) -> int | None:
        """The customer; ``None`` (our own account) when the hub or the company speaks."""
        said = body.said
        return None if said.author is None or said.by_company else self._directory.customer(said.author)

    def _assignment(self, group: str, agent: str) -> Json:
        mode = self.settings.assign
        changes: Json = {}
        if group and mode in ("group", "agent"):
            changes["group_id"] = int(group) if is_id(group) else self._directory.group_id(group)
        if agent and mode == "agent":
            if is_id(agent):
                changes["assignee_id"] = int(agent)
            elif "@" in agent:
                return {**changes, "assignee_email": agent}
            else:
                raise Refused(f"the agent {agent!r} must be a Zendesk id or an e-mail address")
        return changes

    def _receipt(self, answer: Json, *, comment: bool) -> Receipt:
        ticket, audit = payloads.part_of(answer, "ticket"), payloads.part_of(answer, "audit")
        ticket_id = text_of(ticket.get("id"))
        if not ticket_id:
            raise OutcomeUnknown("Zendesk accepted it but answered without the record")
        comments = payloads.comment_events(audit)
        comment_id = text_of(comments[0].get("id")) if comments else ""
        return Receipt(
            vendor_id=comment_id if comment else ticket_id,
            comment_id=comment_id,
            permalink=self._permalink(ticket_id),
            at=time_of(audit.get("created_at")) or time_of(ticket.get("updated_at")),
            version=text_of(ticket.get("updated_at")),
        )

    def _permalink(self, ticket_id: str) -> str:
        return f"{self.settings.origin}/agent/tickets/{ticket_id}"

    # --- what became of an unknown attempt -------------------------------------------------------------------------

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """Look by external id, then for our key in the audits; both are consistent reads."""
        try:
            return self._look(delivery)
        except OddAnswer as error:
            return CannotTell(reason=error.summary)

    def _look(self, delivery: Delivery) -> Found | Absent | CannotTell:
        body = delivery.body
        if isinstance(body, OpenTicket):
            return self._find_ticket(body, delivery.key)
        if isinstance(body, RedactComment):
            event = self._comment_event(body.record_id, body.comment_id)
            if event is None or not is_black(event):
                return Absent()
            return Found(receipt=Receipt(vendor_id=body.comment_id, permalink=self._permalink(body.record_id)))
        if isinstance(body, AddComment | UpdateFields):
            try:
                audits, complete = self._client.audits(body.record_id)
            except Refused as error:
                return CannotTell(reason=f"the record cannot be read: {error.summary}")
            for audit in reversed(audits):
                if payloads.delivery_key_of(audit) == delivery.key:
                    receipt = self._receipt(
                        {"ticket": {"id": int(body.record_id)}, "audit": audit}, comment=isinstance(body, AddComment)
                    )
                    return Found(receipt=receipt.model_copy(update={"already_there": True}))
            return Absent() if complete else CannotTell(reason="the record has more audits than we read")
        return CannotTell(reason=f"Zendesk cannot do {body.verb}")

    def _find_ticket(self, body: OpenTicket, key: str) -> Found | Absent | CannotTell:
        tickets = [
            ticket
            for ticket in self._client.tickets_by_external_id(body.ticket.uid)
            # A follow-up carries the same external id as the closed ticket it follows.
            if text_of(ticket.get("external_id")) == body.ticket.uid and text_of(ticket.get("id")) != body.follow_up_of
        ]
        for ticket in tickets[:5]:
            for audit in self._client.audits(text_of(ticket.get("id")))[0]:
                if payloads.delivery_key_of(audit) == key:
                    receipt = self._receipt({"ticket": ticket, "audit": audit}, comment=False)
                    return Found(receipt=receipt.model_copy(update={"already_there": True}))
        if not tickets:
            return Absent()
        return CannotTell(reason="a record of this ticket exists, but this delivery did not make it")

    def _comment_event(self, ticket_id: str, comment_id: str) -> Json | None:
        audits, _ = self._client.audits(ticket_id)
        events = (event for audit in audits for event in payloads.comment_events(audit))
        return next((event for event in events if text_of(event.get("id")) == comment_id), None)

    # --- Zendesk -> hub --------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """Now; the export wants its start at least a minute ago."""
        return {"start_time": int(self.toolbox.now().timestamp()) - 61}

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """One page of the incremental export: a hint per changed ticket of ours, so that the hub reads each ticket
        once, however often it changed."""
        if not text_of(cursor.get("cursor")) and not text_of(cursor.get("start_time")):
            raise ConfigurationError("the stored cursor is not one of this plugin's")
        try:
            page = self._client.export(cursor=text_of(cursor.get("cursor")), start_time=cursor.get("start_time"))
        except Refused as error:
            summary = f"the ticket export cannot be read (it needs an admin): {error.summary}"
            raise ConfigurationError(summary, detail=error.detail) from error
        events = [event for event in map(self._change_of, page["tickets"]) if event is not None]
        after = text_of(page.get("after_cursor"))
        return Page(
            events=tuple(events),
            cursor={"cursor": after} if after else cursor,
            has_more=bool(after) and page.get("end_of_stream") is False,
        )

    def _change_of(self, row: Json) -> AnyEvent | None:
        ticket_id, version = text_of(row.get("id")), text_of(row.get("updated_at"))
        if not ticket_id or "external_id" not in row:
            raw = json.dumps(row, sort_keys=True)[:4000]
            key = f"export:odd:{hashlib.sha256(raw.encode()).hexdigest()}"
            return Unreadable(event_key=key, raw=raw, reason="a row of the ticket export lacks its id or external id")
        if not text_of(row["external_id"]).startswith(UID_PREFIX):
            return None
        if row.get("status") == "deleted":
            at = time_of(version) or self.toolbox.now()
            return payloads.record_deleted(ticket_id, at, external_id=text_of(row.get("external_id")), version=version)
        # Updates by the system move generated_timestamp only.
        return Hint(
            event_key=f"export:{ticket_id}:{version}:{text_of(row.get('generated_timestamp'))}",
            lane=f"record:{ticket_id}",
            record=ticket_id,
        )

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record as it is now and its comments, from one read of the ticket and its audits."""
        if not isinstance(event, Hint):
            return [event]  # type: ignore[list-item]  # nothing else of ours is ever incomplete
        try:
            ticket = self._client.ticket(event.record)
            if not text_of(ticket.get("external_id")).startswith(UID_PREFIX):
                return []
            audits, _ = self._client.audits(event.record)
        except Refused as error:
            if error.detail != GONE:
                raise
            return [payloads.record_deleted(event.record, self.toolbox.now())]
        self._directory.read(payloads.people_of(ticket, audits))
        comments = payloads.comments_seen(event.record, audits, self._directory.agent)
        record = payloads.record_changed(ticket, self._directory.agent, self._directory.group_name)
        return [*comments, record.model_copy(update={"merged_into": payloads.merged_into(ticket, comments)})]

    def verify(self, request: WebhookRequest) -> None:
        """Zendesk's signature under one of ``webhook_secrets``."""
        webhooks.verify(request, [secret.get_secret_value() for secret in self.settings.webhook_secrets])

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """A hint to the ticket the webhook names."""
        return webhooks.events(request)
