"""Remove a connection: take back only what the hub made itself, forget its tokens, keep its history."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from hub.flow.connect import REMOVED
from hub.flow.hub import Hub
from hub.flow.set_up import SetupFailed, set_up, without_secrets
from hub.sdk import ConnectorError, HoldsTokens, SetsUp, SetupStep
from hub.store import Tx, connections, consents, views

log = logging.getLogger("hub.disconnect")


@dataclass
class Removal:
    """What was done, or would be; ``left`` is what stays at the vendor for a person to remove; ``waiting`` events and
    deliveries stay in the hub as they are."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    waiting: int = 0


def plan_removal(hub: Hub, name: str) -> Removal:
    """What :func:`remove` would do now. Reads only."""
    plan = Removal(waiting=_waiting(hub, name))
    connector: Any = hub.instance(name) if name in hub.connected else None
    if isinstance(connector, SetsUp):
        try:
            steps = set_up(hub, name, "plan")
        except SetupFailed as error:
            plan.left.append(f"what the hub set up there cannot be seen now: {error}")
        else:
            ours = [step for step in steps if step.by == "hub" and step.state != "missing"]
            plan.done += [f"take back: {step.title}" for step in ours]
            plan.left += [step.title for step in steps if step.by == "person" and step.state == "done"]
    with hub.store.read() as connection:
        names = consents.vault_names(connection, name)
    if names:
        revokes = "revoke and " if isinstance(connector, HoldsTokens) else ""
        plan.done.append(f"{revokes}forget: {', '.join(names)}")
    plan.done.append("stop reading and sending; keep the history")
    return plan


def remove(hub: Hub, name: str, *, actor: str) -> Removal:
    """Do it. What the vendor does not let happen is in ``left``; the hub's own side is done in any case, and twice does
    no more than once. A block that stays in hub.toml stays paused until somebody connects it again."""
    removal = Removal(waiting=_waiting(hub, name))
    now = hub.now()
    # First of all: nothing may be read or sent with credentials that are about to end.
    hub.store.run(
        lambda tx: connections.change(tx, name, paused=REMOVED, paused_by=actor, paused_at=now, next_poll_at=None)
    )
    if name in hub.connected:
        _take_back(hub, name, removal)
        _revoke(hub, name, removal)
    else:
        removal.left.append("what the hub set up there, if it did: its settings are not complete, so it cannot look")

    def unit(tx: Tx) -> int:
        forgotten = consents.empty_vault(tx, name)
        consents.withdraw(tx, name, now=now)
        connections.change(tx, name, gone=True)
        for alarm in connections.alarms(tx.connection):
            if alarm.connection == name:
                connections.close_alarm(tx, name, alarm.kind, now=now)
        connections.set_switch(tx, f"setup:{name}", None, now=now)
        connections.write_audit(tx, actor=actor, action="remove_connection", object_=name, now=now, left=removal.left)
        return forgotten

    forgotten = hub.store.run(unit)
    if forgotten:
        removal.done.append(f"forgot {forgotten} stored value(s)")
    removal.done.append("stopped reading and sending; the history is kept")
    return removal


def _take_back(hub: Hub, name: str, removal: Removal) -> None:
    if not hub.connected[name].has(SetsUp):
        return
    left: list[SetupStep] = []
    try:
        left = set_up(hub, name, "remove")
    except SetupFailed as error:
        removal.left.append(f"what the hub set up there: {error}. Run this again when it is mended, or remove it there")
    except Exception as error:  # a bug of the plugin must not keep a connection alive
        log.exception("taking back what was set up for %s failed unexpectedly", name)
        removal.left.append(f"what the hub set up there (unexpected: {type(error).__name__})")
    else:
        removal.done.append("took back what the hub had set up there")
        removal.left += [step.title for step in left]


def _revoke(hub: Hub, name: str, removal: Removal) -> None:
    connector: Any = hub.instance(name)
    if not isinstance(connector, HoldsTokens):
        return
    try:
        connector.forget_tokens()
    except ConnectorError as error:
        told = without_secrets(hub, name, error.summary)
        removal.left.append(f"the hub's permission at the vendor could not be revoked ({told}): revoke it there")
    except Exception as error:  # as above
        log.exception("revoking the tokens of %s failed unexpectedly", name)
        removal.left.append(f"the hub's permission at the vendor (unexpected: {type(error).__name__}): revoke it there")
    else:
        removal.done.append("revoked its tokens")
    calls = hub.calls(name).take()
    hub.store.run(lambda tx: connections.add_calls(tx, name, calls))


def _waiting(hub: Hub, name: str) -> int:
    with hub.store.read() as connection:
        rows = views.overview(connection, hub.now())
    return sum(row.backlog + row.parked for row in rows if row.name == name)
