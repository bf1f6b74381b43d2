"""A network of the AT protocol in memory: accounts, their repositories, and one AppView that sees them all.

It answers as the real one was seen to (dev network of @atproto/dev-env 0.6.7), and is held against the lexicons.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import regex
import requests
from bluesky_views import notification_view, post_view, thread_view

from hub.testing import NetworkVendor, Said, reply

POSTS = "app.bsky.feed.post"
GATES = "app.bsky.feed.threadgate"
BLOCKS = "app.bsky.graph.block"
SERVICE = "https://pds.example.com"
BRAND = "acme.example.com"
PASSWORD = "test-pass-word-0001"
DIGITS = "234567abcdefghijklmnopqrstuvwxyz"


class Problem(Exception):
    """An XRPC error."""

    def __init__(self, status: int, name: str, message: str = "", **headers: str) -> None:
        super().__init__(name)
        self.status, self.name, self.message, self.headers = status, name, message, headers


@dataclass
class Stored:
    """A record in its repository, and when the AppView saw it."""

    uri: str
    cid: str
    value: dict[str, Any]
    indexed: datetime
    number: int

    @property
    def repo(self) -> str:
        return self.uri.split("/")[2]

    @property
    def collection(self) -> str:
        return self.uri.split("/")[3]

    @property
    def rkey(self) -> str:
        return self.uri.split("/")[4]

    @property
    def sort_at(self) -> datetime:
        """What lists are sorted by: the author's clock, unless it is ahead."""
        return min(self.indexed, datetime.fromisoformat(self.value["createdAt"]))


@dataclass
class BlueskyVendor(NetworkVendor):
    """``muted`` are roots of threads that make no notification; ``expired`` access tokens; ``calls`` what was asked."""

    passwords: set[str] = field(default_factory=lambda: {PASSWORD})
    records: dict[str, Stored] = field(default_factory=dict)
    handles: dict[str, str] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    muted: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    logins_left: int = 30
    made: int = 0

    def __post_init__(self) -> None:
        self.brand = self.account(BRAND)

    def now(self) -> datetime:
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    # --- XRPC --------------------------------------------------------------------------------------------------------

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """One query or procedure."""
        url = urlsplit(request.url or "")
        method = url.path.removeprefix("/xrpc/")
        self.calls.append(method)
        token = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
        blob = method == "com.atproto.repo.uploadBlob"
        body = request if blob else json.loads(request.body or b"{}")
        try:
            verb, act = METHODS.get(method, ("", None))
            if act is None or verb != request.method:
                raise Problem(501, "MethodNotImplemented", "Method Not Implemented")
            if method not in PUBLIC:
                self.authenticate(token)
            given = body if verb == "POST" else parse_qs(url.query)
            return reply(request, 200, getattr(self, act.__name__)(given, token))
        except Problem as problem:
            error = {"error": problem.name, "message": problem.message}
            return reply(request, problem.status, error, headers=problem.headers)

    def authenticate(self, token: str) -> None:
        if not token:
            raise Problem(401, "AuthMissing", "Authentication Required")
        if token in self.expired:
            raise Problem(400, "ExpiredToken", "Token has expired")
        if token not in self.access:
            raise Problem(400, "InvalidToken", "Token could not be verified")

    def create_session(self, body: dict[str, Any], _: str) -> dict[str, Any]:
        if not self.logins_left:
            reset = str(int(self.now().timestamp()) + 290)
            raise Problem(429, "RateLimitExceeded", "Rate Limit Exceeded", **{"RateLimit-Reset": reset})
        self.logins_left -= 1
        if body["identifier"] not in {BRAND, self.brand} or body["password"] not in self.passwords:
            raise Problem(401, "AuthenticationRequired", "Invalid identifier or password")
        return self.session()

    def refresh_session(self, _: dict[str, Any], token: str) -> dict[str, Any]:
        if token not in self.refresh:
            raise Problem(400, "ExpiredToken", "Token has been revoked")
        del self.refresh[token]
        return self.session()

    def session(self) -> dict[str, Any]:
        self.made += 1
        access, refresh = f"access-token-{self.made:04}", f"refresh-token-{self.made:04}"
        self.access[access] = self.refresh[refresh] = self.brand
        return {"accessJwt": access, "refreshJwt": refresh, "handle": BRAND, "did": self.brand, "active": True}

    # --- repositories ------------------------------------------------------------------------------------------------

    def create_record(self, body: dict[str, Any], _: str) -> dict[str, Any]:
        record, rkey = body["record"], body.get("rkey") or self.new_key()
        if body["repo"] != self.brand:
            raise Problem(401, "AuthenticationRequired", "Authentication Required")
        if not re.fullmatch(f"[234567abcdefghij][{DIGITS}]{{12}}", rkey):
            raise Problem(400, "InvalidRequest", f'Invalid record key: Invalid TID string (got "{rkey}")')
        length = len(regex.findall(r"\X", record["text"]))
        if length > 300 or len(record["text"].encode()) > 3000:
            raise Problem(400, "InvalidRequest", f"Invalid record: grapheme too big (maximum 300, got {length})")
        if f"at://{self.brand}/{body['collection']}/{rkey}" in self.records:
            raise Problem(500, "InternalServerError", "Internal Server Error")
        for one in record.get("embed", {}).get("images", ()):
            if one["image"]["ref"]["$link"] not in self.blobs:
                raise Problem(400, "BlobNotFound", "Could not find blob")
            if one["image"]["size"] > 2_000_000:
                raise Problem(400, "BlobTooLarge", "This file is too large")
        made = self.put(self.brand, body["collection"], rkey, record)
        return {"uri": made.uri, "cid": made.cid, "validationStatus": "valid"}

    def upload_blob(self, request: requests.PreparedRequest, _: str) -> dict[str, Any]:
        content = request.body
        assert isinstance(content, bytes)
        assert int(request.headers["Content-Length"]) == len(content)
        link = "bafkrei" + base64.b32encode(hashlib.sha256(content).digest()).decode().lower().rstrip("=")
        self.blobs[link] = content
        ref = {"$type": "blob", "ref": {"$link": link}}
        return {"blob": {**ref, "mimeType": request.headers["Content-Type"], "size": len(content)}}

    def delete_record(self, body: dict[str, Any], _: str) -> dict[str, Any]:
        if body["repo"] != self.brand:
            raise Problem(401, "AuthenticationRequired", "Authentication Required")
        self.records.pop(f"at://{body['repo']}/{body['collection']}/{body['rkey']}", None)
        return {}

    def get_record(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        (repo,), (collection,), (rkey,) = query["repo"], query["collection"], query["rkey"]
        if repo not in self.handles:
            raise Problem(400, "InvalidRequest", f"Could not find repo: {repo}")
        uri = f"at://{repo}/{collection}/{rkey}"
        if uri not in self.records:
            raise Problem(400, "RecordNotFound", f"Could not locate record: {uri}")
        return self.shown(self.records[uri])

    def list_records(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        (repo,), (collection,) = query["repo"], query["collection"]
        backwards, after = query.get("reverse") == ["true"], query.get("cursor", [""])[0]
        mine = [one for one in self.records.values() if (one.repo, one.collection) == (repo, collection)]
        mine.sort(key=lambda one: one.rkey, reverse=not backwards)
        if after:
            mine = [one for one in mine if (one.rkey > after if backwards else one.rkey < after)]
        page = mine[: int(query.get("limit", ["50"])[0])]
        return {"records": [self.shown(one) for one in page], **({"cursor": page[-1].rkey} if page else {})}

    @staticmethod
    def shown(one: Stored) -> dict[str, Any]:
        return {"uri": one.uri, "cid": one.cid, "value": one.value}

    def put(self, repo: str, collection: str, rkey: str, value: dict[str, Any]) -> Stored:
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
        cid = "b" + base64.b32encode(b"\x01\x71\x12\x20" + digest).decode().lower().rstrip("=")
        uri = f"at://{repo}/{collection}/{rkey}"
        self.made += 1
        self.records[uri] = Stored(uri, cid, value, self.now(), self.made)
        return self.records[uri]

    def new_key(self, at: datetime | None = None) -> str:
        self.made += 1
        number = (int((at or self.now()).timestamp() * 1_000_000) + self.made) << 10
        return "".join(DIGITS[number >> shift & 31] for shift in range(60, -1, -5))

    # --- the AppView -------------------------------------------------------------------------------------------------

    def posts(self) -> list[Stored]:
        """Every post, newest first."""
        found = [one for one in self.records.values() if one.collection == POSTS]
        return sorted(found, key=lambda one: (one.sort_at, one.number), reverse=True)

    def blocked(self, did: str) -> str:
        """Who blocks whom, between the brand and ``did``: ``them``, ``us`` or nobody."""
        for one in self.records.values():
            if one.collection == BLOCKS and {one.repo, one.value["subject"]} == {did, self.brand}:
                return "us" if one.repo == self.brand else "them"
        return ""

    def closed(self, post: Stored) -> bool:
        """Whether the thread's author lets nobody answer."""
        root = post.value.get("reply", {}).get("root", {}).get("uri", post.uri)
        gate = self.records.get(root.replace(POSTS, GATES))
        return gate is not None and gate.value.get("allow") == []

    def list_notifications(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        before, limit = query.get("cursor", [""])[0], int(query.get("limit", ["50"])[0])
        told = [(one, reason) for one in self.posts() if (reason := self.reason(one)) and not self.blocked(one.repo)]
        told = [(one, reason) for one, reason in told if "reasons" not in query or reason in query["reasons"]]
        if before:  # strictly before: neighbours of the same millisecond are lost here, as in the real AppView
            told = [(one, reason) for one, reason in told if one.sort_at < datetime.fromisoformat(before)]
        page = told[:limit]
        more = {"cursor": iso(page[-1][0].sort_at)} if len(told) > limit else {}
        return {"notifications": [notification_view(self, one, reason) for one, reason in page], **more}

    def reason(self, post: Stored) -> str:
        """Why the brand is told of a post; empty: it is not."""
        answered, root = (post.value.get("reply", {}).get(place, {}).get("uri", "") for place in ("parent", "root"))
        if post.repo == self.brand or root in self.muted:
            return ""
        if f"at://{self.brand}/" in answered or f"at://{self.brand}/" in root:
            return "reply"
        if f"at://{self.brand}/" in post.value.get("embed", {}).get("record", {}).get("uri", ""):
            return "quote"
        return "mention" if self.brand in json.dumps(post.value.get("facets", [])) else ""

    def get_posts(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        if len(query["uris"]) > 25:
            raise Problem(400, "InvalidRequest", "array too big (maximum 25)")
        found = [self.records[uri] for uri in query["uris"] if uri in self.records]
        return {"posts": [post_view(self, one) for one in found if not self.blocked(one.repo)]}

    def get_post_thread(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        (uri,), (height,) = query["uri"], query.get("parentHeight", ["80"])
        if uri not in self.records:
            raise Problem(400, "NotFound", f"Post not found: {uri}")
        return {"thread": thread_view(self, uri, int(height))}

    def search_posts(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
        """As a plain AppView: it knows ``q`` and nothing else."""
        (words,) = query["q"]
        found = [one for one in self.posts() if words.lower() in one.value["text"].lower()]
        return {"posts": [post_view(self, one) for one in found[: int(query["limit"][0])]]}

    # --- what people do ----------------------------------------------------------------------------------------------

    def account(self, handle: str) -> str:
        """The DID behind a handle; the account is made on first use."""
        did = "did:plc:" + base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()[:24]
        self.handles[did] = handle
        return did

    def say(self, handle: str, text: str, *, mention: bool = False, at: datetime | None = None, **more: Any) -> Stored:
        """Anybody posts anything."""
        value: dict[str, Any] = {"$type": POSTS, "text": text, "createdAt": iso(at or self.now()), **more}
        if mention:
            name = f"@{BRAND}".encode()
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": self.brand}
            value["text"] = f"@{BRAND} {text}"
            value["facets"] = [{"index": {"byteStart": 0, "byteEnd": len(name)}, "features": [feature]}]
        return self.put(self.account(handle), POSTS, self.new_key(at), value)

    def below(self, uri: str) -> dict[str, Any]:
        """The ``reply`` of a post that answers ``uri``."""
        parent = self.records[uri]
        root = parent.value.get("reply", {}).get("root") or {"uri": uri, "cid": parent.cid}
        return {"root": root, "parent": {"uri": uri, "cid": parent.cid}}

    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        assert not private, "Bluesky's private messages are another service"
        more = {"reply": self.below(reply_to)} if reply_to else {}
        return self.say(f"{author}.example.org", text, mention=True, langs=["en"], **more).uri

    def customer_edits(self, post_id: str, text: str) -> None:
        old = self.records[post_id]
        self.put(old.repo, old.collection, old.rkey, {**old.value, "text": f"@{BRAND} {text}"})

    def customer_deletes(self, post_id: str) -> None:
        del self.records[post_id]

    def company_posts(self) -> list[Said]:
        mine = sorted((one for one in self.posts() if one.repo == self.brand), key=lambda one: one.number)
        return [
            Said(one.uri, one.value["text"], one.value.get("reply", {}).get("parent", {}).get("uri", ""))
            for one in mine
        ]

    def revoke_credentials(self) -> None:
        """The app password is withdrawn: its refresh tokens go with it, access tokens live on until they expire."""
        self.passwords.clear()
        self.refresh.clear()

    def expire_access(self) -> None:
        """Two hours pass."""
        self.expired |= self.access.keys()


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PUBLIC = {
    "com.atproto.server.createSession",
    "com.atproto.server.refreshSession",
    "com.atproto.repo.getRecord",
    "com.atproto.repo.listRecords",
}
METHODS: dict[str, tuple[str, Callable[[BlueskyVendor, Any, str], dict[str, Any]]]] = {
    "com.atproto.server.createSession": ("POST", BlueskyVendor.create_session),
    "com.atproto.server.refreshSession": ("POST", BlueskyVendor.refresh_session),
    "com.atproto.repo.createRecord": ("POST", BlueskyVendor.create_record),
    "com.atproto.repo.uploadBlob": ("POST", BlueskyVendor.upload_blob),
    "com.atproto.repo.deleteRecord": ("POST", BlueskyVendor.delete_record),
    "com.atproto.repo.getRecord": ("GET", BlueskyVendor.get_record),
    "com.atproto.repo.listRecords": ("GET", BlueskyVendor.list_records),
    "app.bsky.notification.listNotifications": ("GET", BlueskyVendor.list_notifications),
    "app.bsky.feed.getPosts": ("GET", BlueskyVendor.get_posts),
    "app.bsky.feed.getPostThread": ("GET", BlueskyVendor.get_post_thread),
    "app.bsky.feed.searchPosts": ("GET", BlueskyVendor.search_posts),
}
