"""A 2xx with JSON of another shape is never "nothing there": not for a look, not for a read, not after a write."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from zendesk_cases import Account, comment, fields, make_sink, opened, opening, vendor_settings

from hub.sdk import (
    Absent,
    AuthenticationFailed,
    CannotTell,
    Delivery,
    Failure,
    Found,
    Hint,
    OutcomeUnknown,
    Receipt,
    RecordChanged,
    RedactComment,
    TemporaryFailure,
)
from plugins.sinks.zendesk.sink import ZendeskSink

API = "https://acme.zendesk.com/api/v2"
TICKET = {"id": 8, "external_id": "sch-1", "status": "open", "tags": [], "updated_at": "2026-11-22T10:00:00Z"}
LAST = {"has_more": False, "after_cursor": None}
AUDIT = {"id": 1, "events": [], "metadata": {"custom": {}}}
NO_OBJECT: list[Any] = [{}, [], None, 5, "x"]


def answering(method: str, url: str, body: Any) -> None:
    """Answer such calls with this body; None is JSON's null, not an empty answer."""
    responses.add(method, url, body=json.dumps(body), content_type="application/json")


def no_job_runs() -> None:
    """Before anything is called absent, the account's jobs are asked for."""
    responses.get(f"{API}/job_statuses.json", json={"job_statuses": [], "meta": LAST})


def error_of(sink: ZendeskSink, delivery: Delivery) -> Exception:
    """The error of a delivery that must fail."""
    result = sink.deliver([delivery])[0]
    assert isinstance(result, Failure), result
    return result.error


def odd_audits() -> list[Any]:
    """Answers to "which audits" that tell nothing."""
    return [
        *NO_OBJECT,
        {"audits": None, "meta": LAST},
        {"audits": {}, "meta": LAST},
        {"audits": [], "meta": LAST},
        {"audits": [None], "meta": LAST},
        {"audits": [{}], "meta": LAST},
        {"audits": [AUDIT, AUDIT | {"id": "x"}], "meta": LAST},
        {"audits": [AUDIT | {"events": None}], "meta": LAST},
        {"audits": [AUDIT | {"metadata": "x"}], "meta": LAST},
        {"audits": [AUDIT]},
        {"audits": [AUDIT], "meta": {}},
        {"audits": [AUDIT], "meta": {"has_more": "no"}},
        {"audits": [AUDIT], "meta": {"has_more": True, "after_cursor": None}},
    ]


def test_a_comment_is_not_doubled_by_an_odd_look(account: Account, uid: str) -> None:
    """The write's answer is lost and the look's has another shape: it cannot tell; the next look finds it."""
    sink = account.sink()
    record_id = opened(sink, uid).vendor_id
    sent = comment(uid, record_id, key=f"{uid}-c")
    account.fault("PUT", f"/api/v2/tickets/{record_id}.json", "malformed")
    assert isinstance(error_of(sink, sent), OutcomeUnknown)
    account.fault("GET", f"/api/v2/tickets/{record_id}/audits.json", "status", status=200, body={})
    looked = sink.find(sent)
    assert isinstance(looked, CannotTell)
    assert f"GET /api/v2/tickets/{record_id}/audits.json" in looked.reason
    assert isinstance(sink.find(sent), Found)


@pytest.mark.parametrize("body", odd_audits())
@responses.activate
def test_odd_audits_cannot_tell(body: Any) -> None:
    """Neither a comment, a field update nor a redaction is called absent by audits that cannot be read."""
    no_job_runs()
    answering("GET", f"{API}/tickets/8/audits.json", body)
    redaction = Delivery(key="r", body=RedactComment(record_id="8", comment_id="3", reason="x"))
    for delivery in (comment("sch-1", "8", key="c"), fields("sch-1", "8", key="u", note="x"), redaction):
        assert isinstance(make_sink(vendor_settings()).find(delivery), CannotTell)


@responses.activate
def test_good_audits_without_our_key_are_absent() -> None:
    """What the cases above spoil one by one is, unspoilt, a clear answer."""
    no_job_runs()
    responses.get(f"{API}/tickets/8/audits.json", json={"audits": [AUDIT], "meta": LAST})
    assert isinstance(make_sink(vendor_settings()).find(comment("sch-1", "8", key="c")), Absent)


@pytest.mark.parametrize(
    ("words", "minutes", "key", "answer"),
    [
        ("Still <b>nothing</b>!", 1, "", CannotTell),
        ("Still nothing", 1, "another", Absent),
        ("Still nothing", -60, "", Absent),
        ("Something else", 1, "", Absent),
    ],
)
@responses.activate
def test_trap_our_words_under_no_key_cannot_tell(words: str, minutes: int, key: str, answer: type) -> None:
    """Should a job ever drop the metadata, the comment is there and may not be said twice; the same words of before,
    or of another delivery, are no reason to wait."""
    no_job_runs()
    began = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    said = {"id": 5, "type": "Comment", "plain_body": re.sub("<.*?>", "", words), "public": True}
    made_at = (began + timedelta(minutes=minutes)).isoformat()
    audit = AUDIT | {"created_at": made_at, "events": [said], "metadata": {"custom": {"hub_key": key} if key else {}}}
    responses.get(f"{API}/tickets/8/audits.json", json={"audits": [audit], "meta": LAST})
    sent = comment("sch-1", "8", key="c").model_copy(update={"first_attempt_at": began})
    assert isinstance(make_sink(vendor_settings()).find(sent), answer)


@pytest.mark.parametrize(
    "body", [*NO_OBJECT, {"tickets": None}, {"tickets": [None]}, {"tickets": [{}]}, {"tickets": [{"id": 8}]}]
)
@responses.activate
def test_an_odd_search_for_a_ticket_cannot_tell(body: Any) -> None:
    """A ticket is not opened twice because the list of tickets could not be read."""
    no_job_runs()
    answering("GET", f"{API}/tickets.json", body)
    assert isinstance(make_sink(vendor_settings()).find(opening("sch-1")), CannotTell)


@pytest.mark.parametrize("part", ["", "/audits"])
def test_an_answer_of_an_agent_is_not_lost_to_an_odd_read(account: Account, uid: str, part: str) -> None:
    """The hint fails and names the call, and is complete when it is tried again."""
    sink = account.sink()
    record_id = opened(sink, uid).vendor_id
    account.sandbox.answer(record_id, "It is on its way", public=True)
    hint = Hint(event_key="x", record=record_id)
    account.fault("GET", f"/api/v2/tickets/{record_id}{part}.json", "status", status=200, body={})
    with pytest.raises(TemporaryFailure, match=f"GET /api/v2/tickets/{record_id}{part}.json"):
        sink.complete(hint)
    assert len(sink.complete(hint)) == 3


@pytest.mark.parametrize(
    "body",
    [
        *NO_OBJECT,
        {"ticket": None},
        {"ticket": {}},
        {"ticket": TICKET | {"id": 9}},
        {"ticket": TICKET | {"external_id": {}}},
        {"ticket": TICKET | {"tags": "vip"}},
        *(
            {"ticket": {name: value for name, value in TICKET.items() if name != gone}}
            for gone in TICKET
            if gone != "status"
        ),
    ],
)
@responses.activate
def test_an_odd_ticket_is_tried_again(body: Any) -> None:
    """Neither a hint ends as "nothing to do", nor are the ticket's tags overwritten from an answer without them."""
    answering("GET", f"{API}/tickets/8.json", body)
    sink = make_sink(vendor_settings())
    with pytest.raises(TemporaryFailure, match=r"GET /api/v2/tickets/8\.json"):
        sink.complete(Hint(event_key="x", record="8"))
    assert isinstance(error_of(sink, fields("sch-1", "8", key="u", tags_add=("x",))), TemporaryFailure)
    assert {call.request.method for call in responses.calls} == {"GET"}


@pytest.mark.parametrize("users", [{}, {"users": None}, {"users": [None]}, {"users": [{"id": 5}]}])
def test_odd_users_do_not_silence_an_agent(account: Account, uid: str, users: Any) -> None:
    """An agent whose role could not be read is asked for again, not taken for nobody for a quarter of an hour."""
    record_id = opened(account.sink(), uid).vendor_id
    account.sandbox.answer(record_id, "hello", public=True)
    sink = account.sink()
    hint = Hint(event_key="x", record=record_id)
    account.fault("GET", "/api/v2/users/show_many.json", "status", status=200, body=users)
    with pytest.raises(TemporaryFailure, match="show_many"):
        sink.complete(hint)
    roles = [event.comment.author.role for event in sink.complete(hint) if not isinstance(event, RecordChanged)]  # type: ignore[union-attr]
    assert roles == ["end-user", "agent"]


@responses.activate
def test_an_odd_row_of_the_export_is_reported_and_the_feed_goes_on() -> None:
    """One row that lacks its external id is parked by the hub; the others and the cursor are not held by it."""
    page = {"tickets": [{"id": 8}, TICKET], "after_cursor": "next", "end_of_stream": True}
    responses.get(f"{API}/incremental/tickets/cursor.json", json=page)
    read = make_sink(vendor_settings()).fetch_page({"start_time": 1_700_000_000})
    assert [event.type for event in read.events] == ["unreadable", "hint"]
    assert read.cursor["cursor"] == "next"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"tickets": None},
        {"tickets": [None]},
        {"end_of_stream": None},
        {"after_cursor": {}},
    ],
)
@responses.activate
def test_an_odd_export_does_not_move_the_cursor(spoilt: Any) -> None:
    """A page that cannot be read is read again, whatever its cursor says."""
    page = {"tickets": [TICKET], "after_cursor": "next", "end_of_stream": True}
    url = f"{API}/incremental/tickets/cursor.json"
    responses.get(url, json=page | spoilt)
    responses.get(url, json=page)
    sink = make_sink(vendor_settings())
    with pytest.raises(TemporaryFailure, match=r"incremental/tickets/cursor\.json"):
        sink.fetch_page({"cursor": "here"})
    assert sink.fetch_page({"cursor": "here"}).cursor["cursor"] == "next"


@pytest.mark.parametrize(
    "body", [*NO_OBJECT, {"user": None}, {"user": {}}, {"user": {"id": 5}}, {"user": {"role": "x"}}]
)
@responses.activate
def test_an_odd_account_is_no_stranger(body: Any) -> None:
    """An answer without the user is a trouble of Zendesk's, not wrong credentials; an anonymous user is."""
    answering("GET", f"{API}/users/me.json", body)
    sink = make_sink(vendor_settings())
    with pytest.raises(TemporaryFailure, match="users/me"):
        sink.check_connection()
    responses.replace(responses.GET, f"{API}/users/me.json", json={"user": {"id": None, "role": "end-user"}})
    with pytest.raises(AuthenticationFailed):
        sink.check_connection()


@pytest.mark.parametrize("body", [*NO_OBJECT, {"groups": None}, {"groups": [{"id": 1}], "meta": LAST}, {"groups": []}])
@responses.activate
def test_odd_groups_do_not_refuse_a_delivery(body: Any) -> None:
    """A group that could not be looked up is not "no such group", which would park the delivery for good."""
    answering("GET", f"{API}/groups.json", body)
    sink = make_sink(vendor_settings(assign="group"))
    assert isinstance(error_of(sink, fields("sch-1", "8", key="u", group="Billing")), TemporaryFailure)


@pytest.mark.parametrize(
    "body", [*NO_OBJECT, {"ticket": None}, {"ticket": TICKET}, {"ticket": TICKET, "audit": {"events": []}}]
)
@responses.activate
def test_an_odd_answer_to_a_comment_is_unknown(body: Any) -> None:
    """A comment whose id was not told would come back as somebody else's: it is looked up."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    answering("PUT", f"{API}/tickets/8.json", body)
    assert isinstance(error_of(make_sink(vendor_settings()), comment("sch-1", "8", key="k")), OutcomeUnknown)


@pytest.mark.parametrize("body", [*NO_OBJECT, {"ticket": None}, {"ticket": {}}])
@responses.activate
def test_an_odd_answer_to_an_opening_or_an_update_is_unknown(body: Any) -> None:
    """JSON's null is an answer too: zenpy's own stumbling over it does not come through."""
    responses.post(f"{API}/users/create_or_update.json", json={"user": {"id": 5}}, status=201)
    answering("POST", f"{API}/tickets.json", body)
    answering("PUT", f"{API}/tickets/8.json", body)
    sink = make_sink(vendor_settings())
    for delivery in (opening("sch-1"), fields("sch-1", "8", key="u", note="x")):
        assert isinstance(error_of(sink, delivery), OutcomeUnknown)


@pytest.mark.parametrize("body", NO_OBJECT)
def test_an_odd_answer_to_a_redaction_is_unknown(account: Account, uid: str, body: Any) -> None:
    """Nobody is told that a text was blackened before Zendesk says so."""
    sink = account.sink()
    receipt = opened(sink, uid)
    delivery = Delivery(
        key="r", body=RedactComment(record_id=receipt.vendor_id, comment_id=receipt.comment_id, reason="x")
    )
    account.fault("PUT", "/api/v2/comment_redactions/*", "status", status=200, body=body)
    assert isinstance(error_of(sink, delivery), OutcomeUnknown)
    assert isinstance(sink.find(delivery), Absent)
    assert isinstance(sink.deliver([delivery])[0], Receipt)


@pytest.mark.parametrize("body", [*NO_OBJECT, {"user": None}, {"user": {"id": None}}])
@responses.activate
def test_an_odd_answer_to_saving_a_customer_is_temporary(body: Any) -> None:
    """Saving twice does no harm, so this write alone need not be looked up; no ticket is opened without it."""
    answering("POST", f"{API}/users/create_or_update.json", body)
    assert isinstance(error_of(make_sink(vendor_settings()), opening("sch-1")), TemporaryFailure)
    assert len(responses.calls) == 1


def fingerprint(base_url: str, **user: Any) -> str:
    """The fingerprint of an account at this address."""
    with responses.RequestsMock() as vendor:
        vendor.get(f"{base_url}/api/v2/users/me.json", json={"user": {"role": "admin", **user}})
        return make_sink({"base_url": base_url, "oauth_token": "t"}).check_connection().fingerprint


def test_a_port_of_this_machine_is_no_account() -> None:
    """On loopback the user and when it was made tell accounts apart; elsewhere the address does, as it always did."""
    made, later = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
    for host in ("http://127.0.0.1", "http://localhost", "http://[::1]"):
        one = fingerprint(f"{host}:8120", id=377001, created_at=made)
        assert one == fingerprint(f"{host}:8121", id=377001, created_at=made)
        assert one != fingerprint(f"{host}:8120", id=377001, created_at=later)
        assert one != fingerprint(f"{host}:8120", id=377002, created_at=made)
    real = "https://help.acme.example:8443"
    assert fingerprint(real, id=5, created_at=made) == f"{real}#5"
    with responses.RequestsMock() as vendor:
        vendor.get(f"{API}/users/me.json", json={"user": {"role": "admin", "id": 5}})
        found = make_sink(vendor_settings()).check_connection().fingerprint
    assert found == "https://acme.zendesk.com#5"
