"""Identities, customers, threads and who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, or_, select, update

from hub.sdk import Identity, Thread
from hub.store import rows, same_person
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

CUSTOMER_OF = select(t.customer_link.c.customer_id).where(
    *rows.where(t.customer_link, "identity_id"), t.customer_link.c.undone_at.is_(None)
)
"""The customer of an identity; see :func:`hub.store.rows.at`."""


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
    row = run(tx.connection, CUSTOMER_OF, rows.at({"identity_id": identity_id})).first()
    return None if row is None else int(row[0])


def identities_of(connection: Connection, customer_id: int) -> list[int]:
    """A customer's identities now, oldest first."""
    link = t.customer_link.c
    query = select(link.identity_id).where(link.customer_id == customer_id, link.undone_at.is_(None))
    return list(connection.scalars(query.order_by(link.identity_id)))


def whose(account: Column[Any], ticket: Row[Any]) -> ColumnElement[bool]:
    """That an account is one of the ticket's customer now: its opener's, or one joined with it and not parted since."""
    link = t.customer_link.c
    theirs = select(link.identity_id).where(link.customer_id == ticket.customer_id, link.undone_at.is_(None))
    return or_(account == ticket.identity_id, account.in_(theirs))


def accounts(tx: Tx, identity_id: int) -> list[int]:
    """The identities of an identity's customer, itself among them."""
    tx.write_later()
    customer = customer_of(tx, identity_id)
    return [identity_id] if customer is None else identities_of(tx.connection, customer)


def join(tx: Tx, one: int, other: int, *, evidence: str, now: datetime) -> list[int]:
    """Make two identities one customer, the older of theirs: what belongs to the other one moves, with its tickets.

    ``evidence`` says why, and who said so. Return the identities that moved; none when they were one already.
    """
    tx.write_later()
    mine, theirs = customer_of(tx, one), customer_of(tx, other)
    if mine is None or theirs is None or mine == theirs:
        return []
    stays, goes = sorted((mine, theirs))
    moved = identities_of(tx.connection, goes)
    for identity_id in moved:
        _move(tx, identity_id, stays, evidence=evidence, now=now)
    _mark(tx, stays)
    same_person.decide(tx, one, other, "joined", now=now)
    return moved


def part(tx: Tx, identity_id: int, *, evidence: str, now: datetime) -> list[int]:
    """Undo the joining of an identity with others: who joined goes back to the customer they were before, with their
    tickets. That is the identity, with those that came in the same join; or the others, where it is the one they
    joined.

    ``evidence`` says who parted them. Return the identities that moved; none when it is joined with no other.
    """
    tx.write_later()
    customer = customer_of(tx, identity_id)
    here = [] if customer is None else identities_of(tx.connection, customer)
    if customer is None or len(here) < 2:
        return []
    paths = {one: _path(tx, one) for one in here}
    guests = [one for one, path in paths.items() if len(path) > 1]
    if identity_id in guests:
        guests = [one for one in guests if _act(paths[one]) == _act(paths[identity_id])]
    going = {one: int(paths[one][-2].customer_id) for one in guests}
    if not going:  # nobody was anywhere else before
        name = as_identity(identity_by_id(tx.connection, identity_id)).label
        going = {identity_id: rows.insert_id(tx, t.customer, {"name": name, "created_at": now})}
    for one, to in going.items():
        _move(tx, one, to, evidence=evidence, now=now)
        for other in paths.keys() - going.keys():
            same_person.decide(tx, one, other, "parted", now=now)
    for present in {customer, *going.values()}:
        _mark(tx, present)
    return list(going)


def _path(tx: Tx, identity_id: int) -> list[Row[Any]]:
    """How an identity came to its customer: the link to its first one, and each join since that was not undone."""
    link = t.customer_link.c
    path: list[Row[Any]] = []
    for one in tx.execute(select(t.customer_link).where(link.identity_id == identity_id).order_by(link.id)):
        known = [before.customer_id for before in path]
        path = path[: known.index(one.customer_id) + 1] if one.customer_id in known else [*path, one]
    return path


def _act(path: list[Row[Any]]) -> tuple[Any, ...]:
    """The join that made the last step: those who came together share it."""
    return path[-1].evidence, path[-1].created_at


def _move(tx: Tx, identity_id: int, customer_id: int, *, evidence: str, now: datetime) -> None:
    link = t.customer_link.c
    active = (link.identity_id == identity_id, link.undone_at.is_(None))
    tx.execute(update(t.customer_link).where(*active).values(undone_at=now))
    values = {"customer_id": customer_id, "identity_id": identity_id, "evidence": evidence, "created_at": now}
    rows.insert(tx, t.customer_link, values)
    rows.change(tx, t.ticket, {"identity_id": identity_id}, {"customer_id": customer_id})
    tx.customers.pop(identity_id, None)


def _mark(tx: Tx, customer_id: int) -> None:
    """Keep with each of a customer's identities whether there are several."""
    there = identities_of(tx.connection, customer_id)
    tx.execute(update(t.identity).where(t.identity.c.id.in_(there)).values(joined=len(there) > 1))


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
