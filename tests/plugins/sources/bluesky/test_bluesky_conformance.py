"""The conformance kit against Bluesky."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bluesky_stage import OWN, SETTINGS
from bluesky_vendor import BlueskyVendor

from hub.sdk import AnyEvent
from hub.testing import SourceConformance
from hub.testing.fixtures import Fixture
from hub.testing.rig import Rig
from plugins.sources.bluesky import payloads
from plugins.sources.bluesky.source import BlueskySource


class TestBluesky(SourceConformance):
    """The stand-in network."""

    connector = BlueskySource
    settings = SETTINGS
    fixtures = Path(__file__).parent / "fixtures"

    def vendor(self) -> BlueskyVendor:
        return BlueskyVendor()

    def events_of(self, rig: Rig, fixture: Fixture) -> Sequence[AnyEvent]:
        body = json.loads(fixture.body)
        if fixture.path.name.startswith("own_record"):
            return payloads.own_record(body, OWN)
        return payloads.guarded(body, lambda: (payloads.seen(body, OWN),))
