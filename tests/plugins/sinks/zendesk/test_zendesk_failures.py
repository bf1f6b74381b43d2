"""What may go wrong on the way: lost answers, limits, outages; and the traps of zenpy, one test each."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import responses
from zendesk_cases import TOKEN, Account, comment, fields, make_sink, opened, opening, ticket, vendor_settings
from zendesk_sandbox_calls import done

from hub.sdk import (
    Absent,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    ConnectorError,
    Delivery,
    Failure,
    Found,
    Hint,
    Identity,
    OpenTicket,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    RecordChanged,
    Refused,
    Said,
    TemporaryFailure,
)
from plugins.sinks.zendesk.sink import ZendeskSink

ROOT = Path(__file__).parents[4]
API = "https://acme.zendesk.com/api/v2"
TICKETS = "/api/v2/tickets.json"
HASTY = (2.0, 0.4)


def record_of(account: Account, uid: str) -> str:
    """The id of a ticket just opened."""
    result = account.sink().deliver([opening(uid)])[0]
    assert isinstance(result, Receipt)
    return result.vendor_id


def error_of(sink: ZendeskSink, delivery: Delivery) -> ConnectorError:
    """The error of a delivery that must fail."""
    result = sink.deliver([delivery])[0]
    assert isinstance(result, Failure), result
    return result.error


def texts(account: Account, record_id: str) -> list[str]:
    """The texts of a record's comments."""
    return [c.text for c in next(row for row in account.sandbox.records() if row.id == record_id).comments]


@pytest.mark.parametrize(
    ("kind", "found"), [("timeout_after", Found), ("malformed", Found), ("timeout_before", Absent)]
)
def test_a_lost_answer_to_a_create_is_found_or_absent(account: Account, uid: str, kind: str, found: type) -> None:
    """The outcome is unknown either way; looking tells which, and there is never a second record."""
    sink = account.sink(timeout=HASTY)
    account.fault("POST", TICKETS, kind, seconds=1)
    assert isinstance(error_of(sink, opening(uid)), OutcomeUnknown)
    patient = account.sink()
    looked = patient.find(opening(uid))
    assert isinstance(looked, found)
    if isinstance(looked, Absent):
        assert isinstance(patient.deliver([opening(uid)])[0], Receipt)
    assert len([row for row in account.sandbox.records() if row.external_id == uid]) == 1


@pytest.mark.parametrize("kind", ["timeout_after", "malformed", "timeout_before"])
def test_a_lost_answer_to_an_update_is_found_or_absent(account: Account, uid: str, kind: str) -> None:
    """A PUT has no idempotency at Zendesk: our key in the audit tells whether the comment and the note are there."""
    record_id = record_of(account, uid)
    for number, delivery in enumerate(
        (comment(uid, record_id, key=f"{uid}-c"), fields(uid, record_id, key=f"{uid}-u", status="open", note="look"))
    ):
        account.fault("PUT", f"/api/v2/tickets/{record_id}.json", kind, seconds=1)
        assert isinstance(error_of(account.sink(timeout=HASTY), delivery), OutcomeUnknown)
        looked = account.sink().find(delivery)
        assert isinstance(looked, Absent if kind == "timeout_before" else Found)
        assert len(texts(account, record_id)) == (1 if kind == "timeout_before" else 2 + number)


def test_trap_a_put_is_not_sent_again_after_a_503(account: Account, uid: str) -> None:
    """zenpy's own adapter re-sends PUTs on 503; the second would have got through here."""
    record_id = record_of(account, uid)
    account.fault("PUT", f"/api/v2/tickets/{record_id}.json", "status", status=503)
    assert isinstance(error_of(account.sink(), comment(uid, record_id, key=f"{uid}-c")), OutcomeUnknown)
    assert len(texts(account, record_id)) == 1


@pytest.mark.parametrize(("header", "expected"), [("30", 30.0), ("1.5", 1.5), (None, None)])
def test_trap_a_429_neither_sleeps_nor_crashes(
    account: Account, uid: str, header: str | None, expected: float | None
) -> None:
    """zenpy sleeps through Retry-After, breaks on "1.5" and calls a 429 without it an API error."""
    account.fault("POST", TICKETS, "ratelimit", retry_after=header)
    before = time.monotonic()
    error = error_of(account.sink(), opening(uid))
    assert time.monotonic() - before < 3
    assert isinstance(error, RateLimited)
    assert error.retry_after == expected
    assert not [row for row in account.sandbox.records() if row.external_id == uid]


def test_the_accounts_own_limit_is_a_429_too(account: Account, uid: str) -> None:
    """The sandbox's limit per minute answers as Zendesk does, and is read from the answer."""
    settings = f"{account.url}/_sandbox/settings"
    account.http.post(settings, json={"rate_limit": 1}, timeout=5).raise_for_status()
    try:
        errors = []
        for number in range(2):  # a minute may end between the two, not between all four calls
            result = account.sink().deliver([opening(f"{uid}-{number}")])[0]
            errors += [result.error] if isinstance(result, Failure) else []
        assert errors
        assert all(isinstance(error, RateLimited) and 0 < (error.retry_after or 0) <= 60 for error in errors)
    finally:
        account.http.post(settings, json={"rate_limit": 0}, timeout=5).raise_for_status()


def test_trap_nothing_is_served_from_a_cache(account: Account, uid: str) -> None:
    """zenpy keeps tickets for 30 seconds; the same instance must see a change at once."""
    record_id = record_of(account, uid)
    sink = account.sink()
    states = []
    for status in ("open", "solved"):
        account.sandbox.update(record_id, status=status)
        record = sink.complete(Hint(event_key="x", record=record_id))[-1]
        assert isinstance(record, RecordChanged)
        states.append(record.status)
    assert states == ["open", "solved"]


def test_trap_the_timeout_is_the_hubs(account: Account) -> None:
    """zenpy would wait 60 seconds; the session's own timeout decides, and a read that hangs is only temporary."""
    account.fault("GET", "/api/v2/users/me.json", "timeout_before", seconds=1)
    before = time.monotonic()
    with pytest.raises(TemporaryFailure):
        account.sink(timeout=HASTY).check_connection()
    assert time.monotonic() - before < 3


def test_trap_an_error_that_is_not_json(account: Account, uid: str) -> None:
    """An HTML page with 500: a read is temporary, a write unknown; no foreign exception comes through."""
    account.fault("GET", "/api/v2/users/me.json", "status", status=500, body="<html>oops</html>")
    with pytest.raises(TemporaryFailure):
        account.sink().check_connection()
    account.fault("POST", TICKETS, "status", status=500, body="<html>oops</html>")
    assert isinstance(error_of(account.sink(), opening(uid)), OutcomeUnknown)


def test_making_the_user_never_ends_as_unknown(account: Account, uid: str) -> None:
    """Creating the end user twice does no harm, so a lost answer there is only temporary."""
    account.fault("POST", "/api/v2/users/create_or_update.json", "timeout_after", seconds=1)
    assert isinstance(error_of(account.sink(timeout=HASTY), opening(uid)), TemporaryFailure)


def test_credentials_withdrawn_between_two_deliveries(account: Account, uid: str) -> None:
    """A 401 in the middle of work is an AuthenticationFailed, which pauses and loses nothing."""
    account.fault("POST", TICKETS, "status", status=401, body={"error": "Couldn't authenticate you"})
    assert isinstance(error_of(account.sink(), opening(uid)), AuthenticationFailed)


def test_a_refused_connection_is_temporary(uid: str) -> None:
    """Nothing left the house, so it may be sent again without looking."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        sink = make_sink({"base_url": f"http://127.0.0.1:{closed.getsockname()[1]}", "oauth_token": TOKEN})
        assert isinstance(error_of(sink, opening(uid)), TemporaryFailure)


def test_looking_never_guesses_absent(account: Account, uid: str) -> None:
    """A record that cannot be read, or has more audits than we read, gives CannotTell."""
    record_id = record_of(account, uid)
    assert isinstance(account.sink().find(comment(uid, "999999", key="k")), CannotTell)
    endless = {"audits": [], "meta": {"has_more": True, "after_cursor": "x"}}
    path = f"/api/v2/tickets/{record_id}/audits.json"
    account.fault("GET", path, "status", status=200, body=endless, count=20)
    assert isinstance(account.sink().find(comment(uid, record_id, key="k")), CannotTell)


@responses.activate
def test_trap_the_environment_does_not_redirect_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """zenpy reads ZENPY_FORCE_NETLOC at every call; the token must not follow it."""
    monkeypatch.setenv("ZENPY_FORCE_NETLOC", "evil.example")
    with pytest.raises(ConfigurationError, match="ZENPY_FORCE_NETLOC"):
        make_sink(vendor_settings()).check_connection()
    assert len(responses.calls) == 0


@responses.activate
def test_the_real_address_credentials_and_key(uid: str) -> None:
    """The account's own host gets "email/token" and, on the create alone, the Idempotency-Key."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    created = {"ticket": {"id": 8, "updated_at": "2026-11-22T10:00:00Z"}, "audit": {"events": []}}
    responses.post(f"{API}/tickets.json", json=created, status=201)
    responses.put(f"{API}/tickets/8.json", json=created)
    sink = make_sink(vendor_settings())
    receipt = sink.deliver([opening(uid, key="the-key")])[0]
    assert isinstance(receipt, Receipt)
    assert receipt.permalink == "https://acme.zendesk.com/agent/tickets/8"
    sink.deliver([comment(uid, "8", key="another")])
    keys = [(call.request.method, call.request.headers.get("Idempotency-Key")) for call in responses.calls]
    assert keys == [("POST", None), ("POST", "the-key"), ("PUT", None)]
    assert {call.request.headers["Authorization"][:6] for call in responses.calls} == {"Basic "}
    assert sink.deliver([opening(uid, key="k2")])[0] == receipt
    assert len(responses.calls) == 4, "the user is remembered"


@responses.activate
def test_trap_query_values_are_quoted() -> None:
    """zenpy pastes them into the address as they are."""
    responses.get(f"{API}/job_statuses.json", json={"job_statuses": [], "meta": {"has_more": False}})
    responses.get(f"{API}/tickets.json", json={"tickets": []})
    assert isinstance(make_sink(vendor_settings()).find(opening("sch-1&status=closed#x y")), Absent)
    assert responses.calls[1].request.params["external_id"] == "sch-1&status=closed#x y"


@responses.activate
def test_trap_an_answer_zenpy_cannot_build_objects_from() -> None:
    """The effect is done and the JSON is there: zenpy's own trouble with it does not become ours."""
    odd = {"ticket": {"id": 8, "via": "odd", "updated_at": None}, "audit": {"via": None}}
    odd["audit"] |= {"events": [None, {"type": 5}, {"id": 3, "type": "Comment"}]}
    responses.put(f"{API}/tickets/8.json", json=odd)
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=200)
    result = make_sink(vendor_settings()).deliver([comment("sch-1", "8", key="k")])[0]
    assert isinstance(result, Receipt)


@pytest.mark.parametrize("body", [{}, {"ticket": None}, [], {"ticket": {}}])
@responses.activate
def test_an_answer_without_the_record_is_unknown(body: object) -> None:
    """A 201 that does not say what was made must be looked up."""
    responses.post(f"{API}/tickets.json", json=body, status=201)
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    assert isinstance(error_of(make_sink(vendor_settings()), opening("sch-1")), OutcomeUnknown)


@responses.activate
def test_a_redirect_is_not_followed() -> None:
    """A moved account would otherwise turn a POST into a GET and take the token elsewhere."""
    responses.get(f"{API}/users/me.json", status=302, headers={"Location": "https://evil.example/"})
    with pytest.raises(TemporaryFailure, match="redirects"):
        make_sink(vendor_settings()).check_connection()
    assert len(responses.calls) == 1


@responses.activate
def test_a_validation_error_is_refused_with_a_code_and_no_customer_text() -> None:
    """The operator reads the code; the vendor's words, which may hold the customer's, are detail."""
    body = {"error": "RecordInvalid", "details": {"base": [{"description": "Anna's secret is invalid"}]}}
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    responses.post(f"{API}/tickets.json", json=body, status=422, headers={"X-Zendesk-Request-Id": "r-1"})
    error = error_of(make_sink(vendor_settings()), opening("sch-1"))
    assert isinstance(error, Refused)
    assert error.summary == "Zendesk refuses it (422 RecordInvalid)"
    assert "secret" in error.detail
    assert error.vendor_request_id == "r-1"


@responses.activate
def test_a_422_names_the_fields_and_not_their_words() -> None:
    """Which field was refused is for the operator; Zendesk's sentence may quote the customer."""
    details = {"requester_id": [{"description": "Anna is suspended"}], "base": [{"description": "x"}], "A b": []}
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    responses.post(f"{API}/tickets.json", json={"error": "RecordInvalid", "details": details}, status=422)
    error = error_of(make_sink(vendor_settings()), opening("sch-1"))
    assert isinstance(error, Refused)
    assert error.summary == "Zendesk refuses it (422 RecordInvalid: requester_id)"


@pytest.mark.parametrize("body", ['{"ticket": {"id": 8, "upd', "", '"8"', "null"])
@responses.activate
def test_truncated_json_is_no_receipt(body: str) -> None:
    """A 201 that breaks off says that something was made and not what: it is looked up, never sent again."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    responses.post(f"{API}/tickets.json", body=body, status=201, content_type="application/json")
    assert isinstance(error_of(make_sink(vendor_settings()), opening("sch-1")), OutcomeUnknown)


def of_ben(uid: str, record: str, n: int) -> list[Delivery]:
    """An opening by Ben, a word of his and a record that becomes his."""
    ben = Identity(network="mastodon", id=f"ben-{uid}", display_name="Ben")
    said = Said(text=f"It is Ben {n}", author=ben)
    view = ticket(f"{uid}-{n}", requester=ben)
    return [
        Delivery(key=f"{uid}-o{n}", body=OpenTicket(ticket=view, said=said)),
        fields(uid, record, key=f"{uid}-r{n}", requester=ben),
    ]


def test_a_customer_deleted_in_zendesk_is_made_again(account: Account, uid: str) -> None:
    """The user we remember is refused: it is asked for anew, and the same delivery goes out at once, be it an opening
    or a record that changes hands."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    for n, delivery in enumerate([*of_ben(uid, record, 0), of_ben(uid, record, 1)[1]]):
        receipt = sink.deliver([delivery])[0]
        assert isinstance(receipt, Receipt)
        user_id = done(account, "GET", f"tickets/{receipt.vendor_id}")["ticket"]["requester_id"]
        assert done(account, "GET", f"users/{user_id}")["user"]["external_id"] == f"mastodon:ben-{uid}", n
        done(account, "DELETE", f"users/{user_id}")
    assert isinstance(sink.deliver([of_ben(uid, record, 2)[0]])[0], Receipt)


@responses.activate
def test_a_refusal_for_another_reason_is_not_sent_twice() -> None:
    """A remembered user is asked for again once, and is still the same: the refusal stands."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    sent = responses.post(f"{API}/tickets.json", json={"error": "RecordInvalid"}, status=422)
    sink = make_sink(vendor_settings())
    for _ in range(2):
        assert isinstance(error_of(sink, opening("sch-1")), Refused)
    assert sent.call_count == 2
    assert len([call for call in responses.calls if "create_or_update" in str(call.request.url)]) == 2


def test_ids_that_are_no_numbers_never_reach_an_address(uid: str) -> None:
    """A record id like "1/../users" is refused before anything is sent."""
    sink = make_sink(vendor_settings())
    for record_id in ("1/../../users/1", "", "²", "-1"):
        result = sink.deliver([fields(uid, record_id, key="k", note="x")])[0]
        assert isinstance(result, Failure)
        assert isinstance(result.error, Refused)


def test_secrets_stay_secret(account: Account, uid: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither token is in any log line of a delivery, nor in what the connector, its parts or settings print; texts
    of customers are not logged above debug."""
    caplog.set_level(logging.DEBUG)
    sink = account.sink()
    token = sink.settings.api_token.get_secret_value()  # type: ignore[union-attr]
    sink.deliver([opening(uid, text="my private words")])
    sink.complete(Hint(event_key="x", record="1"))
    printed = [repr(sink), repr(sink._client), repr(sink.settings), repr(sink._client._door), caplog.text]
    assert not any(token in text for text in printed)
    loud = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert not any("my private words" in line for line in loud)


def test_the_plugin_loads_without_zenpy() -> None:
    """Where zenpy is missing the plugin still loads, and the check names the extra to install."""
    program = """
import sys
sys.modules["zenpy"] = None
sys.path.insert(0, "tests/plugins/sinks/zendesk")
import plugins.sinks.zendesk as plugin
[sink] = plugin.register_sinks()
from zendesk_cases import make_sink, vendor_settings
try:
    make_sink(vendor_settings()).check_connection()
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ConfigurationError zenpy is missing: pip install 'social-care-hub[zendesk]'"


def test_loading_the_plugin_imports_no_vendor_library() -> None:
    """A hub without a Zendesk connection does not pay for zenpy, Flask or openapi-core."""
    program = (
        "import sys, plugins.sinks.zendesk as p; p.register_sinks(); "
        "print([m for m in ('zenpy', 'flask', 'openapi_core', 'bs4') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
