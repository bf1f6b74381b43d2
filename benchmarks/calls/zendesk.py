"""The Zendesk sandbox in a process of its own, and what a person or an administrator does there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.ports import free_port

REAL_QUOTAS = {"rate_limit": 700, "endpoint_limits": 1, "withhold_newest_minute": 1, "job_delay": 1}
"""A Professional account's: 700 calls a minute, and the limits of single endpoints with Zendesk's numbers."""


class Zendesk:
    """One sandbox. Every count comes from it, not from the hub."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "plugins.sinks.zendesk.sandbox", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--state", str(folder / "zendesk")], stdin=subprocess.PIPE)
        for _ in range(300):
            try:
                self.call("GET", "/_sandbox/ready")
            except OSError:
                time.sleep(0.1)
            else:
                break
        else:
            raise SystemExit("the Zendesk sandbox did not start")
        self.accounts: dict[str, dict[str, Any]] = self.call("GET", "/_sandbox/accounts")

    def call(self, method: str, path: str, data: Any = None, *, headers: dict[str, str] | None = None) -> Any:
        """One call; raises ``HTTPError`` (an ``OSError``) for what is no 2xx."""
        body = None if data is None else json.dumps(data).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, body, sent, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def settings(self, **values: float) -> None:
        """Change its settings."""
        self.call("POST", "/_sandbox/settings", values)

    def webhook_secret(self, url: str) -> str:
        """Tell it where the hub listens; the secret it signs with."""
        return str(self.call("POST", "/_sandbox/webhook", {"url": url})["secret"])

    def calls(self) -> dict[str, Any]:
        """What it was asked, by account."""
        found: dict[str, Any] = self.call("GET", "/_sandbox/calls")
        return found

    def clear_calls(self) -> None:
        """Count anew."""
        self.call("DELETE", "/_sandbox/calls")

    def records(self, limit: int) -> list[dict[str, Any]]:
        """The newest tickets with their comments."""
        found: list[dict[str, Any]] = self.call("GET", f"/_sandbox/records?limit={limit}")["records"]
        return found

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
