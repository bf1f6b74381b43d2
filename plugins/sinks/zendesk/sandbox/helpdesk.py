# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole account of one sandbox: a file, a clock, and what Zendesk does with tickets and people."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plugins.sinks.zendesk.sandbox.account import Problem, invalid
from plugins.sinks.zendesk.sandbox.furniture import furnish
from plugins.sinks.zendesk.sandbox.state import State
from plugins.sinks.zendesk.sandbox.tickets import Tickets

__all__ = ["Helpdesk", "Problem", "invalid"]

Json = dict[str, Any]


class Helpdesk(Tickets):
    """The account. Call its methods inside ``state.transaction()``; every change ends in ``changes``."""

    def __init__(self, path: Path) -> None:
        self.state = State(path)
        self.changes: list[tuple[str, Json]] = []
        with self.state.transaction():
            if not self.state.setting("user:hub"):
                self._furnish()

    def _furnish(self) -> None:
        self.state.forget()
        furnish(self)

    def now(self) -> float:
        """Seconds since the epoch, and ``clock_ahead`` more."""
        return time.time() + self.state.number("clock_ahead")

    def stamp(self) -> str:
        """Now, as Zendesk writes it: whole seconds."""
        ahead = timedelta(seconds=self.state.number("clock_ahead"))
        return (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")

    def listeners(self) -> list[tuple[str, str, Callable[[str], bool]]]:
        """Address and secret of everybody who wants to hear of changes, and which kinds of them."""
        found: list[tuple[str, str, Callable[[str], bool]]] = []
        if url := self.state.setting("webhook:url"):
            found.append((url, self.state.setting("webhook:secret"), lambda _kind: True))
        for webhook in self.state.where("webhook", status="active"):
            kinds = {one.removeprefix("zen:event-type:ticket.") for one in webhook["subscriptions"]}
            found.append((webhook["endpoint"], webhook["secret"], kinds.__contains__))
        return found
