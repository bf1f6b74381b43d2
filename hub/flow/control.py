"""What a person may switch: a connection's mode, pauses, and the hub's voice. Every action is audited."""

from __future__ import annotations

from typing import get_args

from hub.configuration import Mode
from hub.flow import check
from hub.flow.hub import Hub
from hub.sdk import Account
from hub.store import Tx, connections


class ModeNotPossible(Exception):
    """A helpdesk has no drafts: only agents see what is written there."""


class UnknownConnection(Exception):
    """The hub has no connection of this name; the message lists those it has."""

    def __init__(self, hub: Hub, name: str) -> None:
        super().__init__(f"there is no connection {name!r}; there are: {', '.join(sorted(hub.connected)) or 'none'}")


def set_mode(hub: Hub, name: str, mode: str, *, actor: str) -> bool:
    """Make a connection observe, draft or live; True when that is a change. It stays so across restarts.

    Raises ``ValueError`` for another mode, :class:`ModeNotPossible` and :class:`UnknownConnection`. What was composed
    in the old mode stays as it is: a draft is still released by its tag only.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"the mode must be one of {', '.join(get_args(Mode))}")
    _known(hub, name)
    if mode == "draft" and hub.connected[name].side == "sink":
        raise ModeNotPossible(f"{name} is a helpdesk: it can observe or be live; drafts are for networks")

    def unit(tx: Tx) -> bool:
        old = connections.get(tx.connection, name).mode
        if old == mode:
            return False
        connections.change(tx, name, mode=mode)
        _audit(hub, tx, actor, "set_mode", name, old=old, new=mode)
        return True

    return hub.store.run(unit)


def pause(hub: Hub, name: str, *, actor: str, reason: str = "") -> bool:
    """Stop a connection's polls and deliveries until a person resumes it; what comes by webhook is kept. True when it
    was running, or when only the hub itself had paused it. Raises :class:`UnknownConnection`."""
    _known(hub, name)

    def unit(tx: Tx) -> bool:
        now = hub.now()
        row = connections.get(tx.connection, name)
        if row.paused and row.paused_by != "hub":
            return False
        # Over a pause of the hub's own, too: otherwise it would resume by itself against the person's will.
        words = reason or f"paused by {actor}"
        connections.change(tx, name, paused=words, paused_by=actor, paused_at=now)
        _audit(hub, tx, actor, "pause", name, reason=reason)
        return True

    return hub.store.run(unit)


def resume(hub: Hub, name: str, *, actor: str) -> bool:
    """Let a connection work again; what waits goes out at once. True when it was paused, by whomever.

    When another account had answered under this name, that account is accepted with the next check. Raises
    :class:`UnknownConnection`.
    """
    _known(hub, name)

    def unit(tx: Tx) -> bool:
        now = hub.now()
        if not connections.resume(tx, name, now=now):
            return False
        if connections.close_alarm(tx, name, "another_account", now=now):
            connections.change(tx, name, fingerprint="")
        _audit(hub, tx, actor, "resume", name)
        tx.after_commit.append(lambda: hub.nudge(name))
        return True

    return hub.store.run(unit)


def check_now(hub: Hub, name: str, *, actor: str) -> Account:
    """Ask the vendor now, as :func:`hub.flow.check.check`, which raises the connector's errors.

    Raises :class:`UnknownConnection`.
    """
    _known(hub, name)
    hub.store.run(lambda tx: _audit(hub, tx, actor, "check", name))
    return check.check(hub, name)


def stop_talking(hub: Hub, *, actor: str, reason: str = "") -> bool:
    """Halt everything towards customers, at once and at every source; helpdesks are still told. True when it spoke."""
    return _talk(hub, stop=True, actor=actor, reason=reason)


def talk_again(hub: Hub, *, actor: str, reason: str = "") -> bool:
    """Let the hub speak to customers again; what waited goes out. True when it was stopped."""
    return _talk(hub, stop=False, actor=actor, reason=reason)


def _talk(hub: Hub, *, stop: bool, actor: str, reason: str) -> bool:
    def unit(tx: Tx) -> bool:
        now = hub.now()
        if bool(connections.read_switch(tx.connection, connections.STOP_TALKING)) == stop:
            return False
        connections.set_switch(tx, connections.STOP_TALKING, stop, now=now)
        _audit(hub, tx, actor, "stop_talking" if stop else "talk_again", "hub", reason=reason)
        if not stop:
            for name, one in hub.connected.items():
                if one.side == "source":
                    tx.after_commit.append(lambda name=name: hub.nudge(name))  # type: ignore[misc]
        return True

    return hub.store.run(unit)


def _known(hub: Hub, name: str) -> None:
    if name not in hub.connected:
        raise UnknownConnection(hub, name)


def _audit(hub: Hub, tx: Tx, actor: str, action: str, name: str, **data: str) -> None:
    connections.write_audit(tx, actor=actor, action=action, object_=name, now=hub.now(), **data)
