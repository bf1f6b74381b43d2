"""The helpdesk of a crash run: what stands there, and the agent who works there."""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from benchmarks.calls.zendesk import Zendesk

RATE = 10
"""One call in about so many goes wrong at the Zendesk sandbox."""
EFFECTS: tuple[dict[str, Any], ...] = (
    {"type": "status", "status": 503},
    {"type": "html"},
    {"type": "html_after"},
    {"type": "malformed"},
    {"type": "truncated"},
    {"type": "timeout_after", "seconds": 0.3},
    {"type": "timeout_before", "seconds": 0.3},
    {"type": "ratelimit", "retry_after": 1},
    {"type": "ratelimit", "retry_after": None},
    {"type": "status", "status": 409, "body": {"error": "UpdateConflict", "description": "Safe Update prevented it"}},
)
WRITES = ("POST", "PUT")
TROUBLES = {"webhook_duplicate": 3, "webhook_reorder": 4, "webhook_drop": 10, "webhook_delay_ms": 100}


class Desk(Protocol):
    """One helpdesk, asked by itself."""

    every: float
    """Seconds between two looks that do not disturb it."""
    lives: float
    """The longest a hub lives before it is killed, in seconds: long enough that something gets done."""

    def records(self) -> list[dict[str, Any]]:
        """Its records: ``id`` and ``comments``, each with ``role``, ``text`` and ``public``, in order."""

    def answer(self, record: str, text: str, *, public: bool = True) -> None:
        """A human agent writes."""

    def options(self) -> list[str]:
        """What the hub's process must be told to find it."""

    def close(self) -> None:
        """End it."""


class FakeDesk:
    """The fake helpdesk, which lives in the vendors' process and fails there."""

    every = 0.05
    lives = 3.5

    def __init__(self, hand: Callable[..., Any]) -> None:
        self._hand = hand

    def records(self) -> list[dict[str, Any]]:
        """As it has them."""
        found: list[dict[str, Any]] = self._hand("dump")["records"]
        return found

    def answer(self, record: str, text: str, *, public: bool = True) -> None:
        """A comment."""
        self._hand("answer", record=record, text=text, public=public)

    def options(self) -> list[str]:
        """None: it is where the vendors are."""
        return []

    def close(self) -> None:
        """Nothing to end."""


class ZendeskDesk:
    """The Zendesk sandbox, webhook and export both on; now and then a call fails, before or after its effect, and
    webhooks come late, twice, in another order or never."""

    every = 2.0
    lives = 9.0

    def __init__(self, folder: Path, hub_port: int, seed: int) -> None:
        self._zendesk = Zendesk(folder)
        self.secret = self._zendesk.webhook_secret(f"http://127.0.0.1:{hub_port}/hooks/desk")
        self._zendesk.settings(**TROUBLES)
        account = self._zendesk.accounts["agent"]
        pair = f"{account['email']}/token:{account['token']}".encode()
        self._agent = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        self._random = random.Random(seed)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fail_now_and_then, daemon=True)
        self._thread.start()

    def _fail_now_and_then(self) -> None:
        while not self._stopped.wait(0.2):
            if self._zendesk.call("GET", "/_sandbox/faults")["waiting"]:
                continue
            effect = dict(self._random.choice(EFFECTS))
            match = {"methods": list(WRITES) if effect.get("status") == 409 else [], "path": "/api/v2/*"}
            fault = {"match": match, "effect": effect, "skip": self._random.randrange(2 * RATE)}
            self._zendesk.call("POST", "/_sandbox/faults", fault)

    def records(self) -> list[dict[str, Any]]:
        """Every ticket."""
        return self._zendesk.records(1_000_000)

    def answer(self, record: str, text: str, *, public: bool = True) -> None:
        """A comment on the agents' screen."""
        comment = {"comment": {"body": text, "public": public}}
        self._zendesk.call("POST", "/_sandbox/agent/update", {"ticket_id": int(record), "ticket": comment})

    def options(self) -> list[str]:
        """Its address, and the hub's account there."""
        account = self._zendesk.accounts["hub"]
        return ["--zendesk", self._zendesk.url, account["email"], account["token"], self.secret]

    def close(self) -> None:
        """End it."""
        self._stopped.set()
        self._thread.join()
        self._zendesk.close()
