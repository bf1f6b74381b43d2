"""Signatures of webhooks in both directions: Standard Webhooks, or the older ``X-Hub-Signature-256``.

The spec is https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Its Python
library (standardwebhooks 1.1) reads the machine's own clock and raises ``ValueError`` for a malformed header, so it is
what the tests hold this against, and not used here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from hub.sdk import SignatureRejected, WebhookRequest, check_hmac_sha256

SignatureKind = Literal["standard", "x_hub"]

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes; the spec's own limits


def standard_key(secret: str) -> bytes:
    """The key inside of ``whsec_<base64>``. Raises ``ValueError`` when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX) + "==")
    except binascii.Error as error:
        raise ValueError("must be whsec_ and base64") from error
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"must hold {_SHORTEST} to {_LONGEST} bytes in base64, not {len(key)}")
    return key


class Signing:
    """Checks and makes the signatures of one connection. The first secret signs, each of them is believed."""

    def __init__(self, kind: SignatureKind, secrets: Sequence[str], tolerance_s: float) -> None:
        self._kind = kind
        self._secrets = tuple(secrets)
        self._keys = [standard_key(secret) if kind == "standard" else secret.encode() for secret in secrets]
        self._tolerance_s = tolerance_s

    def verify(self, request: WebhookRequest) -> None:
        """Return when the bytes are signed under one of the secrets; raise ``SignatureRejected`` otherwise."""
        if self._kind == "x_hub":
            signature = request.headers.get("x-hub-signature-256", "")
            check_hmac_sha256(request.body, signature, self._secrets, prefix="sha256=")
            return
        headers = request.headers
        message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = headers.get("webhook-signature", "")
        if not message_id or not given or not (sent.isascii() and sent.isdigit() and len(sent) < 12):
            raise SignatureRejected("webhook-id, webhook-timestamp or webhook-signature is missing or not readable")
        if abs(request.received_at.timestamp() - int(sent)) > self._tolerance_s:
            raise SignatureRejected("webhook-timestamp is too old or in the future; check the clocks")
        signed = f"{message_id}.{sent}.".encode() + request.body
        wanted = [_v1(key, signed) for key in self._keys]
        for one in given.encode().split():
            if any(hmac.compare_digest(one, each) for each in wanted):
                return
        raise SignatureRejected("the signature does not match any configured secret")

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The headers that sign ``body``; ``message_id`` goes out as ``webhook-id`` under both kinds."""
        key = self._keys[0]
        if self._kind == "x_hub":
            digest = hmac.digest(key, body, "sha256").hex()
            return {"webhook-id": message_id, "X-Hub-Signature-256": f"sha256={digest}"}
        sent = str(int(now.timestamp()))
        signature = _v1(key, f"{message_id}.{sent}.".encode() + body).decode()
        return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}


def _v1(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
