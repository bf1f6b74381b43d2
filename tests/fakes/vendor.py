"""The fake vendors' state. Neither knows idempotency keys: whatever is sent twice is there twice, and is counted."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any


class Fault(Exception):
    """An answer that is not a 200: ``status`` 0 means that the connection drops without an answer."""

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"fault {status}")
        self.status = status
        self.retry_after = retry_after


class Faults:
    """Which calls go wrong: scripted ones first, then a share of all by chance.

    Kinds: ``before`` (503, no effect), ``after`` (effect, then silence), ``limited`` (429 with Retry-After),
    ``limited_silently`` (429 without), ``token`` (401), ``refused`` (422).
    """

    def __init__(self, *, rate: float = 0.0, seed: int = 0, kinds: tuple[str, ...] = ("before", "after")) -> None:
        self.rate, self.kinds = rate, kinds
        self.script: deque[tuple[str, str]] = deque()
        self.random = random.Random(seed)
        self.token_dead = False

    def add(self, path: str, kind: str, count: int = 1) -> None:
        """Let the next ``count`` calls to ``path`` go wrong."""
        self.script.extend([(path, kind)] * count)

    def draw(self, path: str) -> str:
        """The fault of this call, or an empty text."""
        if self.token_dead:
            return "token"
        for place, (wanted, kind) in enumerate(self.script):
            if path.startswith(wanted):
                del self.script[place]
                return kind
        return self.random.choice(self.kinds) if self.random.random() < self.rate else ""


class Vendor:
    """Base: calls by name, one at a time, with faults."""

    def __init__(self, faults: Faults | None = None, now: Callable[[], float] = time.time) -> None:
        self.faults = faults or Faults()
        self.lock = threading.RLock()
        self.now = now
        self.calls = 0
        self.on_effect: Callable[[str, dict[str, Any]], None] = lambda path, answer: None
        self.files: dict[str, bytes] = {}

    def call(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        """One API call of the hub. Raises :class:`Fault`."""
        with self.lock:
            self.calls += 1
            fault = self.faults.draw(path)
            if fault in ("before", "limited", "limited_silently", "token", "refused"):
                status = {"before": 503, "token": 401, "refused": 422}.get(fault, 429)
                raise Fault(status, retry_after=3.0 if fault == "limited" else None)
            answer: dict[str, Any] = getattr(self, f"api_{path}")(**data)
        self.on_effect(path, answer)
        if fault == "after":
            raise Fault(0)
        return answer

    def file(self, name: str, content: bytes) -> dict[str, Any]:
        """Somebody hands in a file: what a post or a comment carries in its ``files``."""
        file_id = f"f{len(self.files) + 1}"
        self.files[file_id] = content
        return {"id": file_id, "name": name, "size": len(content)}

    def api_file(self, file_id: str) -> dict[str, Any]:
        """The bytes of a file."""
        if file_id not in self.files:
            raise Fault(404)
        return {"content": base64.b64encode(self.files[file_id]).decode()}


class FakeNetwork(Vendor):
    """Posts in threads. The company's account is ``brand``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.posts: dict[str, dict[str, Any]] = {}
        self.feed: list[dict[str, Any]] = []
        self.account = "brand"

    def post(
        self,
        author: str,
        text: str,
        *,
        reply_to: str = "",
        private: bool = False,
        at: float | None = None,
        files: tuple[Any, ...] = (),
        **account: Any,
    ) -> str:
        """Somebody writes, and the network tells this of their account; return the post's id."""
        with self.lock:
            post_id = f"p{len(self.posts) + 1}"
            parent = self.posts.get(reply_to)
            post = {
                "id": post_id,
                "author": author,
                "text": text,
                "reply_to": reply_to,
                "thread": parent["thread"] if parent else post_id,
                "at": self.now() if at is None else at,
                "edited": None,
                "private": private,
                "files": list(files),
                "account": account,
            }
            self.posts[post_id] = post
            self.feed.append({"kind": "post", **post})
            return post_id

    def edit(self, post_id: str, text: str) -> None:
        """The author changes a post."""
        with self.lock:
            self.posts[post_id].update(text=text, edited=self.now())
            self.feed.append({"kind": "post", **self.posts[post_id]})

    def delete(self, post_id: str) -> None:
        """The author removes a post."""
        with self.lock:
            post = self.posts.pop(post_id)
            self.feed.append({"kind": "deleted", **post})

    def own(self) -> list[dict[str, Any]]:
        """What the company's account wrote."""
        with self.lock:
            return [post for post in self.posts.values() if post["author"] == self.account]

    def api_whoami(self) -> dict[str, Any]:
        """The account."""
        return {"account": self.account}

    def api_newest(self) -> dict[str, Any]:
        """Where the feed ends now."""
        return {"after": len(self.feed)}

    def api_events(self, after: int, limit: int = 40) -> dict[str, Any]:
        """The feed after a place."""
        return {"events": self.feed[after : after + limit], "end": len(self.feed)}

    def api_reply(self, reply_to: str, text: str, private: bool, files: tuple[Any, ...] = ()) -> dict[str, Any]:
        """The company answers, with files as name and bytes in base64."""
        if reply_to not in self.posts:
            raise Fault(404)
        kept = tuple(self.file(one["name"], base64.b64decode(one["content"])) for one in files)
        return {"id": self.post(self.account, text, reply_to=reply_to, private=private, files=kept)}

    def api_own_replies(self, reply_to: str) -> dict[str, Any]:
        """A consistent read of what the company said under a post."""
        return {"posts": [post for post in self.own() if post["reply_to"] == reply_to]}


class FakeHelpdesk(Vendor):
    """Records with comments. Its feed does not carry the hub's mark; reading one record does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.records: dict[str, dict[str, Any]] = {}
        self.feed: list[dict[str, Any]] = []
        self.comments = 0
        self.changes = 0

    def _record(self, record_id: str) -> dict[str, Any]:
        if record_id not in self.records:
            raise Fault(404)
        return self.records[record_id]

    def comment(
        self,
        record_id: str,
        text: str,
        *,
        public: bool = True,
        role: str = "agent",
        automatic: bool = False,
        ref: str = "",
        files: tuple[Any, ...] = (),
        copied_from: str = "",
    ) -> str:
        """Somebody comments; return the comment's id."""
        with self.lock:
            self.comments += 1
            comment = {
                "id": f"c{self.comments}",
                "record": record_id,
                "text": text,
                "public": public,
                "role": role,
                "automatic": automatic,
                "ref": ref,
                "copied_from": copied_from,
                "at": self.now(),
                "files": list(files),
            }
            self._record(record_id)["comments"].append(comment)
            self.feed.append({"kind": "comment", **comment})
            return str(comment["id"])

    def make_public(self, comment_id: str) -> None:
        """An agent turns an old note into a public comment."""
        with self.lock:
            for record in self.records.values():
                for comment in record["comments"]:
                    if comment["id"] == comment_id:
                        comment["public"] = True
                        self.feed.append({"kind": "comment", **comment})

    def set_fields(self, record_id: str, **fields: Any) -> None:
        """Somebody changes a record."""
        with self.lock:
            record = self._record(record_id)
            self.changes += 1
            record["fields"] = {**record["fields"], **fields}
            shown = {"id": record_id, "external_id": record["external_id"], "fields": dict(record["fields"])}
            self.feed.append({"kind": "record", "change": self.changes, "at": self.now(), **shown})

    def api_whoami(self) -> dict[str, Any]:
        """The account."""
        return {"account": "helpdesk"}

    def api_newest(self) -> dict[str, Any]:
        """Where the feed ends now."""
        return {"after": len(self.feed)}

    def api_events(self, after: int, limit: int = 40) -> dict[str, Any]:
        """The feed after a place."""
        return {"events": self.feed[after : after + limit], "end": len(self.feed)}

    def api_create(
        self, external_id: str, subject: str, text: str, ref: str, files: tuple[Any, ...] = ()
    ) -> dict[str, Any]:
        """Open a record, also when one with this external id exists."""
        record_id = f"r{len(self.records) + 1}"
        record = {"id": record_id, "external_id": external_id, "subject": subject, "comments": [], "fields": {}}
        self.records[record_id] = {**record, "status": "new"}
        comment_id = self.comment(record_id, text, role="end-user", ref=ref, files=self._kept(files))
        return {"id": record_id, "comment_id": comment_id}

    def _kept(self, files: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self.file(one["name"], base64.b64decode(one["content"])) for one in files)

    def api_add(self, record_id: str, text: str, public: bool, ref: str, files: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Add a comment."""
        if self._record(record_id)["fields"].get("status") == "closed":
            raise Fault(409)
        kept = self._kept(files)
        return {"comment_id": self.comment(record_id, text, public=public, role="end-user", ref=ref, files=kept)}

    def api_update(self, record_id: str, fields: dict[str, Any], note: str, ref: str) -> dict[str, Any]:
        """Change fields, with a note."""
        record = self._record(record_id)
        record.setdefault("updates", []).append(ref)
        if fields:
            self.set_fields(record_id, **fields)
        return {"comment_id": self.comment(record_id, note, public=False, role="system", ref=ref) if note else ""}

    def api_find(self, external_id: str = "", record_id: str = "") -> dict[str, Any]:
        """A consistent read of records by external id, or of one by its id."""
        if record_id:
            return {"records": [self.records[record_id]] if record_id in self.records else []}
        return {"records": [one for one in self.records.values() if one["external_id"] == external_id]}
