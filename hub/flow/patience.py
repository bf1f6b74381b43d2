"""Asking a vendor much at leisure: so many calls a minute, and what it says about slowing down is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import RateLimited
from hub.store import connections

T = TypeVar("T")

CALLS_A_MINUTE = 120
"""Below the smallest limit of a helpdesk we know (Zendesk: 200 a minute), so that agents and the flow have theirs."""
KEEPING_PACE = ""
"""Why one waits when nothing is wrong."""


class Patience:
    """One connection's calls for work that is in no hurry. Never sleeps: says how long to wait."""

    def __init__(self, hub: Hub, name: str, *, calls_a_minute: int = CALLS_A_MINUTE) -> None:
        self._hub = hub
        self._name = name
        self._per_call = timedelta(seconds=60 / calls_a_minute)
        self._not_before = hub.now()
        self._failed = 0
        self.why = KEEPING_PACE
        """Why there is a wait; empty when only the pace asks for it."""

    def pause(self) -> float:
        """Seconds until the vendor may be asked again; 0: now."""
        now = self._hub.now()
        with self._hub.store.read() as connection:
            row = connections.get(connection, self._name)
        if row.blocked_until is not None and row.blocked_until > max(now, self._not_before):
            self.why, self._not_before = row.last_error or "the vendor asked for a pause", row.blocked_until
        return max(0.0, (self._not_before - now).total_seconds())

    def ask(self, call: Callable[[], T]) -> T | None:
        """Call once. ``None``: the vendor wants us to wait or failed in passing; ask again after :meth:`pause`.

        A rate limit is ours to wait out and no word about the connection: the exports of a vendor have limits of their
        own. Raises what ``call`` raises when it is nothing to wait for, or has failed too often in a row.
        """
        hub = self._hub
        try:
            answer = call()
        except RateLimited as error:
            self._wait(retry.wait_of(hub, error), error.summary)
            return None
        except Exception as error:
            if retry.action_for(error) != "retry":
                raise
            self._failed += 1
            if self._failed >= hub.timing.attempts:
                self._failed = 0
                raise
            self._wait(retry.backoff(hub, self._failed), str(error))
            return None
        finally:
            self._count()
        self._failed, self.why = 0, KEEPING_PACE
        return answer

    def _wait(self, how_long: timedelta, why: str) -> None:
        self._not_before, self.why = max(self._not_before, self._hub.now() + how_long), why

    def _count(self) -> None:
        calls = self._hub.calls(self._name).take()
        if calls:
            self._hub.store.run(lambda tx: connections.add_calls(tx, self._name, calls))
        self._not_before = max(self._not_before, self._hub.now()) + calls * self._per_call


def patiently(patience: Patience, call: Callable[[], T], wait: Callable[[float, str], None]) -> T:
    """Call until there is an answer; ``wait`` gets the seconds to wait and why. Raises as :meth:`Patience.ask`."""
    while True:
        while (seconds := patience.pause()) > 0:
            wait(seconds, patience.why)
        answer = patience.ask(call)
        if answer is not None:
            return answer
