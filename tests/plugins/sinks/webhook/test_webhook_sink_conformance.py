"""The conformance kit against the webhook sink, with the hub's own JSON."""

from __future__ import annotations

from desk_vendor import FIND_URL, OTHER, SECRET, URL, Desk

from hub.testing import SinkConformance
from plugins.sinks.webhook.sink import WebhookSink


class TestWebhookSink(SinkConformance):
    """A helpdesk that signs with the third party's library and can be asked what arrived."""

    connector = WebhookSink
    settings = {"url": URL, "secrets": [SECRET], "find_url": FIND_URL, "idempotent_hours": 24}
    rotated_settings = {**settings, "secrets": [OTHER, SECRET]}

    def vendor(self) -> Desk:
        return Desk()
