# SPDX-License-Identifier: GPL-3.0-or-later
"""Zendesk's limits, as its answers tell them, and a count of every call.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, request

from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

RATE_LIMIT = 2500
"""What the headers tell while the account has no limit."""


@dataclass(frozen=True)
class EndpointLimit:
    """``setting`` holds the number of calls; without it ``default`` counts while ``endpoint_limits`` is on."""

    setting: str
    default: int
    seconds: int
    method: str
    path: re.Pattern[str]
    header: str = ""
    error: str = "Number of allowed API requests per minute exceeded"
    each_user: bool = False
    each_path: bool = False

    def hits(self, method: str, path: str) -> bool:
        """Whether this call counts."""
        return method == self.method and self.path.fullmatch(path) is not None


_TICKET = re.compile(r"/api/v2/tickets/\d+\.json")
LIMITS = (
    EndpointLimit("update_limit", 100, 60, "PUT", _TICKET, "tickets-update"),
    EndpointLimit("ticket_update_limit", 30, 600, "PUT", _TICKET, each_user=True, each_path=True),
    EndpointLimit(
        "export_limit",
        10,
        60,
        "GET",
        re.compile(r"/api/v2/incremental/.*\.json"),
        "incremental-exports",
        "Number of allowed incremental export API requests per minute exceeded",
    ),
    EndpointLimit("search_export_limit", 100, 60, "GET", re.compile(r"/api/v2/search/export\.json"), "search-export"),
    EndpointLimit("availability_limit", 300, 60, "GET", re.compile(r"/api/v2/agent_availabilities.*")),
)


class Limits:
    """Calls of the running windows, in memory: a restart forgives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[Any, tuple[int, int]] = {}

    def count(self, key: Any, seconds: int, now: float) -> int:
        """Count one call; how many there were in this window, it included."""
        window = int(now // seconds)
        with self._lock:
            if len(self._windows) > 10_000:
                self._windows = {k: v for k, v in self._windows.items() if v[0] * k[1] + k[1] > now}
            began, calls = self._windows.get((key, seconds), (window, 0))
            calls = calls + 1 if began == window else 1
            self._windows[key, seconds] = (window, calls)
            return calls


class Calls:
    """How many calls there were, by account, by method and path, by status."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, int], int] = defaultdict(int)
        self._first = self._last = 0.0

    def note(self, account: str, call: str, status: int, at: float) -> None:
        """One answer left."""
        with self._lock:
            self._counts[account, call, status] += 1
            self._first, self._last = self._first or at, at

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._counts.clear()
            self._first = self._last = 0.0

    def told(self) -> Json:
        """``{"total": n, "throttled": n, "accounts": {account: {"total": n, "calls": {"GET /x": {"200": n}}}}}``, and
        when the first and the last were."""
        with self._lock:
            counts, first, last = dict(self._counts), self._first, self._last
        accounts: dict[str, Json] = {}
        for (account, call, status), number in sorted(counts.items()):
            row = accounts.setdefault(account, {"total": 0, "throttled": 0, "calls": {}})
            row["total"] += number
            row["throttled"] += number if status == 429 else 0
            row["calls"].setdefault(call, {})[str(status)] = number
        return {
            "total": sum(row["total"] for row in accounts.values()),
            "throttled": sum(row["throttled"] for row in accounts.values()),
            "accounts": accounts,
            "first_at": first,
            "last_at": last,
        }


def add_limits(app: Flask, helpdesk: Helpdesk, limits: Limits) -> None:
    """Refuse what is too much. To be added after the check of credentials: a stranger's calls do not count."""
    state = helpdesk.state

    @app.before_request
    def check() -> None:
        if "actor" not in g:
            return
        now = helpdesk.now()
        left = 60 - int(now % 60)
        total = int(state.number("rate_limit"))
        calls = limits.count("account", 60, now)
        shown = total or RATE_LIMIT
        remaining = str(max(0, shown - calls))
        g.headers = {
            "X-Rate-Limit": str(shown),
            "X-Rate-Limit-Remaining": remaining,
            "Ratelimit-Limit": str(shown),
            "Ratelimit-Remaining": remaining,
            "Ratelimit-Reset": str(left),
        }
        if total and calls > total:
            problem = Problem(429, "", "", headers={"Retry-After": str(left)})
            problem.body = "Number of allowed API requests per minute exceeded"  # the real one is no JSON either
            raise problem
        on = bool(state.setting("endpoint_limits"))
        for limit in LIMITS:
            if limit.hits(request.method, request.path):
                _check_endpoint(limit, int(state.number(limit.setting, limit.default if on else 0)), now)

    def _check_endpoint(limit: EndpointLimit, total: int, now: float) -> None:
        if not total:
            return
        key = (limit.setting, g.actor["id"] if limit.each_user else 0, request.path if limit.each_path else "")
        calls, left = limits.count(key, limit.seconds, now), limit.seconds - int(now % limit.seconds)
        if limit.header:
            told = f"total={total}; remaining={max(0, total - calls)}; resets={left}"
            g.headers[f"Zendesk-RateLimit-{limit.header}"] = told
        if calls > total:
            raise Problem(429, "APIRateLimitExceeded", limit.error, headers={"Retry-After": str(left)})

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers.update(g.get("headers", {}))
        return response
