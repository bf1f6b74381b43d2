"""The sandbox's webhooks: subscribed, triggered, and gone astray on demand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from zendesk_cases import Account
from zendesk_sandbox_calls import call, done, settings, ticket

Got = tuple[dict[str, str], bytes]


@pytest.fixture
def listener() -> Iterator[tuple[str, Queue[Got]]]:
    """An address, and what is sent to it."""
    got: Queue[Got] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((dict(self.headers.items()), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    server.shutdown()
    thread.join()
    server.server_close()


def subscribe(account: Account, url: str, *kinds: str) -> str:
    """The id of a new webhook."""
    webhook = {
        "name": "Hub",
        "endpoint": url,
        "http_method": "POST",
        "request_format": "json",
        "status": "active",
        "subscriptions": [f"zen:event-type:ticket.{kind}" for kind in kinds] or ["conditional_ticket_events"],
    }
    return str(done(account, "POST", "webhooks", {"webhook": webhook})["webhook"]["id"])


def next_kind(got: Queue[Got]) -> str:
    """The event type of the next one."""
    return str(json.loads(got.get(timeout=5)[1])["type"]).removeprefix("zen:event-type:ticket.")


def test_a_subscription_hears_its_events_only(account: Account, listener: tuple[str, Queue[Got]]) -> None:
    """Signed with the webhook's own secret; a deleted one hears nothing more."""
    url, got = listener
    hook = subscribe(account, url, "comment_added", "status_changed")
    number = ticket(account)
    change = {"ticket": {"status": "open", "priority": "low", "comment": {"body": "we look", "public": False}}}
    done(account, "PUT", f"tickets/{number}", change, who="agent")
    headers, body = got.get(timeout=5)
    secret = done(account, "GET", f"webhooks/{hook}/signing_secret")["signing_secret"]["secret"]
    stamp = headers["X-Zendesk-Webhook-Signature-Timestamp"]
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    assert headers["X-Zendesk-Webhook-Signature"] == base64.b64encode(digest).decode()
    told = json.loads(body)
    assert told["detail"]["id"] == str(number)
    comment = told["event"]["comment"]
    assert (comment["body"], comment["is_public"], comment["author"]["is_staff"]) == ("we look", False, True)
    assert json.loads(got.get(timeout=5)[1])["event"] == {"current": "OPEN", "previous": "NEW"}
    assert done(account, "GET", "webhooks?filter[name_contains]=Hub")["webhooks"][0]["id"]
    assert call(account, "DELETE", f"webhooks/{hook}").status_code == 204
    done(account, "PUT", f"tickets/{number}", {"ticket": {"status": "pending"}})
    watch = subscribe(account, url, "created")
    ticket(account)
    assert next_kind(got) == "created", "the deleted webhook heard of the status"
    call(account, "DELETE", f"webhooks/{watch}")


def test_a_trigger_sends_its_own_body(account: Account, listener: tuple[str, Queue[Got]]) -> None:
    """Conditions decide, placeholders are filled in; agents may not make webhooks."""
    url, got = listener
    hook = subscribe(account, url)
    action = {"field": "notification_webhook", "value": [hook, '{"ticket_id": "{{ticket.id}}"}']}
    conditions = {"all": [{"field": "current_tags", "operator": "includes", "value": "tell"}], "any": []}
    trigger = {"title": "Tell the hub", "actions": [action], "conditions": conditions}
    made = done(account, "POST", "triggers", {"trigger": trigger})["trigger"]
    ticket(account)
    number = ticket(account, tags=["tell"])
    assert json.loads(got.get(timeout=5)[1]) == {"ticket_id": str(number)}
    assert got.empty()
    call(account, "DELETE", f"triggers/{made['id']}")
    call(account, "DELETE", f"webhooks/{hook}")
    assert call(account, "POST", "webhooks", {"webhook": {}}, who="agent").status_code == 403


def test_webhooks_go_astray_on_demand(account: Account, listener: tuple[str, Queue[Got]]) -> None:
    """Every third is dropped, every second comes twice; late ones may change places."""
    url, got = listener
    hook = subscribe(account, url, "priority_changed")
    number = ticket(account)

    def change(*priorities: str) -> list[str]:
        for priority in priorities:
            done(account, "PUT", f"tickets/{number}", {"ticket": {"priority": priority}})
        settings(account, webhook_drop=0, webhook_duplicate=0, webhook_reorder=0, webhook_delay_ms=0)
        done(account, "PUT", f"tickets/{number}", {"ticket": {"priority": "urgent"}})
        seen = []
        while not seen or seen[-1] != "urgent":
            seen.append(json.loads(got.get(timeout=5)[1])["event"]["current"])
        return seen[:-1]

    settings(account, webhook_drop=1)
    assert change("low", "high") == []
    settings(account, webhook_duplicate=1)
    assert change("low", "high") == ["low", "low", "high", "high"]
    settings(account, webhook_reorder=1, webhook_delay_ms=400)
    assert change("low", "normal", "high") == ["normal", "high", "low"]
    call(account, "DELETE", f"webhooks/{hook}")
