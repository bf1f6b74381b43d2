"""Signatures in both directions, held against the library of Standard Webhooks and against openssl."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from forum_vendor import OTHER, SECRET, incoming, source_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook

from hub.sdk import SignatureRejected, WebhookRequest
from plugins.sources.webhook.settings import WebhookSettings
from plugins.sources.webhook.signing import Signing

BODY = '{"type": "message", "text": "è già arrivato? 📦"}'.encode()
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def signed(secret: str = SECRET, *, at: datetime = NOW, body: bytes = BODY) -> WebhookRequest:
    """A request signed by the third party's library."""
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return incoming(body, headers, at=NOW)


def changed(request: WebhookRequest, **headers: str) -> WebhookRequest:
    """The request with other headers (``_`` for ``-``)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return incoming(request.body, {**request.headers, **named}, at=NOW)


def test_the_library_s_signature_is_believed() -> None:
    """What standardwebhooks signs, verify() accepts, also beside signatures of other keys and versions."""
    source, request = source_of(), signed()
    source.verify(request)
    source.verify(changed(request, webhook_signature="v1a,xyz v1,AAAA " + request.headers["webhook-signature"]))


def test_our_signature_is_believed_by_the_library() -> None:
    """What we sign, standardwebhooks accepts."""
    now = datetime.now(UTC)
    headers = Signing("standard", [SECRET], 300).headers("key-1", BODY, now)
    Webhook(SECRET).verify(BODY, headers, json_parse=False)


def test_a_new_and_an_old_secret_are_believed() -> None:
    """Two secrets are valid while one replaces the other; the first one signs."""
    source = source_of(secrets=[SECRET, OTHER])
    source.verify(signed(SECRET))
    source.verify(signed(OTHER))
    headers = Signing("standard", [SECRET, OTHER], 300).headers("key-1", BODY, datetime.now(UTC))
    Webhook(SECRET).verify(BODY, headers, json_parse=False)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed(OTHER), id="another secret"),
        pytest.param(incoming(BODY + b" ", signed().headers, at=NOW), id="one byte more"),
        pytest.param(changed(signed(), webhook_id="msg_2"), id="another id"),
        pytest.param(signed(at=NOW - timedelta(seconds=301)), id="too old"),
        pytest.param(signed(at=NOW + timedelta(seconds=301)), id="from the future"),
        pytest.param(incoming(BODY, at=NOW), id="no headers"),
        pytest.param(changed(signed(), webhook_timestamp="soon"), id="no number"),
        pytest.param(changed(signed(), webhook_timestamp="9" * 400), id="a huge number"),
        pytest.param(changed(signed(), webhook_signature="v1"), id="no signature in the signature"),
        pytest.param(changed(signed(), webhook_signature="v1,è"), id="not ASCII"),
    ],
)
def test_what_is_not_signed_is_rejected(request_: WebhookRequest) -> None:
    """Every one of these ends as SignatureRejected."""
    with pytest.raises(SignatureRejected):
        source_of().verify(request_)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    """Whatever stands in the headers, it is a rejection and no other error."""
    with pytest.raises(SignatureRejected):
        source_of().verify(incoming(BODY, headers, at=NOW))


def test_x_hub_signature_is_that_of_openssl() -> None:
    """The second kind, as in the README: openssl signs, verify() accepts, and one changed byte is rejected."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("this test needs openssl")
    made = subprocess.run([openssl, "dgst", "-sha256", "-hmac", "s3cret"], input=BODY, capture_output=True, check=True)
    signature = "sha256=" + made.stdout.decode().split()[-1]
    source = source_of(signature="x_hub", secrets=["new", "s3cret"])
    source.verify(incoming(BODY, {"X-Hub-Signature-256": signature}))
    for body, header in ((BODY + b" ", signature), (BODY, signature[7:]), (BODY, "")):
        with pytest.raises(SignatureRejected):
            source.verify(incoming(body, {"X-Hub-Signature-256": header}))
    assert Signing("x_hub", ["s3cret"], 300).headers("key-1", BODY, NOW) == {
        "webhook-id": "key-1",
        "X-Hub-Signature-256": signature,
    }


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_short"], ["not base64 at all!"], [SECRET, OTHER, SECRET]])
def test_secrets_that_cannot_work_are_refused_and_not_shown(secrets: list[str]) -> None:
    """A secret of another form is an error of the settings, without the secret in its words."""
    with pytest.raises(ValidationError) as refused:
        WebhookSettings.model_validate({"secrets": secrets})
    assert not any(secret and secret in str(refused.value) for secret in secrets)
