# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends signed event webhooks from a thread of its own, several per change, as Zendesk does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import requests

_ATTEMPTS = 3
_PAUSE_S = 0.5


class WebhookSender:
    """One thread, one queue. What is queued when the server ends is lost, as it may be at the vendor."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[str, str, bytes]] = queue.Queue()
        self._session = requests.Session()
        self._session.trust_env = False
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, url: str, secret: str, kind: str, ticket: dict[str, Any]) -> None:
        """Queue one event about ``ticket``."""
        body = {
            "type": f"zen:event-type:ticket.{kind}",
            "account_id": 1,
            "id": str(uuid.uuid4()),
            "time": datetime.now(UTC).isoformat(),
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:ticket:{ticket['id']}",
            "detail": {
                "id": str(ticket["id"]),
                "external_id": ticket["external_id"],
                "status": ticket["status"].upper(),
            },
            "event": {},
        }
        self._queue.put((url, secret, json.dumps(body).encode()))

    def _run(self) -> None:
        while True:
            url, secret, body = self._queue.get()
            for _ in range(_ATTEMPTS):
                if self._post(url, secret, body):
                    break
                self._stopped.wait(_PAUSE_S)

    def _post(self, url: str, secret: str, body: bytes) -> bool:
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
            "X-Zendesk-Webhook-Invocation-Id": str(uuid.uuid4()),
        }
        try:
            response = self._session.post(url, data=body, headers=headers, timeout=12, allow_redirects=False)
        except requests.RequestException:
            return False
        return response.status_code < 500 and response.status_code not in (409, 429)
