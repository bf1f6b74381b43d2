"""Zendesk's limits: read from its answers, honoured for whom they concern, with room left for the people there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from zendesk_cases import Account, comment, fields, make_sink, opened, opening, vendor_settings
from zendesk_sandbox_calls import settings

from hub.sdk import Accepted, ConnectorError, Failure, RateLimited, Receipt, RedactComment
from plugins.sinks.zendesk.budget import Budget
from plugins.sinks.zendesk.sink import ZendeskSink

API = "https://acme.zendesk.com/api/v2"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def limited(result: Any) -> RateLimited:
    """The rate limit a delivery met."""
    assert isinstance(result, Failure), result
    assert isinstance(result.error, RateLimited), result.error
    return result.error


def put_answered(status: int = 429, **headers: str) -> RateLimited:
    """What an update of a ticket met with these headers."""
    responses.put(f"{API}/tickets/8.json", status=status, headers=headers, body="slow down")
    return limited(make_sink(vendor_settings()).deliver([fields("sch-1", "8", key="k", note="x")])[0])


@responses.activate
def test_thirty_updates_of_one_ticket_concern_that_ticket() -> None:
    """The account has calls and updates left: the lane waits, everybody else goes on."""
    told = {"Zendesk-RateLimit-tickets-update": "total=100; remaining=60; resets=9", "X-Rate-Limit-Remaining": "600"}
    error = put_answered(**told, **{"Retry-After": "240"})
    assert (error.scope, error.retry_after) == ("lane", 240)


@responses.activate
def test_the_accounts_updates_concern_everybody() -> None:
    """100 updates a minute are the account's: no other ticket can be updated either."""
    told = {"Zendesk-RateLimit-tickets-update": "total=100; remaining=0; resets=9", "X-Rate-Limit-Remaining": "600"}
    assert put_answered(**told, **{"Retry-After": "9"}).scope == "connection"


@responses.activate
def test_without_numbers_it_is_the_accounts_limit() -> None:
    """Nobody knows which limit it was: the careful reading holds. Without a time the hub chooses one."""
    error = put_answered()
    assert (error.scope, error.retry_after) == ("connection", None)


@pytest.mark.parametrize("value", ["1.5", "0", "Sun, 22 Nov 2026 12:00:30 GMT", "soon"])
@responses.activate
def test_trap_every_form_of_retry_after(value: str) -> None:
    """Fractions and dates are read (zenpy dies of the first), nonsense is no time."""
    responses.get(f"{API}/users/me.json", status=429, headers={"Retry-After": value})
    with pytest.raises(RateLimited) as error:
        make_sink(vendor_settings(), now=lambda: NOW).check_connection()
    assert error.value.retry_after == {"1.5": 1.5, "0": 0.0, "soon": None}.get(value, 30.0)


@responses.activate
def test_a_limit_in_a_batch_stops_it() -> None:
    """After a 429 of the account the rest of the batch is told so without a call each."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}})
    responses.post(f"{API}/tickets.json", status=429, headers={"Retry-After": "7"})
    results = make_sink(vendor_settings()).deliver([opening(f"sch-{n}") for n in range(3)])
    assert [limited(one).retry_after for one in results] == [7, 7, 7]
    assert len(responses.calls) == 2


@responses.activate
def test_a_limit_of_one_ticket_stops_no_other() -> None:
    """Its lane waits; the next ticket's update is sent."""
    told = {"X-Rate-Limit-Remaining": "600", "Retry-After": "200"}
    responses.put(f"{API}/tickets/8.json", status=429, headers=told)
    noted = {"events": [{"id": 5, "type": "Comment"}]}
    good = {"ticket": {"id": 9, "updated_at": "2026-11-22T10:00:00Z"}, "audit": noted}
    responses.put(f"{API}/tickets/9.json", json=good)
    sink = make_sink(vendor_settings())
    first, second = sink.deliver([fields("sch-1", n, key=f"k{n}", note="x") for n in ("8", "9")])
    assert limited(first).scope == "lane"
    assert isinstance(second, Receipt)


@responses.activate
def test_nothing_overtakes_what_waits_for_its_record() -> None:
    """The first word of a record is held back by its limit: the second is not sent ahead of it."""
    told = {"X-Rate-Limit-Remaining": "600", "Retry-After": "200"}
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}})
    sent = responses.put(f"{API}/tickets/8.json", status=429, headers=told)
    results = make_sink(vendor_settings()).deliver([comment("sch-1", "8", key=f"k{n}") for n in range(2)])
    assert [(limited(one).scope, limited(one).retry_after) for one in results] == [("lane", 200), ("lane", 1)]
    assert sent.call_count == 1


@responses.activate
def test_five_saves_of_one_user_concern_that_user() -> None:
    """Zendesk takes five a minute for one user: other customers' tickets go on."""
    told = {"X-Rate-Limit-Remaining": "600", "Retry-After": "40"}
    responses.post(f"{API}/users/create_or_update.json", status=429, headers=told)
    error = limited(make_sink(vendor_settings()).deliver([opening("sch-1")])[0])
    assert (error.scope, error.retry_after) == ("lane", 40)


# --- room for the people in the account ------------------------------------------------------------------------------


def test_the_last_tenth_is_for_agents_and_for_what_is_urgent() -> None:
    """Below a tenth nothing is sent but what is urgent, until the minute is over."""
    budget = Budget()
    assert budget.wait(NOW) == 0
    budget.note({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "70", "Ratelimit-Reset": "20"}, NOW)
    assert budget.wait(NOW) == 0
    budget.note({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "69", "Ratelimit-Reset": "20"}, NOW)
    assert budget.wait(NOW) == 20
    assert budget.wait(NOW + timedelta(seconds=20)) == 0
    budget.note({"X-Rate-Limit": "x", "X-Rate-Limit-Remaining": ""}, NOW)
    assert budget.wait(NOW) == 20


def test_recorded_answers_carry_no_reset() -> None:
    """Without it the whole minute is meant."""
    budget = Budget()
    budget.note({"x-rate-limit": "700", "X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "0"}, NOW)
    assert budget.wait(NOW) == 60


@responses.activate
def test_what_is_not_urgent_waits_for_the_minute_to_end() -> None:
    """It is told as a wait of its lane, so that an urgent ticket goes in the same call."""
    low = {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "12", "Ratelimit-Reset": "30"}
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, headers=low)
    made = {"ticket": {"id": 8, "updated_at": "2026-11-22T10:00:00Z"}, "audit": {"events": []}}
    responses.post(f"{API}/tickets.json", json=made, headers=low)
    sink = make_sink(vendor_settings(), now=lambda: NOW)
    sink.deliver([opening("sch-0")])
    calm, urgent = sink.deliver([opening("sch-1"), opening("sch-2", view={"priority": "urgent"})])
    error = limited(calm)
    assert (error.scope, error.retry_after) == ("lane", 30)
    assert isinstance(urgent, Receipt)
    assert "agents" in error.summary


@responses.activate
def test_a_redaction_waits_for_nobody() -> None:
    """What must not be legible is blackened whatever is left of the minute."""
    low = {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "1", "Ratelimit-Reset": "30"}
    responses.get(f"{API}/tickets/8/audits.json", status=404, headers=low)
    sink = make_sink(vendor_settings(), now=lambda: NOW)
    delivery = comment("sch-1", "8", key="r")
    redaction = delivery.model_copy(update={"body": RedactComment(record_id="8", comment_id="3", reason="x")})
    for _ in range(2):
        result = sink.deliver([redaction])[0]
        assert isinstance(result, Failure)
        assert isinstance(result.error, ConnectorError)
        assert not isinstance(result.error, RateLimited)


def test_single_updates_that_run_short_go_by_a_job(account: Account, uid: str) -> None:
    """Jobs are not counted among the 100 updates a minute: below a tenth even one update takes one."""
    settings(account, job_delay=0, update_limit=3)
    sink: ZendeskSink = account.sink()
    record = opened(sink, uid).vendor_id
    singles = [sink.deliver([fields(uid, record, key=f"{uid}-{n}", note="x")])[0] for n in range(3)]
    after = sink.deliver([fields(uid, record, key=f"{uid}-after", note="by a job")])[0]
    settings(account, update_limit="")
    assert all(isinstance(one, Receipt) for one in singles)
    assert isinstance(after, Accepted)


def test_a_slow_zendesk_does_not_outlast_the_lease(account: Account, uid: str) -> None:
    """Single writes get twenty seconds in one call; the rest waits a second and shares the next one."""
    clock = [NOW]

    def slow() -> datetime:
        clock[0] += timedelta(seconds=4)
        return clock[0]

    sink = make_sink(account.sandbox.connection_settings(webhook_url=""), now=slow)
    results = sink.deliver([opening(f"{uid}-{n}") for n in range(3)])
    assert isinstance(results[0], Receipt)
    assert (limited(results[2]).scope, limited(results[2]).retry_after) == ("lane", 1.0)
