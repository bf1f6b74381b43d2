"""What became of an agent's word: who could read it on the network, or why nobody did (yet)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hub.store import connections

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from hub.store.ticket_view import DeliveryView

ON_ITS_WAY = ("waiting", "claimed", "sending", "unknown")


def refusals(timeline: Iterable[Row[Any]]) -> dict[int, str]:
    """Message -> why it was refused, for those that never became a delivery."""
    found: dict[int, str] = {}
    answer = None
    for event in timeline:
        data = event.data or {}
        if event.kind == "agent_answered":
            answer = data.get("message")
        elif event.kind == "comment_not_published" and "message" in data:
            found[data["message"]] = data.get("reason", "")
        elif event.kind == "answer_refused" and answer is not None:
            # A refusal does not name its message: it stands right behind the answer it refuses.
            found.setdefault(answer, data.get("reason", ""))
    return found


def not_published(
    connection: Connection, row: Row[Any], replies: Iterable[DeliveryView], refused: Mapping[int, str]
) -> tuple[str, bool]:
    """Why the message ``row`` did not reach the customer, empty when it did; and whether it still may."""
    if row.origin != "helpdesk" or not row.public:
        return "", False
    sent = list(replies)
    if not sent:
        return refused.get(row.id) or "the hub never sent it", False
    held = next((one for one in sent if one.state != "done"), None)
    if held is None:
        return "", False
    if held.state == "waiting":
        paused = next((one.paused for one in connections.every(connection) if one.name == held.connection), "")
        if paused:
            return f"{held.connection} is paused: {paused}", True
    # A draft is parked, and waits for the agent's word only.
    awaited = held.state in ON_ITS_WAY or (held.state == "parked" and held.reason.startswith("draft:"))
    return held.reason or f"the delivery is {held.state}", awaited


def privacies(rows: Iterable[Row[Any]], deliveries: Iterable[DeliveryView]) -> dict[int, str]:
    """Message -> who may read it. A helpdesk only knows public and internal: an answer goes to those who can read what
    it answers."""
    sent = {one.message_id: one.privacy for one in deliveries if one.verb == "reply"}
    found, customers = dict[int, str](), "public"
    for row in rows:
        if row.direction == "inbound":
            customers = row.privacy
        answer = row.origin == "helpdesk" and row.public
        found[row.id] = (sent.get(row.id) or customers) if answer else row.privacy
    return found
