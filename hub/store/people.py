"""Identities, customers, threads and who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from hub.sdk import Identity, Thread
from hub.store import rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

_CUSTOMER_OF = select(t.customer_link.c.customer_id).where(
    *rows.where(t.customer_link, "identity_id"), t.customer_link.c.undone_at.is_(None)
)


def see_identity(tx: Tx, identity: Identity, *, now: datetime, contact: str | None = None) -> Row[Any]:
    """The identity's row: made with a customer of its own on first sight, renamed when the network says so.

    ``contact`` is the already encrypted JSON of e-mail addresses and phones.
    """
    shown = {
        "handle": identity.handle,
        "display_name": identity.display_name,
        "profile_url": identity.profile_url,
        "kind": identity.kind,
        "organisation": identity.organisation,
    }
    key = {"network": identity.network, "vendor_id": identity.id}
    row = find_identity(tx.connection, identity.network, identity.id)
    if row is None:
        made = insert_new(
            tx, t.identity, {**key, **shown, "contact": contact, "created_at": now}, key=["network", "vendor_id"]
        )
        if made is not None:
            customer = rows.insert_id(tx, t.customer, {"name": identity.label, "created_at": now})
            link = {"customer_id": customer, "identity_id": made.id, "evidence": "first seen", "created_at": now}
            tx.later.add(t.customer_link, link)
            tx.customers[made.id] = customer
            return made
        row = find_identity(tx.connection, identity.network, identity.id)
        assert row is not None  # noqa: S101 - the insert met it
    changed = {name: value for name, value in shown.items() if value and getattr(row, name) != value}
    if contact:
        changed["contact"] = contact
    return (rows.change_returning(tx, t.identity, {"id": row.id}, changed) or row) if changed else row


def find_identity(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The identity with this natural key."""
    return rows.find(connection, t.identity, {"network": network, "vendor_id": vendor_id})


def identity_by_id(connection: Connection, identity_id: int) -> Row[Any]:
    """One identity."""
    return rows.one(connection, t.identity, {"id": identity_id})


def customer_of(tx: Tx, identity_id: int) -> int | None:
    """The customer an identity belongs to now."""
    if identity_id in tx.customers:
        return tx.customers[identity_id]
    row = run(tx.connection, _CUSTOMER_OF, rows.at({"identity_id": identity_id})).first()
    return None if row is None else int(row[0])


def part(tx: Tx, identity_id: int, *, evidence: str, now: datetime) -> int | None:
    """Undo the joining of an identity with others: it goes back to the customer it had before, or to one of its own.

    ``evidence`` says who parted them. Return the customer it belongs to now; ``None`` when it is joined with no other.
    """
    link = tx.execute(
        select(t.customer_link).where(
            t.customer_link.c.identity_id == identity_id, t.customer_link.c.undone_at.is_(None)
        )
    ).first()
    if link is None:
        return None
    same = (t.customer_link.c.customer_id == link.customer_id, t.customer_link.c.identity_id != identity_id)
    if tx.execute(select(t.customer_link.c.id).where(*same, t.customer_link.c.undone_at.is_(None))).first() is None:
        return None
    before = tx.execute(
        select(t.customer_link.c.customer_id)
        .where(t.customer_link.c.identity_id == identity_id, t.customer_link.c.customer_id != link.customer_id)
        .order_by(t.customer_link.c.id.desc())
    ).scalar()
    rows.change(tx, t.customer_link, {"id": link.id}, {"undone_at": now})
    name = as_identity(identity_by_id(tx.connection, identity_id)).label
    customer = int(before or rows.insert_id(tx, t.customer, {"name": name, "created_at": now}))
    values = {"customer_id": customer, "identity_id": identity_id, "evidence": evidence, "created_at": now}
    rows.insert(tx, t.customer_link, values)
    tx.customers.pop(identity_id, None)
    return customer


def as_identity(row: Row[Any]) -> Identity:
    """The sdk value of an identity's row, without contact data."""
    return Identity(
        network=row.network,
        id=row.vendor_id,
        handle=row.handle,
        display_name=row.display_name,
        profile_url=row.profile_url,
        kind=row.kind,
        organisation=row.organisation,
    )


def see_thread(tx: Tx, network: str, thread: Thread, *, connection: str, now: datetime) -> int:
    """The id of the thread's row, made on first sight."""
    found = find_thread(tx.connection, network, thread.id)
    if found is not None:
        return int(found.id)
    values = {
        "network": network,
        "vendor_id": thread.id,
        "connection": connection,
        "permalink": thread.permalink,
        "title": thread.title,
        "container": thread.container.model_dump() if thread.container else None,
        "created_at": now,
    }
    made = insert_new(tx, t.thread, values, key=["network", "vendor_id"])
    if made is None:
        made = find_thread(tx.connection, network, thread.id)
        assert made is not None  # noqa: S101 - the insert met it
    return int(made.id)


def find_thread(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The thread with this natural key."""
    return rows.find(connection, t.thread, {"network": network, "vendor_id": vendor_id})
