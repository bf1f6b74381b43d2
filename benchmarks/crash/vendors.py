"""The two fake vendors in a process of their own, so that a killed hub takes nothing of them with it."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import queue
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.fakes.vendor import FakeHelpdesk, FakeNetwork, Fault, Faults

SECRET = "s3cret"


class Webhooks(threading.Thread):
    """Tells the hub, and repeats until it answers 2xx, as networks do; now and then twice and out of order."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.url = ""
        self.waiting: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self.sent = 0

    def run(self) -> None:
        """Send what waits."""
        while True:
            due, entry = self.waiting.get()
            time.sleep(max(0.0, due - time.time()))
            if not self._send(entry):
                self.waiting.put((time.time() + 0.2, entry))

    def _send(self, entry: dict[str, Any]) -> bool:
        body = json.dumps([entry]).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(self.url, body, {"X-Signature": signature, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                self.sent += 1
                return bool(200 <= answer.status < 300)
        except OSError:
            return False


class Network(FakeNetwork):
    """A third of the posts is only polled, a third only told by webhook, a third both."""

    def __init__(self, webhooks: Webhooks, **options: Any) -> None:
        super().__init__(**options)
        self.webhooks = webhooks
        self.customers = 0

    def post(self, author: str, text: str, **options: Any) -> str:
        """A post, reported in one way or both."""
        with self.lock:
            post_id = super().post(author, text, **options)
            if author != self.account:
                self.customers += 1
                way = self.customers % 3
                entry = dict(self.feed[-1])
                if way != 0:
                    self.webhooks.waiting.put((time.time(), entry))
                if way == 2 and self.customers % 2:
                    self.webhooks.waiting.put((time.time() + 0.5, entry))
                if way == 1:
                    self.feed.pop()
        return post_id


class Handler(BaseHTTPRequestHandler):
    """POST /network/PATH, /helpdesk/PATH: the vendors' APIs. POST /hand/PATH: what people do there."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    network: ClassVar[Network]
    helpdesk: ClassVar[FakeHelpdesk]

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def do_POST(self) -> None:
        """One call."""
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the hub was killed while it wrote
            self.close_connection = True
            return
        data = json.loads(body or b"{}")
        _, side, path = self.path.split("/")
        try:
            if side == "hand":
                answer = getattr(self, f"hand_{path}")(**data)
            else:
                answer = (self.network if side == "network" else self.helpdesk).call(path, data)
        except Fault as fault:
            if fault.status == 0:
                self.close_connection = True
                return
            self._answer(fault.status, {}, retry_after=fault.retry_after)
            return
        self._answer(200, answer)

    def _answer(self, status: int, body: Any, retry_after: float | None = None) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def hand_post(self, author: str, text: str, reply_to: str = "") -> dict[str, Any]:
        """A customer writes."""
        return {"id": self.network.post(author, text, reply_to=reply_to)}

    def hand_answer(self, record: str, text: str, public: bool = True) -> dict[str, Any]:
        """An agent writes."""
        return {"id": self.helpdesk.comment(record, text, public=public)}

    def hand_webhooks(self, url: str) -> dict[str, Any]:
        """Where the hub listens."""
        self.network.webhooks.url = url
        return {}

    def hand_faults(self, rate: float) -> dict[str, Any]:
        """How many calls go wrong from now on."""
        self.network.faults.rate = self.helpdesk.faults.rate = rate
        return {}

    def hand_dump(self) -> dict[str, Any]:
        """All that is there."""
        with self.network.lock, self.helpdesk.lock:
            return {
                "posts": list(self.network.posts.values()),
                "records": list(self.helpdesk.records.values()),
                "calls": self.network.calls + self.helpdesk.calls,
                "webhooks": self.network.webhooks.sent,
            }


class Server(ThreadingHTTPServer):
    """Says nothing when a killed hub leaves a call unfinished."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence for resets; anything else is our own bug."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kinds = ("before", "after", "after", "limited", "limited_silently")
    webhooks = Webhooks()
    webhooks.start()
    Handler.network = Network(webhooks, faults=Faults(rate=options.rate, seed=options.seed, kinds=kinds))
    Handler.helpdesk = FakeHelpdesk(faults=Faults(rate=options.rate, seed=options.seed + 1, kinds=kinds))
    Server(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
