# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of the account's calls, as Zendesk's answers tell it.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

KEEP_FREE = 0.1
"""This part of the account's calls is left to the people who work in it, and to what is urgent."""

_UPDATES = "Zendesk-RateLimit-tickets-update"
_TOLD = re.compile(r"total=(\d+);\s*remaining=(\d+);\s*resets=(\d+)")
_OF_ONE = re.compile(r"PUT /api/v2/tickets/[0-9]+|POST /api/v2/users/create_or_update|GET /api/v2/incremental/[a-z_/]+")
_WINDOW = timedelta(minutes=1)


@dataclass(slots=True)
class Window:
    """One limit: so many of so many calls are left until then."""

    total: int
    remaining: int
    until: datetime

    def short(self, now: datetime) -> float:
        """Seconds until there is more, when little is left; 0 when there is enough."""
        if now >= self.until or self.remaining >= self.total * KEEP_FREE:
            return 0.0
        return (self.until - now).total_seconds()


class Budget:
    """One per connector instance. Every answer tells the state of the whole account, whoever spent it."""

    def __init__(self) -> None:
        self._calls: Window | None = None
        self._updates: Window | None = None

    def note(self, headers: Mapping[str, str], now: datetime) -> None:
        """Read the headers of an answer."""
        total = _number(headers.get("X-Rate-Limit") or headers.get("Ratelimit-Limit"))
        remaining = _number(headers.get("X-Rate-Limit-Remaining") or headers.get("Ratelimit-Remaining"))
        if total is not None and remaining is not None:
            reset = _number(headers.get("Ratelimit-Reset"))
            until = now + (_WINDOW if reset is None or reset > 60 else timedelta(seconds=reset))
            self._calls = Window(total, remaining, until)
        told = _TOLD.search(headers.get(_UPDATES, ""))
        if told:
            total, remaining, resets = (int(number) for number in told.groups())
            self._updates = Window(total, remaining, now + timedelta(seconds=resets))

    def wait(self, now: datetime) -> float:
        """Seconds that what is not urgent should wait; 0: it may go."""
        return self._calls.short(now) if self._calls else 0.0

    def few_updates(self, now: datetime) -> bool:
        """Whether single updates (100 a minute) run short: those of a job are not counted among them."""
        return bool(self._updates and self._updates.short(now))


def is_limit_of_one(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a 429 concerns this ticket alone (30 updates in 10 minutes) or this user (5 a minute), or the exports
    (10 a minute): the account's own limits have calls left.

    Zendesk does not say which limit it was. Without the account's numbers it is taken for the account's.
    """
    if not _OF_ONE.fullmatch(f"{method} {path.removesuffix('.json')}"):
        return False
    remaining = _number(headers.get("X-Rate-Limit-Remaining") or headers.get("Ratelimit-Remaining"))
    told = _TOLD.search(headers.get(_UPDATES, ""))
    return bool(remaining) and (told is None or int(told.group(2)) > 0)


def _number(value: str | None) -> int | None:
    return int(value) if value and value.strip().isdecimal() else None
