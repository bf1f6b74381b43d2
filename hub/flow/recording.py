"""Records a proof's calls, redacted, and the clock and vault as the connector saw them: what a replay needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import requests

from hub.sdk import HttpSession, Vault
from hub.sdk.redacting import Redactor, basic_pair

Json = dict[str, Any]


class StandingClock:
    """The connector's clock in a proof: it moves after each call and each wait only, so that a replay, which makes the
    same calls and waits, sees the same times."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._real = now
        self._now = now()
        self.ticks = [self._now]

    def now(self) -> datetime:
        """The time."""
        return self._now

    def tick(self) -> None:
        """Catch up with the real clock."""
        self._now = self._real()
        self.ticks.append(self._now)


class RecordingSession(HttpSession):
    """Keeps every exchange, made by ``request`` and by ``exchange`` alike. Nothing of it is kept unredacted."""

    def __init__(self, redactor: Redactor, clock: StandingClock, **options: Any) -> None:
        super().__init__(**options)
        self._redactor = redactor
        self._clock = clock
        self.exchanges: list[Json] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As the session's, recorded."""
        body: Any = request.body
        row = self._asked(str(request.method), str(request.url), body, request.headers)
        return self._answered(row, lambda: super(RecordingSession, self).send(request, **kwargs))

    def exchange(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """As the session's, recorded (once: behind a proxy it goes through ``send``)."""
        if self.proxies:
            return super().exchange(method, url, body=body, headers=headers)
        row = self._asked(method, url, body, headers or {})
        return self._answered(
            row, lambda: super(RecordingSession, self).exchange(method, url, body=body, headers=headers)
        )

    def _asked(self, method: str, url: str, body: Any, headers: Mapping[str, Any]) -> Json:
        given = {
            str(name): value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()
        }
        for name, value in given.items():
            if name.lower() in ("authorization", "proxy-authorization"):
                for secret in basic_pair(value):
                    self._redactor.hide(secret, "person" if "@" in secret else "secret")
        raw = (
            body
            if isinstance(body, bytes | str) or body is None
            else b"\xff" * (len(body) if hasattr(body, "__len__") else 1)
        )
        return {
            "method": method,
            "url": self._redactor.url(url),
            "headers": self._redactor.headers(given),
            "body": self._redactor.body(raw, given.get("Content-Type", "")),
        }

    def _answered(self, row: Json, call: Callable[[], requests.Response]) -> requests.Response:
        try:
            response = call()
        except requests.RequestException as error:
            row["failed"] = type(error).__name__
            raise
        else:
            row["status"] = response.status_code
            row["answer_headers"] = self._redactor.headers(response.headers)
            row["answer"] = self._redactor.body(response.content, response.headers.get("Content-Type", ""))
            return response
        finally:
            self.exchanges.append(row)
            self._clock.tick()


class RecordingVault:
    """A connection's own vault; remembers, redacted, what the connector found in it."""

    def __init__(self, vault: Vault, redactor: Redactor) -> None:
        self._vault = vault
        self._redactor = redactor
        self.found: dict[str, Json] = {}

    def read(self, name: str) -> str | None:
        """The stored value."""
        return self._seen(name, self._vault.read(name))

    def write(self, name: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Store a value."""
        self.found.setdefault(name, {})
        self._vault.write(name, value, expires_at=expires_at)

    def expires_at(self, name: str) -> datetime | None:
        """When the stored value ends."""
        return self._vault.expires_at(name)

    def forget(self, name: str) -> None:
        """Delete a value."""
        self._vault.forget(name)

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """The current value, renewed when it is the stale one."""
        return self._vault.refresh(name, stale, renew)

    def _seen(self, name: str, value: str | None) -> str | None:
        if name not in self.found:
            ends = self._vault.expires_at(name)
            body = self._redactor.kept_secret(value) if value is not None else None
            self.found[name] = {"value": body, "expires_at": ends.isoformat() if ends else None} if body else {}
        return value
