"""The scrip's webhooks: signature and body -> hints. Pure, no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
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
from plugins.sinks.request_tracker.payloads import text_of

SIGNATURE = "x-hub-signature"
TIMESTAMP = "x-hub-timestamp"


def verify(request: WebhookRequest, secrets: Iterable[str]) -> None:
    """``sha256=`` and hex(HMAC-SHA256(timestamp + "." + raw body)), not older than five minutes."""
    timestamp = request.headers.get(TIMESTAMP, "")
    if re.fullmatch(r"[0-9]{1,12}", timestamp) is None:
        raise SignatureRejected("the signed timestamp is missing or not a number of seconds")
    signed = timestamp.encode() + b"." + request.body
    check_hmac_sha256(signed, request.headers.get(SIGNATURE, ""), secrets, prefix="sha256=")
    check_age(datetime.fromtimestamp(min(int(timestamp), 253402300799), UTC), request.received_at)


def events(request: WebhookRequest) -> list[Hint]:
    """One hint to the ticket in ``{"event": "ticket", "ticket": 9, "transaction": 123}``."""
    try:
        body: Any = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise PayloadNotUnderstood("the body is not JSON") from error
    if not isinstance(body, dict):
        raise PayloadNotUnderstood("the body is not a JSON object")
    kind = text_of(body.get("event"))
    if kind and kind != "ticket":
        raise UnsupportedEvent(f"{kind[:80]!r} does not concern a ticket")
    ticket_id, transaction = text_of(body.get("ticket")), text_of(body.get("transaction"))
    if not kind or not all(re.fullmatch(r"[0-9]{1,18}", value) for value in (ticket_id, transaction)):
        raise PayloadNotUnderstood("the body does not name a ticket and a transaction")
    # Not the poll's key: the webhook may come before RT shows the change, the poll then brings it again.
    return [Hint(event_key=f"webhook:{transaction}", lane=f"record:{ticket_id}", record=ticket_id)]
