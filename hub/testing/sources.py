"""The suite of a source."""

from __future__ import annotations

from hub.testing.attempts import attempt
from hub.testing.faults import SOME
from hub.testing.fixtures import FixtureChecks
from hub.testing.listening import Listener, network
from hub.testing.polling import PollingChecks
from hub.testing.reading import ReadingChecks
from hub.testing.receiving import ReceivingChecks
from hub.testing.replying import ReplyingChecks, replies
from hub.testing.rig import Rig
from hub.testing.vendor import Vendor


class SourceConformance(FixtureChecks, ReadingChecks, PollingChecks, ReceivingChecks, ReplyingChecks):
    """Subclass it in the plugin's tests as ``TestYourNetwork``; every check is one test there.

    Set ``connector``, ``settings`` and ``fixtures``; return a :class:`~hub.testing.NetworkVendor` from ``vendor()``.
    """

    def vendor(self) -> Vendor:
        """A fresh network at the other end."""
        raise NotImplementedError(
            "return a NetworkVendor from vendor(): your network in memory, see hub.testing.vendor"
        )

    def provoke(self, rig: Rig) -> None:
        """A customer says something."""
        network(rig).customer_posts("hello")

    def tour_once(self) -> None:
        """Read, complete and answer, well and under every fault."""
        super().tour_once()
        for fault in (None, *SOME):
            rig = self.new_rig()
            listener = Listener(rig)
            network(rig).customer_posts("hello", private=replies(self.connector) and self.private_only())
            delivery = self.reply_ready(rig) if replies(self.connector) else None
            if fault:
                rig.break_all(fault)
            attempt(listener.news)
            if delivery:
                attempt(lambda rig=rig, delivery=delivery: rig.connector.deliver([delivery]))  # type: ignore[misc]
                if hasattr(self.connector, "find"):
                    attempt(lambda rig=rig, delivery=delivery: rig.connector.find(delivery))  # type: ignore[misc]
