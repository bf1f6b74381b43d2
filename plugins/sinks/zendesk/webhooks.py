# SPDX-License-Identifier: GPL-3.0-or-later
"""Zendesk's webhooks: signature and body -> hints. Pure, no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from hub.sdk import (
    Hint,
    PayloadNotUnderstood,
    SignatureRejected,
    UnsupportedEvent,
    WebhookRequest,
    check_age,
    check_hmac_sha256,
)
from plugins.sinks.zendesk.payloads import is_id, part_of, text_of, time_of

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
_EVENT = "zen:event-type:"


def verify(request: WebhookRequest, secrets: Iterable[str]) -> None:
    """base64(HMAC-SHA256(timestamp + raw body)), not older than five minutes.

    https://developer.zendesk.com/documentation/webhooks/verifying/
    """
    timestamp = request.headers.get(TIMESTAMP, "")
    signature = request.headers.get(SIGNATURE, "")
    if not timestamp or not signature:
        raise SignatureRejected("the signature or its timestamp is missing")
    check_hmac_sha256(timestamp.encode() + request.body, signature, secrets, encoding="base64")
    sent_at = time_of(timestamp)
    if sent_at is None:
        raise SignatureRejected("the signed timestamp is not a time")
    check_age(sent_at, request.received_at)


def events(request: WebhookRequest, is_own: Callable[[str], bool] = lambda user_id: False) -> list[Hint]:
    """One hint to the ticket: of an event webhook (``zen:event-type:ticket.*``) or of a trigger's own body
    ``{"ticket_id": "{{ticket.id}}"}``. None for what our own account did, which ``is_own`` knows by its id."""
    try:
        body: Any = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise PayloadNotUnderstood("the body is not JSON") from error
    if not isinstance(body, dict):
        raise PayloadNotUnderstood("the body is not a JSON object")
    kind = text_of(body.get("type"))
    if kind.startswith(_EVENT):
        if not kind.startswith(_EVENT + "ticket."):
            raise UnsupportedEvent(f"{kind.removeprefix(_EVENT)[:80]} does not concern a ticket")
        ticket_id = text_of(part_of(body, "detail").get("id"))
        cause = text_of(body.get("id"))
    elif "ticket_id" in body:
        ticket_id = text_of(body["ticket_id"])
        cause = request.headers.get(INVOCATION, "")
    elif kind:
        raise UnsupportedEvent(f"unknown event {kind[:80]!r}")
    else:
        raise PayloadNotUnderstood("the body names no ticket")
    if not is_id(ticket_id):
        raise PayloadNotUnderstood("the ticket's id is missing or not a number of 1 to 20 digits")
    if kind.startswith(_EVENT) and _is_our_doing(body, kind, is_own):
        return []
    if not cause:  # an old webhook or a hand-made one: a repetition carries the same signed bytes
        signed = request.headers.get(TIMESTAMP, "").encode() + request.body
        cause = hashlib.sha256(signed).hexdigest()[:32]
    return [Hint(event_key=f"webhook:{cause[:100]}", lane=f"record:{ticket_id}", record=ticket_id)]


def _is_our_doing(body: dict[str, Any], kind: str, is_own: Callable[[str], bool]) -> bool:
    """Whether our own account acted. A comment counts as ours only when a customer's, or when it is internal: whoever
    shares our account with the hub may answer by hand. What is dropped here by mistake comes with the export."""
    if not is_own(text_of(part_of(body, "detail").get("actor_id"))):
        return False
    if kind != _EVENT + "ticket.comment_added":
        return True
    comment = part_of(part_of(body, "event"), "comment")
    author = part_of(comment, "author")
    if is_own(text_of(author.get("id"))):
        return comment.get("is_public") is False
    return author.get("is_staff") is False
