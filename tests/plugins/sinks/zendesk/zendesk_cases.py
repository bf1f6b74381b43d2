"""What the tests of the Zendesk sink share: a connector at any address, and tickets and deliveries to send."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from hub.sdk import (
    AddComment,
    CategoryName,
    CommentSeen,
    Delivery,
    Hint,
    House,
    HttpSession,
    Identity,
    OpenTicket,
    Receipt,
    RecordChanged,
    Said,
    TicketView,
    Toolbox,
    UpdateFields,
    Words,
)
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.sandbox import ZendeskSandbox
from plugins.sinks.zendesk.sink import ZendeskSink

DATA = Path(os.environ.get("HUB_TEST_DATA", Path(__file__).parents[4] / ".." / "shared" / "data")).resolve()
DESCRIPTION = DATA / "helpdesk" / "zendesk-oas" / "openapi-src.yaml"
RECORDED = DATA / "helpdesk" / "go-zendesk-fixtures" / "fixture"
ANNA = Identity(network="mastodon", id="7", handle="anna", display_name="Anna Rossi")
TOKEN = "sesame-token"
HOUSE = House(
    categories=(
        CategoryName(name="delivery", label=Words(en="Delivery", it="Consegna")),
        CategoryName(name="vat_invoice", label=Words(en="VAT invoice", it="Fattura IVA")),
    ),
)
"""A hub with two categories."""


def make_sink(
    settings: dict[str, Any],
    *,
    timeout: tuple[float, float] = (2, 5),
    now: Any = None,
    vault: MemoryVault | None = None,
    public_url: str = "",
    house: House | None = None,
) -> ZendeskSink:
    """A connector as the hub would make it."""
    toolbox = Toolbox(
        connection="acme-zendesk",
        http=HttpSession(user_agent="hub-test", timeout=timeout),
        vault=vault if vault is not None else MemoryVault(),
        now=now or (lambda: datetime.now(UTC)),
        log=logging.LoggerAdapter(logging.getLogger("test.zendesk")),
        public_url=public_url,
        house=house or House(),
    )
    return ZendeskSink(ZendeskSink.Settings(**settings), toolbox)


def vendor_settings(**more: Any) -> dict[str, Any]:
    """Settings of an account at the real address."""
    return {"subdomain": "acme", "email": "hub@acme.example", "api_token": TOKEN, **more}


def ticket(uid: str, **more: Any) -> TicketView:
    """A ticket of Anna's."""
    values = {"code": "SCH-1", "subject": "No parcel", "network": "mastodon", "source": "m1", "requester": ANNA}
    return TicketView(uid=uid, **(values | more))


def opening(uid: str, *, key: str = "", text: str = "Where is my parcel?", **more: Any) -> Delivery:
    """The delivery that opens a ticket."""
    view = ticket(uid, **more.pop("view", {}))
    said = Said(text=text, author=ANNA, permalink="https://social.example/1")
    return Delivery(key=key or f"open-{uid}", body=OpenTicket(ticket=view, said=said, **more))


def comment(uid: str, record_id: str, *, key: str, text: str = "Still nothing") -> Delivery:
    """The delivery of a further message."""
    return Delivery(
        key=key, body=AddComment(ticket=ticket(uid), record_id=record_id, said=Said(text=text, author=ANNA))
    )


def fields(uid: str, record_id: str, *, key: str, **more: Any) -> Delivery:
    """The delivery of a field update."""
    return Delivery(key=key, body=UpdateFields(ticket=ticket(uid), record_id=record_id, **more))


class Account:
    """A running sandbox: its hands, and what only tests need."""

    def __init__(self, sandbox: ZendeskSandbox, http: requests.Session) -> None:
        self.sandbox = sandbox
        self.http = http
        self.url = sandbox.base_url

    def sink(
        self, *, timeout: tuple[float, float] = (2, 5), house: House | None = None, now: Any = None, **more: Any
    ) -> ZendeskSink:
        """A connector to it."""
        settings = self.sandbox.connection_settings(webhook_url="") | more
        return make_sink(settings, timeout=timeout, house=house, now=now)

    def fault(self, method: str, path: str, kind: str, *, count: int = 1, **options: Any) -> None:
        """The next ``count`` such calls go wrong."""
        body = {
            "match": {"methods": [method], "path": path},
            "effect": {"type": kind, **options},
            "count": count,
        }
        self.http.post(f"{self.url}/_sandbox/faults", json=body, timeout=5).raise_for_status()

    def as_agent(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the public API with the agent's token."""
        return self.sandbox._call(method, path, body)

    def deviations(self) -> dict[str, Any]:
        """What deviated from the vendor's description."""
        return dict(self.http.get(f"{self.url}/_sandbox/deviations", timeout=5).json())


@contextmanager
def running_sandbox(state: Path, *, description: Path | None = None) -> Iterator[Account]:
    """The sandbox as the hub starts it: a child process that ends when its standard input is closed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "HUB_SANDBOX_OAS"}
    if description is not None:
        environment["HUB_SANDBOX_OAS"] = str(description)
    process = subprocess.Popen(
        [sys.executable, *ZendeskSandbox.command(port, state)], stdin=subprocess.PIPE, env=environment
    )
    assert process.stdin is not None
    with requests.Session() as http:
        http.trust_env = False
        sandbox = ZendeskSandbox(f"http://127.0.0.1:{port}", state, http)
        try:
            deadline = time.monotonic() + 60
            while not sandbox.is_ready():
                assert process.poll() is None, "the sandbox ended at once"
                assert time.monotonic() < deadline, "the sandbox is not ready after a minute"
                time.sleep(0.05)
            yield Account(sandbox, http)
        finally:
            process.stdin.close()
            assert process.wait(10) == 0


def opened(sink: ZendeskSink, uid: str, **more: object) -> Receipt:
    """The receipt of a ticket just opened."""
    result = sink.deliver([opening(uid, **more)])[0]  # type: ignore[arg-type]
    assert isinstance(result, Receipt), result
    return result


def read(sink: ZendeskSink, record_id: str) -> tuple[RecordChanged, list[CommentSeen]]:
    """A record and its comments as the hub would complete a hint."""
    events = sink.complete(Hint(event_key="x", record=record_id))
    records = [event for event in events if isinstance(event, RecordChanged)]
    return records[0], [event for event in events if isinstance(event, CommentSeen)]
