"""The good source that the planted bad ones come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.testing import SourceConformance
from hub.testing.reference_network import BASE_URL, TOKEN, WEBHOOK_SECRET, ReferenceNetwork
from hub.testing.reference_source import ReferenceSource
from tests.testing.selftest import good


def unwritten(post: dict[str, Any]) -> bool:
    """Not a post of the fixtures, whose events are written down to the last letter."""
    return not post["id"].startswith("f")


class GoodSource(ReferenceSource):
    """Breaks nothing."""

    name = "planted"
    display_name = "Planted"


@good("source")
class GoodSourceSuite(SourceConformance):
    connector = GoodSource
    settings: dict[str, Any] = {"base_url": BASE_URL, "token": TOKEN, "webhook_secrets": [WEBHOOK_SECRET]}
    rotated_settings = {**settings, "webhook_secrets": ["the-new-secret-1", WEBHOOK_SECRET]}
    fixtures = Path(__file__).parent / "fixtures"

    def vendor(self) -> ReferenceNetwork:
        return ReferenceNetwork()
