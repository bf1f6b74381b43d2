"""Identities, customers, threads and who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hub.sdk import Identity, Thread
from hub.store import tables as t
from hub.store.upsert import insert_new
from hub.store.writer import Tx


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
            customer_id = tx.execute(
                t.customer.insert().values(name=identity.label, created_at=now).returning(t.customer.c.id)
            ).scalar_one()
            tx.execute(
                t.customer_link.insert().values(
                    customer_id=customer_id, identity_id=made.id, evidence="first seen", created_at=now
                )
            )
            return made
        row = find_identity(tx.connection, identity.network, identity.id)
        assert row is not None  # noqa: S101 - the insert met it
    changed = {name: value for name, value in shown.items() if value and getattr(row, name) != value}
    if contact:
        changed["contact"] = contact
    if changed:
        tx.execute(update(t.identity).where(t.identity.c.id == row.id).values(**changed))
    return row


def find_identity(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The identity with this natural key."""
    query = select(t.identity).where(t.identity.c.network == network, t.identity.c.vendor_id == vendor_id)
    return connection.execute(query).first()


def identity_by_id(connection: Connection, identity_id: int) -> Row[Any]:
    """One identity."""
    return connection.execute(select(t.identity).where(t.identity.c.id == identity_id)).one()


def customer_of(connection: Connection, identity_id: int) -> int | None:
    """The customer an identity belongs to now."""
    query = select(t.customer_link.c.customer_id).where(
        t.customer_link.c.identity_id == identity_id, t.customer_link.c.undone_at.is_(None)
    )
    return connection.execute(query).scalar()


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
    query = select(t.thread).where(t.thread.c.network == network, t.thread.c.vendor_id == vendor_id)
    return connection.execute(query).first()


def takes_part(tx: Tx, thread_id: int, identity_id: int, *, now: datetime) -> None:
    """Note that an identity is in a thread."""
    values = {"thread_id": thread_id, "identity_id": identity_id, "first_at": now}
    insert_new(tx, t.participant, values, key=["thread_id", "identity_id"])
