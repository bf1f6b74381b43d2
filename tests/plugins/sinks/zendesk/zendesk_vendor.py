"""The sandbox of the Zendesk sink as a vendor of the conformance kit: the same server, called without a socket and on
the test's clock."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
from werkzeug.test import Client

from hub.sdk import WebhookRequest
from hub.testing import HelpdeskVendor, Record, Said, reply
from plugins.sinks.zendesk.sandbox import helpdesk as rules
from plugins.sinks.zendesk.sandbox import server
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

ORIGIN = "https://acme.zendesk.com"
LONGEST_COMMENT = 65_535
"""Zendesk: "Comment body ... up to 64kB"; the sandbox takes any length."""
SECRET = "zendesk-webhook-secret"
SETTINGS: dict[str, Any] = {
    "subdomain": "acme",
    "email": "hub@sandbox.example",
    "api_token": "zendesk-api-token",
    "webhook_secrets": [SECRET],
}


class Server:
    """The sandbox's server without its socket. ``sender`` gets what it would post to the hub."""

    def __init__(self) -> None:
        self.sender: Any = None
        with (
            mock.patch.object(server, "WebhookSender", return_value=self),
            mock.patch.object(server, "Helpdesk", self._keep),
        ):
            self.client = Client(server.create_app(Path(":memory:")))

    def _keep(self, path: Path) -> Helpdesk:
        self.helpdesk = Helpdesk(path)
        return self.helpdesk

    def send(self, *event: Any) -> None:
        """In the place of the sandbox's sender thread."""
        self.sender.send(*event)

    def as_new(self) -> None:
        """Forget everything."""
        state = self.helpdesk.state
        with state.transaction():
            for table in ("document", "counter", "setting", "idempotency"):
                state._db.execute(f"DELETE FROM {table}")
            self.helpdesk._furnish()


# Making one costs more than a check does, and no check has more than two vendors at once.
_SERVERS: deque[Server] = deque()


def _next_server() -> Server:
    if len(_SERVERS) < 3:
        _SERVERS.append(Server())
    _SERVERS.rotate()
    _SERVERS[0].as_new()
    return _SERVERS[0]


class ZendeskVendor(HelpdeskVendor):
    """One account in memory. The sandbox is held against Zendesk's own description in test_zendesk_third_party."""

    def __init__(self) -> None:
        self.sent: list[WebhookRequest] = []
        self.leaves_out = False
        sandbox = _next_server()
        sandbox.sender = self
        self.helpdesk, self.client = sandbox.helpdesk, sandbox.client
        state = self.helpdesk.state
        with state.transaction():
            state.set("token:hub", SETTINGS["api_token"])
            state.set("webhook:url", "https://hub.example.com/hooks/acme")
            state.set("webhook:secret", SECRET)
        self.agent = state.get("user", int(self.helpdesk.accounts()["agent"]["id"])) or {}

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """What the sandbox answers."""
        parts = urlsplit(str(request.url))
        given = json.loads(request.body or b"{}")
        if self.leaves_out and request.method == "PUT" and "ticket" in given:
            # https://support.zendesk.com/hc/en-us/articles/4418443326106
            number = int(parts.path.rpartition("/")[2].removesuffix(".json"))
            as_it_was = self.helpdesk.state.get("ticket", number)
            return reply(request, 200, {"ticket": as_it_was, "audit": {"id": 1, "events": []}})
        with self._at_this_time():
            too_long = len(str(_comment(given).get("body", ""))) > LONGEST_COMMENT
            if too_long:
                return reply(request, 422, {"error": "RecordInvalid", "description": "Record validation errors"})
            answered = self.client.open(
                path=parts.path,
                query_string=parts.query,
                base_url=ORIGIN,
                method=str(request.method),
                data=request.body,
                headers=list(request.headers.items()),
            )
        named = {name: value for name, value in answered.headers.items() if name != "Content-Length"}
        return reply(
            request, answered.status_code, answered.get_data(), content_type=answered.content_type, headers=named
        )

    @contextlib.contextmanager
    def _at_this_time(self) -> Iterator[None]:
        clock = SimpleNamespace(time=lambda: self.now().timestamp())
        with (
            mock.patch.object(server, "time", clock),
            mock.patch.object(rules, "time", clock),
            mock.patch.object(rules, "datetime", SimpleNamespace(now=lambda zone: self.now().astimezone(zone))),
        ):
            yield

    # --- webhooks, in the place of the sandbox's sender --------------------------------------------------------------

    def send(self, url: str, secret: str, kind: str, ticket: dict[str, Any]) -> None:
        """Sign one event as Zendesk does."""
        body = {
            "type": f"zen:event-type:ticket.{kind}",
            "id": f"event-{len(self.sent)}-{ticket['id']}-{kind}",
            "subject": f"zen:ticket:{ticket['id']}",
            "detail": {"id": str(ticket["id"]), "external_id": ticket["external_id"]},
            "event": {},
        }
        raw, stamp = json.dumps(body).encode(), self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
            "x-zendesk-webhook-signature-timestamp": stamp,
        }
        self.sent.append(WebhookRequest("POST", "/hooks/acme", headers, {}, raw, self.now()))

    def webhooks(self) -> list[WebhookRequest]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    # --- what people do ----------------------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every ticket."""
        return [
            Record(
                id=str(ticket["id"]),
                external_id=ticket["external_id"] or "",
                subject=ticket["subject"],
                status=ticket["status"],
                priority=ticket["priority"] or "",
                tags=tuple(ticket["tags"]),
                comments=tuple(
                    Said(id=str(one["id"]), text=one["plain_body"], public=one["public"])
                    for one in self.helpdesk.comments(ticket["id"])
                ),
            )
            for ticket in self.helpdesk.state.all("ticket")
        ]

    def agent_answers(self, record_id: str, text: str, *, public: bool = True) -> str:
        """A human agent comments."""
        audit = self._update(record_id, {"comment": {"body": text, "public": public}})["audit"]
        return str(next(event["id"] for event in audit["events"] if event["type"] == "Comment"))

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """A human agent sets a status."""
        self._update(record_id, {"status": status})

    def agent_publishes(self, record_id: str, comment_id: str) -> None:
        """What the agents' screen can do."""
        with self._changing():
            self.helpdesk.make_public(int(record_id), int(comment_id), self.agent)

    def rule_answers(self, record_id: str, text: str) -> str:
        """A trigger of the account comments."""
        with self._changing():
            return str(self.helpdesk.trigger_comment(int(record_id), text, public=True)["id"])

    def revoke_credentials(self) -> None:
        """The token is deleted."""
        with self.helpdesk.state.transaction():
            self.helpdesk.state.set("token:hub", "another")

    def accept_without_applying(self) -> None:
        """Updates are answered with 200 and the ticket as it was; creations lose nothing."""
        self.leaves_out = True

    def _update(self, record_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        with self._changing():
            return self.helpdesk.update(int(record_id), changes, self.agent)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        changes: list[tuple[str, dict[str, Any]]] = []
        with self._at_this_time(), self.helpdesk.state.transaction():
            self.helpdesk.changes = changes
            yield
        for kind, ticket in changes:
            self.send("", SECRET, kind, ticket)


def _comment(given: Any) -> dict[str, Any]:
    ticket = given.get("ticket") if isinstance(given, dict) else None
    comment = ticket.get("comment") if isinstance(ticket, dict) else None
    return comment if isinstance(comment, dict) else {}
