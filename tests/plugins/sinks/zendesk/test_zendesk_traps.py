"""Traps of Zendesk's own rules: a 200 that did nothing, a system that touches everything, an export that stands still,
lengths, plans and empty webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from zendesk_cases import fields, make_sink, opening, vendor_settings

from hub.sdk import (
    Failure,
    Hint,
    Identity,
    OutcomeUnknown,
    PayloadNotUnderstood,
    Receipt,
    RecordChanged,
    Refused,
    WebhookRequest,
)
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.applied import left_out
from plugins.sinks.zendesk.budget import Budget
from plugins.sinks.zendesk.errors import GONE
from plugins.sinks.zendesk.outgoing import external_user_id
from plugins.sinks.zendesk.payloads import time_of
from plugins.sinks.zendesk.sink import OWN_ACCOUNT, ZendeskSink, mark_of

API = "https://acme.zendesk.com/api/v2"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
THEN = int(NOW.timestamp())
OWN = "377001"
STOOD: dict[str, Any] = {
    "id": 8,
    "external_id": "sch-1",
    "status": "open",
    "priority": "normal",
    "tags": ["sch"],
    "updated_at": "2026-11-22T10:00:00Z",
    "custom_fields": [{"id": 11, "value": None}],
}
OUR_NOTE = {"id": 5, "type": "Comment", "public": False, "body": "look"}
SET = {"id": 6, "type": "Change", "field_name": "priority", "value": "high", "previous_value": "normal"}
BY_RULE = {**SET, "id": 7, "field_name": "status", "via": {"channel": "rule", "source": {}}}


# --- a 2xx that does not mean "done" ---------------------------------------------------------------------------------


def answered_200(after: dict[str, Any], *, events: Any = (), **sent: Any) -> Any:
    """What an update came to that Zendesk answered with 200, this ticket and an audit of these events."""
    audit = {"created_at": "2026-11-22T12:00:00Z", "events": events if events is None else list(events)}
    responses.get(f"{API}/tickets/8.json", json={"ticket": STOOD})
    responses.put(f"{API}/tickets/8.json", json={"ticket": STOOD | after, "audit": audit})
    sink = make_sink(vendor_settings(field_ids={"order": 11}))
    outcome = sink.deliver([fields("sch-1", "8", key="k", **sent)])[0]
    return outcome.error if isinstance(outcome, Failure) else outcome


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"status": "solved", "priority": "high"}, "status, priority"),
        ({"status": "solved", "priority": "high", "events": [BY_RULE]}, "status, priority"),
        ({"status": "solved", "priority": "high", "events": None}, "status, priority"),
        ({"status": "solved", "tags_add": ("SCH",)}, "status"),
        ({"tags_add": ("vip",)}, "tags"),
        ({"fields": {"order": "A-1"}}, "field 11"),
    ],
)
@responses.activate
def test_trap_a_200_that_did_nothing_is_refused(sent: dict[str, Any], named: str) -> None:
    """Zendesk leaves out what our account may not change, and answers 200: a person is told what stands as it stood.
    What a rule of the account did beside it, and a tag that was there, are no work of ours."""
    error = answered_200({}, **sent)
    assert isinstance(error, Refused)
    assert f"left as it was: {named};" in error.summary


@pytest.mark.parametrize("events", [[], [SET], None])
@responses.activate
def test_trap_a_note_that_is_not_in_the_answer_is_looked_for(events: Any) -> None:
    """The agent must not miss why an answer was not published."""
    assert isinstance(answered_200({}, events=events, note="look"), OutcomeUnknown)


EVERYTHING = {
    "status": "solved",
    "priority": "high",
    "tags_add": ("vip",),
    "fields": {"order": "A-1"},
    "category": "delivery",
}


@pytest.mark.parametrize(
    ("after", "sent", "told"),
    [
        pytest.param({}, {"status": "solved", "note": "look"}, "status", id="the note is there"),
        pytest.param(
            {}, {**EVERYTHING, "note": "look"}, "status, priority, tags, field 11", id="nothing but the note is there"
        ),
        pytest.param({}, {"priority": "high", "events": [SET]}, "priority", id="a rule took it back at once"),
        pytest.param(
            {"priority": "high"}, {"status": "solved", "priority": "high", "events": None}, "status", id="no audit"
        ),
        pytest.param({"priority": "urgent"}, {"priority": "high"}, "", id="a rule of the account set a third value"),
        pytest.param({"tags": ["other"]}, {"tags_add": ("vip",)}, "", id="tags of a rule"),
        pytest.param({"tags": ["VIP", "sch"]}, {"tags_add": ("vip",)}, "", id="tags in other letters"),
        pytest.param({}, {"status": "open"}, "", id="it was so already"),
        pytest.param({}, {"tags_add": ("SCH",)}, "", id="the tag was there in other letters"),
        *(
            pytest.param(
                {"custom_fields": [{"id": 11, "value": value}]}, {"fields": {"order": sent}}, "", id=f"{value!r}"
            )
            for sent, value in (
                ("3", 3),
                ("0", 0),
                ("false", False),
                ("2026-11-24", "2026-11-24T00:00:00Z"),
                (" A ", "A"),
            )
        ),
        pytest.param({}, {"fields": {"order": " "}}, "", id="a field that was to be blank"),
    ],
)
@responses.activate
def test_what_was_done_in_part_or_otherwise_is_done(
    after: dict[str, Any], sent: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An update whose note arrived is never refused, nor one whose values Zendesk writes in its own way. What was left
    out stands in the log; the mirror brings the account's own choice."""
    events = [OUR_NOTE] if "note" in sent else []
    assert isinstance(answered_200(after, **{"events": events, **sent}), Receipt)
    lines = [one.getMessage() for one in caplog.records if "left out of an update" in one.getMessage()]
    assert lines == ([f"Zendesk left out of an update: {told}"] if told else [])


def test_an_emptied_dropdown_is_not_left_out() -> None:
    """No value was asked for."""
    ticket = {"ticket": {"custom_fields": [{"id": 11, "value": None}]}, "audit": {"events": []}}
    assert left_out({"custom_fields": [{"id": 11, "value": None}]}, ticket, STOOD) == []


# --- the export ------------------------------------------------------------------------------------------------------


def export_sink(ticket: dict[str, Any], audits: list[dict[str, Any]], **page: Any) -> ZendeskSink:
    """A connector at an account whose exports hold these."""
    told = {"tickets": [ticket], "after_cursor": "next", "end_of_stream": True} | page
    responses.get(f"{API}/incremental/tickets/cursor.json", json=told)
    events = {"ticket_events": audits, "end_time": THEN - 70, "end_of_stream": True, "count": len(audits)}
    responses.get(f"{API}/incremental/ticket_events.json", json=events)
    vault = MemoryVault()
    vault.write(OWN_ACCOUNT, mark_of(OWN))
    return make_sink(vendor_settings(), now=lambda: NOW, vault=vault)


def row(minutes_ago: int) -> dict[str, Any]:
    """A ticket of ours that a person changed then and the system just now."""
    changed = datetime.fromtimestamp(THEN - 60 * minutes_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return STOOD | {"updated_at": changed, "generated_timestamp": THEN - 65}


READ = {"cursor": "here", "events_since": THEN - 120, "whole_since": THEN - 86_400}
FOREIGN = {"id": 91, "ticket_id": 8, "created_at": "2026-11-22T09:00:00Z", "updater_id": 5, "child_events": []}


@pytest.mark.parametrize(
    ("minutes_ago", "cursor", "hints"),
    [
        pytest.param(180, {}, 0, id="all its audits were read long ago"),
        pytest.param(180, {"touched": ["8"]}, 1, id="an agent's change whose row has not come yet"),
        pytest.param(5, {}, 1, id="too fresh to be sure"),
        pytest.param(2000, {}, 1, id="from before the audits were read without a gap"),
        pytest.param(180, {"blind_until": THEN + 60}, 1, id="nothing is trusted just now"),
        pytest.param(180, {"whole_since": None}, 1, id="the cursor of an older version"),
    ],
)
@responses.activate
def test_trap_a_backfill_of_the_system_is_no_flood(minutes_ago: int, cursor: dict[str, Any], hints: int) -> None:
    """Zendesk touches thousands of tickets at once (dust-tt/dust#21863): those in which nobody did anything since the
    last reading cost no call; in doubt a ticket is read."""
    read = export_sink(row(minutes_ago), []).fetch_page(READ | cursor)
    assert len(read.events) == hints


@responses.activate
def test_a_late_audit_of_an_old_ticket_is_read() -> None:
    """An agent's change that is told only now counts, however old the ticket's own time is."""
    assert len(export_sink(row(180), [FOREIGN]).fetch_page(READ).events) == 1


@responses.activate
def test_a_gap_in_the_audits_is_remembered_beyond_the_blind_minutes() -> None:
    """Given up far behind: what changed in the gap is read whenever its row comes, also an hour later."""
    sink = export_sink(row(180), [])
    responses.replace(
        responses.GET,
        f"{API}/incremental/ticket_events.json",
        json={"ticket_events": [], "end_time": THEN - 86_000, "end_of_stream": False, "count": 0},
    )
    behind = sink.fetch_page({"cursor": "x", "events_since": THEN - 86_400, "whole_since": THEN - 90_000}).cursor
    assert behind["whole_since"] == behind["events_since"] == THEN - 61


@responses.activate
def test_trap_an_export_that_stands_still_is_not_read_without_end() -> None:
    """The same cursor again, and yet no end of the stream (zenpy#451): the next poll is soon enough."""
    sink = export_sink(row(5), [], end_of_stream=False)
    assert sink.fetch_page({"cursor": "here", "events_since": THEN - 120}).has_more
    assert not sink.fetch_page({"cursor": "next", "events_since": THEN - 120}).has_more


# --- lengths, plans, webhooks ----------------------------------------------------------------------------------------


@responses.activate
def test_trap_only_the_subject_is_cut() -> None:
    """Zendesk takes 150 characters there; the customer's words stand whole in the comment."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    created = {"ticket": {"id": 8, "updated_at": "2026-11-22T10:00:00Z"}, "audit": {"events": []}}
    sent = responses.post(f"{API}/tickets.json", json=created, status=201)
    long = "Where is my parcel? " * 50
    make_sink(vendor_settings()).deliver([opening("sch-1", text=long, view={"subject": long})])
    body = str(sent.calls[0].request.body)
    assert f'"subject": "{long[:150]}"' in body
    assert long.strip() in body


def test_trap_long_names_of_two_people_are_two_users() -> None:
    """Zendesk takes 255 characters of an external id: cut there, two customers would become one."""
    first, second = (external_user_id(Identity(network="web", id="a" * 300 + end)) for end in ("1", "2"))
    assert first != second
    assert max(len(first), len(second)) <= 255
    assert external_user_id(Identity(network="web", id="7")) == "web:7"


@pytest.mark.parametrize("plan", [200, 400, 700, 2500])
def test_the_reserve_is_a_tenth_of_the_accounts_own_plan(plan: int) -> None:
    """Plans have 200 to 2,500 calls a minute: the number is read from the answers."""
    budget = Budget()
    for left, waits in ((plan // 10, False), (plan // 10 - 1, True)):
        budget.note({"X-Rate-Limit": str(plan), "X-Rate-Limit-Remaining": str(left)}, NOW)
        assert bool(budget.wait(NOW)) is waits


def test_trap_an_empty_webhook_is_signed_too() -> None:
    """Its signature is that of the time alone; the body names no ticket, so it is kept for a person."""
    stamp = "2026-11-22T12:00:00Z"
    digest = base64.b64encode(hmac.new(b"secret-of-it", stamp.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-zendesk-webhook-signature": digest, "x-zendesk-webhook-signature-timestamp": stamp}
    request = WebhookRequest("POST", "/hooks/acme", headers, {}, b"", NOW)
    sink = make_sink(vendor_settings(webhook_secrets=["secret-of-it"]))
    sink.verify(request)
    with pytest.raises(PayloadNotUnderstood):
        sink.events(request)


@responses.activate
def test_trap_a_404_without_a_body_is_a_record_that_is_gone() -> None:
    """So Zendesk answers for a ticket that was deleted: it is told as deleted, and a delivery to it as gone."""
    responses.get(f"{API}/tickets/8.json", status=404, body="")
    responses.put(f"{API}/tickets/8.json", status=404, body="")
    sink = make_sink(vendor_settings())
    [gone] = sink.complete(Hint(event_key="x", record="8"))
    assert isinstance(gone, RecordChanged)
    assert gone.deleted
    outcome = sink.deliver([fields("sch-1", "8", key="k", note="look")])[0]
    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, Refused)
    assert outcome.error.detail == GONE


@responses.activate
def test_trap_more_than_a_hundred_people_are_asked_for_in_parts() -> None:
    """Zendesk takes a hundred ids in one call, and answers 400 "TooManyValues" to more."""
    asked = responses.get(f"{API}/users/show_many.json", json={"users": []})
    make_sink(vendor_settings())._client.users(str(number) for number in range(1, 202))
    lengths = [len(str(call.request.params["ids"]).split(",")) for call in asked.calls]
    assert lengths == [100, 100, 1]


def test_trap_a_time_without_a_zone_is_utc() -> None:
    """Else it could not be compared with any other."""
    assert time_of("2026-11-22T12:00:00") == NOW
