"""Tickets, comments and fields on their way out: signed, as documented, once; every failure as the hub's error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from desk_vendor import FIND_URL, URL, Desk, sink_of
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from hub.sdk import (
    Absent,
    AddComment,
    Attachment,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    ConnectorError,
    Delivery,
    Failure,
    Found,
    Identity,
    OpenTicket,
    OutcomeUnknown,
    Proof,
    Quote,
    RateLimited,
    Receipt,
    RedactComment,
    Refused,
    Said,
    TemporaryFailure,
    TicketView,
    UpdateFields,
)
from hub.testing.vendor import reply
from plugins.sinks.webhook import documents
from plugins.sinks.webhook.settings import WebhookSettings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANNA = Identity(network="mastodon", id="anna@example.com", display_name="Anna", emails=("anna@example.com",))
VIEW = TicketView(
    uid="sch-1",
    code="AB12",
    subject="Tazza rotta",
    network="mastodon",
    source="acme-mastodon",
    requester=ANNA,
    permalink="https://mastodon.example/@anna/7",
    fields={"order_number": "4711"},
    answer_by=NOW,
)
SAID = Said(
    text="È arrivata rotta 📦",
    author=ANNA,
    created_at=NOW,
    attachments=(Attachment(url="https://mastodon.example/1.jpg", kind="image"),),
    context=(Quote(author="Acme", text="Ciao", own=True),),
)
OPEN = Delivery(key="k-open", body=OpenTicket(ticket=VIEW, said=SAID))
COMMENT = Delivery(key="k-comment", body=AddComment(ticket=VIEW, record_id="R1", said=SAID, public=False))
UPDATE = Delivery(
    key="k-update",
    body=UpdateFields(
        ticket=VIEW, record_id="R1", status="solved", proofs=(Proof(state="published", at=NOW),), tags_add=("rude",)
    ),
)
ASKED = requests.Request("POST", URL).prepare()


def sent(desk: Desk, delivery: Delivery = OPEN, **settings: Any) -> Receipt | Failure:
    """The one result of a delivery."""
    (result,) = sink_of(desk, **settings).deliver([delivery])
    return result


def test_a_ticket_s_life_is_posted_as_documented() -> None:
    """Opened, commented, solved: each valid under the served schema, signed, with its receipt."""
    desk = Desk()
    results = sink_of(desk).deliver([OPEN, COMMENT, UPDATE])
    assert [(one.vendor_id, one.comment_id) for one in results if isinstance(one, Receipt)] == [
        ("R1", "R1-1"),
        ("R1-2", ""),
        ("R1", "R1-3"),
    ]
    part = documents.openapi()
    for request in desk.posted:
        body = json.loads(request.body or b"")
        Draft202012Validator({"$ref": f"#/components/schemas/{body['type']}", "components": part}).validate(body)
        assert request.headers["webhook-id"] == body["key"]
        assert request.headers["Content-Type"] == "application/json"
    (record,) = desk.records()
    assert (record.external_id, record.subject, record.status) == ("sch-1", "Tazza rotta", "solved")
    assert [(SAID.text in said.text, said.public) for said in record.comments] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_the_same_bytes_at_every_attempt() -> None:
    """A repetition can be recognised by its key and by its body."""
    desk = Desk()
    sink_of(desk).deliver([OPEN])
    sink_of(desk).deliver([OPEN.model_copy(update={"attempt": 2, "first_attempt_at": NOW})])
    assert desk.posted[0].body == desk.posted[1].body
    assert len(desk.records()) == 1


def test_ids_are_read_through_pointers() -> None:
    """Where the receiver's answer has another shape; without an id the key serves."""
    desk = Desk()
    desk.answers = [reply(ASKED, 201, {"case": {"no": 17, "notes": [{"no": 3}]}, "url": "https://desk.example.com/17"})]
    shape = {"id_pointer": "/case/no", "comment_id_pointer": "/case/notes/0/no", "permalink_pointer": "/url"}
    receipt = sent(desk, **shape)
    assert isinstance(receipt, Receipt)
    assert (receipt.vendor_id, receipt.comment_id, receipt.permalink) == ("17", "3", "https://desk.example.com/17")
    for answer in ({}, {"case": 5}, {"case": {"no": True}}):
        desk.answers = [reply(ASKED, 200, answer)]
        receipt = sent(desk, **shape)
        assert isinstance(receipt, Receipt)
        assert receipt.vendor_id == "k-open"
    receipt = sent(desk, COMMENT.model_copy(update={"body": OPEN.body}), id_pointer="")
    assert isinstance(receipt, Receipt)
    assert receipt.vendor_id == "k-comment"


@pytest.mark.parametrize(
    ("planned", "kind"),
    [
        (reply(ASKED, 401), AuthenticationFailed),
        (reply(ASKED, 403), AuthenticationFailed),
        (reply(ASKED, 301, b""), ConfigurationError),
        (reply(ASKED, 405), ConfigurationError),
        (reply(ASKED, 404), Refused),
        (reply(ASKED, 422), Refused),
        (reply(ASKED, 429), RateLimited),
        (reply(ASKED, 500), OutcomeUnknown),
        (reply(ASKED, 504), OutcomeUnknown),
        (reply(ASKED, 503), TemporaryFailure),
        (reply(ASKED, 200, "<html>Log in</html>"), OutcomeUnknown),
        (reply(ASKED, 200, b'{"id"'), OutcomeUnknown),
        (requests.ConnectTimeout("late"), TemporaryFailure),
        (requests.ReadTimeout("late"), OutcomeUnknown),
    ],
)
def test_every_failure_is_one_of_the_hub_s(
    planned: requests.Response | requests.RequestException, kind: type[ConnectorError]
) -> None:
    """One failed delivery of a list; the next one stands."""
    desk = Desk()
    desk.answers = [planned]
    first, second = sink_of(desk).deliver([OPEN, OPEN.model_copy(update={"key": "k-2"})])
    assert isinstance(first, Failure)
    assert type(first.error) is kind
    assert isinstance(second, Receipt)


def test_what_a_webhook_cannot_do_is_refused() -> None:
    """Redaction is a matter of the helpdesk's own."""
    result = sent(Desk(), OPEN.model_copy(update={"body": RedactComment(comment_id="c", reason="asked")}))
    assert isinstance(result, Failure)
    assert isinstance(result.error, Refused)


def test_an_unknown_outcome_is_looked_up() -> None:
    """Found, absent, or nobody can tell."""
    desk = Desk()
    sink = sink_of(desk, find_url=FIND_URL)
    assert sink.find(OPEN) == Absent()
    sink.deliver([OPEN])
    found = sink.find(OPEN)
    assert isinstance(found, Found)
    assert (found.receipt.vendor_id, found.receipt.comment_id) == ("R1", "R1-1")
    desk.answers = [reply(ASKED, 200, {"id": "R1"})]
    assert isinstance(sink.find(OPEN), CannotTell)
    assert isinstance(sink_of(desk).find(OPEN), CannotTell)
    assert sink_of(idempotent_hours=1.5).idempotent_for == timedelta(minutes=90)
    assert sink_of().idempotent_for is None


def test_the_check_is_a_ping() -> None:
    """The receiver answers; its host is the account."""
    desk = Desk()
    assert sink_of(desk).check_connection().fingerprint == "webhook:desk.example.com"
    assert json.loads(desk.posted[0].body or b"") == {"type": "ping", "key": "ping"}
    desk.answers = [reply(ASKED, 404)]
    with pytest.raises(ConfigurationError):
        sink_of(desk).check_connection()
    assert sink_of(desk, ping=False).check_connection().display_name == "desk.example.com"
    assert len(desk.posted) == 2


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"url": ""}, "must not be empty"),
        ({"url": "http://desk.example.com/hub"}, "must start with https://"),
        ({"signature": "standard", "secrets": ["whsec_a"]}, "whsec_"),
        ({"format": "pointers"}, "the table pointers belongs to format = pointers"),
        ({"id_pointer": "id"}, "must be a JSON pointer"),
    ],
)
def test_settings_that_cannot_work_are_refused(block: dict[str, Any], words: str) -> None:
    """Each is told in words an operator understands."""
    with pytest.raises(ValidationError, match=words):
        WebhookSettings.model_validate({"url": URL, "signature": "x_hub", "secrets": ["s"], **block})
