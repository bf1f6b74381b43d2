"""Whose account is this, and does it work? Asked at the start, on demand, and while a connection is paused."""

from __future__ import annotations

import logging
from datetime import timedelta

from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import Account, ConnectorError
from hub.store import Tx, connections

log = logging.getLogger("hub.check")
AGAIN_AFTER = timedelta(hours=24)


def due(hub: Hub) -> list[str]:
    """Connections to check now: never checked, paused by the hub, or last checked a day ago."""
    now = hub.now()
    with hub.store.read() as connection:
        rows = connections.every(connection)
    return [
        row.name
        for row in rows
        if row.name in hub.connected
        and (not row.paused or row.paused_by == "hub")
        and (row.probe_at is None or row.probe_at <= now)
    ]


def check(hub: Hub, name: str) -> Account:
    """Ask the vendor and write down the answer. A connection the hub itself paused resumes when it is mended.

    Another account under the same name pauses the connection and keeps its queue. Raises the connector's errors.
    """
    try:
        account = hub.instance(name).check_connection()
    except Exception as error:
        failure = error
        hub.store.run(lambda tx: _failed(hub, tx, name, failure))
        raise
    hub.store.run(lambda tx: _answered(hub, tx, name, account))
    return account


def check_quietly(hub: Hub, name: str) -> bool:
    """As :func:`check`, for the engine: what is wrong is in the connection's row and in the log."""
    try:
        check(hub, name)
    except ConnectorError as error:
        log.warning("%s: %s", name, error.summary)
        return False
    except Exception:
        log.exception("checking %s failed unexpectedly", name)
        return False
    return True


def _failed(hub: Hub, tx: Tx, name: str, error: Exception) -> None:
    now = hub.now()
    connections.add_calls(tx, name, hub.calls(name).take())
    retry.blame_connection(hub, tx, name, error, now=now)
    connections.change(
        tx, name, probe_at=now + hub.timing.probe_paused_every, last_error=str(error)[:500], last_error_at=now
    )


def _answered(hub: Hub, tx: Tx, name: str, account: Account) -> None:
    now = hub.now()
    connections.add_calls(tx, name, hub.calls(name).take())
    row = connections.get(tx.connection, name)
    if row.fingerprint and row.fingerprint != account.fingerprint:
        text = f"another account answers under this name: it was {row.fingerprint}, now it is {account.fingerprint}"
        if connections.pause(tx, name, reason=text, by="hub", now=now):
            log.error("%s is paused: %s. Its queue is kept.", name, text)
        connections.open_alarm(tx, name, "another_account", text=text, now=now)
        connections.change(tx, name, probe_at=now + hub.timing.probe_paused_every)
        return
    if row.paused_by == "hub":
        connections.resume(tx, name, now=now)
        log.warning("%s works again; what waited goes out now", name)
        tx.after_commit.append(lambda: hub.nudge(name))
    for kind in ("authentication", "configuration", "another_account", "unreachable"):
        connections.close_alarm(tx, name, kind, now=now)
    connections.change(
        tx, name, fingerprint=account.fingerprint, account=account.model_dump(mode="json"), probe_at=now + AGAIN_AFTER
    )
    connections.succeeded(tx, name, now=now)
