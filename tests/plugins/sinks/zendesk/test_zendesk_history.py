"""The account's past, read from the sandbox: whole tickets, who solved them, and nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from zendesk_cases import Account, comment, opened, running_sandbox

from hub.sdk import ConfigurationError, HistoryPage, PastTicket
from plugins.sinks.zendesk import history
from plugins.sinks.zendesk.payloads import text_of
from plugins.sinks.zendesk.sink import ZendeskSink

SINCE = datetime.now(UTC) - timedelta(days=1)


def pages(sink: ZendeskSink, cursor: dict[str, Any] | None = None, *, since: datetime = SINCE) -> list[HistoryPage]:
    """Every page of one run."""
    found = [sink.history_page(cursor or {}, since=since)]
    while found[-1].has_more:
        found.append(sink.history_page(found[-1].cursor, since=since))
    return found


def past(sink: ZendeskSink, cursor: dict[str, Any] | None = None) -> dict[str, PastTicket]:
    """What one run tells, by record."""
    return {ticket.record_id: ticket for page in pages(sink, cursor) for ticket in page.tickets}


def delete(account: Account, record: str) -> None:
    """An agent deletes a ticket."""
    settings = account.sandbox.connection_settings(webhook_url="")
    auth = (f"{settings['email']}/token", settings["api_token"])
    account.http.delete(f"{account.url}/api/v2/tickets/{record}.json", auth=auth, timeout=5).raise_for_status()


def test_a_ticket_comes_whole(account: Account, uid: str) -> None:
    """Comments in order with authors, the customer's role empty, and who set it solved, whoever it is assigned to."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    sink.deliver([comment(uid, record, key=f"c-{uid}")])
    path = f"/api/v2/tickets/{record}.json"
    account.as_agent("PUT", path, {"ticket": {"comment": {"body": "It comes <b>tomorrow</b>", "public": True}}})
    account.as_agent("PUT", path, {"ticket": {"comment": {"body": "It is lost", "public": False}}})
    account.as_agent("PUT", path, {"ticket": {"status": "solved"}})
    told = past(sink)[record]
    assert (told.external_id, told.status, told.subject) == (uid, "solved", "No parcel")
    assert [(one.author.role, one.public) for one in told.comments] == [
        ("", True),
        ("", True),
        ("agent", True),
        ("agent", False),
    ]
    assert "tomorrow" in told.comments[2].text
    assert told.comments[0].author.name == "Anna Rossi"
    assert (told.solver.role, told.solver.id) == ("agent", told.comments[2].author.id)
    assert told.solved_at is not None
    assert told.created_at <= told.solved_at <= told.updated_at


def test_what_is_not_solved_has_no_solver(account: Account, uid: str) -> None:
    """Also one that was solved once and is open again."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    for status in ("solved", "open"):
        account.as_agent("PUT", f"/api/v2/tickets/{record}.json", {"ticket": {"status": status}})
    told = past(sink)[record]
    assert (told.status, told.solver.id, told.solved_at) == ("open", "", None)


def test_tickets_of_others_come_too_and_deleted_ones_do_not(account: Account, uid: str) -> None:
    """The past is the company's, not only ours; what was deleted stays deleted."""
    sink = account.sink()
    made = account.as_agent(
        "POST", "/api/v2/tickets.json", {"ticket": {"subject": "By mail", "comment": {"body": "Hello"}}}
    )
    record = str(made["ticket"]["id"])
    gone = opened(sink, uid).vendor_id
    delete(account, gone)
    told = past(sink)
    assert (told[record].subject, told[record].external_id) == ("By mail", "")
    assert gone not in told


def test_pages_follow_each_other_and_the_next_run_reads_what_changed(
    account: Account, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No ticket is missing at a seam; after the end the bookmark brings changed tickets only."""
    monkeypatch.setattr(history, "PER_PAGE", 2)
    sink = account.sink()
    records = [opened(sink, f"{uid}-{n}").vendor_id for n in range(5)]
    read = pages(sink)
    assert len(read) >= 3
    assert [page.has_more for page in read] == [True] * (len(read) - 1) + [False]
    assert set(records) <= {ticket.record_id for page in read for ticket in page.tickets}
    end = read[-1].cursor
    assert past(sink, end) == {}
    account.as_agent("PUT", f"/api/v2/tickets/{records[1]}.json", {"ticket": {"status": "pending"}})
    assert list(past(sink, end)) == [records[1]]


def test_what_only_the_system_touched_costs_no_call(
    account: Account, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their generated_timestamp moves and their updated_at does not: no audits are read for them."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    read: list[str] = []
    audits = sink._client.audits
    monkeypatch.setattr(sink._client, "audits", lambda ticket_id: read.append(ticket_id) or audits(ticket_id))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    page = sink.history_page({"cursor": "", "read_until": later}, since=SINCE)
    assert (page.tickets, read) == ((), [])
    assert record in past(sink)


def test_a_ticket_deleted_between_two_calls_is_left_out(
    account: Account, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export told of it, its audits are gone: the page is read all the same."""
    sink = account.sink()
    first, second = opened(sink, uid).vendor_id, opened(sink, f"{uid}-b").vendor_id
    export = sink._client.export

    def then_deleted(**where: Any) -> Any:
        page = export(**where)
        if any(text_of(row["id"]) == first for row in page["tickets"]):
            delete(account, first)
        return page

    monkeypatch.setattr(sink._client, "export", then_deleted)
    told = past(sink)
    assert first not in told
    assert second in told


def test_an_export_that_needs_an_admin_says_so(account: Account) -> None:
    """A 403 is no refusal of one ticket: it is the operator's to mend."""
    account.fault("GET", "/api/v2/incremental/tickets/cursor.json", "status", status=403)
    with pytest.raises(ConfigurationError, match="needs an admin"):
        account.sink().history_page({}, since=SINCE)


def test_since_may_be_now(account: Account) -> None:
    """The export refuses a start of the last minute; we never ask for one."""
    assert account.sink().history_page({}, since=datetime.now(UTC)).has_more in (True, False)


def test_the_past_survives_a_restart_of_the_account(tmp_path: Any) -> None:
    """A bookmark is as good tomorrow as today."""
    with running_sandbox(tmp_path) as first:
        opened(first.sink(), "sch-past")
        end = pages(first.sink())[-1].cursor
    with running_sandbox(tmp_path) as second:
        assert past(second.sink(), end) == {}
        assert len(past(second.sink())) == 1
