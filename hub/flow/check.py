"""Whose account is this, and does it work? Asked at the start, on demand, and while a connection is paused."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import Account, ConnectorError
from hub.store import Tx, connections

log = logging.getLogger("hub.check")
AGAIN_AFTER = timedelta(hours=24)
FIRST_CHECK_AGAIN = timedelta(seconds=5)
SKEW_TOLERATED = timedelta(seconds=60)


def due(hub: Hub) -> list[str]:
    """Connections to check now: never checked, paused by the hub, or last checked a day ago; none that rests."""
    now = hub.now()
    with hub.store.read() as connection:
        rows = connections.every(connection)
    return [
        row.name
        for row in rows
        if row.name in hub.connected
        and (not row.paused or row.paused_by == "hub")
        and (row.probe_at is None or row.probe_at <= now)
        and (row.blocked_until is None or row.blocked_until <= now)
    ]


def ask_soon(hub: Hub, tx: Tx, name: str) -> None:
    """Check a connection now, if it was not just checked. What never works is told from a vendor that is down."""
    row, now = connections.get(tx.connection, name), hub.now()
    if row.probe_at is None or row.probe_at > now + hub.timing.probe_paused_every:
        connections.change(tx, name, probe_at=now)


def check(hub: Hub, name: str, *, beside: bool = False) -> Account:
    """Ask the vendor and write down the answer. A connection the hub itself paused resumes when it is mended.

    ``beside``: another process runs the hub. It works with the settings it read at its start, which these need not be:
    what it paused stays paused then, and it is asked to check for itself at once.

    Another account under the same name pauses the connection and keeps its queue. Raises the connector's errors.
    """
    connector = hub.instance(name)
    try:
        account = connector.check_connection()
    except Exception as error:
        failure, calls = error, hub.calls(name).take()
        hub.store.run(lambda tx: _failed(hub, tx, name, failure, calls))
        raise
    calls, vendor_time = hub.calls(name).take(), connector.toolbox.http.vendor_time
    hub.store.run(lambda tx: _answered(hub, tx, name, account, calls, vendor_time, beside=beside))
    return account


def check_quietly(hub: Hub, name: str) -> bool:
    """As :func:`check`, for the engine: what is wrong is in the connection's row and in the log."""
    try:
        check(hub, name)
    except ConnectorError as error:
        # Nobody has connected it yet: that was said at the start, and is no news every minute.
        level = logging.DEBUG if retry.is_unconnected(hub, name) else logging.WARNING
        log.log(level, "%s: %s", name, error.summary)
        return False
    except Exception:
        log.exception("checking %s failed unexpectedly", name)
        return False
    return True


def _failed(hub: Hub, tx: Tx, name: str, error: Exception, calls: int) -> None:
    now = hub.now()
    connections.add_calls(tx, name, calls)
    retry.blame_connection(hub, tx, name, error, now=now, has_lane=False)
    seldom = name in hub.checked or retry.is_unconnected(hub, name)
    again = hub.timing.probe_paused_every if seldom else FIRST_CHECK_AGAIN
    connections.change(tx, name, probe_at=now + again, last_error=str(error)[:500], last_error_at=now)


def _answered(
    hub: Hub, tx: Tx, name: str, account: Account, calls: int, vendor_time: datetime | None, *, beside: bool
) -> None:
    now = hub.now()
    connections.add_calls(tx, name, calls)
    row = connections.get(tx.connection, name)
    if row.fingerprint and row.fingerprint != account.fingerprint:
        hub.checked.discard(name)
        text = another_account(row.fingerprint, account.fingerprint)
        if connections.pause(tx, name, reason=text, by="hub", now=now):
            log.error("%s is paused: %s. Its queue is kept.", name, text)
        connections.open_alarm(tx, name, "another_account", text=text, now=now)
        connections.change(tx, name, probe_at=now + hub.timing.probe_paused_every)
        return
    if row.paused_by == "hub" and beside:
        connections.change(tx, name, probe_at=now)
        return
    if row.paused_by == "hub":
        connections.resume(tx, name, now=now)
        if row.fingerprint:
            log.warning("%s works again; what waited goes out now", name)
        else:
            log.info("%s is connected", name)
        tx.after_commit.append(lambda: hub.nudge(name))
    for kind in ("authentication", "configuration", "another_account", "unreachable"):
        connections.close_alarm(tx, name, kind, now=now)
    probe_at = now if beside else now + AGAIN_AFTER
    shown = account.model_dump(mode="json")
    connections.change(tx, name, fingerprint=account.fingerprint, account=shown, probe_at=probe_at)
    _compare_clocks(hub, tx, name, vendor_time, first=not row.fingerprint)
    connections.succeeded(tx, name, now=now)
    tx.after_commit.append(lambda: hub.checked.add(name))


def another_account(known: str, found: str) -> str:
    """The reason for the pause, and the alarm."""
    return f"another account answers under this name: it was {known}, now it is {found}"


def _compare_clocks(hub: Hub, tx: Tx, name: str, theirs: datetime | None, *, first: bool) -> None:
    """A hub whose clock is ahead of the vendor's would take fresh posts for history."""
    now = hub.now()
    ahead = now - theirs if theirs is not None else timedelta(0)
    if first and ahead > timedelta(0):
        connections.change(tx, name, made_at=now - ahead)
    if abs(ahead) > SKEW_TOLERATED:
        text = f"this machine's clock and the vendor's differ by {round(ahead.total_seconds())} s: set the clock"
        connections.open_alarm(tx, name, "clock", text=text, now=now)
    else:
        connections.close_alarm(tx, name, "clock", now=now)
