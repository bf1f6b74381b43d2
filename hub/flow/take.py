"""Takes due events from the inbox: complete, classify, apply. One event's trouble is never another's."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row

from hub.flow import classify, converse, fetch, mirror, retry
from hub.flow.hub import Hub
from hub.sdk import AnyEvent, ConnectorError, MessageSeen
from hub.store import StoreBusy, Tx, connections, inbox

log = logging.getLogger("hub.take")

READ: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
BATCH = 64
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


def take(hub: Hub, *, limit: int = BATCH) -> int:
    """Do one batch of due events; return how many were looked at."""
    with hub.store.read() as connection:
        rows = inbox.due(connection, now=hub.now(), limit=limit)
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
    for one in taken:
        if (one.row.connection, one.row.lane) not in stuck and not _apply(hub, one):
            stuck.add((one.row.connection, one.row.lane))
    return len(rows)


def _prepare(hub: Hub, row: Row[Any]) -> Taken | None:
    try:
        event = READ.validate_json(row.payload)
        if isinstance(event, MessageSeen) and not event.message.thread.id:
            event = fetch.fill_from_store(hub, event) or event
        if not fetch.needs_vendor(event):
            return Taken(row, event)
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


def _apply(hub: Hub, one: Taken) -> bool:
    row, event = one.row, one.event

    def unit(tx: Tx) -> None:
        if not inbox.is_new(tx, row.id):
            return
        if isinstance(event, MessageSeen):
            converse.message_seen(hub, tx, row, event, one.classified)
        else:
            HANDLERS[event.type](hub, tx, row, event)

    try:
        hub.store.run(unit)
    except StoreBusy:
        return False
    except Exception as error:  # a bug: this event is parked with the trace, the others go on
        _failed(hub, row, error)
        return False
    return True


def _failed(hub: Hub, row: Row[Any], error: Exception) -> None:
    action = retry.action_for(error)
    calls = hub.calls(row.connection).take()

    def unit(tx: Tx) -> None:
        now = hub.now()
        connections.add_calls(tx, row.connection, calls)
        if not inbox.is_new(tx, row.id):
            return
        if action in ("retry", "wait", "pause"):
            retry.blame_connection(hub, tx, row.connection, error, now=now)
            wait = retry.backoff(hub, row.attempts + 1)
            if isinstance(error, ConnectorError) and action == "wait":
                wait = max(wait, timedelta(seconds=getattr(error, "retry_after", None) or 0))
            inbox.postpone(tx, row.id, until=now + wait, reason=str(error), count=action == "retry")
            return
        detail = "".join(traceback.format_exception(error))[-4000:]
        summary = error.summary if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"[:300]
        inbox.finish(tx, row.id, "parked", reason=summary, detail=detail, now=now)

    if action == "bug":
        log.error("event %s of %s is parked: %r", row.id, row.connection, error, exc_info=error)
    hub.store.run(unit)
