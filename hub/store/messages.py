"""Messages with their revisions and tombstones, and the routers' decisions on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hub.sdk import Decision, Message
from hub.store import people, rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

_OF_TICKET = select(t.message).where(*rows.where(t.message, "ticket_id"))
_LAST_INBOUND = (
    _OF_TICKET.where(
        t.message.c.direction == "inbound", t.message.c.deleted_at.is_(None), t.message.c.conversation_id.is_not(None)
    )
    .order_by(t.message.c.created_at.desc(), t.message.c.id.desc())
    .limit(1)
)


def find(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The message with this natural key: sent by anybody, received through any connection."""
    return rows.find(connection, t.message, {"network": network, "vendor_id": vendor_id})


def by_id(connection: Connection, message_id: int) -> Row[Any]:
    """One message."""
    return rows.one(connection, t.message, {"id": message_id})


def find_by_id(connection: Connection, message_id: int) -> Row[Any] | None:
    """One message, if there is one of this number."""
    return rows.find(connection, t.message, {"id": message_id})


def thread_key(connection: Connection, thread_id: int) -> str:
    """The vendor id of a thread."""
    return str(rows.one(connection, t.thread, {"id": thread_id}).vendor_id)


def insert_from_network(
    tx: Tx,
    message: Message,
    *,
    direction: str,
    thread_id: int,
    identity_id: int,
    conversation_id: int | None,
    ticket_id: int | None,
    now: datetime,
) -> Row[Any] | None:
    """Store a message a network reported; ``None`` when its natural key is there already."""
    values = {
        "network": message.network,
        "vendor_id": message.id,
        "conversation_id": conversation_id,
        "ticket_id": ticket_id,
        "thread_id": thread_id,
        "identity_id": identity_id,
        "direction": direction,
        "public": message.privacy != "direct",
        "privacy": message.privacy,
        "sender_kind": "agent" if message.own else message.author.kind,
        "author_name": message.author.label,
        "origin": "network",
        "revision": message.revision,
        "subject": message.subject,
        "text": message.text,
        "language": message.language,
        "permalink": message.permalink,
        "reply_to": message.reply_to,
        "parent": message.parent,
        "root": message.root,
        "attachments": [item.model_dump() for item in message.attachments],
        "mentions": [item.model_dump() for item in message.mentions],
        "reactions": message.reactions,
        "context": [item.model_dump(mode="json") for item in message.context],
        "answer_with": message.answer_with,
        "created_at": message.created_at,
        "received_at": now,
        "edited_at": message.edited_at,
    }
    row = insert_new(tx, t.message, values, key=["network", "vendor_id"])
    if row is not None:
        tx.later.add(t.message_revision, _revision(row.id, message.revision, message.text, now))
    return row


def insert_local(tx: Tx, **values: Any) -> int:
    """Store a message that has no natural key on a network (yet): an agent's comment, a word of the hub."""
    return rows.insert_id(tx, t.message, values)


def add_revision(tx: Tx, message_id: int, revision: str, text: str, *, now: datetime) -> bool:
    """Keep one revision; False when it is known."""
    tx.write_later()  # the message itself may have come in this very commit
    values = _revision(message_id, revision, text, now)
    return insert_new(tx, t.message_revision, values, key=["message_id", "revision"]) is not None


def _revision(message_id: int, revision: str, text: str, now: datetime) -> dict[str, Any]:
    return {"message_id": message_id, "revision": revision[:100], "text": text, "seen_at": now}


def apply_edit(tx: Tx, message_id: int, message: Message) -> None:
    """Make an edit the message's present text."""
    values = {
        "text": message.text,
        "subject": message.subject,
        "revision": message.revision,
        "edited_at": message.edited_at,
        "attachments": [item.model_dump() for item in message.attachments],
        "reactions": message.reactions,
    }
    rows.change(tx, t.message, {"id": message_id}, values)


def mark_deleted(tx: Tx, message_id: int, *, at: datetime) -> None:
    """The message is gone on its network; text and revisions stay for the helpdesk's record."""
    rows.change(tx, t.message, {"id": message_id}, {"deleted_at": at})


def insert_tombstone(tx: Tx, network: str, vendor_id: str, *, at: datetime, now: datetime) -> None:
    """A deletion that came first leaves a row that a late creation cannot resurrect."""
    insert_new(
        tx,
        t.message,
        {
            "network": network,
            "vendor_id": vendor_id,
            "direction": "inbound",
            "origin": "network",
            "created_at": at,
            "received_at": now,
            "deleted_at": at,
        },
        key=["network", "vendor_id"],
    )


def was_published(tx: Tx, message_id: int, *, network: str, vendor_id: str, permalink: str) -> None:
    """Give an answer the natural key under which the network knows it (the first part's, when split)."""
    known = find(tx.connection, network, vendor_id)
    values: dict[str, Any] = {"permalink": permalink}
    if known is None:
        values.update(network=network, vendor_id=vendor_id)
    tx.execute(update(t.message).where(t.message.c.id == message_id, t.message.c.vendor_id.is_(None)).values(**values))


def of_ticket(connection: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """A ticket's messages in the order they were said."""
    query = _OF_TICKET.order_by(t.message.c.created_at, t.message.c.id)
    return connection.execute(query, rows.at({"ticket_id": ticket_id})).all()


def last_inbound(connection: Connection, ticket: Row[Any]) -> Row[Any] | None:
    """The customer's newest message of a ticket that is still there: what an answer goes under. What somebody wrote who
    was parted from its customer is none of it."""
    at = rows.at({"ticket_id": ticket.id})
    last = run(connection, _LAST_INBOUND, at).first()
    if last is None or last.identity_id == ticket.identity_id:
        return last
    return connection.execute(_LAST_INBOUND.where(people.whose(t.message.c.identity_id, ticket)), at).first()


def last_inbound_of(connection: Connection, conversation_id: int) -> Row[Any] | None:
    """The customer's newest message of one conversation that is still there."""
    here = t.message.c
    query = select(t.message).where(
        here.conversation_id == conversation_id, here.direction == "inbound", here.deleted_at.is_(None)
    )
    return connection.execute(query.order_by(here.created_at.desc(), here.id.desc()).limit(1)).first()


def add_decision(
    tx: Tx, *, message_id: int, ticket_id: int | None, router: str, answer: Decision, now: datetime
) -> None:
    """Keep what a router answered."""
    values = {
        "message_id": message_id,
        "ticket_id": ticket_id,
        "router": router,
        "answer": answer.model_dump(mode="json", exclude_defaults=True),
        "created_at": now,
    }
    rows.insert(tx, t.decision, values)
