"""What our own account wrote costs no reading; what anybody else did is never taken for ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from zendesk_bursts import calls
from zendesk_cases import Account, comment, fields, make_sink, opened, vendor_settings
from zendesk_sandbox_calls import control

from hub.sdk import ConfigurationError, Hint, RateLimited
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.sink import OWN_ACCOUNT, ZendeskSink, mark_of

API = "https://acme.zendesk.com/api/v2"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OWN = "377001"
CHANGED = "2026-11-22T11:58:00Z"
TICKET = {"id": 8, "external_id": "sch-1", "status": "open", "updated_at": CHANGED, "generated_timestamp": 1795348680}
AUDIT: dict[str, Any] = {
    "id": 91,
    "ticket_id": 8,
    "created_at": CHANGED,
    "updater_id": int(OWN),
    "via": "Web service",
    "metadata": {"hub_key": "k"},
    "event_type": "Audit",
    "child_events": [
        {"id": 92, "via": "Web service", "via_reference_id": None, "event_type": "Change", "status": "open"}
    ],
}


def known_sink() -> ZendeskSink:
    """A connector at the real address whose account was checked before."""
    vault = MemoryVault()
    vault.write(OWN_ACCOUNT, mark_of(OWN))
    return make_sink(vendor_settings(), now=lambda: NOW, vault=vault)


def exported(
    audits: list[dict[str, Any]], *, tickets: list[dict[str, Any]] | None = None, cursor: Any = None, **more: Any
) -> Any:
    """One page of both exports."""
    page = {"tickets": [TICKET] if tickets is None else tickets, "after_cursor": "next", "end_of_stream": True}
    responses.get(f"{API}/incremental/tickets/cursor.json", json=page)
    told = {"ticket_events": audits, "end_time": 1795348690, "end_of_stream": True, "count": len(audits)} | more
    responses.get(f"{API}/incremental/ticket_events.json", json=told)
    return known_sink().fetch_page(cursor or {"cursor": "here", "events_since": int(NOW.timestamp()) - 200})


# --- the exports ---------------------------------------------------------------------------------------------------


def test_our_own_writes_are_not_read(account: Account, uid: str) -> None:
    """Opened, commented and changed by us: two calls tell it, no ticket is read."""
    sink = account.sink()
    sink.check_connection()
    start = sink.fetch_page(sink.first_cursor()).cursor
    record = opened(sink, uid).vendor_id
    sink.deliver([comment(uid, record, key=f"{uid}-c"), fields(uid, record, key=f"{uid}-f", status="open", note="x")])
    calls(account)
    page = sink.fetch_page(start)
    assert page.events == ()
    assert sum(calls(account).values()) == 2


def test_an_agents_word_among_ours_is_read(account: Account, uid: str) -> None:
    """Ours, an agent's, ours again: one hint; and what we write after that is quiet again."""
    sink = account.sink()
    sink.check_connection()
    start = sink.fetch_page(sink.first_cursor()).cursor
    record = opened(sink, uid).vendor_id
    account.sandbox.answer(record, "It is on its way", public=True)
    sink.deliver([fields(uid, record, key=f"{uid}-f", note="published")])
    page = sink.fetch_page(start)
    assert [getattr(event, "record", "") for event in page.events] == [record]
    sink.deliver([fields(uid, record, key=f"{uid}-g", note="another")])
    assert sink.fetch_page(page.cursor).events == ()


def test_a_trigger_of_its_own_is_read(account: Account, uid: str) -> None:
    """A business rule that comments after our write is somebody else."""
    sink = account.sink()
    sink.check_connection()
    start = sink.fetch_page(sink.first_cursor()).cursor
    record = opened(sink, uid).vendor_id
    account.sandbox.answer(record, "Thank you", public=True, automatic=True)
    assert [getattr(event, "record", "") for event in sink.fetch_page(start).events] == [record]


def test_an_account_nobody_checked_is_asked_who_it_is(account: Account, uid: str) -> None:
    """Another process checked the connection: one call, once, tells our own id."""
    writer = account.sink()
    calls(account)
    poller = account.sink()
    start = poller.fetch_page(poller.first_cursor()).cursor
    opened(writer, uid)
    page = poller.fetch_page(start)
    assert page.events == ()
    opened(writer, f"{uid}-2")
    assert poller.fetch_page(page.cursor).events == ()
    assert calls(account)["GET /api/v2/users/me.json"] == 1


@pytest.mark.parametrize(
    ("changes", "hints"),
    [
        ({}, 0),
        ({"metadata": {"custom": {"hub_key": "k"}}}, 0),
        ({"child_events": [{"event_type": "Notification", "via": "Rule"}]}, 0),
        ({"child_events": [{"event_type": "Comment", "via": {"channel": "api"}}]}, 0),
        ({"updater_id": 5}, 1),
        ({"updater_id": -1}, 1),
        ({"updater_id": None}, 1),
        ({"metadata": {}}, 1),
        ({"metadata": None}, 1),
        ({"child_events": [{"event_type": "Change", "via": "Rule", "group_id": "7"}]}, 1),
        ({"child_events": [{"event_type": "Comment", "via": {"channel": "rule"}}]}, 1),
        ({"child_events": [None]}, 1),
        ({"created_at": "2026-11-22T11:57:59Z"}, 1),
        ({"created_at": None}, 1),
        ({"ticket_id": 9}, 1),
    ],
)
@responses.activate
def test_what_counts_as_ours(changes: dict[str, Any], hints: int) -> None:
    """Our account, our key, nobody's rule, and as new as the ticket: all four, or the ticket is read."""
    assert len(exported([AUDIT | changes]).events) == hints


@responses.activate
def test_no_audit_at_all_is_uncertain() -> None:
    """A change the export of audits does not tell of is read."""
    assert len(exported([]).events) == 1


@responses.activate
def test_trap_a_system_update_moves_another_clock() -> None:
    """It changes generated_timestamp alone: another hint, though the ticket's updated_at is the same."""
    first = exported([]).events
    responses.reset()
    second = exported([], tickets=[TICKET | {"generated_timestamp": 1795348999}]).events
    assert first[0].event_key != second[0].event_key


@responses.activate
def test_trap_a_foreign_audit_pages_before_its_ticket() -> None:
    """An agent's change comes in the export of audits while the ticket, changed by us since, has not come yet: the
    cursor remembers it, and the row that shows only our change is read."""
    foreign = AUDIT | {"updater_id": 5, "created_at": "2026-11-22T11:50:00Z"}
    other = TICKET | {"id": 9, "updated_at": "2026-11-22T11:55:00Z"}
    first = exported([foreign], tickets=[other])
    assert first.cursor["touched"] == ["8"]
    responses.reset()
    second = exported([AUDIT], cursor=first.cursor)
    assert [getattr(event, "record", "") for event in second.events] == ["8"]
    assert "touched" not in second.cursor
    responses.reset()
    later = AUDIT | {"id": 95}
    assert exported([foreign | {"id": 91}, later], cursor=second.cursor | {"known": ["91"]}).events == ()


@responses.activate
def test_without_the_right_to_the_audits_everything_is_read() -> None:
    """A 403 to the export of audits costs calls, not changes; it is not asked again."""
    page = {"tickets": [TICKET], "after_cursor": "next", "end_of_stream": True}
    responses.get(f"{API}/incremental/tickets/cursor.json", json=page)
    responses.get(f"{API}/incremental/ticket_events.json", json={"error": "Forbidden"}, status=403)
    sink = known_sink()
    cursor = {"cursor": "here", "events_since": int(NOW.timestamp()) - 200}
    assert len(sink.fetch_page(cursor).events) == 1
    assert len(sink.fetch_page(cursor).events) == 1
    assert len([call for call in responses.calls if "ticket_events" in str(call.request.url)]) == 1


@responses.activate
def test_a_limit_of_the_exports_holds_the_cursor_and_no_delivery() -> None:
    """Ten calls a minute are for both exports: the page is read again as a whole, later; meanwhile no call is made,
    and the connection is not told to wait."""
    page = {"tickets": [TICKET], "after_cursor": "next", "end_of_stream": True}
    told = {"Retry-After": "17", "X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "600"}
    responses.get(f"{API}/incremental/tickets/cursor.json", json=page)
    responses.get(f"{API}/incremental/ticket_events.json", status=429, headers=told)
    clock = [NOW]
    vault = MemoryVault()
    vault.write(OWN_ACCOUNT, mark_of(OWN))
    sink = make_sink(vendor_settings(), now=lambda: clock[0], vault=vault)
    cursor = {"cursor": "here", "events_since": int(NOW.timestamp()) - 200}
    for _ in range(3):
        read = sink.fetch_page(cursor)
        assert (read.events, read.cursor, read.has_more) == ((), cursor, False)
    assert len(responses.calls) == 2
    clock[0] += timedelta(seconds=18)
    sink.fetch_page(cursor)
    assert len(responses.calls) == 4


@responses.activate
def test_a_limit_of_the_account_stops_the_poll() -> None:
    """Nothing is left for anybody: the whole connection waits."""
    responses.get(f"{API}/incremental/tickets/cursor.json", status=429, headers={"Retry-After": "17"})
    with pytest.raises(RateLimited) as limited:
        known_sink().fetch_page({"cursor": "here", "events_since": int(NOW.timestamp()) - 200})
    assert (limited.value.scope, limited.value.retry_after) == ("connection", 17)


@responses.activate
def test_the_calls_of_a_poll_are_bounded() -> None:
    """An account with endless changes: four calls, and what they did not reach is read."""
    read = exported([AUDIT | {"ticket_id": 5}], end_of_stream=False)
    assert len(responses.calls) == 4
    assert len(read.events) == 1


@responses.activate
def test_far_behind_the_audits_nothing_is_trusted() -> None:
    """More than an hour behind: begin anew near the present, and read everything for a while."""
    day = int(NOW.timestamp()) - 86_400
    read = exported([AUDIT], cursor={"cursor": "x", "events_since": day}, end_of_stream=False, end_time=day + 60)
    assert len(read.events) == 1
    assert read.cursor["events_since"] == int(NOW.timestamp()) - 61
    assert read.cursor["blind_until"] > int(NOW.timestamp())


@responses.activate
def test_a_quiet_account_costs_one_call() -> None:
    """Without a changed ticket of ours the audits are asked for every five minutes only."""
    now = int(NOW.timestamp())
    read = exported([], tickets=[], cursor={"cursor": "x", "events_since": now - 100})
    assert len(responses.calls) == 1
    assert read.cursor["events_since"] == now - 100
    responses.reset()
    exported([], tickets=[], cursor={"cursor": "x", "events_since": now - 400})
    assert len(responses.calls) == 2


@responses.activate
def test_the_cursor_of_an_older_version_goes_on() -> None:
    """It knows nothing of audits: everything is read for a while, then they are trusted."""
    responses.get(
        f"{API}/incremental/tickets/cursor.json",
        json={"tickets": [TICKET], "after_cursor": "next", "end_of_stream": True},
    )
    read = known_sink().fetch_page({"cursor": "here"})
    assert len(read.events) == 1
    assert read.cursor["events_since"] > 0
    with pytest.raises(ConfigurationError, match="cursor"):
        known_sink().fetch_page({"version": 3})


# --- webhook and export both on ------------------------------------------------------------------------------------


def test_what_the_webhook_brought_is_not_read_again(account: Account, uid: str) -> None:
    """The export's hint to a version that was read costs no call; a newer version is read."""
    ahead = timedelta(seconds=5)
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    account.sandbox.answer(record, "It is on its way", public=True)
    control(account, "settings", {"clock_ahead": 5})
    first = sink.complete(Hint(event_key="webhook:1", record=record))
    version = account.as_agent("GET", f"/api/v2/tickets/{record}.json")["ticket"]["updated_at"]
    sink.toolbox.http.vendor_time = datetime.now(UTC) + ahead
    sink._changes._remember(record, {"updated_at": version})
    calls(account)
    assert sink.complete(Hint(event_key=f"export:{record}:{version}:1", record=record)) == []
    assert sum(calls(account).values()) == 0
    later = int((datetime.now(UTC) + 2 * ahead).timestamp())
    redacted = Hint(event_key=f"export:{record}:{version}:{later}", record=record)
    assert len(sink.complete(redacted)) == len(first), "a redaction may move the other clock only"
    assert len(sink.complete(Hint(event_key=f"export:{record}:2099-01-01T00:00:00Z:2", record=record))) == len(first)
    control(account, "settings", {"clock_ahead": 0})


def test_trap_a_second_that_is_not_over_is_read_again(account: Account, uid: str) -> None:
    """updated_at counts whole seconds: read within that second, another change of it may still come."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    account.sandbox.answer(record, "one", public=True)
    version = account.as_agent("GET", f"/api/v2/tickets/{record}.json")["ticket"]["updated_at"]
    sink.complete(Hint(event_key="webhook:1", record=record))
    account.sandbox.answer(record, "two", public=True)
    again = sink.complete(Hint(event_key=f"export:{record}:{version}:1", record=record))
    assert len(again) == 4


def test_completing_takes_two_calls(account: Account, uid: str) -> None:
    """The customer comes with the ticket and agents are remembered: no third call for every new customer."""
    first, second = opened(account.sink(), uid).vendor_id, opened(account.sink(), f"{uid}-2").vendor_id
    for record in (first, second):
        account.sandbox.answer(record, "It is on its way", public=True)
    sink = account.sink()
    sink.complete(Hint(event_key="webhook:1", record=first))
    calls(account)
    events = sink.complete(Hint(event_key="webhook:2", record=second))
    assert sum(calls(account).values()) == 2
    roles = [event.comment.author.role for event in events if event.type == "comment"]
    assert roles == ["end-user", "agent"]
