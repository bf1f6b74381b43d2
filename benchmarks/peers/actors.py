"""The people of a run, by plain HTTP: customers and the brand at Bluesky, the agent in Request Tracker.

Nothing of the hub's plugins is used here: what they do is judged with other means than theirs.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PASSWORD = "correct horse battery"
POST = "app.bsky.feed.post"


class Refused(RuntimeError):
    """A server answered with an error."""


def call(url: str, body: Any = None, headers: dict[str, str] | None = None, method: str | None = None) -> Any:
    """One HTTP call with JSON both ways; :class:`Refused` with the server's words, ``OSError`` when it is not there."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise Refused(f"{url}: {error.code} {error.read().decode(errors='replace')[:500]}") from error


@dataclass(frozen=True)
class Post:
    """One post as it stands at Bluesky; ``parent`` is empty for the first of a thread."""

    uri: str
    cid: str
    text: str
    parent: str = ""


class BlueskyAccount:
    """One account of a Bluesky data server, made at once."""

    def __init__(self, server: str, handle: str) -> None:
        self.server, self.handle = server, handle
        made = self.ask(
            "com.atproto.server.createAccount",
            {"handle": handle, "email": f"{handle}@example.test", "password": PASSWORD},
        )
        self.did: str = made["did"]
        self.token: str = made["accessJwt"]

    def ask(self, method: str, body: Any = None, **query: Any) -> Any:
        """One XRPC call: a procedure with ``body``, else a query."""
        address = f"{self.server}/xrpc/{method}?{urllib.parse.urlencode(query)}"
        token = getattr(self, "token", "")
        return call(address, body, {"Authorization": f"Bearer {token}"} if token else None)

    def app_password(self) -> str:
        """A password for a program."""
        return str(self.ask("com.atproto.server.createAppPassword", {"name": "social-care-hub"})["password"])

    def write(self, text: str, *, mention: BlueskyAccount | None = None, under: Post | None = None) -> Post:
        """Publish a post: naming ``mention`` at its beginning, and in answer to the post ``under``."""
        record: dict[str, Any] = {"$type": POST, "text": text, "createdAt": datetime.now(UTC).isoformat()}
        record["createdAt"] = record["createdAt"].replace("+00:00", "Z")
        if mention is not None:
            record["text"] = f"@{mention.handle} {text}"
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": mention.did}
            end = len(f"@{mention.handle}".encode())
            record["facets"] = [{"index": {"byteStart": 0, "byteEnd": end}, "features": [feature]}]
        if under is not None:
            parent = {"uri": under.uri, "cid": under.cid}
            record["reply"] = {"root": self._root(under), "parent": parent}
        made = self.ask("com.atproto.repo.createRecord", {"repo": self.did, "collection": POST, "record": record})
        return Post(made["uri"], made["cid"], record["text"], under.uri if under else "")

    def _root(self, post: Post) -> dict[str, str]:
        _, _, repo, collection, key = post.uri.split("/")
        found = self.ask("com.atproto.repo.getRecord", repo=repo, collection=collection, rkey=key)
        root: dict[str, str] = found["value"].get("reply", {}).get("root") or {"uri": post.uri, "cid": post.cid}
        return root

    def delete(self, post: Post) -> None:
        """Delete an own post."""
        key = post.uri.rpartition("/")[2]
        self.ask("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": POST, "rkey": key})

    def posts(self) -> list[Post]:
        """Every post of the account as its own data server holds it now."""
        found: list[Post] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.ask("com.atproto.repo.listRecords", repo=self.did, collection=POST, limit=100, **cursor)
            for one in page["records"]:
                parent = one["value"].get("reply", {}).get("parent", {}).get("uri", "")
                found.append(Post(one["uri"], one["cid"], one["value"]["text"], parent))
            if not page.get("cursor"):
                return found
            cursor = {"cursor": page["cursor"]}

    def thread(self, root: Post) -> list[Post]:
        """What everybody sees under ``root``, by the AppView: every post of the thread, the root first."""
        try:
            tree = self.ask("app.bsky.feed.getPostThread", uri=root.uri, depth=50)["thread"]
        except Refused:
            return []  # deleted, or not indexed yet
        found: list[Post] = []
        waiting = [tree]
        while waiting:
            node = waiting.pop(0)
            if "post" in node and "record" in node["post"]:
                post = node["post"]
                parent = post["record"].get("reply", {}).get("parent", {}).get("uri", "")
                found.append(Post(post["uri"], post["cid"], post["record"]["text"], parent))
            waiting += node.get("replies") or []
        return found


@dataclass(frozen=True)
class Entry:
    """One transaction of a Request Tracker ticket with its text. ``kind``: Create, Correspond, Comment, Status, …"""

    id: int
    ticket: str
    kind: str
    creator: str
    text: str


class Agent:
    """An agent who works in Request Tracker by REST 2."""

    def __init__(self, server: str, user: str, password: str) -> None:
        self.rest = f"{server}/REST/2.0"
        self.user = user
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}"}

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """One call."""
        return call(f"{self.rest}/{path}", body, self.headers, method)

    def correspond(self, ticket: str, text: str) -> None:
        """Write to the customer."""
        self._written(self.ask(f"ticket/{ticket}/correspond", {"Content": text, "ContentType": "text/plain"}))

    def comment(self, ticket: str, text: str) -> None:
        """Write a note for colleagues."""
        self._written(self.ask(f"ticket/{ticket}/comment", {"Content": text, "ContentType": "text/plain"}))

    def resolve(self, ticket: str) -> None:
        """Set the ticket to resolved."""
        self._written(self.ask(f"ticket/{ticket}", {"Status": "resolved"}, "PUT"))

    @staticmethod
    def _written(answer: Any) -> None:
        # A refusal of Request Tracker's rules comes with status 200 and its reason where the success would be.
        if not any(word in str(answer) for word in ("added", "changed from")):
            raise Refused(str(answer))

    def tickets(self) -> dict[str, str]:
        """Every ticket of the queue: number -> status."""
        query = urllib.parse.urlencode({"query": "Queue = 'Social'", "fields": "Status"})
        return {one["id"]: one["Status"] for one in self._pages(f"tickets?{query}")}

    def history(self) -> list[Entry]:
        """Every transaction of every ticket, with the text that stands there now, in the order it happened."""
        texts: dict[str, list[str]] = {}
        after = [{"field": "id", "operator": ">", "value": "0"}]
        for one in self._pages("attachments?fields=Content,ContentType,TransactionId", after):
            if (one.get("ContentType") or "").startswith("text/"):
                texts.setdefault(str(one["TransactionId"]), []).append(one.get("Content") or "")
        of_tickets = [*after, {"field": "ObjectType", "value": "RT::Ticket"}]
        entries = [
            Entry(
                int(one["id"]),
                str(one["ObjectId"]),
                one["Type"],
                one["Creator"]["id"],
                "\n".join(texts.get(one["id"], [])),
            )
            for one in self._pages("transactions?fields=Type,Creator,ObjectId", of_tickets)
        ]
        return sorted(entries, key=lambda entry: entry.id)

    def _pages(self, path: str, body: Any = None) -> list[Any]:
        found: list[Any] = []
        page = 1
        while True:
            answer = self.ask(f"{path}&per_page=100&orderby=id&order=ASC&page={page}", body)
            found += answer["items"]
            # Told only to who has every right, as root has, who reads here.
            if not answer.get("next_page"):
                return found
            page += 1
