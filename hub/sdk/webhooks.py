"""A webhook request as plugins see it, and the pieces every signature check needs."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hub.sdk.errors import SignatureRejected


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What came over the wire. ``headers`` has lower-case names; ``body`` is the raw bytes, never re-serialised."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What a handshake answers."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def check_hmac_sha256(
    signed: bytes,
    signature: str | Sequence[str],
    secrets: Iterable[str | bytes],
    *,
    encoding: Literal["hex", "base64"] = "hex",
    prefix: str = "",
) -> None:
    """Return when ``signature`` is the HMAC-SHA256 of ``signed`` under one of ``secrets`` (two during a rotation).

    A list of signatures: one of them must be; those without the ``prefix`` are passed over. Compares in constant time.
    Raises :class:`SignatureRejected` otherwise, also when no secret is set.
    """
    all_given = [signature] if isinstance(signature, str) else signature
    given = [one[len(prefix) :].encode() for one in all_given if one.startswith(prefix)]
    if not given:
        raise SignatureRejected("the signature header is missing or has another form")
    keys = [secret.encode() if isinstance(secret, str) else secret for secret in secrets if secret]
    for key in keys:
        digest = hmac.digest(key, signed, "sha256")
        wanted = digest.hex().encode() if encoding == "hex" else base64.b64encode(digest)
        if any(hmac.compare_digest(one, wanted) for one in given):
            return
    raise SignatureRejected("the signature does not match any configured secret")


def check_age(sent_at: datetime, received_at: datetime, *, tolerance_s: float = 300) -> None:
    """Raise :class:`SignatureRejected` when a signed timestamp is further than ``tolerance_s`` from now, either way."""
    if abs((received_at - sent_at).total_seconds()) > tolerance_s:
        raise SignatureRejected("the signed timestamp is too old or in the future; check the clocks")
