"""The webhook sink."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from hub.sdk import (
    Absent,
    Account,
    AddComment,
    AnyEvent,
    CannotTell,
    ConfigurationError,
    Connector,
    ConnectorError,
    DeliversTickets,
    Delivery,
    Failure,
    FindsTickets,
    Found,
    OpenTicket,
    PayloadNotUnderstood,
    Pointer,
    Receipt,
    ReceivesWebhooks,
    Refused,
    Sink,
    StandardWebhooks,
    Toolbox,
    UpdateFields,
    WebhookRequest,
    XHubSignature,
)
from hub.sdk.receiver import Receiver
from plugins.sinks.webhook import documents
from plugins.sinks.webhook.comments import CommentMapping
from plugins.sinks.webhook.settings import WebhookSettings


class WebhookSink(Sink, DeliversTickets, FindsTickets, ReceivesWebhooks):
    """A helpdesk that takes tickets as signed JSON."""

    name: ClassVar[str] = "webhook"
    display_name: ClassVar[str] = "Webhook"
    vendor_docs_url: ClassVar[str] = "https://www.standardwebhooks.com/"
    reaches = ("{url}", "{find_url}")
    Settings = WebhookSettings

    settings: WebhookSettings

    def __init__(self, settings: WebhookSettings, toolbox: Toolbox) -> None:
        Connector.__init__(self, settings, toolbox)
        secrets = [secret.get_secret_value() for secret in settings.secrets]
        self._signing = (
            StandardWebhooks(secrets, tolerance_s=settings.tolerance_s)
            if settings.signature == "standard"
            else XHubSignature(secrets)
        )
        authorization = settings.authorization.get_secret_value() if settings.authorization else ""
        self._receiver = Receiver(self._signing, authorization, toolbox)
        self._mapping = CommentMapping(settings, settings.pointers) if settings.pointers else None
        self._id = Pointer(settings.id_pointer)
        self._permalink = Pointer(settings.permalink_pointer)
        self._comment_id = Pointer(settings.comment_id_pointer)
        if settings.idempotent_hours:
            self.idempotent_for = timedelta(hours=settings.idempotent_hours)

    @classmethod
    def openapi(cls) -> dict[str, Any]:
        """Its documented JSON, which the hub serves under ``/api/webhook/``."""
        return documents.openapi()

    def check_connection(self) -> Account:
        """A ping to ``url``. The account is the receiver's host: record ids of another are not ours."""
        if self.settings.ping:
            try:
                self._receiver.ping(self.settings.url)
            except Refused as error:
                raise ConfigurationError(f"url refuses the ping: {error.summary}", detail=error.detail) from error
        host = urlsplit(self.settings.url).hostname or ""
        return Account(fingerprint=f"webhook:{host}", display_name=host)

    # --- out -------------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Post each delivery once; one result each, in order."""
        return [self._attempt(delivery) for delivery in deliveries]

    def _attempt(self, delivery: Delivery) -> Receipt | Failure:
        body = delivery.body
        try:
            if not isinstance(body, OpenTicket | AddComment | UpdateFields):
                raise Refused(f"a webhook cannot do {body.verb}")
            answer = self._receiver.post(self.settings.url, delivery.key, documents.posted(delivery, body))
            return self._receipt(answer, delivery)
        except ConnectorError as error:
            return Failure(error)

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """Ask ``find_url``; without one nobody can tell."""
        if not self.settings.find_url:
            return CannotTell(reason="the receiver cannot be asked: set find_url or idempotent_hours")
        answer = self._receiver.look(self.settings.find_url, delivery.key)
        if answer.get("found") is True:
            return Found(receipt=self._receipt(answer, delivery))
        if answer.get("found") is False:
            return Absent()
        return CannotTell(reason="find_url did not say whether it is there (found)")

    def _receipt(self, answer: dict[str, Any], delivery: Delivery) -> Receipt:
        return Receipt(
            vendor_id=self._id.text_of(answer) or delivery.key,
            permalink=self._permalink.text_of(answer),
            comment_id="" if isinstance(delivery.body, AddComment) else self._comment_id.text_of(answer),
            at=self.toolbox.now(),
        )

    # --- in --------------------------------------------------------------------------------------------------------

    def verify(self, request: WebhookRequest) -> None:
        """Standard Webhooks or ``X-Hub-Signature-256``, as set."""
        self._signing.verify(request)

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """What agents did: the hub's documented JSON, or a comment through the pointers."""
        try:
            body: Any = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise PayloadNotUnderstood("the body is not JSON") from error
        if self._mapping is None:
            return documents.events(body)
        return [self._mapping.event(body, request.received_at)]
