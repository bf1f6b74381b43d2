"""Answers on their way out: signed, as documented, once; and every failure as the hub's error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from forum_vendor import FIND_URL, REPLY_URL, Forum, source_of
from jsonschema import Draft202012Validator

from hub.sdk import (
    Absent,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    ConnectorError,
    DeleteReply,
    Delivery,
    Failure,
    Found,
    Identity,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    Refused,
    Reply,
    TemporaryFailure,
)
from hub.testing.vendor import reply
from plugins.sources.webhook import documents

TO = Identity(network="acme-forum", id="44", display_name="Anna")
REPLY = Reply(
    network="acme-forum", thread_id="t", reply_to="7", to=TO, text="Arriva! 📦", answer_with={"case": {"nr": 9}}
)
DELIVERY = Delivery(key="0b7ce6a5-9f14-5c5c-8b6e-3f2a7c1d9e10", body=REPLY)
ASKED = requests.Request("POST", REPLY_URL).prepare()


def sent(forum: Forum, delivery: Delivery = DELIVERY, **settings: Any) -> Receipt | Failure:
    """The one result of a delivery."""
    (result,) = source_of(forum, reply_url=REPLY_URL, **settings).deliver([delivery])
    return result


def error_of(result: Receipt | Failure) -> ConnectorError:
    """Why it failed."""
    assert isinstance(result, Failure), result
    return result.error


def test_an_answer_is_posted_as_documented() -> None:
    """Signed (the forum's library checks it), valid under the served schema, and the same bytes at every attempt."""
    forum = Forum()
    receipt = sent(forum)
    assert isinstance(receipt, Receipt)
    assert (receipt.vendor_id, receipt.permalink) == ("a1", "https://forum.example.com/a1")
    sent(forum, DELIVERY.model_copy(update={"attempt": 2}))
    first, second = (request.body for request in forum.requests)
    assert first == second
    assert first is not None
    body = json.loads(first)
    part = documents.openapi()
    Draft202012Validator({"$ref": "#/components/schemas/reply", "components": part}).validate(body)
    assert (body["type"], body["key"], body["data"]["text"]) == ("reply", DELIVERY.key, "Arriva! 📦")
    assert body["data"]["answer_with"] == {"case": {"nr": 9}}
    assert forum.requests[0].headers["webhook-id"] == DELIVERY.key
    assert [said.text for said in forum.said] == ["Arriva! 📦"]


@pytest.mark.parametrize("content", [b"", b"OK", b"{}", b'{"id": null}', b'{"id": true}', b'{"permalink": 5}'])
def test_without_an_id_the_key_is_the_id(content: bytes) -> None:
    """A receiver that says nothing of use has taken it all the same."""
    forum = Forum()
    forum.answers = [reply(ASKED, 200, content)]
    receipt = sent(forum)
    assert isinstance(receipt, Receipt)
    assert receipt.vendor_id == DELIVERY.key


def test_a_connection_without_an_address_takes_no_answers() -> None:
    """The agent is told what to set; what a webhook cannot do is refused as well."""
    (result,) = source_of(Forum()).deliver([DELIVERY])
    assert error_of(result).summary == "this connection takes no answers: set reply_url"
    deletion = DELIVERY.model_copy(update={"body": DeleteReply(message_id="a1", reason="asked")})
    assert isinstance(error_of(sent(Forum(), deletion)), Refused)


@pytest.mark.parametrize(
    ("planned", "kind"),
    [
        (reply(ASKED, 401), AuthenticationFailed),
        (reply(ASKED, 403), AuthenticationFailed),
        (reply(ASKED, 302, b"", headers={"Location": "https://elsewhere.example"}), ConfigurationError),
        (reply(ASKED, 404), Refused),
        (reply(ASKED, 409), Refused),
        (reply(ASKED, 422), Refused),
        (reply(ASKED, 429, headers={"Retry-After": "7"}), RateLimited),
        (reply(ASKED, 500), OutcomeUnknown),
        (reply(ASKED, 502, "<html>"), OutcomeUnknown),
        (reply(ASKED, 503), TemporaryFailure),
        (reply(ASKED, 200, "<html>Log in</html>"), OutcomeUnknown),
        (reply(ASKED, 200, b'{"id": "a'), OutcomeUnknown),
        (reply(ASKED, 200, b"[1]"), OutcomeUnknown),
        (requests.ConnectTimeout("late"), TemporaryFailure),
        (requests.ReadTimeout("late"), OutcomeUnknown),
        (requests.ConnectionError("reset"), OutcomeUnknown),
    ],
)
def test_every_failure_is_one_of_the_hub_s(
    planned: requests.Response | requests.RequestException, kind: type[ConnectorError]
) -> None:
    """By what the hub does next; 503 is the receiver's word that nothing was done."""
    forum = Forum()
    forum.answers = [planned]
    error = error_of(sent(forum))
    assert type(error) is kind
    assert "forum-secret" not in error.summary + error.detail
    if isinstance(error, RateLimited):
        assert error.retry_after == 7


def test_an_unknown_outcome_is_looked_up() -> None:
    """Found, absent, or nobody can tell; and only a clear word counts."""
    forum = Forum()
    source = source_of(forum, reply_url=REPLY_URL, find_url=FIND_URL)
    assert source.find(DELIVERY) == Absent()
    source.deliver([DELIVERY])
    found = source.find(DELIVERY)
    assert isinstance(found, Found)
    assert found.receipt.vendor_id == "a1"
    assert forum.requests[-1].url == f"{FIND_URL}&key={DELIVERY.key}"
    forum.answers = [reply(ASKED, 200, {}), reply(ASKED, 500)]
    assert isinstance(source.find(DELIVERY), CannotTell)
    with pytest.raises(TemporaryFailure):
        source.find(DELIVERY)
    assert isinstance(source_of(forum, reply_url=REPLY_URL).find(DELIVERY), CannotTell)


def test_how_long_a_key_is_known_is_a_setting() -> None:
    """A receiver that promises nothing is never sent the same answer twice without a look."""
    assert source_of(idempotent_hours=24).idempotent_for == timedelta(hours=24)
    assert source_of().idempotent_for is None


def test_the_check_is_a_ping() -> None:
    """The receiver is asked when there is one; a refusal is a matter of the settings."""
    forum = Forum()
    account = source_of(forum, reply_url=REPLY_URL, max_length=280).check_connection()
    assert account.fingerprint == "webhook:acme-forum"
    assert account.reply_limits is not None
    assert account.reply_limits.max_length == 280
    assert json.loads(forum.requests[0].body or b"")["type"] == "ping"
    forum.answers = [reply(ASKED, 404)]
    with pytest.raises(ConfigurationError):
        source_of(forum, reply_url=REPLY_URL).check_connection()
    source_of(forum).check_connection()
    source_of(forum, reply_url=REPLY_URL, ping=False).check_connection()
    assert len(forum.requests) == 2


def test_the_authorization_header_is_sent() -> None:
    """For a gateway before the receiver."""
    forum = Forum()
    sent(forum, authorization="Bearer forum-secret")
    assert forum.requests[0].headers["Authorization"] == "Bearer forum-secret"
    assert datetime.now(UTC).timestamp() - int(forum.requests[0].headers["webhook-timestamp"]) < 60


def test_a_secret_that_comes_back_in_an_error_page_is_hidden() -> None:
    """Error pages of web frameworks show the request with its headers; attempts are kept and shown."""
    forum = Forum()
    forum.answers = [reply(ASKED, 500, {"Authorization": "Bearer very-secret"})]
    error = error_of(sent(forum, authorization="Bearer very-secret"))
    assert isinstance(error, OutcomeUnknown)
    assert "very-secret" not in error.detail
