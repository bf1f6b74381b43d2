"""A connector on the bench: a real toolbox whose every call ends at the vendor in memory, and eyes on its conduct."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from pydantic import SecretStr
from requests.adapters import BaseAdapter

from hub.sdk import HttpSession, Toolbox
from hub.testing.faults import Fault
from hub.testing.vendor import Vendor
from hub.testing.watching import Conduct, Watch, Watched, logger_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When every test begins: a Monday morning."""


class Clock:
    """The hub's clock in a test: it stands still until :meth:`advance`. With ``source`` (a vendor that is a real
    server) it is that clock, and advancing does nothing."""

    def __init__(self, source: Callable[[], datetime] | None = None) -> None:
        self._source = source
        self._now = START

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return self._source() if self._source else self._now

    def advance(self, by: timedelta | float) -> None:
        """Let ``by`` pass (seconds, or a timedelta)."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)


class MemoryVault:
    """A vault that forgets at the end of the test."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.ends: dict[str, datetime | None] = {}

    def read(self, name: str) -> str | None:
        """The stored value, or ``None``."""
        return self.values.get(name)

    def write(self, name: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Store a value."""
        self.values[name], self.ends[name] = value, expires_at

    def expires_at(self, name: str) -> datetime | None:
        """When the stored value ends, as it was written."""
        return self.ends.get(name)

    def forget(self, name: str) -> None:
        """Delete a value, if there is one."""
        self.values.pop(name, None)
        self.ends.pop(name, None)

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """The stored value unless it is ``stale``; else the renewed one."""
        current = self.values.get(name)
        if current is None or current == stale:
            self.values[name] = current = renew()[0]
        return current


@dataclass(frozen=True, slots=True)
class Call:
    """One request that left the connector, and what became of it (a status, or the name of an exception)."""

    method: str
    url: str
    body: bytes
    outcome: str

    @property
    def same(self) -> tuple[str, str, bytes]:
        """What makes two calls the same call."""
        return (self.method, self.url, self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.url} -> {self.outcome}"


class _ToVendor(BaseAdapter):
    """Where the connector's session ends."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self._rig = rig

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._rig.arrives(request)

    def close(self) -> None:
        """Nothing is open."""


class Rig:
    """One connector with its vendor, clock, vault and wire.

    ``connector`` is the watched instance: call it as the hub would. ``calls`` is every request so far.
    """

    def __init__(
        self,
        connector: type,
        settings: Mapping[str, Any],
        vendor: Vendor,
        *,
        conduct: Conduct | None = None,
        connection: str = "acme",
    ) -> None:
        self.connector_class = connector
        self.vendor = vendor
        self.clock = Clock(vendor.now if vendor.has_own_clock else None)
        if not vendor.has_own_clock:
            vendor.now = self.clock.now  # type: ignore[method-assign]
        self.made_at = self.clock.now()
        self.vault = MemoryVault()
        self.calls: list[Call] = []
        self.conduct = conduct or Conduct()
        self.connection = connection
        self.settings = connector.Settings.model_validate(dict(settings))  # type: ignore[attr-defined]
        self.after_call: Callable[[], None] = lambda: None
        self._broken: dict[int, Fault] = {}
        self._all_broken: Fault | None = None
        self.watch = Watch(connector, self.conduct, self.clock.advance)
        self.connector: Any
        self.restart()

    def restart(self) -> None:
        """A fresh instance of the connector, as in another thread or after a restart of the hub; vault and vendor
        stay."""
        self.http = HttpSession(user_agent="social-care-hub-conformance")
        for scheme in ("https://", "http://"):
            self.http.mount(scheme, _ToVendor(self))
        self.connector = Watched(
            self.watch, self.watch.call(lambda: self.connector_class(self.settings, self.toolbox()))
        )

    def toolbox(self) -> Toolbox:
        """What the hub would hand to the connector."""
        log = logging.LoggerAdapter(logger_of(self.conduct), {"connection": self.connection})
        return Toolbox(
            connection=self.connection,
            http=self.http,
            vault=self.vault,
            now=self.clock.now,
            log=log,
            public_url="https://hub.example.com",
            made_at=self.made_at,
        )

    # --- faults ----------------------------------------------------------------------------------------------------

    def break_call(self, fault: Fault, at: int = 0) -> None:
        """Let the ``at``-th call from now on (0: the next one) fail, once."""
        self._broken[len(self.calls) + at] = fault

    def break_all(self, fault: Fault) -> None:
        """Let every call fail until :meth:`mend`."""
        self._all_broken = fault

    def mend(self) -> None:
        """Nothing fails any more."""
        self._broken.clear()
        self._all_broken = None

    def arrives(self, request: requests.PreparedRequest) -> requests.Response:
        """A request of the connector, on its way to the vendor through what is broken."""
        fault = self._broken.pop(len(self.calls), self._all_broken)
        if isinstance(request.body, Iterable) and not isinstance(request.body, str | bytes):
            request.body = b"".join(request.body)  # a streamed one, as the vendor gets it
        body: object = request.body or b""
        raw = body if isinstance(body, bytes) else str(body).encode()
        outcome = "no answer"

        def forward() -> requests.Response:
            return self.vendor.answer(request)

        with self.watch.lifted():
            try:
                answer = fault.happens(request, forward) if fault else forward()
                outcome = str(answer.status_code)
                return answer
            finally:
                self.calls.append(Call(request.method or "", request.url or "", raw, outcome))
                self.after_call()

    # --- conduct ---------------------------------------------------------------------------------------------------

    @property
    def secrets(self) -> list[str]:
        """The connector's own secrets, to look for where they must not be."""
        found = [value.get_secret_value() for value in _values(self.settings) if isinstance(value, SecretStr)]
        return [secret for secret in (*found, *self.vault.values.values()) if len(secret) >= 6]


def _values(model: Any) -> Iterator[Any]:
    """Every value of a settings model, nested ones included."""
    if hasattr(type(model), "model_fields"):
        for name in type(model).model_fields:
            yield from _values(getattr(model, name))
    elif isinstance(model, Mapping):
        for value in model.values():
            yield from _values(value)
    elif isinstance(model, list | tuple | set | frozenset):
        for value in model:
            yield from _values(value)
    else:
        yield model
