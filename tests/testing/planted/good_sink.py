"""The good sink that the bad ones come from."""

from __future__ import annotations

from typing import Any

from hub.testing import SinkConformance
from hub.testing.reference_helpdesk import LONGEST_COMMENT, ORIGIN, SECRET, TOKEN, ReferenceHelpdesk
from hub.testing.reference_sink import ReferenceSink
from tests.testing.selftest import good


class GoodSink(ReferenceSink):
    """Breaks nothing."""

    name = "planted"
    display_name = "Planted"


@good("sink")
class GoodSinkSuite(SinkConformance):
    connector = GoodSink
    settings: dict[str, Any] = {"base_url": ORIGIN, "token": TOKEN, "webhook_secrets": [SECRET]}
    rotated_settings = {**settings, "webhook_secrets": ["the-new-secret-1", SECRET]}
    longest_comment = LONGEST_COMMENT

    def vendor(self) -> ReferenceHelpdesk:
        return ReferenceHelpdesk()
