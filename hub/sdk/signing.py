"""Signatures of webhooks in both directions: Standard Webhooks, and the older ``X-Hub-Signature-256``.

The spec is https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Its Python
library (standardwebhooks 1.1) reads the machine's own clock and raises ``ValueError`` for a malformed header, so it is
what the tests hold this against, and not used here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from hub.sdk.errors import SignatureRejected
from hub.sdk.webhooks import WebhookRequest, check_age, check_hmac_sha256

_SHORTEST, _LONGEST = 24, 64  # bytes; the spec's own limits


class StandardWebhooks:
    """Checks and makes Standard Webhooks signatures, version 1, of one connection.

    ``secrets``: ``whsec_`` and base64, at least one. The first signs, each of them is believed (two during a
    rotation). ``tolerance_s``: how far a signed time may be from now. Raises ``ValueError``, without the secret in its
    words, when one has another form.
    """

    def __init__(self, secrets: Sequence[str], *, tolerance_s: float = 300) -> None:
        self._keys = [_standard_key(secret) for secret in secrets]
        self._tolerance_s = tolerance_s

    def verify(self, request: WebhookRequest) -> None:
        """Return when the bytes are signed under one of the secrets; raise ``SignatureRejected`` otherwise."""
        headers = request.headers
        message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = headers.get("webhook-signature", "")
        if not message_id or not given or not (sent.isascii() and sent.isdigit() and len(sent) < 12):
            raise SignatureRejected("webhook-id, webhook-timestamp or webhook-signature is missing or not readable")
        check_age(datetime.fromtimestamp(int(sent), UTC), request.received_at, tolerance_s=self._tolerance_s)
        signed = f"{message_id}.{sent}.".encode() + request.body
        check_hmac_sha256(signed, given.split(), self._keys, encoding="base64", prefix="v1,")

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The headers that sign ``body``. ``message_id`` is the receiver's idempotency key."""
        sent = str(int(now.timestamp()))
        digest = hmac.digest(self._keys[0], f"{message_id}.{sent}.".encode() + body, "sha256")
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}


class XHubSignature:
    """Checks and makes ``X-Hub-Signature-256`` of one connection. No time is signed, so an old request stays good.

    ``secrets``: any texts, at least one. The first signs, each of them is believed.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def verify(self, request: WebhookRequest) -> None:
        """Return when the bytes are signed under one of the secrets; raise ``SignatureRejected`` otherwise."""
        check_hmac_sha256(request.body, request.headers.get("x-hub-signature-256", ""), self._secrets, prefix="sha256=")

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The headers that sign ``body``; ``message_id`` goes out as ``webhook-id``, unsigned."""
        digest = hmac.digest(self._secrets[0].encode(), body, "sha256").hex()
        return {"webhook-id": message_id, "X-Hub-Signature-256": f"sha256={digest}"}


Signing = StandardWebhooks | XHubSignature
"""Either kind: they have the same two methods."""


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    except binascii.Error as error:
        raise ValueError("must be whsec_ and base64") from error
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"must hold {_SHORTEST} to {_LONGEST} bytes in base64, not {len(key)}")
    return key
