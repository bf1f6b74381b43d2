"""One cause, many who report it: an agent's answer to a problem, which the helpdesk copies to each of its incidents.

The copies are one act of a person. Networks take many like words at once for spam, so they leave one by one, and those
above a bound wait for the agent's word.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.store import Tx, connections

MOST_COPIES = 100
"""Of answers to one problem at one connection, within ``WINDOW``."""
COPIES_APART = timedelta(seconds=15)
WINDOW = timedelta(hours=24)
_LATE = timedelta(seconds=5)
"""By how much a turn may have come late without putting off the next one again."""


_LATER = timedelta(milliseconds=1)
"""The first copy, too, is due after it was made: so :class:`Spacing` knows it when it waited for long."""
_SWITCH = "incident:"


class Spacing:
    """Keeps like words of one connection apart where they would leave together: their turns went by while it could not
    send, or an agent released many drafts at once. One per process; after a restart the first may leave at once."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    def put_off(self, source: str, words: str, *, now: datetime) -> datetime | None:
        """When these words may leave at ``source``; ``None``: now, and they count as left."""
        self._turns = {one: at for one, at in self._turns.items() if now - COPIES_APART < at[1] <= now + WINDOW}
        left, given = self._turns.get((source, words), (None, now))
        if left is None or not timedelta(0) <= now - left < COPIES_APART - _LATE:
            self._turns[source, words] = now, max(given, now)
            return None
        given = max(given, left) + COPIES_APART
        self._turns[source, words] = left, given
        return given


def turn(tx: Tx, copy_of: str, source: str, *, now: datetime) -> datetime | None:
    """When the next copy of an answer to the problem ``copy_of`` may leave at ``source``; ``None``: too many did."""
    name = f"{_SWITCH}{copy_of}:{source}"
    known = connections.read_switch(tx.connection, name) or {}
    recent = [at for at in known.get("turns", ()) if at > (now - WINDOW).timestamp()]
    if len(recent) >= MOST_COPIES:
        return None
    due = max(now, datetime.fromtimestamp(recent[-1], now.tzinfo) + COPIES_APART) if recent else now + _LATER
    connections.set_switch(tx, name, {"turns": [*recent, due.timestamp()]}, now=now)
    return due


def forget(tx: Tx, *, now: datetime) -> int:
    """Drop the turns that count no more: there is a row for each wording of each problem. Return how many rows."""
    return connections.drop_switches(tx, _SWITCH, before=now - 2 * WINDOW)
