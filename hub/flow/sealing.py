"""Collected data is personal: it lies encrypted in a waiting delivery too, and is opened just before it leaves."""

from __future__ import annotations

from typing import Any, TypeVar

from hub.flow.hub import Hub
from hub.sdk.messages import Value

SEAL = "sealed"

B = TypeVar("B", bound=Value)


def seal(hub: Hub, body: B) -> B:
    """The body with its collected fields encrypted."""
    return _with_fields(body, lambda fields: {SEAL: hub.encrypt_json(fields) or ""} if fields else fields)


def unseal(hub: Hub, body: B) -> B:
    """What :func:`seal` was given."""
    return _with_fields(body, lambda fields: hub.decrypt_json(fields[SEAL]) if SEAL in fields else fields)


def _with_fields(body: B, change: Any) -> B:
    changes: dict[str, Any] = {}
    if hasattr(body, "fields"):
        changes["fields"] = change(body.fields)
    ticket = getattr(body, "ticket", None)
    if ticket is not None and ticket.fields:
        changes["ticket"] = ticket.model_copy(update={"fields": change(ticket.fields)})
    return body.model_copy(update=changes) if changes else body
