"""The conformance kit against the Mastodon connector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mastodon_network import BASE_URL, TOKEN, MastodonNetwork
from mastodon_samples import OWN

from hub.sdk import AnyEvent
from hub.testing import SourceConformance
from hub.testing.fixtures import Fixture
from hub.testing.rig import Rig
from plugins.sources.mastodon import payloads
from plugins.sources.mastodon.source import MastodonSource


class TestMastodon(SourceConformance):
    """One account on a server in memory."""

    connector = MastodonSource
    settings = {"base_url": BASE_URL, "access_token": TOKEN}
    fixtures = Path(__file__).parent / "fixtures"

    def vendor(self) -> MastodonNetwork:
        return MastodonNetwork()

    def events_of(self, rig: Rig, fixture: Fixture) -> Sequence[AnyEvent]:
        """The file's name begins with the list that brings such a body."""
        read = {
            "notification": payloads.notification,
            "conversation": payloads.conversation,
            "status": payloads.own_status,
        }[fixture.path.stem.partition("__")[0]]
        return read(json.loads(fixture.body), OWN)
