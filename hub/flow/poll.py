"""A source or sink is asked for news: one page, its events and the next cursor in one transaction."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import ConnectorError, Page
from hub.sdk.connectors import Polls
from hub.store import Tx, connections, inbox

log = logging.getLogger("hub.poll")

LONGEST_RETRY = timedelta(seconds=60)


def due(hub: Hub, name: str) -> bool:
    """True when the connection polls and its time has come."""
    connected = hub.connected[name]
    if not connected.has(Polls):
        return False
    with hub.store.read() as connection:
        row = connections.get(connection, name)
    now = hub.now()
    if name not in hub.checked or row.paused or (row.blocked_until and row.blocked_until > now):
        return False
    # A time further away than any wait of ours was written by a clock that has been set back since.
    impossible = now + timedelta(seconds=2 * poll_every(hub, name)) + LONGEST_RETRY
    return row.next_poll_at is None or row.next_poll_at <= now or row.next_poll_at > impossible


def poll(hub: Hub, name: str) -> bool:
    """Read one page; True when there was something new or there is more to read.

    The first poll stores the cursor "now" and reads nothing: history comes only by an explicit backfill. The cursor's
    version fences: an old poller cannot move it back.
    """
    connector = hub.instance(name)
    assert isinstance(connector, Polls)  # noqa: S101 - due() checked the role
    with hub.store.read() as connection:
        cursor = connections.read_cursor(connection, name)
    try:
        if cursor is None:
            page = Page(events=(), cursor=connector.first_cursor())
        else:
            page = connector.fetch_page(cursor.value)
    except Exception as error:  # every class of error has its handler there
        _failed(hub, name, error)
        return False
    version = None if cursor is None else cursor.version
    calls = hub.calls(name).take()

    def unit(tx: Tx) -> int:
        now = hub.now()
        if not connections.save_cursor(tx, name, page.cursor, version=version, now=now):
            return 0
        fresh = inbox.add_events(tx, connection=name, events=page.events, now=now)
        wait = timedelta(0) if page.has_more else timedelta(seconds=poll_every(hub, name))
        values: dict[str, Any] = {"next_poll_at": now + wait}
        if fresh:
            values["last_event_at"] = now
            tx.after_commit.append(lambda: hub.nudge(inbox.nudged(name)))
        connections.change(tx, name, **values)
        connections.add_calls(tx, name, calls)
        connections.succeeded(tx, name, now=now)
        return len(fresh)

    return hub.store.run(unit) > 0 or page.has_more


def poll_every(hub: Hub, name: str) -> float:
    """Seconds between polls: the setting if there is one, else the connector's own."""
    connected = hub.connected[name]
    own: float | None = getattr(connected.settings, "poll_every", None)
    default: float = getattr(connected.connector, "poll_every", 30.0)
    return own or default


def _failed(hub: Hub, name: str, error: Exception) -> None:
    if not isinstance(error, ConnectorError):
        log.error("a poll of %s failed unexpectedly", name, exc_info=error)
    calls = hub.calls(name).take()

    def unit(tx: Tx) -> None:
        now = hub.now()
        connections.add_calls(tx, name, calls)
        retry.blame_connection(hub, tx, name, error, now=now, has_lane=False)
        if retry.action_for(error) not in ("retry", "wait", "pause"):
            connections.failed(tx, name, error=f"{type(error).__name__}: {error}", now=now)
        row = connections.get(tx.connection, name)
        connections.change(tx, name, next_poll_at=_next_try(hub, row.failures, now))

    hub.store.run(unit)


def _next_try(hub: Hub, failures: int, now: datetime) -> datetime:
    return now + min(retry.backoff(hub, max(failures, 1)), LONGEST_RETRY)
