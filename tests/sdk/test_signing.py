"""Signatures in both directions, held against the library of Standard Webhooks and against openssl."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from hub.sdk import SignatureRejected, StandardWebhooks, WebhookRequest, XHubSignature

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgMzI="
BODY = '{"type": "message", "text": "è già arrivato? 📦"}'.encode()
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def incoming(body: bytes, headers: dict[str, str] | None = None) -> WebhookRequest:
    """A request that arrives at ``NOW``."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    return WebhookRequest(method="POST", path="/hooks/acme", headers=named, query={}, body=body, received_at=NOW)


def signed(secret: str = SECRET, *, at: datetime = NOW) -> WebhookRequest:
    """A request signed by the third party's library."""
    signature = Webhook(secret).sign("msg_1", at, BODY.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return incoming(BODY, headers)


def changed(request: WebhookRequest, **headers: str) -> WebhookRequest:
    """The request with other headers (``_`` for ``-``)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return incoming(request.body, {**request.headers, **named})


def test_the_library_s_signature_is_believed() -> None:
    """What standardwebhooks signs, verify() accepts, also beside signatures of other keys and versions."""
    ours, request = StandardWebhooks([SECRET]), signed()
    ours.verify(request)
    ours.verify(changed(request, webhook_signature="v1a,xyz v1,AAAA " + request.headers["webhook-signature"]))


def test_our_signature_is_believed_by_the_library() -> None:
    """What we sign, standardwebhooks accepts."""
    headers = StandardWebhooks([SECRET]).headers("key-1", BODY, datetime.now(UTC))
    Webhook(SECRET).verify(BODY, headers, json_parse=False)


def test_a_new_and_an_old_secret_are_believed() -> None:
    """Two secrets are valid while one replaces the other; the first one signs."""
    ours = StandardWebhooks([SECRET, OTHER])
    ours.verify(signed(SECRET))
    ours.verify(signed(OTHER))
    Webhook(SECRET).verify(BODY, ours.headers("key-1", BODY, datetime.now(UTC)), json_parse=False)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed(OTHER), id="another secret"),
        pytest.param(incoming(BODY + b" ", signed().headers), id="one byte more"),
        pytest.param(changed(signed(), webhook_id="msg_2"), id="another id"),
        pytest.param(signed(at=NOW - timedelta(seconds=301)), id="too old"),
        pytest.param(signed(at=NOW + timedelta(seconds=301)), id="from the future"),
        pytest.param(incoming(BODY), id="no headers"),
        pytest.param(changed(signed(), webhook_timestamp="soon"), id="no number"),
        pytest.param(changed(signed(), webhook_timestamp="9" * 400), id="a huge number"),
        pytest.param(changed(signed(), webhook_timestamp="9" * 11), id="the year 5138"),
        pytest.param(changed(signed(), webhook_signature="v1"), id="no signature in the signature"),
        pytest.param(changed(signed(), webhook_signature="v2," + signed().headers["webhook-signature"][3:]), id="v2"),
        pytest.param(changed(signed(), webhook_signature="v1,è"), id="not ASCII"),
    ],
)
def test_what_is_not_signed_is_rejected(request_: WebhookRequest) -> None:
    """Every one of these ends as SignatureRejected."""
    with pytest.raises(SignatureRejected):
        StandardWebhooks([SECRET]).verify(request_)


def test_the_tolerance_is_the_caller_s() -> None:
    """What is too old for one is young enough for another."""
    StandardWebhooks([SECRET], tolerance_s=600).verify(signed(at=NOW - timedelta(seconds=301)))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    """Whatever stands in the headers, it is a rejection and no other error."""
    with pytest.raises(SignatureRejected):
        StandardWebhooks([SECRET]).verify(incoming(BODY, headers))


def test_x_hub_signature_is_that_of_openssl() -> None:
    """The second kind: openssl signs, verify() accepts, and one changed byte is rejected."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("this test needs openssl")
    made = subprocess.run([openssl, "dgst", "-sha256", "-hmac", "s3cret"], input=BODY, capture_output=True, check=True)
    signature = "sha256=" + made.stdout.decode().split()[-1]
    ours = XHubSignature(["new", "s3cret"])
    ours.verify(incoming(BODY, {"X-Hub-Signature-256": signature}))
    for body, header in ((BODY + b" ", signature), (BODY, signature[7:]), (BODY, "")):
        with pytest.raises(SignatureRejected):
            ours.verify(incoming(body, {"X-Hub-Signature-256": header}))
    assert XHubSignature(["s3cret"]).headers("key-1", BODY, NOW) == {
        "webhook-id": "key-1",
        "X-Hub-Signature-256": signature,
    }


@pytest.mark.parametrize("secret", ["", "whsec_short", "not base64 at all!", "whsec_" + "A" * 100, "whsec_è"])
def test_a_secret_that_cannot_work_is_refused_and_not_shown(secret: str) -> None:
    """A secret of another form is told when the connector is made, without the secret in the words."""
    with pytest.raises(ValueError, match=r"must|ASCII") as refused:
        StandardWebhooks([SECRET, secret])
    assert not secret or secret not in str(refused.value)
