"""The conformance suite of sinks."""

from __future__ import annotations

from typing import Any

from hub.sdk import (
    DeliversTickets,
    FindsTickets,
    ReceivesWebhooks,
    RedactsComments,
    ReportsChanges,
    SetsUp,
)
from hub.testing import faults, tickets
from hub.testing.attempts import attempt
from hub.testing.checks import needs
from hub.testing.deliveries import sent
from hub.testing.receiving import ReceivingChecks
from hub.testing.rig import Rig
from hub.testing.sink_changes import ChangeChecks, Watcher, desk
from hub.testing.sink_deliveries import TicketChecks
from hub.testing.sink_outcomes import PREPARED, OutcomeChecks
from hub.testing.tickets import newest, opened, well_sent

HOOK = "https://hub.example.com/hooks/acme"


class SinkConformance(TicketChecks, OutcomeChecks, ChangeChecks, ReceivingChecks):
    """Proves that a sink keeps the contract. Subclass it in the plugin's tests::

    class TestZendesk(SinkConformance):
        connector = ZendeskSink
        settings = {...}                # plain values, as in hub.toml
        longest_comment = 65_535        # of one comment, as the helpdesk documents it

        def vendor(self) -> HelpdeskVendor: ...
    """

    # --- redaction ---------------------------------------------------------------------------------------------------

    @needs(RedactsComments)
    def test_redaction_removes_the_text(self, rig: Rig) -> None:
        """After a redaction the words are nowhere in the record, every other comment stands, and twice is once."""
        opened(rig)
        well_sent(rig, tickets.comment(rig, text="my number is 5550123"))
        well_sent(rig, tickets.comment(rig, text="thank you"))
        delivery = tickets.redaction(rig, newest(rig).comments[1].id)
        for _ in range(2):
            well_sent(rig, delivery)
            texts = [one.text for one in newest(rig).comments]
            assert not [text for text in texts if "5550123" in text], "the text is still there"
            assert "Where is parcel 1?" in texts[0], "another comment was redacted too"
            assert "thank you" in texts[-1], "another comment was redacted too"
            rig.restart()

    # --- setting up --------------------------------------------------------------------------------------------------

    @needs(SetsUp)
    def test_setup_plan_only_reads(self, rig: Rig) -> None:
        """Planning sends nothing but reads."""
        before = len(rig.calls)
        rig.connector.plan_setup(HOOK)
        assert not _writes(rig, before), f"plan_setup wrote: {_writes(rig, before)[0]}"

    @needs(SetsUp)
    def test_setup_is_taken_back_whole_and_alone(self, rig: Rig) -> None:
        """Removing takes back what was applied and nothing else: without it, nothing at all."""
        before = len(rig.calls)
        rig.connector.remove_setup()
        done = [call for call in _writes(rig, before) if call.outcome.startswith("2")]
        assert not done, f"nothing was applied, and remove_setup wrote: {done[0]}"
        plan = list(rig.connector.plan_setup(HOOK))
        rig.connector.apply_setup(HOOK)
        rig.restart()
        left = {step.title for step in rig.connector.remove_setup() if step.by == "person"}
        after = list(rig.connector.plan_setup(HOOK))
        changed = [
            step.title for step, then in zip(after, plan, strict=True) if step != then and step.title not in left
        ]
        assert not changed, f"after remove_setup these are not as before: {', '.join(changed)}"

    # --- for the checks of others ------------------------------------------------------------------------------------

    def provoke(self, rig: Rig) -> None:
        """An agent answers in a record of ours, which another instance has opened."""
        opened(Rig(self.connector, self.settings, rig.vendor, conduct=self.conduct))
        if not rig.vendor.has_own_clock:
            rig.vendor.now = rig.clock.now  # type: ignore[method-assign]
        rig.vendor.webhooks()
        desk(rig).agent_answers(newest(rig).id, "It comes on Monday")

    def tour_once(self) -> None:
        """Every role of a sink, once well and under a fault of each sort."""
        super().tour_once()
        connector = self.connector
        for fault in (None, faults.UNAVAILABLE, faults.SLOW_DOWN, faults.HTML_OK, faults.RESET_AFTER):
            for prepare in PREPARED.values() if issubclass(connector, DeliversTickets) else ():
                rig = self.new_rig()
                delivery = prepare(rig)
                if fault:
                    rig.break_all(fault)
                sent(rig, delivery)
                if issubclass(connector, FindsTickets):
                    attempt(lambda rig=rig, delivery=delivery: rig.connector.find(delivery))  # type: ignore[misc]
            if issubclass(connector, ReportsChanges):
                self._tour_of_changes(fault)

    def _tour_of_changes(self, fault: Any) -> None:
        rig = self.new_rig()
        opened(rig)
        watcher = Watcher(rig)
        rig.clock.advance(60)
        attempt(lambda: desk(rig).agent_answers(newest(rig).id, "hello"))
        if fault:
            rig.break_all(fault)
        attempt(watcher.news)
        if issubclass(self.connector, ReceivesWebhooks):
            for request in rig.vendor.webhooks():
                attempt(lambda request=request: rig.connector.verify(request))  # type: ignore[misc]


def _writes(rig: Rig, since: int) -> list[Any]:
    return [call for call in rig.calls[since:] if call.method not in ("GET", "HEAD", "OPTIONS")]
