"""Connectors to the fake vendors, in this process or over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import requests

from hub.sdk import (
    Absent,
    Account,
    AddComment,
    Agent,
    AnyEvent,
    Attachment,
    AuthenticationFailed,
    CannotTell,
    Comment,
    CommentSeen,
    DeliversTickets,
    Delivery,
    Failure,
    FindsReplies,
    FindsTickets,
    Found,
    Identity,
    Media,
    Message,
    MessageDeleted,
    MessageSeen,
    OpenTicket,
    OutcomeUnknown,
    Page,
    PayloadNotUnderstood,
    PollsForMessages,
    RateLimited,
    Receipt,
    ReceivesWebhooks,
    RecordChanged,
    RecordClosed,
    Refused,
    RepliesInPrivate,
    RepliesInPublic,
    Reply,
    ReplyLimits,
    ReportsChanges,
    ServesMedia,
    Settings,
    Sink,
    Source,
    TemporaryFailure,
    Thread,
    UpdateFields,
    WebhookRequest,
    check_hmac_sha256,
    failure_of_transport,
)
from tests.fakes.vendor import Fault, Vendor

IN_PROCESS: dict[str, Vendor] = {}
"""Vendors of this process by their address ``in-process:NAME``."""


class FakeSettings(Settings):
    """Where the vendor is."""

    url: str
    poll_every: float = 1.0
    secret: str = "s3cret"


class FakeConnector(ServesMedia):
    """What both fakes share: the one seam to the vendor, and its files."""

    settings: FakeSettings
    toolbox: Any

    def fetch_attachment(self, attachment: Attachment, *, max_bytes: int) -> Media:
        """By its id."""
        content = base64.b64decode(self.call("file", file_id=attachment.id)["content"])
        if len(content) > max_bytes:
            raise Refused("too large")
        return Media.of(content, "", attachment.name)

    def files(self, attachments: Iterable[Attachment]) -> dict[str, Any]:
        """The files of the other side, as a call carries them; nothing when there are none."""
        sent = []
        for one in attachments:
            with self.toolbox.fetch_media(one.ref or one.url, max_bytes=1_000_000) as media:
                sent.append({"name": one.name, "content": base64.b64encode(media.content).decode()})
        return {"files": sent} if sent else {}

    def call(self, path: str, *, effect: bool = False, **data: Any) -> dict[str, Any]:
        """One call; faults become our errors."""
        try:
            return self._send(path, data, effect=effect)
        except Fault as fault:
            raise self._translate(fault, effect=effect) from fault

    def _send(self, path: str, data: dict[str, Any], *, effect: bool) -> dict[str, Any]:
        vendor = IN_PROCESS.get(self.settings.url)
        if vendor is not None:
            return vendor.call(path, data)
        try:
            answer = self.toolbox.http.post(f"{self.settings.url}/{path}", json=data)
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        if answer.status_code != 200:
            retry_after = answer.headers.get("Retry-After")
            raise Fault(answer.status_code, float(retry_after) if retry_after else None)
        body: dict[str, Any] = answer.json()
        return body

    def _translate(self, fault: Fault, *, effect: bool) -> Exception:
        if fault.status == 0:
            return OutcomeUnknown("no answer") if effect else TemporaryFailure("no answer")
        if fault.status == 401:
            return AuthenticationFailed("the token is not valid")
        if fault.status == 429:
            return RateLimited("slow down", retry_after=fault.retry_after)
        if fault.status == 409:
            return RecordClosed("the record is closed")
        if fault.status in (404, 422):
            return Refused(f"refused ({fault.status})")
        return TemporaryFailure(f"status {fault.status}")


def attachments(entry: dict[str, Any]) -> tuple[Attachment, ...]:
    """The files of a post or comment."""
    return tuple(
        Attachment(
            id=one["id"],
            url=one.get("url", f"https://fake.example.com/{one['id']}"),
            name=one["name"],
            size=one.get("size"),
        )
        for one in entry.get("files", ())
    )


class FakeSource(  # type: ignore[misc]
    FakeConnector, Source, PollsForMessages, ReceivesWebhooks, RepliesInPublic, RepliesInPrivate, FindsReplies
):
    """The fake network."""

    name = "fake_network"
    display_name = "Fake network"
    network = "fake"
    Settings = FakeSettings
    settles_after = timedelta(0)
    limits: ClassVar[ReplyLimits] = ReplyLimits(max_length=200)

    def check_connection(self) -> Account:
        """Who we are."""
        account = self.call("whoami")["account"]
        return Account(fingerprint=account, id=account, handle=account, reply_limits=self.limits)

    def first_cursor(self) -> dict[str, Any]:
        """Now."""
        return self.call("newest")

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Forty events."""
        answer = self.call("events", after=cursor["after"])
        after = cursor["after"] + len(answer["events"])
        events = tuple(self.event(one) for one in answer["events"])
        return Page(events=events, cursor={"after": after}, has_more=after < answer["end"])

    def verify(self, request: WebhookRequest) -> None:
        """An HMAC over the body."""
        check_hmac_sha256(
            request.body, request.headers.get("x-signature", ""), [self.settings.secret], prefix="sha256="
        )

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """A list of feed entries."""
        body = json.loads(request.body)
        if not isinstance(body, list):
            raise PayloadNotUnderstood("a list of events was expected")
        try:
            return [self.event(one) for one in body]
        except (KeyError, TypeError, AttributeError) as error:
            raise PayloadNotUnderstood("an event lacks a field") from error

    @staticmethod
    def event(entry: dict[str, Any]) -> AnyEvent:
        """One feed entry."""
        lane = f"thread:{entry['thread']}"
        if entry["kind"] == "deleted":
            return MessageDeleted(event_key=f"deleted:{entry['id']}", lane=lane, network="fake", message_id=entry["id"])
        revision = "" if entry["edited"] is None else str(entry["edited"])
        message = Message(
            network="fake",
            id=entry["id"],
            revision=revision,
            thread=Thread(id=entry["thread"]),
            author=Identity(
                network="fake", id=entry["author"], **{"handle": entry["author"], **entry.get("account", {})}
            ),
            own=entry["author"] == "brand",
            text=entry["text"],
            created_at=datetime.fromtimestamp(entry["at"], UTC),
            edited_at=None if entry["edited"] is None else datetime.fromtimestamp(entry["edited"], UTC),
            privacy="direct" if entry["private"] else "public",
            reply_to=entry["reply_to"],
            permalink=f"https://fake.example.com/{entry['id']}",
            attachments=attachments(entry),
        )
        return MessageSeen(event_key=f"post:{entry['id']}:{revision}", lane=lane, message=message)

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """One reply."""
        body = deliveries[0].body
        assert isinstance(body, Reply)
        data = {"reply_to": body.reply_to, "text": body.text, "private": body.privacy == "direct"}
        answer = self.call("reply", effect=True, **data, **self.files(body.attachments))
        return [Receipt(vendor_id=answer["id"], permalink=f"https://fake.example.com/{answer['id']}")]

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """By parent and text."""
        body = delivery.body
        assert isinstance(body, Reply)
        for post in self.call("own_replies", reply_to=body.reply_to)["posts"]:
            if post["text"] == body.text and len(post["files"]) == len(body.attachments):
                return Found(receipt=Receipt(vendor_id=post["id"]))
        return Absent()


class FakeSink(FakeConnector, Sink, DeliversTickets, FindsTickets, ReportsChanges):  # type: ignore[misc]
    """The fake helpdesk."""

    name = "fake_helpdesk"
    display_name = "Fake helpdesk"
    Settings = FakeSettings
    settles_after = timedelta(0)

    def check_connection(self) -> Account:
        """Who we are."""
        return Account(fingerprint=self.call("whoami")["account"])

    def first_cursor(self) -> dict[str, Any]:
        """Now."""
        return self.call("newest")

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Forty events."""
        answer = self.call("events", after=cursor["after"])
        after = cursor["after"] + len(answer["events"])
        events = tuple(self.event(one) for one in answer["events"])
        return Page(events=events, cursor={"after": after}, has_more=after < answer["end"])

    @staticmethod
    def event(entry: dict[str, Any]) -> AnyEvent:
        """One feed entry."""
        at = datetime.fromtimestamp(entry["at"], UTC)
        if entry["kind"] == "record":
            fields = entry["fields"]
            return RecordChanged(
                event_key=f"record:{entry['id']}:{entry['change']}",
                record_id=entry["id"],
                external_id=entry["external_id"],
                changed_at=at,
                status=fields.get("status"),
                priority=fields.get("priority"),
                tags=tuple(fields["tags"]) if "tags" in fields else None,
            )
        visible = "public" if entry["public"] else "private"
        comment = Comment(
            id=entry["id"],
            public=entry["public"],
            author=Agent(id=entry["role"], name=entry["role"], role=entry["role"]),
            automatic=entry["automatic"],
            via="trigger" if entry["automatic"] else "web",
            text=entry["text"],
            created_at=at,
            attachments=attachments(entry),
            copied_from=entry["copied_from"],
        )
        return CommentSeen(event_key=f"comment:{entry['id']}:{visible}", record_id=entry["record"], comment=comment)

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """One record, comment or update."""
        delivery, body = deliveries[0], deliveries[0].body
        if isinstance(body, OpenTicket):
            data = {"external_id": body.ticket.uid, "subject": body.ticket.subject, "text": body.said.text}
            data |= self.files(body.said.attachments)
            answer = self.call("create", effect=True, ref=delivery.key, **data)
            return [Receipt(vendor_id=answer["id"], comment_id=answer["comment_id"])]
        if isinstance(body, AddComment):
            data = {"record_id": body.record_id, "text": body.said.text, "public": body.public}
            data |= self.files(body.said.attachments)
            return [Receipt(vendor_id=self.call("add", effect=True, ref=delivery.key, **data)["comment_id"])]
        assert isinstance(body, UpdateFields)
        fields: dict[str, Any] = {"status": body.status} if body.status else {}
        note = "\n".join([body.note, *(f"{proof.state} {proof.permalink}" for proof in body.proofs)]).strip()
        answer = self.call("update", effect=True, record_id=body.record_id, fields=fields, note=note, ref=delivery.key)
        return [Receipt(vendor_id=body.record_id, comment_id=answer["comment_id"])]

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """By external id, or by our mark in the record."""
        body = delivery.body
        if isinstance(body, OpenTicket):
            for record in self.call("find", external_id=body.ticket.uid)["records"]:
                if record["comments"] and record["comments"][0]["ref"] == delivery.key:
                    first = record["comments"][0]["id"]
                    return Found(receipt=Receipt(vendor_id=record["id"], comment_id=first))
            return Absent()
        assert isinstance(body, AddComment | UpdateFields)
        for record in self.call("find", record_id=body.record_id)["records"]:
            for comment in record["comments"]:
                if comment["ref"] == delivery.key:
                    if isinstance(body, AddComment):
                        return Found(receipt=Receipt(vendor_id=comment["id"]))
                    return Found(receipt=Receipt(vendor_id=body.record_id, comment_id=comment["id"]))
            if delivery.key in record.get("updates", []):
                return Found(receipt=Receipt(vendor_id=body.record_id))
        return Absent()
