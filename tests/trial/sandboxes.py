"""Tiny sandboxes: a server process that only answers, and hands that keep everything in memory."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import requests

from hub.sdk.sandboxes import HelpdeskSandbox, SandboxComment, SandboxPost, SandboxRecord, SocialSandbox

SERVER = """
import http.server, sys, threading, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Served:
    """A sandbox whose server only says that it is there."""

    http: requests.Session
    base_url: str

    @classmethod
    def command(cls, port: int, state: Path) -> list[str]:
        return ["-c", SERVER, str(port)]

    def is_ready(self) -> bool:
        try:
            return self.http.get(self.base_url, timeout=2).ok
        except requests.RequestException:
            return False

    def connection_settings(self, *, webhook_url: str) -> dict[str, Any]:
        return {"base_url": self.base_url, "webhook": webhook_url}


class TinyNetwork(Served, SocialSandbox):  # type: ignore[misc]
    """A network in memory; posts longer than 500 characters are refused."""

    name: ClassVar[str] = "mastodon"
    display_name: ClassVar[str] = "Tiny network"

    def __init__(self, base_url: str = "http://net.test", state: Path = Path(), http: Any = None) -> None:
        super().__init__(base_url, state, http)
        self.said: list[SandboxPost] = []
        self.keys: dict[str, str] = {}
        self.lock = threading.Lock()
        self.reads = 0

    def post(self, author: str, text: str, *, reply_to: str = "", key: str = "", private: bool = False) -> str:
        if len(text) > 500:
            answer = requests.Response()
            answer.status_code = 422
            raise requests.HTTPError(response=answer)
        with self.lock:
            if key and key in self.keys:
                return self.keys[key]
            post_id = str(1000 + len(self.said))
            link = f"{self.base_url}/@{author}/{post_id}"
            privacy = "direct" if private else "public"
            self.said.append(SandboxPost(post_id, author, text, START, False, reply_to, link, privacy))
            self.keys[key] = post_id
            return post_id

    def delete(self, author: str, post_id: str) -> None:
        self.said = [post for post in self.said if (post.id, post.author) != (post_id, author)]

    def edit(self, author: str, post_id: str, text: str) -> None:
        self.delete(author, post_id)
        self.said.append(SandboxPost(post_id, author, text, START))

    def posts(self, *, limit: int = 60) -> list[SandboxPost]:
        self.reads += 1
        return self.said[::-1][:limit]


class TinyHelpdesk(Served, HelpdeskSandbox):  # type: ignore[misc]
    """A helpdesk in memory with one record."""

    name: ClassVar[str] = "zendesk"
    display_name: ClassVar[str] = "Tiny helpdesk"

    def __init__(self, base_url: str = "http://desk.test", state: Path = Path(), http: Any = None) -> None:
        super().__init__(base_url, state, http)
        self.did: list[tuple[Any, ...]] = []
        self.comments = [SandboxComment("7", "Anna", "Where is it?", True, START, "end-user")]

    def records(self, *, limit: int = 40) -> list[SandboxRecord]:
        return [SandboxRecord("1", "Where is it?", "new", "Anna", START, comments=tuple(self.comments))]

    def answer(self, record_id: str, text: str, *, public: bool, automatic: bool = False) -> str:
        self.did.append(("answer", record_id, text, public, automatic))
        return "8"

    def make_public(self, record_id: str, comment_id: str) -> None:
        self.did.append(("make_public", record_id, comment_id))

    def update(self, record_id: str, *, status: str = "", tags_add: tuple[str, ...] = ()) -> None:
        self.did.append(("update", record_id, status, tags_add))
