"""The webhook source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    Account,
    AnyEvent,
    CannotTell,
    ConfigurationError,
    Connector,
    ConnectorError,
    Delivery,
    Failure,
    FindsReplies,
    Found,
    PayloadNotUnderstood,
    Receipt,
    ReceivesWebhooks,
    Refused,
    RepliesInPrivate,
    RepliesInPublic,
    Reply,
    ReplyLimits,
    Source,
    StandardWebhooks,
    Toolbox,
    WebhookRequest,
    XHubSignature,
)
from hub.sdk.receiver import Receiver
from plugins.sources.webhook import documents
from plugins.sources.webhook.mapping import Mapping
from plugins.sources.webhook.settings import WebhookSettings


class WebhookSource(Source, ReceivesWebhooks, RepliesInPublic, RepliesInPrivate, FindsReplies):
    """A system that posts what customers wrote, and may take the answers."""

    name: ClassVar[str] = "webhook"
    display_name: ClassVar[str] = "Webhook"
    vendor_docs_url: ClassVar[str] = "https://www.standardwebhooks.com/"
    network = "webhook"
    reaches = ("{reply_url}", "{find_url}")
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
        # Every such connection is a network of its own: two systems may count their messages from 1.
        self.network = settings.network or toolbox.connection
        self._mapping = Mapping(settings, settings.pointers, self.network) if settings.pointers else None
        authorization = settings.authorization.get_secret_value() if settings.authorization else ""
        self._receiver = Receiver(self._signing, authorization, toolbox)
        if settings.idempotent_hours:
            self.idempotent_for = timedelta(hours=settings.idempotent_hours)

    @classmethod
    def openapi(cls) -> dict[str, Any]:
        """Its documented JSON, which the hub serves under ``/api/webhook/``."""
        return documents.openapi()

    def check_connection(self) -> Account:
        """A ping to ``reply_url``; without one there is nobody to ask."""
        if self.settings.reply_url and self.settings.ping:
            try:
                self._receiver.ping(self.settings.reply_url)
            except Refused as error:
                raise ConfigurationError(f"reply_url refuses the ping: {error.summary}", detail=error.detail) from error
        limit = self.settings.max_length
        return Account(
            fingerprint=f"webhook:{self.network}",
            display_name=self.network,
            reply_limits=ReplyLimits(max_length=limit) if limit else None,
        )

    # --- in --------------------------------------------------------------------------------------------------------

    def verify(self, request: WebhookRequest) -> None:
        """Standard Webhooks or ``X-Hub-Signature-256``, as set."""
        self._signing.verify(request)

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """The messages of the body: the hub's documented JSON, or through the pointers."""
        try:
            body: Any = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise PayloadNotUnderstood("the body is not JSON") from error
        if self._mapping is None:
            return documents.events(body, self.network, request.received_at)
        return self._mapping.events(body, request.received_at)

    # --- out -------------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Post each answer once; one result each, in order."""
        return [self._attempt(delivery) for delivery in deliveries]

    def _attempt(self, delivery: Delivery) -> Receipt | Failure:
        body = delivery.body
        try:
            if not isinstance(body, Reply):
                raise Refused(f"a webhook cannot do {body.verb}")
            if not self.settings.reply_url:
                raise Refused("this connection takes no answers: set reply_url")
            posted = documents.reply_posted(delivery, body)
            return self._receipt(self._receiver.post(self.settings.reply_url, delivery.key, posted), delivery)
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
        given, permalink = answer.get("id"), answer.get("permalink")
        return Receipt(
            vendor_id=str(given) if given != "" and type(given) in (str, int) else delivery.key,
            permalink=permalink if isinstance(permalink, str) else "",
            at=self.toolbox.now(),
        )
