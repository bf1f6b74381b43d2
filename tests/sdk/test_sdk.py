"""The contract's own pieces: errors, signatures, texts, transport."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from datetime import UTC, datetime, timedelta

import pytest
import requests
import responses

from hub.flow.retry import ACTIONS
from hub.sdk import (
    ConnectorError,
    HttpSession,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    ReplyLimits,
    Settings,
    SignatureRejected,
    TemporaryFailure,
    check_age,
    check_hmac_sha256,
    errors,
    failure_of_transport,
    rate_limited,
)
from hub.sdk.text import html_to_text, length, split

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ConnectorError)]


@pytest.mark.parametrize(
    "kind", [kind for kind in ERRORS if kind is not ConnectorError], ids=lambda kind: kind.__name__
)
def test_each_error_has_one_handler_a_docstring_and_survives_pickling(kind: type[ConnectorError]) -> None:
    """No class of error falls through."""
    assert kind in ACTIONS
    assert (kind.__doc__ or "").strip()
    copy = pickle.loads(pickle.dumps(kind("what happened", detail="more", vendor_request_id="r1")))
    assert (type(copy), copy.summary, copy.detail, copy.vendor_request_id) == (kind, "what happened", "more", "r1")
    assert str(copy) == "what happened"


def test_a_rate_limit_keeps_its_time_through_pickling() -> None:
    """The fields of a subclass survive too."""
    copy = pickle.loads(pickle.dumps(RateLimited("slow", retry_after=7, scope="lane")))
    assert (copy.retry_after, copy.scope) == (7, "lane")


@pytest.mark.parametrize("secrets", [["old", "new"], ["new", ""]])
def test_a_signature_under_any_configured_secret_passes(secrets: list[str]) -> None:
    """Two secrets are valid at once during a rotation."""
    signature = "sha256=" + hmac.new(b"new", b"body", hashlib.sha256).hexdigest()
    check_hmac_sha256(b"body", signature, secrets, prefix="sha256=")


@pytest.mark.parametrize(
    ("body", "signature", "secrets"),
    [
        (b"Body", "sha256=" + hmac.new(b"new", b"body", hashlib.sha256).hexdigest(), ["new"]),
        (b"body", hmac.new(b"new", b"body", hashlib.sha256).hexdigest(), ["new"]),
        (b"body", "", ["new"]),
        (b"body", "sha256=" + hmac.new(b"", b"body", hashlib.sha256).hexdigest(), [""]),
        (b"body", "sha256=" + hmac.new(b"new", b"body", hashlib.sha256).hexdigest(), []),
        (b"body", "sha256=\xe9", ["new"]),
    ],
    ids=["changed body", "no prefix", "missing", "empty secret", "no secret", "not ascii"],
)
def test_any_other_signature_is_rejected(body: bytes, signature: str, secrets: list[str]) -> None:
    """Also when no secret is set at all."""
    with pytest.raises(SignatureRejected):
        check_hmac_sha256(body, signature, secrets, prefix="sha256=")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_future_timestamp_is_rejected(seconds: int) -> None:
    """Five minutes either way."""
    check_age(NOW - timedelta(seconds=299), NOW)
    with pytest.raises(SignatureRejected):
        check_age(NOW + timedelta(seconds=seconds), NOW)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Mon, 02 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"X-RateLimit-Reset": "2026-11-02T12:01:00.000Z"}, 60.0),
        ({"X-RateLimit-Reset": str(NOW.timestamp() + 5)}, 5.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_429_tells_how_long_to_wait_in_every_form_in_use(headers: dict[str, str], wait: float | None) -> None:
    """Seconds, dates, ISO times and epochs; nonsense and silence are "not said"."""
    response = requests.Response()
    response.headers.update(headers)
    assert rate_limited(response, NOW).retry_after == wait


def test_an_error_before_anything_was_sent_may_be_repeated_and_any_other_may_not() -> None:
    """The difference between late and double."""
    session = HttpSession(user_agent="test")
    with pytest.raises(requests.ConnectionError) as refused:
        session.post("http://127.0.0.1:1/x")
    assert isinstance(failure_of_transport(refused.value, effect_possible=True), TemporaryFailure)
    for error in (requests.ReadTimeout("late"), requests.ConnectionError("Connection aborted"), requests.Timeout()):
        assert isinstance(failure_of_transport(error, effect_possible=True), OutcomeUnknown)
        assert isinstance(failure_of_transport(error, effect_possible=False), TemporaryFailure)


@responses.activate
def test_the_session_counts_its_calls_and_never_repeats_one() -> None:
    """What a connection costs is counted where it is spent."""
    calls: list[int] = []
    session = HttpSession(user_agent="test", on_call=lambda: calls.append(1))
    responses.add(responses.PUT, "http://127.0.0.1:9/x", status=503)
    assert session.put("http://127.0.0.1:9/x").status_code == 503
    assert len(calls) == len(responses.calls) == 1


def test_settings_refuse_unknown_keys_and_never_print_their_values() -> None:
    """A typo is an error, and an error shows no token."""

    class Mine(Settings):
        token: str

    with pytest.raises(ValueError, match="tokn") as error:
        Mine.model_validate({"token": "s3cret-value", "tokn": "s3cret-value"})
    assert "s3cret-value" not in str(error.value)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("<p>one<br>two</p><p>three &amp; four</p>", "one\ntwo\n\nthree & four"),
        ("<script>alert(1)</script><p>seen</p>", "seen"),
        (
            '<p><span class="h-card"><a class="u-url mention">@<span>brand</span></a></span> late</p>',
            "@brand late",
        ),
        (
            '<a href="https://e.example/a/b"><span class="invisible">https://</span><span class="ellipsis">e.example/a'
            '</span><span class="invisible">/b</span></a>',
            "https://e.example/a/b",
        ),
        ("<p>two<br>\nlines</p>", "two\nlines"),
        ("<p>one\n  line</p>\n<p>and \t<b> another</b> </p>", "one line\n\nand another"),
        ("<ul>\n  <li>a</li>\r\n  <li>b</li>\n</ul>", "a\nb"),
        ("<p>one</p><pre>\n  if x:\n\n    y   = 1</pre>", "one\n\n  if x:\n\n    y   = 1"),
        ("a &lt;<!-- said\nby nobody -->b", "a <b"),
        ("<p>a&nbsp; &nbsp;b</p>", "a   b"),
        ("plain\ntext", "plain\ntext"),
    ],
)
def test_html_becomes_the_text_a_person_sees(html: str, text: str) -> None:
    """Line breaks, paragraphs, entities, mentions and shortened links."""
    assert html_to_text(html) == text


def test_texts_are_split_at_borders_and_lose_no_word() -> None:
    """Sentences before words, words before graphemes; a link is never longer than the platform counts it."""
    limits = ReplyLimits(max_length=60, url_length=23)
    text = (
        "First sentence here. Second one is a bit longer, see https://example.com/"
        + "a" * 80
        + " and more. Ciao! 👨‍👩‍👧‍👦"
    )
    parts = split(text, limits)
    assert all(length(part, limits) <= 60 for part in parts)
    assert " ".join(parts).split() == text.split()
    assert parts[0] == "First sentence here. Second one is a bit longer, see"
    assert split("One sentence that fills it well. Another that does not fit", ReplyLimits(max_length=50)) == [
        "One sentence that fills it well.",
        "Another that does not fit",
    ]


@pytest.mark.parametrize("unit", ["characters", "graphemes", "utf8_bytes"])
def test_a_word_without_borders_is_cut_between_graphemes(unit: str) -> None:
    """A family stays a family."""
    limits = ReplyLimits(max_length=50, unit=unit)  # type: ignore[arg-type]
    parts = split("👨‍👩‍👧‍👦" * 30, limits)
    assert "".join(parts) == "👨‍👩‍👧‍👦" * 30
    assert all(length(part, limits) <= 50 and part.startswith("👨") for part in parts)


def test_a_receipt_can_be_stored() -> None:
    """Half a surrogate pair in a vendor's answer must not keep the outcomes of a whole batch from being written."""
    receipt = Receipt(vendor_id="a\ud800", permalink="\ud800", comment_id="\x00b")
    assert (receipt.vendor_id, receipt.permalink, receipt.comment_id) == ("a?", "?", "b")
