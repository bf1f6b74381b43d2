"""The past of a Request Tracker: whole tickets, who resolved them, page after page, and then only what changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rt_cases import NOW, comment, make_sink, opening, sent, vendor_here
from rt_vendor import AGENT, RequestTracker

from hub.sdk import ConfigurationError, HistoryPage, PastTicket
from plugins.sinks.request_tracker import history
from plugins.sinks.request_tracker.sink import RequestTrackerSink

SINCE = NOW - timedelta(days=30)


class At:
    """A vendor and a sink on one clock."""

    def __init__(self) -> None:
        self.time = NOW
        self.vendor: RequestTracker = vendor_here()
        self.vendor.now = lambda: self.time  # type: ignore[method-assign]
        self.sink: RequestTrackerSink = make_sink(self.vendor.answer)
        object.__setattr__(self.sink.toolbox, "now", lambda: self.time)

    def forward(self, **by: int) -> None:
        """Time passes."""
        self.time += timedelta(**by)

    def open(self, number: int) -> str:
        """A ticket of ours."""
        return sent(self.sink, opening(f"sch-{number}", key=f"open-{number}")).vendor_id

    def pages(self, cursor: dict[str, Any] | None = None) -> list[HistoryPage]:
        """Every page of one run."""
        found = [self.sink.history_page(cursor or {}, since=SINCE)]
        while found[-1].has_more:
            found.append(self.sink.history_page(found[-1].cursor, since=SINCE))
        return found

    def past(self, cursor: dict[str, Any] | None = None) -> dict[str, PastTicket]:
        """What one run tells, by record."""
        return {ticket.record_id: ticket for page in self.pages(cursor) for ticket in page.tickets}


@pytest.fixture
def rt() -> At:
    """A Request Tracker."""
    return At()


def test_a_ticket_comes_whole(rt: At) -> None:
    """What was said in order, both visibilities, and who set it resolved."""
    record = rt.open(1)
    sent(rt.sink, comment(record, key="c-1"))
    rt.forward(minutes=5)
    rt.vendor.agent_answers(record, "It comes tomorrow")
    rt.vendor.agent_answers(record, "It is lost", public=False)
    rt.forward(minutes=5)
    rt.vendor.agent_sets_status(record, "solved")
    told = rt.past()[record]
    assert (told.external_id, told.status, told.group) == ("sch-1", "solved", "Social")
    assert [(one.author.role, one.public) for one in told.comments] == [
        ("hub", True),
        ("hub", True),
        ("agent", True),
        ("agent", False),
    ]
    assert told.comments[2].text == "It comes tomorrow"
    assert (told.solver.name, told.solved_at) == ("Alice Agent", rt.time)
    assert told.created_at < told.solved_at == told.updated_at


def test_what_a_customer_wrote_has_an_empty_role(rt: At) -> None:
    """By mail into the same ticket."""
    record = rt.open(1)
    rt.vendor.agent_answers(record, "Any news?", by="bob@example.com", door="Email")
    assert rt.past()[record].comments[-1].author.role == ""


def test_a_rule_that_resolves_did_not_do_the_work(rt: At) -> None:
    """Then its owner is the solver; what is open again has none."""
    record = rt.open(1)
    rt.vendor._set(rt.vendor.tickets[int(record)], "Owner", AGENT, AGENT)
    rt.vendor._set(rt.vendor.tickets[int(record)], "Status", "resolved", "RT_System")
    assert rt.past()[record].solver.name == "Alice Agent"
    rt.vendor.agent_sets_status(record, "open")
    told = rt.past()[record]
    assert (told.status, told.solver.id, told.solved_at) == ("open", "", None)


def test_pages_follow_each_other_and_the_next_run_reads_what_changed(rt: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ticket is missing at a seam; the bookmark of the end brings only what changed, also during the run."""
    monkeypatch.setattr(history, "PER_PAGE", 2)
    records = [rt.open(number) for number in range(5)]
    rt.forward(hours=1)
    first = rt.sink.history_page({}, since=SINCE)
    rt.forward(minutes=10)
    rt.vendor.agent_sets_status(records[0], "pending")  # its number was passed
    rest = rt.pages(first.cursor)
    told = [ticket.record_id for page in (first, *rest) for ticket in page.tickets]
    assert told == records
    rt.forward(days=2)
    assert list(rt.past(rest[-1].cursor)) == [records[0]]
    last = rt.pages(rest[-1].cursor)[-1].cursor
    rt.forward(days=2)
    assert rt.past(last) == {}


def test_what_did_not_change_since_is_left_out_whatever_the_time_zone(rt: At) -> None:
    """RT takes the day of a query for its own time zone: we ask for a day more and look ourselves."""
    old = rt.open(1)
    rt.forward(days=30, minutes=-1)
    new = rt.open(2)
    rt.forward(minutes=2)
    asked: list[str] = []
    answer = rt.vendor._search
    rt.vendor._search = lambda query: asked.append(query) or answer(query)  # type: ignore[method-assign, func-returns-value]
    since = rt.time - timedelta(days=30)
    assert [one.record_id for one in rt.sink.history_page({}, since=since).tickets] == [new]
    assert asked == [f"LastUpdated > '{since - timedelta(days=1):%Y-%m-%d %H:%M:%S}' AND id > 0"]
    assert rt.past()[old].record_id == old


def test_two_tickets_do_not_share_what_was_said(rt: At) -> None:
    """The transactions of a page come in one call."""
    one, two = rt.open(1), rt.open(2)
    rt.vendor.agent_answers(one, "first")
    rt.vendor.agent_answers(two, "second")
    told = rt.past()
    assert [told[record].comments[-1].text for record in (one, two)] == ["first", "second"]


def test_a_bookmark_of_another_plugin_is_refused(rt: At) -> None:
    """The operator is told, and not given an empty past."""
    with pytest.raises(ConfigurationError, match="bookmark"):
        rt.sink.history_page({"after": "x"}, since=SINCE)
