"""The conformance suite, against the Request Tracker in memory."""

from __future__ import annotations

from rt_vendor import ORIGIN, SECRET, TOKEN, RequestTracker

from hub.testing import HelpdeskVendor, SinkConformance
from plugins.sinks.request_tracker.sink import RequestTrackerSink


class TestRequestTracker(SinkConformance):
    """Request Tracker keeps the contract of a sink."""

    connector = RequestTrackerSink
    settings = {
        "url": ORIGIN,
        "token": TOKEN,
        "queue": "Social",
        "tags_field": "Tags",
        "webhook_secrets": [SECRET, "the-next-secret"],
    }

    rotated_settings = settings | {"webhook_secrets": ["the-next-secret", SECRET]}

    def vendor(self) -> HelpdeskVendor:
        """A fresh Request Tracker."""
        return RequestTracker()
