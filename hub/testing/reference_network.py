"""A small network in memory, with a feed, posts, private posts, idempotency keys and signed webhooks.

The kit proves its own checks with it, and it shows an author how little a vendor in memory needs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from hub.sdk import WebhookRequest
from hub.testing.vendor import NetworkVendor, Said, reply

TOKEN = "reference-token-0001"  # noqa: S105 - of a network that exists in tests only
WEBHOOK_SECRET = "reference-secret-0001"  # noqa: S105
BASE_URL = "https://network.example.com"
LIMIT = 120
PAGE = 20


class ReferenceNetwork(NetworkVendor):
    """``log`` is everything that happened, numbered from 1: posts as they were then, edits and deletions."""

    def __init__(self) -> None:
        self.posts: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.token = TOKEN
        self._by_key: dict[str, str] = {}
        self._told = 0

    # --- its API -----------------------------------------------------------------------------------------------------

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Route one request."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return reply(request, 401, {"error": "who are you?"})
        url = urlsplit(request.url or "")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = json.loads(request.body or b"{}")
        match (request.method, url.path.strip("/").split("/")):
            case ("GET", ["me"]):
                return reply(request, 200, {"id": "acme", "name": "Acme", "limit": LIMIT})
            case ("GET", ["log"]):
                return reply(request, 200, self._page(int(query.get("after", -1))))
            case ("GET", ["posts"]):
                made = self._by_key.get(query.get("key", ""))
                return reply(request, 200, {"posts": [self.posts[made]] if made in self.posts else []})
            case ("POST", ["posts"]):
                return self._publish(request, body)
            case ("GET" | "PUT" | "DELETE", ["posts", post_id]) if post_id in self.posts:
                return self._one(request, post_id, body)
        return reply(request, 404, {"error": "not here"})

    def _page(self, after: int) -> dict[str, Any]:
        if after < 0:
            return {"events": [], "last": len(self.log), "more": False}
        events = self.log[after : after + PAGE]
        return {"events": events, "last": after + len(events), "more": after + len(events) < len(self.log)}

    def _publish(self, request: requests.PreparedRequest, body: dict[str, Any]) -> requests.Response:
        key = body.get("key", "")
        if key in self._by_key:
            return reply(request, 200, self.posts[self._by_key[key]])
        if len(body["text"]) > LIMIT:
            return reply(request, 422, {"error": f"longer than {LIMIT}"})
        if not self.takes_answers(body.get("reply_to", "")):
            return reply(request, 404, {"error": "the post is gone"})
        post = self._make("acme", body["text"], body["reply_to"], bool(body.get("private")))
        self._by_key[key] = post["id"]
        return reply(request, 201, post)

    def _one(self, request: requests.PreparedRequest, post_id: str, body: dict[str, Any]) -> requests.Response:
        post = self.posts[post_id]
        if request.method == "PUT":
            self._edit(post_id, body["text"])
        if request.method == "DELETE":
            self._delete(post_id)
        return reply(request, 200, self.posts.get(post_id, post))

    # --- what happens there ------------------------------------------------------------------------------------------

    def number(self) -> str:
        """The id of the next post: no other ever had it."""
        return str(1000 + len(self.log))

    def takes_answers(self, post_id: str) -> bool:
        """Whether a post can be answered: when it is there."""
        return post_id in self.posts

    def _make(self, author: str, text: str, reply_to: str, private: bool) -> dict[str, Any]:
        number = self.number()
        post = {
            "id": number,
            "author": author,
            "text": text,
            "reply_to": reply_to,
            "private": private,
            "root": self.posts[reply_to]["root"] if reply_to in self.posts else number,
            "at": self.now().isoformat(),
            "version": 1,
        }
        self.posts[number] = post
        self._note("said", post)
        return post

    def _edit(self, post_id: str, text: str) -> None:
        post = self.posts[post_id] = {
            **self.posts[post_id],
            "text": text,
            "version": self.posts[post_id]["version"] + 1,
        }
        self._note("edited", post)

    def _delete(self, post_id: str) -> None:
        self._note("deleted", self.posts.pop(post_id))

    def _note(self, what: str, post: dict[str, Any]) -> None:
        # The feed leaves out the thread of an answer, as many do.
        shown = {name: value for name, value in post.items() if name != "root" or not post["reply_to"]}
        self.log.append({"n": len(self.log) + 1, "what": what, "post": shown})

    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        """A customer speaks to the company."""
        return str(self._make(author, text, reply_to, private)["id"])

    def customer_edits(self, post_id: str, text: str) -> None:
        """The text is replaced."""
        self._edit(post_id, text)

    def customer_deletes(self, post_id: str) -> None:
        """The post is gone."""
        self._delete(post_id)

    def company_posts(self) -> list[Said]:
        """What stands there of the company."""
        return [
            Said(post["id"], post["text"], post["reply_to"], not post["private"])
            for post in self.posts.values()
            if post["author"] == "acme"
        ]

    def revoke_credentials(self) -> None:
        """Another token holds."""
        self.token = "another-token"  # noqa: S105

    def webhooks(self) -> list[WebhookRequest]:
        """One request for each thing that happened."""
        news, self._told = self.log[self._told :], len(self.log)
        return [self.signed(json.dumps(event).encode()) for event in news]

    def signed(self, body: bytes) -> WebhookRequest:
        """``body`` as the network sends it to the hub."""
        at = self.now()
        stamp = str(int(at.timestamp()))
        signature = hmac.new(WEBHOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-time": stamp, "x-signature": signature}
        return WebhookRequest("POST", "/hooks/acme", headers, {}, body, at)
