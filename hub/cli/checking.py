"""A check of a connection from the command line, also beside a hub that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.flow.hub import Hub
    from hub.sdk import Account

PATIENCE = 15.0
"""Seconds for the hub that runs to check for itself; it is asked to do so at once."""
LOOK_EVERY = 0.2


def check_here(hub: Hub, name: str, *, beside: bool) -> tuple[Account, str]:
    """Whose account it is; and, ``beside`` a hub that runs and has paused the connection, what to do when the hub does
    not resume it: it works with the settings it read at its start. Raises the connector's errors."""
    from hub.flow import check
    from hub.store import connections

    def row() -> tuple[bool, bool]:
        with hub.store.read() as connection:
            found = connections.get(connection, name)
        return found.paused_by == "hub", found.probe_at is not None and found.probe_at <= hub.now()

    account = check.check(hub, name, beside=beside)
    paused, asked = row()
    if not beside or not (paused and asked):
        return account, ""
    until = time.monotonic() + PATIENCE
    while paused and asked and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
        paused, asked = row()
    if not paused:
        return account, ""
    return account, (
        f"{name} answers with the settings as they are now, but stays paused in the hub that runs.\n"
        "Restart the hub: it works with what it read at its start. What waited goes out then."
    )
