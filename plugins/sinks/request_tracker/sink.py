"""The Request Tracker connector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    Account,
    AddComment,
    AnyEvent,
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
    Refused,
    ReportsChanges,
    SetsUp,
    SetupStep,
    Sink,
    Toolbox,
    UpdateFields,
    WebhookRequest,
)
from plugins.sinks.request_tracker import outgoing, payloads, setup, webhooks
from plugins.sinks.request_tracker.agents import RequestTrackerAgents
from plugins.sinks.request_tracker.categories import Categories
from plugins.sinks.request_tracker.cleaning import RequestTrackerCleaning
from plugins.sinks.request_tracker.client import RequestTrackerClient, number
from plugins.sinks.request_tracker.directory import Directory
from plugins.sinks.request_tracker.errors import DENIED, GONE, OddAnswer, UpdateConflict, shortened
from plugins.sinks.request_tracker.files import Files, RequestTrackerFiles
from plugins.sinks.request_tracker.finding import Finder
from plugins.sinks.request_tracker.history import RequestTrackerHistory
from plugins.sinks.request_tracker.payloads import UID_PREFIX, id_of, name_of, text_of, time_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

OVERLAP = 50
"""How many transaction numbers are read again: transactions of one database become visible out of order."""

Json = dict[str, Any]


class RequestTrackerSink(
    RequestTrackerAgents,
    RequestTrackerHistory,
    RequestTrackerCleaning,
    RequestTrackerFiles,
    Sink,
    DeliversTickets,
    FindsTickets,
    ReportsChanges,
    ReceivesWebhooks,
    Completes,
    SetsUp,
):
    """Request Tracker 5 through REST 2. No ``RedactsComments``: REST 2 can neither change nor remove what was said."""

    name: ClassVar[str] = "request_tracker"
    display_name: ClassVar[str] = "Request Tracker"
    vendor_docs_url: ClassVar[str] = "https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html"
    reaches = ("{url}",)
    Settings = RequestTrackerSettings
    idempotent_for: timedelta | None = None  # RT knows no idempotency keys
    settles_after: ClassVar[timedelta] = timedelta(seconds=10)
    """RT runs its scrips, mail included, before it commits: a call that timed out here may go on there."""

    settings: RequestTrackerSettings

    def __init__(self, settings: RequestTrackerSettings, toolbox: Toolbox) -> None:
        Connector.__init__(self, settings, toolbox)
        self._client = RequestTrackerClient(settings, toolbox)
        self._directory = Directory(self._client, settings, toolbox.now)
        self._categories = Categories(self._client, settings, toolbox.house, toolbox.now)
        self._finder = Finder(self._client, settings, self._directory, self._receipt, self._changes)
        self._queues: dict[str, frozenset[str]] = {}

    # --- who we are ------------------------------------------------------------------------------------------------

    def check_connection(self) -> Account:
        """Whose account this is, and whether queue and custom fields are there."""
        user_id = self.settings.user_id
        try:
            user = self._client.user(user_id)
        except Refused as error:
            raise ConfigurationError(f"there is no REST 2 for us at {self.settings.url}: {error.summary}") from error
        if text_of(user.get("Privileged")) != "1":
            raise ConfigurationError("our RT account must be privileged ('Let this user be granted rights')")
        found = self._queue_fields(self.settings.queue)
        missing = [name for name in self.settings.custom_fields if name.casefold() not in found]
        if missing:
            raise ConfigurationError(
                f"the queue {self.settings.queue!r} has no custom field {', '.join(missing)} (or our account may not "
                f"see it): run `hub connections setup {self.toolbox.connection}`"
            )
        return Account(
            fingerprint=self._fingerprint(user),
            id=user_id,
            handle=text_of(user.get("Name")),
            display_name=text_of(user.get("RealName")),
            url=self.settings.url,
            details={"queue": self.settings.queue, "custom fields": ", ".join(self.settings.custom_fields)},
        )

    def _fingerprint(self, user: Json) -> str:
        host = self.settings.loopback_host
        # A test server may come back on another port; then the time our user was made tells two of them apart.
        return f"{host or self.settings.url}#{self.settings.user_id}" + (
            f"@{text_of(user.get('Created'))}" if host else ""
        )

    def _queue_fields(self, name: str) -> frozenset[str]:
        """Names of a queue's custom fields, in lower case; ``ConfigurationError`` for a queue we cannot use."""
        hint = f"create it or run `hub connections setup {self.toolbox.connection}`"
        try:
            queue = self._client.queue(name)
        except Refused as error:
            if error.detail == DENIED:
                raise ConfigurationError(f"our RT account has no right SeeQueue on {name!r}") from error
            if error.detail == GONE:
                raise ConfigurationError(f"there is no queue {name!r} in RT: {hint}") from error
            raise
        links = queue.get("_hyperlinks")
        if not any(isinstance(link, dict) and link.get("ref") == "create" for link in links or []):
            raise ConfigurationError(f"our RT account has no right CreateTicket on the queue {name!r}")
        self._queues[name] = frozenset(field.casefold() for field in setup.field_names(queue))
        return self._queues[name]

    # --- hub -> RT -------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Send each delivery: one write for a ticket or a comment, up to two for fields with a note."""
        return [self._deliver(delivery) for delivery in deliveries]

    def _deliver(self, delivery: Delivery) -> Receipt | Failure:
        body = delivery.body
        try:
            if isinstance(body, OpenTicket):
                return self._open(body, delivery)
            if isinstance(body, AddComment):
                message = outgoing.new_message(body, self.settings, key=delivery.key, files=self._files(delivery))
                kind = "correspond" if body.public else "comment"
                comment_id = self._client.add_message(body.record_id, kind, message)
                return self._receipt(body.record_id, comment_id=comment_id)
            if isinstance(body, UpdateFields):
                return self._update(body, delivery.key)
            raise Refused(f"Request Tracker's REST 2 cannot do {body.verb}")
        except ConnectorError as error:
            return Failure(error)

    def _open(self, body: OpenTicket, delivery: Delivery) -> Receipt:
        if body.follow_up_of:
            number(body.follow_up_of)
        if delivery.attempt > 1:  # a person may have sent again what was opened and then failed below
            looked = self._finder.find(delivery)
            if isinstance(looked, Found):
                return looked.receipt
        ticket = outgoing.new_ticket(
            body,
            self.settings,
            key=delivery.key,
            queue=self._queue_for(body),
            files=self._files(delivery),
            category=self._categories.written(body.ticket.category),
        )
        ticket_id = self._client.create_ticket(ticket)
        if not self._carries(ticket_id, body.ticket.uid):
            raise OutcomeUnknown(
                f"RT opened ticket {ticket_id} without its {self.settings.external_id_field}: give our account "
                f"SetInitialCustomField and ModifyCustomField, and set it to {body.ticket.uid} there"
            )
        return self._receipt(ticket_id)

    def _carries(self, ticket_id: str, uid: str) -> bool:
        """Whether the new ticket has our id: RT silently drops custom fields that our account may not set."""
        try:
            for last in (False, True):
                if payloads.external_id(self._client.ticket(ticket_id)[0], self.settings) == uid:
                    return True
                if not last:
                    self._client.update_ticket(ticket_id, {"CustomFields": {self.settings.external_id_field: uid}})
        except ConnectorError as error:  # it is open: nothing that fails now may open it again
            self.toolbox.log.warning("the new ticket %s could not be read back: %s", ticket_id, error.summary)
            return True
        return False

    def _queue_for(self, body: OpenTicket) -> str:
        wanted = body.ticket.group if self.settings.assign in ("group", "agent") else ""
        for name in (wanted, self.settings.queue):
            if not name:
                continue
            try:
                fields = self._queues.get(name) or self._queue_fields(name)
            except ConfigurationError as error:
                if name == self.settings.queue:
                    raise
                # A wrong queue name must not cost the customer the ticket.
                self.toolbox.log.warning("opened outside its team's queue: %s", error.summary)
                continue
            if self.settings.external_id_field.casefold() in fields:
                return name
            self.toolbox.log.warning("the queue %s lacks the custom field for our id", name)
        raise ConfigurationError(
            f"the queue {self.settings.queue!r} has no custom field {self.settings.external_id_field}: "
            f"run `hub connections setup {self.toolbox.connection}`"
        )

    def _update(self, body: UpdateFields, key: str) -> Receipt:
        changes, said = self._set_fields(body)
        note = outgoing.note_of(body, self.settings, key=key)
        left: Json = {}
        try:
            if changes:  # RT answers 200 also when it did nothing: only the ticket tells
                left = outgoing.not_so(changes, self._client.ticket(body.record_id)[0], self.settings)
            if note is not None and not left:  # last, so that its presence proves the whole update
                self._client.add_message(body.record_id, "comment", note)
        except ConnectorError as error:
            if changes:
                raise OutcomeUnknown(
                    "the fields were sent, the rest of the update was not", detail=str(error)
                ) from error
            raise
        if left:
            names = ", ".join([*left.pop("CustomFields", {}), *left])
            words = shortened("; ".join(said)) or "no such custom field, or no right to set it"
            raise Refused(f"Request Tracker did not set {names}: {words}")
        return self._receipt(body.record_id)

    def _set_fields(self, body: UpdateFields) -> tuple[Json, list[str]]:
        """What was sent to be changed, and what RT says about it."""
        conflict: UpdateConflict
        for _ in range(2):
            ticket, etag = self._client.ticket(body.record_id)
            changes = self._changes(body, ticket)
            if not changes:
                return {}, []
            if "Queue" in changes:
                self._check_move(changes["Queue"])
            # RT sets the owner before it moves the ticket, and asks who may own it in the old queue (seen at 5.0.3).
            last = {"Owner": changes["Owner"]} if {"Owner", "Queue"} <= changes.keys() else {}
            first = {name: value for name, value in changes.items() if name not in last}
            try:
                said = self._client.update_ticket(body.record_id, first, etag=etag)
            except UpdateConflict as error:
                conflict = error
                continue
            return changes, said + (self._client.update_ticket(body.record_id, last) if last else [])
        raise conflict

    def _check_move(self, queue: str) -> None:
        """``Refused`` for a queue without the custom field of our id: there the ticket would be nobody's to us."""
        try:
            fields = setup.field_names(self._client.queue(queue))
        except Refused:
            return  # RT itself says that there is no such queue
        if self.settings.external_id_field.casefold() not in map(str.casefold, fields):
            raise Refused(
                f"the queue {queue!r} has no custom field {self.settings.external_id_field}: the hub would lose sight "
                f"of the ticket there; `hub connections setup {self.toolbox.connection}` says how to add it"
            )

    def _changes(self, body: UpdateFields, ticket: Json) -> Json:
        if body.agent and self.settings.assign == "agent":
            body = body.model_copy(update={"agent": self._directory.login(body.agent)})
        category = self._categories.written(body.category)
        return outgoing.field_changes(body, self.settings, ticket, category=category)

    def _files(self, delivery: Delivery) -> Files:
        files = delivery.body.said.attachments if isinstance(delivery.body, OpenTicket | AddComment) else ()
        return Files(files, self.toolbox, self.settings.max_attachment_bytes, attempt=delivery.attempt)

    def _receipt(self, ticket_id: str, *, comment_id: str = "") -> Receipt:
        anchor = f"#txn-{comment_id}" if comment_id else ""
        return Receipt(
            vendor_id=comment_id or ticket_id,
            comment_id=comment_id,
            permalink=f"{self.settings.url}/Ticket/Display.html?id={ticket_id}{anchor}",
            at=self.toolbox.http.vendor_time or self.toolbox.now(),
        )

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """Look by external id, and for our key in the subjects of the ticket's transactions."""
        try:
            return self._finder.find(delivery)
        except OddAnswer as error:
            return CannotTell(reason=error.summary)

    # --- RT -> hub -------------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """The newest transaction of RT."""
        newest = self._client.newest_transaction()
        return {"from": newest, "after": newest, "seen": []}

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """A hint per changed ticket of ours. The cursor holds where we began, the newest transaction read, and the
        numbers read just below it."""
        first, after, seen = cursor.get("from"), cursor.get("after"), cursor.get("seen")
        if not isinstance(first, int) or not isinstance(after, int) or not isinstance(seen, list):
            raise ConfigurationError("this bookmark is not one of a Request Tracker connection")
        rows = self._client.changes_after(max(after - OVERLAP, first), self.settings.user_id)
        if not rows:
            newest = self._client.newest_transaction()
            if newest < after - OVERLAP:
                raise ConfigurationError(
                    f"RT's newest transaction is {newest}, far below our bookmark {after}: was RT restored?"
                )
        new = {int(row["id"]): id_of(row.get("ObjectId")) for row in rows if int(row["id"]) not in seen}
        newest_of = {ticket_id: transaction for transaction, ticket_id in sorted(new.items())}
        events = tuple(
            Hint(event_key=f"transaction:{transaction}", lane=f"record:{ticket_id}", record=ticket_id)
            for ticket_id, transaction in newest_of.items()
        )
        newest = max([after, *new])
        kept = sorted({*new, *(row for row in seen if isinstance(row, int))})
        return Page(
            events=events,
            cursor={"from": first, "after": newest, "seen": [row for row in kept if row > newest - OVERLAP]},
            has_more=len(rows) >= 100 and bool(new),
        )

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record as it is now and what was said on it; empty for a ticket that is none of ours."""
        if not isinstance(event, Hint):
            return [event]  # type: ignore[list-item]  # nothing else of ours is ever incomplete
        record = event.record
        try:
            # The history first: a change between the two reads then gets an event key of its own.
            history = self._history(record)
            ticket, _ = self._client.ticket(record)
        except Refused as error:
            if error.detail != GONE:
                raise
            return [payloads.record_gone(record, self.toolbox.now())]
        our_name = self._directory.our_name
        target = text_of(ticket.get("id"))
        merged = target != record
        if merged:  # RT shows the other ticket: only who opened this one tells whether it was ours
            ours = name_of(history[0].get("Creator")) == our_name
        else:
            ours = payloads.external_id(ticket, self.settings).startswith(UID_PREFIX)
        if not ours:
            return []
        rows = payloads.comment_rows(history, record)
        parts = self._client.parts(record, [text_of(row["id"]) for row in rows])
        owner = name_of({"id": id_of(ticket.get("Owner"))})
        self._directory.read([owner, *(name_of(row.get("Creator")) for row in rows)])
        comments = payloads.comments_seen(record, rows, parts, self.settings, self._directory.agent, our_name)
        if merged:
            at = time_of(ticket.get("LastUpdated")) or self.toolbox.now()
            return [*comments, payloads.record_gone(record, at, merged_into=target)]
        newest = text_of(history[-1].get("id"))
        assignee, category = self._directory.agent(owner), self._categories.read(ticket)
        return [*comments, payloads.record_changed(ticket, newest, self.settings, assignee, category)]

    def _history(self, record: str) -> list[Json]:
        try:
            return self._client.history([record])[0]
        except OddAnswer:
            self._client.ticket(record)  # says whether it is gone or not for us
            raise

    def verify(self, request: WebhookRequest) -> None:
        """The scrip's signature under one of ``webhook_secrets``."""
        webhooks.verify(request, [secret.get_secret_value() for secret in self.settings.webhook_secrets])

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """A hint to the ticket the scrip names."""
        return webhooks.events(request)

    # --- setup -----------------------------------------------------------------------------------------------------

    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Queue, custom fields, rights and the scrip; reads only."""
        return setup.plan(self._client, self.settings, self.toolbox, webhook_url, self.agents)

    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Make the queue and the custom fields as far as our account may; the plan as it is then."""
        setup.apply(self._client, self.settings, self.toolbox)
        self._queues.clear()
        return self.plan_setup(webhook_url)

    def remove_setup(self) -> Sequence[SetupStep]:
        """Disable the custom fields this connection made; what stays is for a person."""
        self._queues.clear()
        return setup.remove(self._client, self.settings, self.toolbox.connection)
