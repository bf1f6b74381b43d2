"""An in-house forum in memory: posts its members' words as signed webhooks and takes the company's answers."""

from __future__ import annotations

import itertools
import json
import logging
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import BaseAdapter
from standardwebhooks import Webhook

from hub.sdk import HttpSession, Toolbox, WebhookRequest
from hub.testing.vendor import NetworkVendor, Said, reply
from plugins.sources.webhook.settings import WebhookSettings
from plugins.sources.webhook.source import WebhookSource

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgMzI="
REPLY_URL = "https://forum.example.com/hub"
FIND_URL = "https://forum.example.com/hub/find?a=1"


class Forum(NetworkVendor):
    """Signs with the third party's library."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.keys: dict[str, str] = {}
        self.requests: list[requests.PreparedRequest] = []
        self.answers: list[requests.Response | requests.RequestException] = []
        self.idempotent = True
        self.revoked = False
        self.posts: dict[str, dict[str, Any]] = {}
        self.removed: set[str] = set()
        self._numbers = itertools.count(1)
        self._told: list[WebhookRequest] = []

    def now(self) -> datetime:
        """The wall clock: the library has no other."""
        return datetime.now(UTC)

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """One call of the hub."""
        self.requests.append(request)
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
            found = {"found": True, "id": self.keys[key]} if key in self.keys else {"found": False}
            return reply(request, 200, found)
        event = json.loads(body)
        if event["type"] == "ping":
            return reply(request, 204, b"")
        if key not in self.keys or not self.idempotent:
            data = event["data"]
            if data["reply_to"] in self.removed:
                return reply(request, 410, {"error": "the post is gone"})
            self.keys[key] = f"a{len(self.said) + 1}"
            public = data["privacy"] != "direct"
            self.said.append(Said(self.keys[key], data["text"], data["reply_to"], public))
        return reply(request, 200, {"id": self.keys[key], "permalink": f"https://forum.example.com/{self.keys[key]}"})

    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        """A member writes, in public or to the company alone."""
        number = str(next(self._numbers))
        self.posts[number] = {
            "id": number,
            "text": text,
            "author": {"id": author, "handle": author},
            "created_at": self.now().isoformat(),
            "privacy": "direct" if private else "public",
            "thread": {"id": self.posts[reply_to]["thread"]["id"] if reply_to in self.posts else number},
            "reply_to": reply_to,
        }
        self._tell({"type": "message", "message": self.posts[number]})
        return number

    def customer_edits(self, post_id: str, text: str) -> None:
        """The words change, the id stays."""
        self.posts[post_id] = {**self.posts[post_id], "text": text}
        self._tell({"type": "message", "message": self.posts[post_id]})

    def customer_deletes(self, post_id: str) -> None:
        """The post is gone."""
        del self.posts[post_id]
        self.removed.add(post_id)
        self._tell({"type": "message_deleted", "message_id": post_id})

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

    def company_posts(self) -> list[Said]:
        """What was answered."""
        return list(self.said)


class _Door(BaseAdapter):
    def __init__(self, forum: Forum) -> None:
        super().__init__()
        self._forum = forum

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._forum.answer(request)

    def close(self) -> None:
        """Nothing is open."""


def source_of(forum: Forum | None = None, **settings: Any) -> WebhookSource:
    """A connector with these settings, whose calls end at ``forum``."""
    settings.setdefault("secrets", [SECRET])
    http = HttpSession(user_agent="hub")
    if forum is not None:
        http.mount("https://", _Door(forum))
    toolbox = Toolbox(
        connection="acme-forum",
        http=http,
        vault=None,  # type: ignore[arg-type]  # it has no tokens
        now=lambda: datetime.now(UTC),
        log=logging.LoggerAdapter(logging.getLogger("test"), {}),
    )
    return WebhookSource(WebhookSettings.model_validate(settings), toolbox)


def incoming(body: Any, headers: dict[str, str] | None = None, *, at: datetime | None = None) -> WebhookRequest:
    """A request with this body (bytes, or a JSON value)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(
        method="POST",
        path="/hooks/acme-forum",
        headers={name.lower(): value for name, value in (headers or {}).items()},
        query={},
        body=raw,
        received_at=at or datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    )
