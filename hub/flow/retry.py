"""Errors and what the hub does next: one handler each, for every call to a vendor."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Literal

from hub.flow.hub import Hub
from hub.flow.media import MediaUnavailable
from hub.sdk import (
    AsksConsent,
    AuthenticationFailed,
    ConfigurationError,
    ConnectorError,
    HoldsTokens,
    OutcomeUnknown,
    PayloadNotUnderstood,
    RateLimited,
    RecordClosed,
    Refused,
    SignatureRejected,
    TemporaryFailure,
    UnsupportedEvent,
)
from hub.store import Row, Tx, connections, consents

log = logging.getLogger("hub.retry")

Action = Literal["retry", "wait", "pause", "park", "follow_up", "look", "bug"]

ACTIONS: dict[type[ConnectorError], Action] = {
    TemporaryFailure: "retry",
    RateLimited: "wait",
    AuthenticationFailed: "pause",
    ConfigurationError: "pause",
    Refused: "park",
    RecordClosed: "follow_up",
    OutcomeUnknown: "look",
    PayloadNotUnderstood: "look",  # of a delivery: the vendor took it and its answer cannot be read
    UnsupportedEvent: "bug",
    SignatureRejected: "bug",
}
"""What follows a failed delivery. Anything that is not in it is a bug of the plugin: parked with its trace."""

REMOVED = "removed"
"""Why a removed connection is paused; connecting it again lifts that pause."""

RATE_LIMIT_ALARM_AFTER = timedelta(hours=1)
MAX_WAIT = timedelta(hours=24)


def action_for(error: BaseException) -> Action:
    """What the hub does about ``error``."""
    for kind in type(error).__mro__:
        if kind in ACTIONS:
            return ACTIONS[kind]
    return "bug"


def backoff(hub: Hub, attempt: int) -> timedelta:
    """How long to wait before attempt ``attempt + 1``: doubling, capped, with jitter."""
    doubled: timedelta = hub.timing.first_retry * 2 ** min(attempt - 1, 20)
    return min(doubled, hub.timing.longest_retry) * hub.random.uniform(0.8, 1.2)


def wait_of(hub: Hub, error: RateLimited) -> timedelta:
    """How long a rate limit makes us wait (at most a day, whatever the vendor says)."""
    if error.retry_after is None:
        return hub.timing.unsaid_rate_limit * hub.random.uniform(1.0, 1.3)
    return timedelta(seconds=min(max(error.retry_after, 0.5), MAX_WAIT.total_seconds()))


def gives_up(hub: Hub, tx: Tx, name: str, attempts: int) -> bool:
    """True when the attempt that failed was the last one.

    While the whole connection is down, that is not this event's or delivery's fault: it is not given up.
    """
    down = connections.seen(tx, name).failures + 1 >= connections.BREAKER_OPENS_AFTER
    return attempts >= hub.timing.attempts and not down


def blame_connection(
    hub: Hub, tx: Tx, name: str, error: BaseException, *, now: datetime, has_lane: bool = True
) -> None:
    """What an error means for the connection as a whole: breaker, rate limit, pause, alarm.

    Without a lane (a poll, a check) a rate limit of the lane is one of the connection: there is nothing else to wait.
    """
    action = action_for(error)
    if action == "retry" and not isinstance(error, MediaUnavailable):
        connections.failed(tx, name, error=str(error), now=now)
    elif action == "pause":
        pause(hub, tx, name, error, now=now)
    elif isinstance(error, RateLimited) and (error.scope == "connection" or not has_lane):
        row = connections.get(tx.connection, name)
        connections.change(
            tx, name, blocked_until=now + wait_of(hub, error), last_error=error.summary, last_error_at=now
        )
        if row.last_success_at is not None and now - row.last_success_at > RATE_LIMIT_ALARM_AFTER:
            connections.open_alarm(tx, name, "rate_limited", text=error.summary, now=now)


def is_unconnected(hub: Hub, name: str) -> bool:
    """True for a connection that lives by a consent nobody has given yet: it cannot work, and nothing has failed."""
    one = hub.connected[name]
    if not (one.has(AsksConsent) and one.has(HoldsTokens)):
        return False
    with hub.store.read() as connection:
        known = connections.get(connection, name).fingerprint or consents.vault_names(connection, name)
    if known:  # it was connected once, or holds the trace of a token that died
        return False
    connector: Any = hub.instance(name)
    try:
        return not connector.tokens()
    except Exception:  # a bug of the plugin: then what the vendor refuses is told as it is
        log.exception("%s cannot tell its tokens", name)
        return False


def is_removed(row: Row[Any]) -> bool:
    """True for a connection that a person removed: nothing about it is an alarm."""
    return bool(row.gone) or row.paused == REMOVED


def pause(hub: Hub, tx: Tx, name: str, error: BaseException, *, now: datetime) -> None:
    """Pause the connection, keep its queue, raise one alarm; none where nobody has connected it yet or any more."""
    if is_removed(connections.get(tx.connection, name)):
        return
    if isinstance(error, AuthenticationFailed) and is_unconnected(hub, name):
        connections.pause(tx, name, reason=str(error), by="hub", now=now)
        return
    kind = "authentication" if isinstance(error, AuthenticationFailed) else "configuration"
    if connections.pause(tx, name, reason=str(error), by="hub", now=now):
        log.warning(
            "%s is paused: %s. What waits is kept. Run `hub connections check %s` when it is mended.", name, error, name
        )
    connections.open_alarm(tx, name, kind, text=str(error), now=now)
