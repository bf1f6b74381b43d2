"""What stopped and waits for a person: shown with its reason, tried again, or given up. Every action is audited."""

from __future__ import annotations

from typing import Any

from hub.flow import compose, track
from hub.flow.hub import Hub
from hub.store import Row, Tx, connections, deliveries, inbox, tickets
from hub.store.views import Door


class DraftWaits(Exception):
    """This delivery is a draft: trying it again would publish it without the agent's word."""


class NotParked(Exception):
    """There is no such parked event or delivery (any more)."""


def retry(hub: Hub, door: Door, number: int, *, actor: str, publish_draft: bool = False) -> None:
    """Try a parked event or delivery again. One whose outcome is unknown is looked up first, never simply resent.

    Raises :class:`NotParked`, and :class:`DraftWaits` for a draft unless ``publish_draft`` says that it is meant.
    """

    def unit(tx: Tx) -> None:
        now = hub.now()
        if door == "inbox":
            event = inbox.by_id(tx.connection, number)
            if event is None or event.state != "parked" or event.type == "unreadable":
                raise NotParked(f"inbox {number} is not parked, or cannot be read")
            inbox.try_again(tx, number, now=now)
            tx.after_commit.append(lambda: hub.nudge(inbox.nudged(event.connection)))
        else:
            row = deliveries.by_id(tx.connection, number)
            if row is None or row.state != "parked":
                raise NotParked(f"delivery {number} is not parked")
            if row.reason == compose.DRAFT:
                if not publish_draft:
                    raise DraftWaits(
                        f"delivery {number} is a draft: the agent publishes it with the tag {compose.SEND_DRAFT_TAG}"
                    )
                tickets.add_event(tx, row.ticket_id, "draft_released", now=now, actor=actor, delivery=number)
            unknown = row.reason.startswith(deliveries.HELD_BY_UNKNOWN)
            state = "unknown" if unknown else "waiting"
            deliveries.change(tx, number, state=state, reason="tried again by hand", due_at=now, looks=0, attempts=0)
            _unmark(hub, tx, row)
            tx.after_commit.append(lambda: hub.nudge(row.connection))
        connections.write_audit(tx, actor=actor, action="retry", object_=f"{door} {number}", now=now)

    hub.store.run(unit)


def discard(hub: Hub, door: Door, number: int, *, actor: str, reason: str = "") -> None:
    """Give a parked (or still waiting) event or delivery up. Raises :class:`NotParked`."""

    def unit(tx: Tx) -> None:
        now = hub.now()
        by = f"by {actor}" + (f": {reason}" if reason else "")
        if door == "inbox":
            event = inbox.by_id(tx.connection, number)
            if event is None or event.state != "parked":
                raise NotParked(f"inbox {number} is not parked")
            inbox.finish(tx, number, "discarded", reason=by, now=now, ticket_id=event.ticket_id)
        else:
            row = deliveries.by_id(tx.connection, number)
            if row is None or row.state not in ("parked", "waiting"):
                raise NotParked(f"delivery {number} is not parked")
            deliveries.change(tx, number, state="discarded", reason=by, done_at=now)
            _unmark(hub, tx, row)
            if row.ticket_id is not None:
                tickets.add_event(tx, row.ticket_id, "delivery_discarded", now=now, actor=actor, delivery=number)
        connections.write_audit(tx, actor=actor, action="discard", object_=f"{door} {number}", now=now, reason=reason)

    hub.store.run(unit)


def _unmark(hub: Hub, tx: Tx, row: Row[Any]) -> None:
    """Take the mark of a waiting draft off the record when this one was the last."""
    if row.reason == compose.DRAFT and not deliveries.parked_with(tx.connection, row.ticket_id, compose.DRAFT):
        ticket = track.fresh(tx, row.ticket_id)
        compose.no_draft_waits(hub, tx, ticket, cause=f"draft:{row.id}", now=hub.now())
