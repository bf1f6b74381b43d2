"""An in-house helpdesk in memory: takes tickets as signed JSON and posts back what its agents write."""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import BaseAdapter
from standardwebhooks import Webhook

from hub.sdk import HttpSession, Toolbox, WebhookRequest
from hub.testing.vendor import HelpdeskVendor, Record, Said, reply
from plugins.sinks.webhook.settings import WebhookSettings
from plugins.sinks.webhook.sink import WebhookSink

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgMzI="
URL = "https://desk.example.com/hub"
FIND_URL = "https://desk.example.com/hub/find"


class Desk(HelpdeskVendor):
    """Checks signatures with the third party's library."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.answers_by_key: dict[str, dict[str, Any]] = {}
        self.posted: list[requests.PreparedRequest] = []
        self.revoked = self.gateway = False
        self._numbers = itertools.count(1)
        self._told: list[WebhookRequest] = []
        self.answers: list[requests.Response | requests.RequestException] = []

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """One call of the hub."""
        self.posted.append(request)
        if self.answers:
            planned = self.answers.pop(0)
            if isinstance(planned, requests.RequestException):
                raise planned
            planned.request = request
            return planned
        body = request.body or b""
        assert isinstance(body, bytes)
        key = request.headers["webhook-id"]
        # Not verify(): the library's clock is the machine's, and this one's may be a test's.
        sent = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        if self.revoked or request.headers["webhook-signature"] != Webhook(SECRET).sign(key, sent, body.decode()):
            return reply(request, 401, {})
        if request.method == "GET":
            return reply(request, 200, {"found": key in self.answers_by_key, **self.answers_by_key.get(key, {})})
        if self.gateway:
            return reply(request, 200, "<html>Please log in</html>")
        event = json.loads(body)
        if event["type"] != "ping" and key not in self.answers_by_key:
            self.answers_by_key[key] = getattr(self, "_" + event["type"])(event["data"])
        return reply(request, 200, self.answers_by_key.get(key, {}))

    def _open_ticket(self, data: dict[str, Any]) -> dict[str, Any]:
        number, view = f"R{len(self.made) + 1}", data["ticket"]
        self.made[number] = {"data": data, "comments": [], "status": "new", "priority": view["priority"]}
        self.made[number]["tags"] = list(view["tags"])
        first = self._add(number, self._words(data["said"]), public=data["public"])
        return {**first, "id": number, "comment_id": first["id"]}

    def _add_comment(self, data: dict[str, Any]) -> dict[str, Any]:
        return self._add(data["record_id"], self._words(data["said"]), public=data["public"])

    def _update_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        record = self.made[data["record_id"]]
        record["status"] = data["status"] or record["status"]
        record["priority"] = data["priority"] or record["priority"]
        record["tags"] = [tag for tag in (*record["tags"], *data["tags_add"]) if tag not in data["tags_remove"]]
        proofs = [f"{proof['state']} {proof['permalink']} {proof['reason']}".strip() for proof in data["proofs"]]
        note = "\n".join(part for part in (data["note"], *proofs) if part)
        made = self._add(data["record_id"], note, public=False) if note else {}
        return {**made, "id": data["record_id"], "comment_id": made.get("id", "")}

    def _add(self, number: str, text: str, *, public: bool) -> dict[str, Any]:
        comments = self.made[number]["comments"]
        comments.append(Said(f"{number}-{len(comments) + 1}", text, public=public))
        return {"id": comments[-1].id, "permalink": f"https://desk.example.com/{number}"}

    def _words(self, said: dict[str, Any]) -> str:
        """What this desk shows of a message: earlier talk, the text, its files and where it stands."""
        quotes = [f"> {quote['author']}: {quote['text']}" for quote in said["context"]]
        files = [f"{file['name']} {file['url']}".strip() for file in said["attachments"]]
        return "\n".join(part for part in (*quotes, said["text"], *files, said["permalink"]) if part) or "(no words)"

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        return [
            Record(
                id=number,
                external_id=record["data"]["ticket"]["uid"],
                subject=record["data"]["ticket"]["subject"],
                status=record["status"],
                comments=tuple(record["comments"]),
                priority=record["priority"],
                tags=tuple(record["tags"]),
            )
            for number, record in self.made.items()
        ]

    def accept_without_applying(self) -> None:
        """A gateway before the desk answers 200 with its own page."""
        self.gateway = True

    def agent_publishes(self, record_id: str, comment_id: str) -> None:
        """A note becomes public."""
        comments = self.made[record_id]["comments"]
        place = next(place for place, said in enumerate(comments) if said.id == comment_id)
        comments[place] = replace(comments[place], public=True)
        self._tell_comment(record_id, comments[place])

    def rule_answers(self, record_id: str, text: str) -> str:
        """A rule writes in public."""
        self._add(record_id, text, public=True)
        said = self.made[record_id]["comments"][-1]
        self._tell_comment(record_id, said, automatic=True)
        return str(said.id)

    def agent_answers(self, record_id: str, text: str, *, public: bool = True) -> str:
        """An agent writes in the helpdesk."""
        self._add(record_id, text, public=public)
        said = self.made[record_id]["comments"][-1]
        self._tell_comment(record_id, said)
        return str(said.id)

    def _tell_comment(self, record_id: str, said: Said, **more: Any) -> None:
        author = {"id": "5", "name": "Marta", "role": "agent"}
        told = {"id": said.id, "text": said.text, "public": said.public, "created_at": self.now().isoformat()}
        self._tell({"type": "comment", "record_id": record_id, "comment": {**told, "author": author, **more}})

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """An agent sets the status."""
        self.made[record_id]["status"] = status
        now = self.now().isoformat()
        self._tell({"type": "record", "record_id": record_id, "changed_at": now, "status": status})

    def revoke_credentials(self) -> None:
        """The secret is another one from now on."""
        self.revoked = True

    def webhooks(self) -> list[WebhookRequest]:
        """Signed by the library."""
        told, self._told = self._told, []
        return told

    def _tell(self, event: dict[str, Any]) -> None:
        body, now, key = json.dumps(event), self.now(), f"msg_{next(self._numbers)}"
        headers = {"webhook-id": key, "webhook-timestamp": str(int(now.timestamp()))}
        headers["webhook-signature"] = Webhook(SECRET).sign(key, now, body)
        self._told.append(incoming(body.encode(), headers, at=now))


class _Door(BaseAdapter):
    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._desk.answer(request)

    def close(self) -> None:
        """Nothing is open."""


def sink_of(desk: Desk | None = None, **settings: Any) -> WebhookSink:
    """A connector with these settings, whose calls end at ``desk``."""
    settings = {"url": URL, "secrets": [SECRET], **settings}
    http = HttpSession(user_agent="hub")
    if desk is not None:
        http.mount("https://", _Door(desk))
    toolbox = Toolbox(
        connection="acme-desk",
        http=http,
        vault=None,  # type: ignore[arg-type]  # it has no tokens
        now=lambda: datetime.now(UTC),
        log=logging.LoggerAdapter(logging.getLogger("test"), {}),
    )
    return WebhookSink(WebhookSettings.model_validate(settings), toolbox)


def incoming(body: Any, headers: dict[str, str] | None = None, *, at: datetime | None = None) -> WebhookRequest:
    """A request with this body (bytes, or a JSON value)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(
        method="POST",
        path="/hooks/acme-desk",
        headers={name.lower(): value for name, value in (headers or {}).items()},
        query={},
        body=raw,
        received_at=at or datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    )
