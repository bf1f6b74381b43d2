# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends signed event webhooks from a thread of its own, several per change, as Zendesk does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import requests

_ATTEMPTS = 3
_PAUSE_S = 0.5
TROUBLES = ("webhook_delay_ms", "webhook_duplicate", "webhook_reorder", "webhook_drop")
"""Settings: everything comes this late; every n-th comes twice, changes places with the one behind it, never comes."""


class WebhookSender:
    """One thread, one queue. What is queued when the server ends is lost, as it may be at the vendor."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, str, str, bytes]] = []
        self._ready = threading.Condition()
        self._troubles: dict[str, float] = {}
        self._count = 0
        self.sent: dict[str, int] = defaultdict(int)
        self._session = requests.Session()
        self._session.trust_env = False
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def trouble(self, troubles: dict[str, float]) -> None:
        """How the next events go astray; see ``TROUBLES``."""
        self._troubles = troubles

    def send(self, url: str, secret: str, kind: str, ticket: dict[str, Any]) -> None:
        """Queue one event about ``ticket``."""
        self.send_body(url, secret, json.dumps(event_body(kind, ticket)).encode())

    def send_body(self, url: str, secret: str, body: bytes) -> None:
        """Queue what a trigger sends."""
        with self._ready:
            self._count += 1
            if self._every("webhook_drop"):
                self.sent["dropped"] += 1
                return
            due = time.monotonic() + self._troubles.get("webhook_delay_ms", 0) / 1000
            for _ in range(2 if self._every("webhook_duplicate") else 1):
                self._waiting.append((due, url, secret, body))
            if self._every("webhook_reorder") and len(self._waiting) > 1:
                self._waiting[-1], self._waiting[-2] = self._waiting[-2], self._waiting[-1]
            self._ready.notify()

    def _every(self, name: str) -> bool:
        often = int(self._troubles.get(name, 0))
        return bool(often) and self._count % often == 0

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._waiting or self._waiting[0][0] > time.monotonic():
                    wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                    self._ready.wait(wait)
                _, url, secret, body = self._waiting.pop(0)
            for _ in range(_ATTEMPTS):
                if self._post(url, secret, body):
                    self.sent["delivered"] += 1
                    break
                self._stopped.wait(_PAUSE_S)
            else:
                self.sent["given_up"] += 1

    def _post(self, url: str, secret: str, body: bytes) -> bool:
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Zendesk-Account-Id": "1",
            "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
            "X-Zendesk-Webhook-Invocation-Id": str(uuid.uuid4()),
        }
        try:
            response = self._session.post(url, data=body, headers=headers, timeout=12, allow_redirects=False)
        except requests.RequestException:
            return False
        return response.status_code < 500 and response.status_code not in (409, 429)


def event_body(kind: str, ticket: dict[str, Any]) -> dict[str, Any]:
    """The body of one event, as https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events."""

    def text(name: str) -> str | None:
        value = ticket.get(name)
        return None if value is None else str(value)

    return {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 1,
        "id": str(uuid.uuid4()),
        "time": datetime.now(UTC).isoformat(),
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket['id']}",
        "detail": {
            "actor_id": text("acting"),
            "assignee_id": text("assignee_id"),
            "brand_id": text("brand_id"),
            "created_at": ticket.get("created_at"),
            "custom_status": text("custom_status_id"),
            "description": ticket.get("description"),
            "external_id": ticket["external_id"],
            "form_id": text("ticket_form_id"),
            "group_id": text("group_id"),
            "id": str(ticket["id"]),
            "is_public": ticket.get("is_public"),
            "organization_id": text("organization_id"),
            "priority": (text("priority") or "").upper() or None,
            "requester_id": text("requester_id"),
            "status": ticket["status"].upper(),
            "subject": ticket.get("subject"),
            "submitter_id": text("submitter_id"),
            "tags": ticket.get("tags"),
            "type": (text("type") or "").upper() or None,
            "updated_at": ticket.get("updated_at"),
            "via": {"channel": ticket.get("via", {}).get("channel")},
        },
        "event": ticket.get("event", {}),
    }
