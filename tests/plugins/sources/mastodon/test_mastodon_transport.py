"""Every way the network and the server can fail, and the one error of the hub it becomes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from mastodon_samples import account, status
from mastodon_stage import make_toolbox
from urllib3.exceptions import NewConnectionError

from hub.sdk import (
    Absent,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    ConnectorError,
    DeleteReply,
    Delivery,
    EditReply,
    Failure,
    Found,
    HttpSession,
    Identity,
    MessageDeleted,
    MessageSeen,
    OutcomeUnknown,
    PayloadNotUnderstood,
    RateLimited,
    Receipt,
    Refused,
    Reply,
    TemporaryFailure,
)
from plugins.sources.mastodon import payloads
from plugins.sources.mastodon.source import MastodonSource

URL = "https://mastodon.example"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOKEN = "tok-3f9a-never-show"
NOTIFICATIONS = URL + "/api/v1/notifications"
STATUSES = URL + "/api/v1/statuses"
LUCIA = Identity(network="mastodon", id="lucia@elsewhere.example", handle="lucia@elsewhere.example")


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    """A server that knows who we are and nothing else."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(URL + "/api/v1/accounts/verify_credentials", json=account("7", "acme"))
        mock.get(
            URL + "/api/v2/instance",
            json={
                "domain": "mastodon.example",
                "version": "4.5.0",
                "configuration": {"statuses": {"max_characters": 1000, "characters_reserved_per_url": 20}},
            },
        )
        yield mock


@pytest.fixture
def source(http: HttpSession, vendor: responses.RequestsMock) -> MastodonSource:
    settings = MastodonSource.Settings.model_validate({"base_url": URL, "access_token": TOKEN})
    return MastodonSource(settings, make_toolbox(http, lambda: NOW))


def reply(text: str = "We look into it", **fields: Any) -> Delivery:
    body = Reply(network="mastodon", thread_id="100", reply_to="100", to=LUCIA, text=text, **fields)
    return Delivery(key="0b5e0c5e-1111-5222-8333-444455556666", body=body, first_attempt_at=NOW)


def failed(source: MastodonSource, delivery: Delivery) -> ConnectorError:
    (result,) = source.deliver([delivery])
    assert isinstance(result, Failure)
    return result.error


def refused_connection() -> requests.ConnectionError:
    return requests.ConnectionError(NewConnectionError(None, "refused"))  # type: ignore[arg-type]


ANSWERS: list[tuple[dict[str, Any], type[ConnectorError], type[ConnectorError]]] = [
    ({"body": requests.ReadTimeout()}, TemporaryFailure, OutcomeUnknown),
    ({"body": requests.ConnectTimeout()}, TemporaryFailure, TemporaryFailure),
    ({"body": refused_connection()}, TemporaryFailure, TemporaryFailure),
    ({"body": requests.ConnectionError("reset by peer")}, TemporaryFailure, OutcomeUnknown),
    ({"body": requests.exceptions.ChunkedEncodingError()}, TemporaryFailure, OutcomeUnknown),
    ({"status": 200, "body": "<html>login</html>"}, TemporaryFailure, OutcomeUnknown),
    ({"status": 200, "body": '{"id": "10'}, TemporaryFailure, OutcomeUnknown),
    ({"status": 200, "json": "fine"}, PayloadNotUnderstood, OutcomeUnknown),
    ({"status": 200, "json": {"error": "no list"}}, PayloadNotUnderstood, OutcomeUnknown),
    ({"status": 302, "headers": {"Location": "https://new.example/x"}}, ConfigurationError, ConfigurationError),
    ({"status": 401, "json": {"error": "The access token was revoked"}}, AuthenticationFailed, AuthenticationFailed),
    ({"status": 403, "json": {"error": "This action is not allowed"}}, AuthenticationFailed, Refused),
    (
        {"status": 403, "json": {"error": "This action is outside the authorized scopes"}},
        AuthenticationFailed,
        AuthenticationFailed,
    ),
    (
        {"status": 422, "json": {"error": "This method requires an authenticated user"}},
        AuthenticationFailed,
        AuthenticationFailed,
    ),
    ({"status": 404, "json": {"error": "Record not found"}}, TemporaryFailure, Refused),
    ({"status": 404, "body": "<html>not found</html>"}, TemporaryFailure, Refused),
    ({"status": 408}, TemporaryFailure, TemporaryFailure),
    ({"status": 409, "json": {"error": "conflict"}}, Refused, Refused),
    ({"status": 422, "json": {"error": "Validation failed: Text is too long"}}, Refused, Refused),
    ({"status": 422, "json": {"error": "Validation failed: the poll is suspended"}}, Refused, Refused),
    ({"status": 422, "json": ["odd"]}, Refused, Refused),
    ({"status": 429, "json": {"error": "Too many requests"}}, RateLimited, RateLimited),
    ({"status": 500, "json": {"error": "An unexpected error occurred"}}, TemporaryFailure, OutcomeUnknown),
    ({"status": 502, "body": "<html>bad gateway</html>"}, TemporaryFailure, OutcomeUnknown),
    ({"status": 503, "headers": {"Retry-After": "60"}}, TemporaryFailure, OutcomeUnknown),
]


@pytest.mark.parametrize(("answer", "error", "_write"), ANSWERS)
def test_a_read_fails(
    source: MastodonSource,
    vendor: responses.RequestsMock,
    answer: dict[str, Any],
    error: type[ConnectorError],
    _write: object,
) -> None:
    """A poll that fails raises the one error that tells the hub what to do next."""
    vendor.get(NOTIFICATIONS, **answer)
    with pytest.raises(ConnectorError) as caught:
        source.fetch_page({"mentions": "5"})
    assert isinstance(caught.value, error)


@pytest.mark.parametrize(("answer", "_read", "error"), ANSWERS)
def test_a_reply_fails(
    source: MastodonSource,
    vendor: responses.RequestsMock,
    answer: dict[str, Any],
    _read: object,
    error: type[ConnectorError],
) -> None:
    """A reply whose answer was lost is of unknown outcome; one that certainly did not happen is not."""
    vendor.post(STATUSES, **answer)
    assert isinstance(failed(source, reply()), error)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"X-RateLimit-Reset": "2026-05-01T12:05:00.000000Z"}, 300.0),
        ({}, None),
    ],
)
def test_the_wait_is_read(
    source: MastodonSource, vendor: responses.RequestsMock, headers: dict[str, str], wait: float | None
) -> None:
    """Mastodon tells the wait by Retry-After or by X-RateLimit-Reset, or not at all."""
    vendor.post(STATUSES, status=429, headers=headers, json={"error": "Too many requests"})
    error = failed(source, reply())
    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.scope) == (wait, "connection")


def test_the_budget_of_deletions_holds_only_its_lane(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """30 deletions in 30 minutes is a limit of its own: replies go on."""
    vendor.delete(STATUSES + "/55", status=429)
    error = failed(source, Delivery(key="k", body=DeleteReply(message_id="55", reason="asked by its author")))
    assert isinstance(error, RateLimited)
    assert error.scope == "lane"


def test_an_agent_understands_why_a_reply_went_nowhere(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """The reason of a refused reply names what happened to the post, and the vendor's request id is kept."""
    vendor.post(STATUSES, status=404, headers={"X-Request-Id": "r-1"}, json={"error": "Record not found"})
    assert failed(source, reply()).summary.startswith("the post to answer was deleted")
    vendor.replace(responses.POST, STATUSES, status=422, headers={"X-Request-Id": "r-2"}, json={"error": "too long"})
    error = failed(source, reply())
    assert (error.summary, error.vendor_request_id) == ("Mastodon refuses it (422): too long", "r-2")


def test_the_cause_is_kept(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """An engineer finds the foreign exception behind ours."""
    vendor.post(STATUSES, body=requests.ReadTimeout("slow"))
    assert isinstance(failed(source, reply()).__cause__, requests.ReadTimeout)


def test_the_token_never_shows(
    source: MastodonSource, vendor: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """No repr, no error and no log line holds the token; the request does."""
    caplog.set_level(logging.DEBUG)
    vendor.post(STATUSES, status=401, json={"error": "The access token is invalid"})
    error = failed(source, reply())
    shown = "".join((repr(source.settings), str(source.__dict__), repr(error), error.detail, caplog.text))
    assert TOKEN not in shown
    assert vendor.calls[-1].request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(vendor.calls[-1].request.url)


def sent(vendor: responses.RequestsMock) -> dict[str, Any]:
    body = vendor.calls[-1].request.body
    assert isinstance(body, bytes)
    posted: dict[str, Any] = json.loads(body)
    return posted


@pytest.mark.parametrize(
    ("privacy", "visibility"),
    [("public", "public"), ("unlisted", "unlisted"), ("followers", "private"), ("direct", "direct")],
)
def test_a_reply_is_never_wider_than_allowed(
    source: MastodonSource, vendor: responses.RequestsMock, privacy: str, visibility: str
) -> None:
    """Each privacy goes out as its own visibility, with the key, the language and the customer's name."""
    vendor.post(STATUSES, json=status("101"))
    (result,) = source.deliver([reply(privacy=privacy, language="it")])
    assert isinstance(result, Receipt)
    assert (result.vendor_id, result.permalink) == ("101", "https://elsewhere.example/@lucia/101")
    assert sent(vendor) == {
        "status": "@lucia@elsewhere.example We look into it",
        "in_reply_to_id": "100",
        "visibility": visibility,
        "language": "it",
    }
    assert vendor.calls[-1].request.headers["Idempotency-Key"] == reply().key


@pytest.mark.parametrize(
    ("text", "privacy", "acct", "posted"),
    [
        ("Ciao", "public", "lucia", "@lucia Ciao"),
        ("Ciao", "public", "", "@lucia@elsewhere.example Ciao"),
        ("Ciao @Lucia, eccoci", "public", "lucia", "Ciao @Lucia, eccoci"),
        ("Ciao @lucia@elsewhere.example.", "public", "lucia", "Ciao @lucia@elsewhere.example."),
        ("Ciao @luciana", "public", "lucia", "@lucia Ciao @luciana"),
        ("Ciao @lucia.", "public", "lucia", "Ciao @lucia."),
        ("ask @bob", "public", "lucia", "@lucia ask @bob"),
        (".@bob. -@Bob", "direct", "lucia", "@lucia .@\u200bbob. -@\u200bBob"),
        ("ask @bob", "direct", "lucia", "@lucia ask @\u200bbob"),
        ("ask @bob@x.example", "followers", "lucia", "@lucia ask @\u200bbob@x.example"),
        ("write to help@acme.example", "direct", "lucia", "@lucia write to help@acme.example"),
        ("see https://x.example/@bob", "direct", "lucia", "@lucia see https://x.example/@bob"),
    ],
)
def test_whom_a_reply_names(
    source: MastodonSource, vendor: responses.RequestsMock, text: str, privacy: str, acct: str, posted: str
) -> None:
    """The customer is named exactly once, and a private answer names nobody else."""
    vendor.post(STATUSES, json=status("101"))
    source.deliver([reply(text, privacy=privacy, answer_with={"acct": acct} if acct else {})])
    assert sent(vendor)["status"] == posted


def test_a_private_reply_to_nobody_is_refused(source: MastodonSource) -> None:
    """Without a handle a private post would reach no one: it is refused before anything is sent."""
    nobody = Identity(network="mastodon", id="x")
    body = Reply(network="mastodon", thread_id="1", reply_to="1", to=nobody, text="hi", privacy="direct")
    assert isinstance(failed(source, Delivery(key="k", body=body)), Refused)


def test_an_edit_keeps_the_name_it_was_addressed_to(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """The customer stays named, or a private reply would become unreadable for them."""
    lucia = {"id": "42", "username": "lucia", "acct": "lucia@elsewhere.example", "url": ""}
    colleague = {"id": "43", "username": "colleague", "acct": "colleague", "url": ""}
    published = status("55", visibility="direct", mentions=[colleague, lucia], in_reply_to_account_id="42")
    vendor.get(STATUSES + "/55", json=published)
    vendor.put(STATUSES + "/55", json={**published, "edited_at": "2026-05-01T12:00:00.000Z"})
    (result,) = source.deliver([Delivery(key="k", body=EditReply(message_id="55", text="It leaves today"))])
    assert isinstance(result, Receipt)
    assert result.version == "2026-05-01T12:00:00.000Z"
    assert sent(vendor) == {"status": "@lucia@elsewhere.example It leaves today"}


def test_a_deletion_done_before_is_done(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """Deleting what is gone succeeds and says so."""
    vendor.delete(STATUSES + "/55", status=404, json={"error": "Record not found"})
    (result,) = source.deliver([Delivery(key="k", body=DeleteReply(message_id="55", reason="asked"))])
    assert result == Receipt(vendor_id="55", already_there=True)


def test_check_connection(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """The account is named with its domain and number, and the limits are the server's own less the mention."""
    found = source.check_connection()
    assert found.fingerprint == "acme@mastodon.example#7"
    assert found.reply_limits is not None
    assert (found.reply_limits.max_length, found.reply_limits.url_length) == (1000 - 32, 20)
    assert found.reply_limits.window_hours is None


def test_check_connection_of_a_server_that_is_no_mastodon(
    source: MastodonSource, vendor: responses.RequestsMock
) -> None:
    """A wrong base_url is a matter of configuration, not of patience."""
    vendor.replace(responses.GET, URL + "/api/v1/accounts/verify_credentials", status=404, body="<html>")
    with pytest.raises(ConfigurationError, match="no Mastodon API"):
        source.check_connection()
    with pytest.raises(TemporaryFailure):
        source.first_cursor()


def test_servers_without_v2_instance_work(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """Before Mastodon 4 the older list told the limits, before 3.4 nobody; the host was the domain."""
    vendor.replace(responses.GET, URL + "/api/v2/instance", status=404)
    media = {"supported_mime_types": ["image/png"], "image_size_limit": 5000}
    told = {"statuses": {"max_characters": 700, "max_media_attachments": 3}, "media_attachments": media}
    vendor.get(URL + "/api/v1/instance", json={"uri": "elsewhere.example", "configuration": told})
    found = source.check_connection()
    assert found.handle == "acme@mastodon.example"
    limits = found.reply_limits
    assert limits is not None
    assert (limits.max_length, limits.attachments, limits.attachment_bytes) == (668, 3, 5000)
    vendor.replace(responses.GET, URL + "/api/v1/instance", status=404)
    limits = source.check_connection().reply_limits
    assert limits is not None
    assert (limits.max_length, limits.attachments) == (468, 0)


def test_filtered_mentions_are_asked_for(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """Mastodon holds back private mentions of strangers by default: they are customers."""
    vendor.get(NOTIFICATIONS, json=[{"id": "9", "type": "mention", "status": status()}])
    page = source.fetch_page({"mentions": "5"})
    asked = vendor.calls[-1].request.params  # type: ignore[attr-defined]
    assert (asked["include_filtered"], asked["min_id"]) == ("true", "5")
    assert set(asked["types[]"]) == set(payloads.NOTIFICATIONS)
    assert (page.has_more, page.cursor["mentions"], page.cursor["watched"]) == (True, "9", [["100", ""]])


def quiet(vendor: responses.RequestsMock) -> None:
    """Nothing new in any list."""
    for path in ("/api/v1/notifications", "/api/v1/conversations", "/api/v1/accounts/7/statuses"):
        vendor.get(URL + path, json=[])


def test_an_old_server_is_read_singly(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """Before 4.3 posts can only be read one by one: fewer at once, and the list is not asked for again."""
    quiet(vendor)
    vendor.get(STATUSES, status=404)
    for number in range(1, 6):
        vendor.get(f"{STATUSES}/{number}", json=status(str(number)))
    cursor = source.fetch_page({"watched": [[str(number), ""] for number in range(1, 6)]}).cursor
    before = len(vendor.calls)
    assert source.fetch_page(cursor).events == ()
    assert len(vendor.calls) - before == 3 + 3


def test_many_posts_are_read_again_by_one_call(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """An edit is seen, what is missing is asked for once more before it counts as deleted."""
    quiet(vendor)
    edited = status("1", edited_at="2026-05-01T11:00:00.000Z")
    vendor.get(STATUSES, json=[edited, status("2")])
    vendor.get(STATUSES + "/3", status=404)
    vendor.get(STATUSES + "/4", json=status("4"))
    page = source.fetch_page({"watched": [[number, ""] for number in "1234"]})
    assert [type(event) for event in page.events] == [MessageDeleted, MessageSeen]
    assert [entry[0] for entry in page.cursor["watched"]] == ["1", "2", "4"]
    assert source.fetch_page(page.cursor).events == ()


def test_replies_whose_parent_is_hidden_share_a_thread(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """The root of a thread with a missing head is the id its oldest visible post answers."""
    oldest = status("91", in_reply_to_id="90")
    vendor.get(STATUSES + "/100/context", json={"ancestors": [oldest], "descendants": []})
    vendor.get(STATUSES + "/91/context", json={"ancestors": [], "descendants": []})
    roots = []
    for body in (status("100", in_reply_to_id="91"), oldest):
        (event,) = source.complete(payloads.seen(body, payloads.OwnAccount("7", "acme", "mastodon.example")))
        assert isinstance(event, MessageSeen)
        roots.append((event.message.thread.id, event.message.root))
    assert roots == [("90", "90"), ("90", "90")]


def test_a_reply_deleted_before_it_is_completed_is_gone(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """Nothing is made of a post that its author took back in the meantime."""
    vendor.get(STATUSES + "/100/context", status=404)
    event = payloads.seen(status(in_reply_to_id="90"), payloads.OwnAccount("7", "acme", "mastodon.example"))
    assert source.complete(event) == []


@pytest.mark.parametrize(
    ("posted", "in_reply_to", "source_text", "expected"),
    [
        (NOW, "100", "@lucia@elsewhere.example We look into it", Found),
        (NOW - timedelta(seconds=60), "100", "@lucia@elsewhere.example We look into it", CannotTell),
        (NOW - timedelta(hours=1), "100", "@lucia@elsewhere.example We look into it", Absent),
        (NOW, "99", "@lucia@elsewhere.example We look into it", Absent),
        (NOW, "100", "@lucia@elsewhere.example Something else", Absent),
    ],
)
def test_find_a_reply(
    source: MastodonSource,
    vendor: responses.RequestsMock,
    posted: datetime,
    in_reply_to: str,
    source_text: str,
    expected: type,
) -> None:
    """Only the same words under the same post since the attempt are found; the clocks are not trusted blindly."""
    said = status("101", created_at=posted.isoformat(), in_reply_to_id=in_reply_to)
    old = status("50", created_at="2026-01-01T00:00:00Z")
    vendor.get(URL + "/api/v1/accounts/7/statuses", json=[said, old])
    vendor.get(STATUSES + "/101/source", json={"id": "101", "text": source_text})
    assert isinstance(source.find(reply()), expected)


def test_find_gives_up_where_there_is_too_much(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """An account that posted five pages since the attempt is not searched for ever, and nothing is claimed."""
    vendor.get(URL + "/api/v1/accounts/7/statuses", json=[status("101", created_at=NOW.isoformat())])
    assert isinstance(source.find(reply()), CannotTell)


def test_find_never_guesses_when_the_server_fails(source: MastodonSource, vendor: responses.RequestsMock) -> None:
    """A look-up that fails raises: it must not read as "absent"."""
    vendor.get(URL + "/api/v1/accounts/7/statuses", status=502)
    with pytest.raises(TemporaryFailure):
        source.find(reply())
