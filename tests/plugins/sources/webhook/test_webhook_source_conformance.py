"""The conformance kit against the webhook source, with the hub's own JSON."""

from __future__ import annotations

from pathlib import Path

from forum_vendor import FIND_URL, OTHER, REPLY_URL, SECRET, Forum

from hub.testing import SourceConformance
from plugins.sources.webhook.source import WebhookSource


class TestWebhookSource(SourceConformance):
    """A forum that signs with the third party's library and can be asked what arrived."""

    connector = WebhookSource
    settings = {"secrets": [SECRET], "reply_url": REPLY_URL, "find_url": FIND_URL, "idempotent_hours": 24}
    fixtures = Path(__file__).parent / "fixtures"
    rotated_settings = {**settings, "secrets": [OTHER, SECRET]}

    def vendor(self) -> Forum:
        return Forum()
