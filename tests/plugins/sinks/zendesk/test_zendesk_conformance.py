"""The Zendesk sink in the conformance kit."""

from __future__ import annotations

from zendesk_vendor import LONGEST_COMMENT, SECRET, SETTINGS, ZendeskVendor

from hub.testing import SinkConformance
from plugins.sinks.zendesk.sink import ZendeskSink


class TestZendesk(SinkConformance):
    """Against the sandbox, in this process."""

    connector = ZendeskSink
    settings = SETTINGS
    rotated_settings = {**SETTINGS, "webhook_secrets": ["the-new-secret-1", SECRET]}
    longest_comment = LONGEST_COMMENT

    def vendor(self) -> ZendeskVendor:
        """A fresh account."""
        return ZendeskVendor()
