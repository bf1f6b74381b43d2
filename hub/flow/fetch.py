"""Events that say too little are completed at the vendor, outside any transaction, before they are applied."""

from __future__ import annotations

from typing import Any

from hub.flow.hub import Hub
from hub.sdk import AnyEvent, Event, MessageSeen
from hub.sdk.connectors import Completes
from hub.store import Row, Tx, inbox, messages


def fill_from_store(hub: Hub, event: MessageSeen) -> MessageSeen | None:
    """The event with its thread, when the message it answers (or the message itself) is known; else ``None``."""
    message = event.message
    with hub.store.read() as connection:
        known = messages.find(connection, message.network, message.id)
        if known is None and message.reply_to:
            known = messages.find(connection, message.network, message.reply_to)
        if known is None or known.thread_id is None:
            return None
        thread_id = messages.thread_key(connection, known.thread_id)
    thread = message.thread.model_copy(update={"id": thread_id})
    return event.model_copy(update={"message": message.model_copy(update={"thread": thread})})


def needs_vendor(event: AnyEvent) -> bool:
    """True for a hint, and for a message whose thread nobody knows."""
    return event.type == "hint" or (event.type == "message" and not event.message.thread.id)


def complete(hub: Hub, row: Row[Any], event: Event) -> list[AnyEvent]:
    """Ask the vendor. Raises the connector's errors; a connector that cannot complete gets a sensible default."""
    connector = hub.instance(row.connection)
    if isinstance(connector, Completes):
        return list(connector.complete(event))
    if isinstance(event, MessageSeen):
        message = event.message
        thread = message.thread.model_copy(update={"id": message.root or message.reply_to or message.id})
        return [event.model_copy(update={"message": message.model_copy(update={"thread": thread})})]
    return []


def store_completed(hub: Hub, row: Row[Any], events: list[AnyEvent]) -> None:
    """Replace a hint by what it stood for, in one transaction."""

    def unit(tx: Tx) -> None:
        now = hub.now()
        inbox_id = row.id
        if not inbox.is_new(tx, inbox_id):
            return
        inbox.add_events(tx, connection=row.connection, events=events, now=now)
        inbox.finish(tx, inbox_id, "done", now=now, reason=f"completed: {len(events)} events")

    hub.store.run(unit)
