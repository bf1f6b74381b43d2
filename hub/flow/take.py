"""Takes due events from the inbox: complete, classify, apply. One event's trouble is never another's."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from hub.flow import check, classify, converse, fetch, mirror, retry
from hub.flow.hub import Hub
from hub.sdk import AnyEvent, ConnectorError, MessageSeen, RateLimited
from hub.store import Row, StoreBusy, Tx, connections, inbox

log = logging.getLogger("hub.take")

READ: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
BATCH = 64
PAUSED_RETRY = timedelta(seconds=15)
HANDLERS: dict[str, Callable[..., None]] = {
    "message_deleted": converse.message_deleted,
    "comment": mirror.comment_seen,
    "record": mirror.record_changed,
}
NOTHING = classify.Classified(dict(classify.DEFAULTS), (), ())


@dataclass
class Taken:
    """One event on its way through a round."""

    row: Row[Any]
    event: AnyEvent
    classified: classify.Classified = NOTHING

    @property
    def lane(self) -> tuple[str, str]:
        """What keeps its order."""
        return self.row.connection, self.row.lane


def take(hub: Hub, name: str, *, limit: int = BATCH) -> int:
    """Do one batch of a connection's due events; return how many were looked at."""
    with hub.store.read() as connection:
        rows = inbox.due(connection, name, now=hub.now(), limit=limit)
    taken: list[Taken] = []
    stuck: set[tuple[str, str]] = set()
    for row in rows:
        lane = (row.connection, row.lane)
        if lane in stuck:
            continue
        ready = _prepare(hub, row)
        if ready is None:
            stuck.add(lane)  # a hint was replaced, or the event waits: later ones of its lane come next round
        else:
            taken.append(ready)
    _classify(hub, taken)
    for together in _groups(taken):
        _apply(hub, [one for one in together if one.lane not in stuck], stuck)
    return len(rows)


def _groups(taken: list[Taken]) -> list[list[Taken]]:
    """Neighbours that share a commit. A lane's next event begins a new group: it must wait for the one before it."""
    groups: list[list[Taken]] = []
    lanes: set[tuple[str, str]] = set()
    for one in taken:
        if not groups or one.lane in lanes:
            groups.append([])
            lanes = set()
        groups[-1].append(one)
        lanes.add(one.lane)
    return groups


def _prepare(hub: Hub, row: Row[Any]) -> Taken | None:
    try:
        event = READ.validate_json(row.payload)
        if isinstance(event, MessageSeen) and not event.message.thread.id:
            event = fetch.fill_from_store(hub, event) or event
        if not fetch.needs_vendor(event):
            return Taken(row, event)
        if _must_not_call(hub, row):
            return None
        if event.type == "hint":
            hub.store.run(lambda tx: inbox.coalesce_hints(tx, row, now=hub.now()))
        completed = fetch.complete(hub, row, event)
        _count_calls(hub, row.connection)
        if isinstance(event, MessageSeen):
            full = [one for one in completed if isinstance(one, MessageSeen) and one.message.thread.id]
            if len(completed) == 1 and full:
                return Taken(row, full[0])
        fetch.store_completed(hub, row, completed)
    except Exception as error:  # every class of error has its handler there
        _failed(hub, row, error)
    return None


def _must_not_call(hub: Hub, row: Row[Any]) -> bool:
    """A vendor that asked to be left alone, or refuses us, is not asked by the next event of the batch either."""
    now = hub.now()
    with hub.store.read() as connection:
        state = connections.get(connection, row.connection)
    blocked = state.blocked_until is not None and state.blocked_until > now
    if not state.paused and not blocked:
        return False
    until = state.blocked_until if blocked else now + PAUSED_RETRY
    reason = state.paused or state.last_error
    hub.store.run(lambda tx: inbox.postpone(tx, row.id, until=until, reason=reason, count=False))
    return True


def _count_calls(hub: Hub, name: str) -> None:
    calls = hub.calls(name).take()
    if calls:
        hub.store.submit(lambda tx: connections.add_calls(tx, name, calls))


def _classify(hub: Hub, taken: list[Taken]) -> None:
    asked = [one for one in taken if isinstance(one.event, MessageSeen) and not one.event.message.own]
    questions = []
    for one in asked:
        config = hub.connected[one.row.connection].config
        assert isinstance(one.event, MessageSeen)  # noqa: S101 - filtered above
        questions.append(
            classify.question_for(
                one.event.message,
                connection=one.row.connection,
                brand=config.brand,
                country=config.country,
                now=hub.now(),
            )
        )
    for one, classified in zip(asked, classify.classify(hub, questions), strict=True):
        one.classified = classified


def _apply(hub: Hub, group: list[Taken], stuck: set[tuple[str, str]]) -> None:
    futures = hub.store.run_all([partial(_apply_one, hub, one) for one in group])
    for one, future in zip(group, futures, strict=True):
        error = future.exception()
        if error is None:
            continue
        stuck.add(one.lane)
        if not isinstance(error, StoreBusy):
            _failed(hub, one.row, error)  # a bug: this event is parked with the trace, the others go on


def _apply_one(hub: Hub, one: Taken, tx: Tx) -> None:
    row, event = one.row, one.event
    if not inbox.is_new(tx, row.id):
        return
    if isinstance(event, MessageSeen):
        converse.message_seen(hub, tx, row, event, one.classified)
    else:
        HANDLERS[event.type](hub, tx, row, event)


def _failed(hub: Hub, row: Row[Any], error: BaseException) -> None:
    action = retry.action_for(error)
    calls = hub.calls(row.connection).take()
    summary = error.summary if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"[:300]

    def unit(tx: Tx) -> None:
        now, reason = hub.now(), summary
        connections.add_calls(tx, row.connection, calls)
        if not inbox.is_new(tx, row.id):
            return
        if action in ("retry", "wait", "pause"):
            failed = row.attempts + 1
            given_up = action == "retry" and retry.gives_up(hub, tx, row.connection, failed)
            retry.blame_connection(hub, tx, row.connection, error, now=now)
            wait = retry.wait_of(hub, error) if isinstance(error, RateLimited) else retry.backoff(hub, failed)
            inbox.postpone(tx, row.id, until=now + wait, reason=str(error), count=action == "retry")
            if not given_up:
                if failed >= hub.timing.attempts:
                    check.ask_soon(hub, tx, row.connection)  # is the vendor down, or does it fail for this event only?
                return
            reason = f"gave up after {failed} attempts: {summary}"
        detail = "".join(traceback.format_exception(error))[-4000:]
        inbox.finish(tx, row.id, "parked", reason=reason, detail=detail, now=now)

    if action == "bug":
        log.error("event %s of %s is parked: %r", row.id, row.connection, error, exc_info=error)
    hub.store.run(unit)
