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


def turn(tx: Tx, copy_of: str, source: str, *, now: datetime) -> datetime | None:
    """When the next copy of an answer to the problem ``copy_of`` may leave at ``source``; ``None``: too many did."""
    name = f"incident:{copy_of}:{source}"
    known = connections.read_switch(tx.connection, name) or {}
    recent = [at for at in known.get("turns", ()) if at > (now - WINDOW).timestamp()]
    if len(recent) >= MOST_COPIES:
        return None
    due = max(now, datetime.fromtimestamp(recent[-1], now.tzinfo) + COPIES_APART) if recent else now
    connections.set_switch(tx, name, {"turns": [*recent, due.timestamp()]}, now=now)
    return due
