"""Which signatures a connection believes, as its settings say. The signatures themselves: tests/sdk/test_signing.py."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

import pytest
from forum_vendor import OTHER, SECRET, incoming, source_of
from pydantic import ValidationError
from standardwebhooks import Webhook

from hub.sdk import SignatureRejected, WebhookRequest
from plugins.sources.webhook.settings import WebhookSettings

BODY = b'{"type": "message"}'
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def signed(secret: str = SECRET, *, at: datetime = NOW) -> WebhookRequest:
    """A request signed by the third party's library, which arrives at ``NOW``."""
    signature = Webhook(secret).sign("msg_1", at, BODY.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return incoming(BODY, headers, at=NOW)


def test_every_secret_of_the_settings_is_believed() -> None:
    """Two secrets are valid while one replaces the other, and no third."""
    source_of(secrets=[SECRET, OTHER]).verify(signed(OTHER))
    with pytest.raises(SignatureRejected):
        source_of().verify(signed(OTHER))


def test_the_tolerance_of_the_settings_counts() -> None:
    """A signed time may be as old as tolerance_s."""
    request = signed(at=NOW - timedelta(seconds=301))
    source_of(tolerance_s=600).verify(request)
    with pytest.raises(SignatureRejected):
        source_of().verify(request)


def test_the_kind_of_the_settings_counts() -> None:
    """With x_hub, X-Hub-Signature-256 is believed and Standard Webhooks is not."""
    source = source_of(signature="x_hub", secrets=["new", "s3cret"])
    source.verify(incoming(BODY, {"X-Hub-Signature-256": "sha256=" + hmac.digest(b"s3cret", BODY, "sha256").hex()}))
    with pytest.raises(SignatureRejected):
        source.verify(signed())


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_short"], ["not base64 at all!"], [SECRET, OTHER, SECRET]])
def test_secrets_that_cannot_work_are_refused_and_not_shown(secrets: list[str]) -> None:
    """A secret of another form is an error of the settings, without the secret in its words."""
    with pytest.raises(ValidationError) as refused:
        WebhookSettings.model_validate({"secrets": secrets})
    assert not any(secret and secret in str(refused.value) for secret in secrets)
