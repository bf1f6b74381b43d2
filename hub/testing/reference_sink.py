"""A small good sink, for the helpdesk in :mod:`hub.testing.reference_helpdesk`: a pattern to start from.

It plays every role of a sink, keeps every check of the suite, and is what the kit's own tests break piece by piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from hub.sdk import (
    Absent,
    Account,
    AddComment,
    Agent,
    AnyEvent,
    AuthenticationFailed,
    BaseUrl,
    CannotTell,
    Comment,
    CommentSeen,
    Completes,
    ConfigurationError,
    ConnectorError,
    DeliversTickets,
    Delivery,
    Event,
    Failure,
    Field,
    FindsTickets,
    Found,
    Hint,
    OpenTicket,
    OutcomeUnknown,
    Page,
    PayloadNotUnderstood,
    Receipt,
    ReceivesWebhooks,
    RecordChanged,
    RedactComment,
    RedactsComments,
    Refused,
    ReportsChanges,
    Said,
    Secret,
    SetsUp,
    Settings,
    SetupStep,
    SignatureRejected,
    Sink,
    TemporaryFailure,
    TicketView,
    UnsupportedEvent,
    UpdateFields,
    WebhookRequest,
    check_age,
    check_hmac_sha256,
    failure_of_transport,
    rate_limited,
)

Json = dict[str, Any]


class ReferenceSettings(Settings):
    """Where the helpdesk is, and how it knows us."""

    base_url: BaseUrl = Field(description="Address of the helpdesk", examples=["https://desk.example.com"])
    token: Secret = Field(description="API token", examples=['{ env = "DESK_TOKEN" }'])
    webhook_secrets: tuple[Secret, ...] = Field(
        (), description="Secrets of the webhook; two while one replaces another"
    )


class ReferenceSink(
    Sink, DeliversTickets, FindsTickets, ReportsChanges, ReceivesWebhooks, Completes, RedactsComments, SetsUp
):
    """The reference helpdesk."""

    name: ClassVar[str] = "reference_helpdesk"
    display_name: ClassVar[str] = "Reference helpdesk"
    Settings = ReferenceSettings
    batch: ClassVar[int] = 5
    idempotent_for = timedelta(hours=1)

    settings: ReferenceSettings

    def check_connection(self) -> Account:
        """Whose token it is."""
        user = self._ask("GET", "/me", want="user")["user"]
        return Account(fingerprint=f"{self.settings.base_url}#{user['id']}", id=user["id"], display_name=user["name"])

    # --- the one seam to the vendor --------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Json | None = None, *, want: str, effect: bool = False) -> Json:
        """The answer's JSON, in which ``want`` stands; every failure is one of our errors."""
        try:
            answer = self.toolbox.http.request(
                method,
                self.settings.base_url + path,
                json=body,
                headers={"Authorization": f"Bearer {self.settings.token.get_secret_value()}"},
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        if answer.status_code != 200:
            raise self._failure(answer, effect=effect)
        try:
            said = answer.json()
        except (ValueError, RecursionError) as error:
            raise self._unclear("the helpdesk answered with something other than JSON", effect=effect) from error
        if isinstance(said, dict) and said.get("applied") is False:
            raise Refused("the helpdesk took the call and did not do it")
        if not isinstance(said, dict) or not isinstance(said.get(want), dict | list | int):
            raise self._unclear(f"the helpdesk answered without {want}", effect=effect)
        return said

    def _failure(self, answer: requests.Response, *, effect: bool) -> ConnectorError:
        status = answer.status_code
        if status == 401:
            return AuthenticationFailed("the helpdesk refuses the token (401)")
        if status == 429:
            return rate_limited(answer, self.toolbox.now())
        if status == 404:
            return Refused("there is no such record (404)", detail="gone")
        if status >= 500:
            return self._unclear(f"the helpdesk has a problem ({status})", effect=effect)
        return Refused(f"the helpdesk refuses it ({status})", detail=answer.text[:500])

    @staticmethod
    def _unclear(summary: str, *, effect: bool) -> ConnectorError:
        return OutcomeUnknown(summary) if effect else TemporaryFailure(summary)

    # --- hub -> helpdesk -------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """One call each; what fails stops no other."""
        return [self._deliver(delivery) for delivery in deliveries]

    def _deliver(self, delivery: Delivery) -> Receipt | Failure:
        try:
            return self._send(delivery, delivery.body)
        except ConnectorError as error:
            return Failure(error)

    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        if isinstance(body, RedactComment):
            path = f"/comments/{body.comment_id}/redact"
            self._ask("PUT", path, {"key": delivery.key}, want="comment", effect=True)
            return self._receipt(body.comment_id, body.record_id)
        if isinstance(body, OpenTicket):
            call, path, wanted = "POST", "/records", self._opening(body)
        elif isinstance(body, AddComment):
            call, path = "PATCH", f"/records/{body.record_id}"
            wanted = {"comment": {"text": self.text_of(body.said), "public": body.public}}
        elif isinstance(body, UpdateFields):
            call, path, wanted = "PATCH", f"/records/{body.record_id}", self._changes(body)
        else:
            raise Refused(f"this helpdesk cannot do {body.verb}")
        answer = self._ask(call, path, wanted | {"key": delivery.key}, want="record", effect=True)
        try:
            record_id = answer["record"]["id"]
            return self._receipt(answer["comment"]["id"] if isinstance(body, AddComment) else record_id, record_id)
        except (KeyError, TypeError) as error:
            raise OutcomeUnknown("the helpdesk answered without the id of what it made") from error

    def _opening(self, body: OpenTicket) -> Json:
        view = body.ticket
        fields = {
            "external_id": self.external_id(view),
            "subject": " ".join(view.subject.split())[:500] or view.code,
            "priority": view.priority,
            "tags": list(view.tags),
            "fields": dict(view.fields),
        }
        return {"fields": fields, "comment": {"text": self.text_of(body.said), "public": body.public}}

    def external_id(self, view: TicketView) -> str:
        """Under which id the record is looked up after a lost answer."""
        return view.uid

    def _changes(self, body: UpdateFields) -> Json:
        fields: Json = {name: value for name, value in (("status", body.status), ("priority", body.priority)) if value}
        if body.tags_add or body.tags_remove:
            # The helpdesk sets all tags at once.
            tags = self._ask("GET", f"/records/{body.record_id}", want="record")["record"]["tags"]
            fields["tags"] = [tag for tag in dict.fromkeys([*tags, *body.tags_add]) if tag not in body.tags_remove]
        if body.fields:
            fields["fields"] = dict(body.fields)
        notes = [f"{proof.state}: {proof.permalink or proof.reason}" for proof in body.proofs] + [body.note]
        note = "\n".join(filter(None, notes))
        return {"fields": fields} | ({"comment": {"text": note, "public": False}} if note else {})

    def text_of(self, said: Said) -> str:
        """What the agent reads."""
        lines = [said.text or "(no text)"]
        lines += [f"{quote.author}: {quote.text}" for quote in said.context]
        lines += [picture.url for picture in said.attachments]
        return "\n".join(lines)

    def _receipt(self, vendor_id: str, record_id: str) -> Receipt:
        link = f"{self.settings.base_url}/records/{record_id}"
        return Receipt(vendor_id=vendor_id, permalink=link, at=self.toolbox.now())

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """By our key, in the record; every read of this helpdesk is consistent."""
        body = delivery.body
        if isinstance(body, OpenTicket):
            path = f"/records?external_id={self.external_id(body.ticket)}"
            rows = self._ask("GET", path, want="records")["records"]
        elif isinstance(body, AddComment | UpdateFields | RedactComment):
            rows = [self._ask("GET", f"/records/{body.record_id}", want="record")["record"]]
        else:
            return CannotTell(reason=f"this helpdesk cannot do {body.verb}")
        for row in rows:
            comments = {comment["key"]: comment["id"] for comment in row["comments"]}
            if isinstance(body, RedactComment):
                if {comment["id"]: comment["text"] for comment in row["comments"]}.get(body.comment_id) == "":
                    return Found(receipt=self._receipt(body.comment_id, row["id"]))
            elif delivery.key in row["keys"]:
                vendor_id = comments.get(delivery.key, "") if isinstance(body, AddComment) else row["id"]
                return Found(receipt=self._receipt(vendor_id, row["id"]))
        return Absent()

    # --- helpdesk -> hub -------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """The end of the feed."""
        return {"after": self._ask("GET", "/changes", want="after")["after"]}

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """A page of the feed."""
        after = cursor.get("after")
        if not isinstance(after, int):
            raise ConfigurationError("the cursor is of another version of this plugin")
        answer = self._ask("GET", f"/changes?after={after}", want="changes")
        events = tuple(self.event_of(change) for change in answer["changes"])
        return Page(events=events, cursor={"after": answer["after"]}, has_more=answer["more"])

    def event_of(self, change: Json) -> AnyEvent:
        """One change of the feed."""
        if change["comment"]:
            return self.comment_seen(change["record"], change["comment"])
        return self.record_changed(change["record"])

    def comment_seen(self, row: Json, comment: Json) -> CommentSeen:
        """A comment as it is now."""
        author = comment["author"]
        seen = Comment(
            id=comment["id"],
            public=comment["public"],
            author=Agent(id=author["id"], name=author["name"], role=author["role"]),
            automatic=comment["automatic"],
            text=comment["text"],
            created_at=datetime.fromisoformat(comment["created_at"]),
            origin=comment["key"],
        )
        visible = "public" if seen.public else "internal"
        return CommentSeen(event_key=f"comment:{seen.id}:{visible}", record_id=row["id"], comment=seen)

    def record_changed(self, row: Json) -> RecordChanged:
        """A record as it is now."""
        state = json.dumps([row["status"], row["priority"], row["tags"]])
        return RecordChanged(
            event_key=f"record:{row['id']}:{row['updated_at']}:{state}",
            record_id=row["id"],
            changed_at=datetime.fromisoformat(row["updated_at"]),
            external_id=row["external_id"],
            status=row["status"],
            priority=row["priority"],
            tags=tuple(row["tags"]),
        )

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record of a hint, with its comments."""
        if not isinstance(event, Hint):
            return [event]  # type: ignore[list-item]  # nothing else of ours is ever incomplete
        try:
            row = self._ask("GET", f"/records/{event.record}", want="record")["record"]
        except Refused as error:
            if error.detail == "gone":
                return []
            raise
        return [*(self.comment_seen(row, comment) for comment in row["comments"]), self.record_changed(row)]

    def verify(self, request: WebhookRequest) -> None:
        """HMAC-SHA256 of time, point and body."""
        stamp = request.headers.get("x-desk-time", "")
        signed = stamp.encode() + b"." + request.body
        secrets = [secret.get_secret_value() for secret in self.settings.webhook_secrets]
        check_hmac_sha256(signed, request.headers.get("x-desk-signature", ""), secrets)
        try:
            sent_at = datetime.fromisoformat(stamp)
        except ValueError as error:
            raise SignatureRejected("the signed time is no time") from error
        check_age(sent_at, request.received_at)

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """A hint to the record that changed."""
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise PayloadNotUnderstood("the body is not JSON") from error
        if not isinstance(body, dict) or not isinstance(body.get("event"), str):
            raise PayloadNotUnderstood("the body names no event")
        if body["event"] not in ("comment_changed", "record_changed"):
            raise UnsupportedEvent(f"unknown event {body['event'][:60]!r}")
        if not isinstance(body.get("record"), str) or not isinstance(body.get("number"), int):
            raise PayloadNotUnderstood("the body names no record")
        return [Hint(event_key=f"change:{body['number']}", lane=f"record:{body['record']}", record=body["record"])]

    # --- setting up --------------------------------------------------------------------------------------------------

    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """The webhook."""
        return [SetupStep(title="Webhook to the hub", state="done" if self._hooks(webhook_url) else "missing")]

    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Make the webhook where it is missing."""
        if webhook_url and not self._hooks(webhook_url):
            body = {"url": webhook_url, "made_by": self.toolbox.connection}
            self._ask("POST", "/hooks", body, want="hook", effect=True)
        return self.plan_setup(webhook_url)

    def remove_setup(self) -> Sequence[SetupStep]:
        """Remove the webhooks this connection made."""
        for hook in self._hooks():
            if hook.get("made_by") == self.toolbox.connection:
                self._ask("DELETE", f"/hooks/{hook['id']}", want="deleted", effect=True)
        return []

    def _hooks(self, url: str | None = None) -> list[Json]:
        hooks: list[Json] = self._ask("GET", "/hooks", want="hooks")["hooks"]
        return [hook for hook in hooks if url is None or hook["url"] == url]
