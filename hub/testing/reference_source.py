"""The connector of the reference network: it plays every role of a source, and keeps the whole contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import requests

from hub.sdk import (
    Absent,
    Account,
    AnyEvent,
    Attachment,
    AuthenticationFailed,
    BaseUrl,
    CannotTell,
    Completes,
    ConfigurationError,
    ConnectorError,
    DeleteReply,
    DeletesReplies,
    Delivery,
    EditReply,
    EditsReplies,
    Event,
    Failure,
    Field,
    FindsReplies,
    Found,
    Identity,
    Message,
    MessageDeleted,
    MessageSeen,
    OutcomeUnknown,
    Page,
    PayloadNotUnderstood,
    PollsForMessages,
    Receipt,
    ReceivesWebhooks,
    Refused,
    RepliesInPrivate,
    RepliesInPublic,
    Reply,
    ReplyLimits,
    Secret,
    Settings,
    SignatureRejected,
    Source,
    TemporaryFailure,
    Thread,
    Unreadable,
    UnsupportedEvent,
    WebhookRequest,
    check_age,
    check_hmac_sha256,
    failure_of_transport,
    rate_limited,
)


class ReferenceSettings(Settings):
    """Settings of one connection."""

    base_url: BaseUrl = Field(description="Address of the network", examples=["https://network.example.com"])
    token: Secret = Field(description="Access token of the company", examples=['{ env = "ACME_TOKEN" }'])
    webhook_secrets: tuple[Secret, ...] = Field(
        (), description="What webhooks are signed with; two while it is being changed", examples=[[]]
    )


class ReferenceSource(
    Source,
    PollsForMessages,
    ReceivesWebhooks,
    Completes,
    RepliesInPublic,
    RepliesInPrivate,
    FindsReplies,
    EditsReplies,
    DeletesReplies,
):
    """One account on the reference network."""

    name = "reference"
    display_name = "Reference network"
    network = "reference"
    Settings: ClassVar[type[Settings]] = ReferenceSettings
    batch = 2
    idempotent_for = timedelta(hours=1)

    # --- the seam to the vendor --------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """One object of the network. Raises the hub's errors and nothing else."""
        effect = method != "GET"
        headers = {"Authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        try:
            response = self.toolbox.http.request(
                method,
                self.settings.base_url + path,
                params=query,
                json=body,
                headers=headers,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        self.complain(response, effect)
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise (OutcomeUnknown if effect else TemporaryFailure)("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise (OutcomeUnknown if effect else PayloadNotUnderstood)("the answer is not an object")
        return answer

    def complain(self, response: requests.Response, effect: bool) -> None:
        """Raise what the status means."""
        status = response.status_code
        if status == 429:
            raise rate_limited(response, self.toolbox.now())
        if status >= 500:
            raise (OutcomeUnknown if effect else TemporaryFailure)(f"the network has a problem ({status})")
        if status in {401, 403}:
            raise AuthenticationFailed(f"the network refuses the token ({status})")
        if status == 404:
            raise NotThere("it is not there")
        if status >= 300:
            raise Refused(f"the network refuses it ({status})")

    def check_connection(self) -> Account:
        """The company's account."""
        try:
            me = self.call("GET", "/me")
        except NotThere as error:
            raise ConfigurationError("there is no such network at base_url") from error
        return Account(
            fingerprint=f"reference#{me['id']}", id=me["id"], reply_limits=ReplyLimits(max_length=me["limit"])
        )

    # --- news --------------------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """The number of the newest event."""
        return {"after": self.call("GET", "/log")["last"]}

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Up to 20 events."""
        after = cursor.get("after")
        if not isinstance(after, int):
            raise ConfigurationError("the stored cursor is not one of this connector")
        page = self.call("GET", "/log", after=after)
        events = [self.told(item) for item in page["events"]]
        return Page(events=tuple(events), cursor={"after": page["last"]}, has_more=page["more"])

    def verify(self, request: WebhookRequest) -> None:
        """The signature covers the time and the body."""
        stamp, signature = request.headers.get("x-time", ""), request.headers.get("x-signature", "")
        secrets = [secret.get_secret_value() for secret in self.settings.webhook_secrets]
        check_hmac_sha256(stamp.encode() + b"." + request.body, signature, secrets)
        if not stamp.isdigit():
            raise SignatureRejected("the time is missing")
        check_age(datetime.fromtimestamp(int(stamp), UTC), request.received_at)

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """The one event of a body."""
        try:
            item = json.loads(request.body)
            known = isinstance(item, dict) and item["what"] in {"said", "edited", "deleted"}
        except (ValueError, KeyError, RecursionError) as error:
            raise PayloadNotUnderstood("the body is no event") from error
        if not known:
            raise UnsupportedEvent("this event is not handled")
        return [self.told(item)]

    def told(self, item: dict[str, Any]) -> AnyEvent:
        """One entry of the log; what is not understood is told as that, and stops nothing else."""
        try:
            return self.event(item)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raw = json.dumps(item, sort_keys=True)
            reason = f"an entry of another shape ({type(error).__name__})"
            return Unreadable(event_key=f"entry:{item.get('n')}", raw=raw, reason=reason)

    def event(self, item: dict[str, Any]) -> MessageSeen | MessageDeleted:
        """One entry of the log, of a shape we know."""
        post = item["post"]
        if item["what"] == "deleted":
            key = f"deleted:{post['id']}"
            return MessageDeleted(event_key=key, network=self.network, message_id=post["id"])
        return MessageSeen(event_key=f"post:{post['id']}:{post['version']}", message=self.message(post))

    def message(self, post: dict[str, Any]) -> Message:
        """A post as the hub knows it."""
        return Message(
            network=self.network,
            id=post["id"],
            revision=str(post["version"]),
            thread=Thread(id=post.get("root", "")),
            author=Identity(network=self.network, id=post["author"]),
            own=post["author"] == "acme",
            text=post["text"],
            created_at=datetime.fromisoformat(post["at"]),
            privacy="direct" if post["private"] else "public",
            reply_to=post["reply_to"],
            attachments=tuple(Attachment(url=url) for url in post.get("files", ())),
        )

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The post with its thread."""
        if not isinstance(event, MessageSeen):
            return []
        try:
            post = self.call("GET", f"/posts/{event.message.id}")
        except NotThere:
            return []
        thread = Thread(id=post["root"])
        return [event.model_copy(update={"message": event.message.model_copy(update={"thread": thread})})]

    # --- answers -----------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """One result each."""
        return [self.attempt(delivery) for delivery in deliveries]

    def attempt(self, delivery: Delivery) -> Receipt | Failure:
        """Send one."""
        try:
            return self.send(delivery)
        except ConnectorError as error:
            return Failure(error)

    def send(self, delivery: Delivery) -> Receipt:
        """Send one; raises what went wrong."""
        match delivery.body:
            case Reply():
                return self.receipt(self.call("POST", "/posts", self.post(delivery)))
            case EditReply(message_id=message_id, text=text):
                return self.receipt(self.call("PUT", f"/posts/{message_id}", {"text": text}))
            case DeleteReply(message_id=message_id):
                try:
                    return self.receipt(self.call("DELETE", f"/posts/{message_id}"))
                except NotThere:
                    return Receipt(vendor_id=message_id, already_there=True)
        raise Refused(f"the network cannot do {delivery.body.verb}")

    def post(self, delivery: Delivery) -> dict[str, Any]:
        """A reply as the network takes it."""
        body = delivery.body
        assert isinstance(body, Reply)
        private = body.privacy == "direct"
        return {"text": body.text, "reply_to": body.reply_to, "private": private, "key": delivery.key}

    def receipt(self, post: dict[str, Any]) -> Receipt:
        """The proof of a post."""
        try:
            return Receipt(vendor_id=post["id"], version=str(post["version"]))
        except KeyError as error:
            raise OutcomeUnknown("the answer is no post") from error

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """By the key, which the network keeps."""
        if not isinstance(delivery.body, Reply):
            return CannotTell(reason="only replies carry a key")
        posts = self.call("GET", "/posts", key=delivery.key)["posts"]
        return Found(receipt=self.receipt(posts[0])) if posts else Absent()


class NotThere(Refused):
    """404."""
