"""An agent's answer that does not get out: after some minutes they learn in the record that it is not published yet.

Agents see the helpdesk only. A token that died is an alarm for the operator; without this an agent would take the
answer for given (chatwoot#1046, #2037).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.flow import texts, track
from hub.flow.hub import Hub
from hub.sdk import AddComment, Said
from hub.store import Connection, Row, Tx, connections, deliveries, sent, tickets

LATE = timedelta(minutes=5)
CAUSE = "late:"
NOTE = f"add_comment:{CAUSE}"
"""So begins the key of a note's delivery: the message, the source and the sink follow."""
EVERY = timedelta(seconds=30)
AT_ONCE = 50
"""A network that is down for a day may leave thousands waiting: their notes must not fill the helpdesk's quota."""


class Late:
    """One per process; what was told is in the outbox."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._after = hub.now()

    def step(self) -> int:
        """Tell about at most :data:`AT_ONCE` answers that wait too long, every :data:`EVERY`; return how many."""
        hub, now = self._hub, self._hub.now()
        if now < self._after:
            return 0
        self._after = now + EVERY
        with hub.store.read() as connection:
            # Those that left the configuration too: what was meant for them waits.
            sources = [row.name for row in connections.every(connection) if row.side == "source"]
            found = sent.answers_waiting(connection, sources, since=now - LATE, told_by=NOTE, most=AT_ONCE)
        return sum(hub.store.run(lambda tx, row=row: _tell(hub, tx, row, now=now)) for row in found)  # type: ignore[misc]


def came_out(hub: Hub, tx: Tx, row: Row[Any], *, now: datetime) -> None:
    """An answer was published after all: a note that has not left yet would say the contrary."""
    if row.message_id is None or now - row.created_at <= LATE:
        return
    sink = track.fresh(tx, row.ticket_id).sink
    note = deliveries.by_key(tx.connection, f"{NOTE}{row.message_id}:{row.connection}:{sink}")
    if note is not None and note.state == "waiting":
        deliveries.change(tx, note.id, state="discarded", reason="the answer is published", done_at=now)


def _tell(hub: Hub, tx: Tx, row: Row[Any], *, now: datetime) -> bool:
    present = sent.waits(tx.connection, row.id)
    if present is None:
        return False
    ticket = tickets.by_id(tx.connection, present.ticket_id)
    name = _why(tx.connection, present.connection)
    why = texts.reason(name, hub.language)
    note = "late_removed" if name == "late_removed" else "late"
    text = texts.note(note, hub.language, network=ticket.network, reason=why)
    body = AddComment(ticket=track.view_of(hub, tx.connection, ticket), said=Said(text=text), public=False)
    cause = f"{CAUSE}{present.message_id}:{present.connection}"
    if track.to_sink(hub, tx, ticket, body, cause=cause, by_person=True, now=now) is None:
        return False
    data = {"message": present.message_id, "connection": present.connection}
    tickets.add_event(tx, ticket.id, "answer_late", now=now, actor="hub", reason=why, **data)
    return True


def _why(connection: Connection, name: str) -> str:
    source = connections.get(connection, name)
    if source.gone:
        return "late_removed"
    if connections.read_switch(connection, connections.STOP_TALKING):
        return "late_silent"
    return "late_paused" if source.paused_by not in ("", "hub") else "late_down"
