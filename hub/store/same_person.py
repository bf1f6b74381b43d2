"""Which accounts may be one customer: who gave the same address or number, and what was said of two accounts."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, or_, select

from hub.store import rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.secrets import Cipher
from hub.store.side_tables import own_secret, person_key, person_pair
from hub.store.upsert import insert_new, insert_or_update
from hub.store.writer import Tx

BLINDING = "people"
"""Under this name ``own_secret`` keeps what digests are made with: without it nobody can try addresses out."""

MOST_ACCOUNTS = 50
"""Of one key: what more accounts gave belongs to no single person."""

_GAVE = (
    select(person_key.c.identity_id)
    .where(*rows.where(person_key, "digest"))
    .order_by(person_key.c.identity_id)
    .limit(MOST_ACCOUNTS + 1)
)


def blinding(tx: Tx, cipher: Cipher, *, now: datetime) -> bytes:
    """The secret for :func:`digest_of`, made when there is none."""
    row = rows.find(tx.connection, own_secret, {"name": BLINDING})
    if row is None:
        values = {"name": BLINDING, "ciphertext": cipher.encrypt(secrets.token_hex(32)), "created_at": now}
        made = insert_new(tx, own_secret, values, key=["name"])
        row = made or rows.one(tx.connection, own_secret, {"name": BLINDING})
    return bytes.fromhex(cipher.decrypt(row.ciphertext))


def digest_of(secret: bytes, kind: str, value: str) -> str:
    """What two accounts that gave the same thing have in common."""
    return hmac.new(secret, f"{kind}:{value}".encode(), "sha256").hexdigest()


def gave(tx: Tx, identity_id: int, digest: str, *, now: datetime) -> list[int]:
    """Keep that an identity gave this; return who else did, at most :data:`MOST_ACCOUNTS` + 1 of them."""
    known = run(tx.connection, _GAVE, rows.at({"digest": digest})).scalars()
    if identity_id not in known:
        values = {"digest": digest, "identity_id": identity_id, "created_at": now}
        insert_new(tx, person_key, values, key=["digest", "identity_id"])
    return [one for one in known if one != identity_id]


def with_customers(tx: Tx, identity_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The rows of these identities, oldest first, each with the ``customer_id`` it belongs to now."""
    tx.write_later()
    query = (
        select(t.identity, t.customer_link.c.customer_id)
        .join(t.customer_link, t.customer_link.c.identity_id == t.identity.c.id)
        .where(t.identity.c.id.in_(identity_ids), t.customer_link.c.undone_at.is_(None))
    )
    return tx.execute(query.order_by(t.identity.c.id)).all()


def spoken_of(connection: Connection, some: Collection[int], others: Collection[int]) -> bool:
    """True when it was proposed or decided of one of ``some`` and one of ``others`` whether they are one customer."""
    low, high = person_pair.c.low_id, person_pair.c.high_id
    query = select(low).where(or_(and_(low.in_(some), high.in_(others)), and_(low.in_(others), high.in_(some))))
    return connection.execute(query.limit(1)).first() is not None


def propose(tx: Tx, one: int, other: int, *, ticket_id: int, evidence: str, now: datetime) -> bool:
    """Keep that it was proposed in this ticket; False when somebody was quicker."""
    values = {**_pair(one, other), "state": "proposed", "ticket_id": ticket_id, "evidence": evidence}
    return insert_new(tx, person_pair, {**values, "proposed_at": now}, key=["low_id", "high_id"]) is not None


def proposed_in(connection: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """What was proposed in a ticket: first what nobody has decided, the newest before the others."""
    pair = person_pair.c
    undecided_first = case((pair.state == "proposed", 0), else_=1)
    query = select(person_pair).where(pair.ticket_id == ticket_id)
    # Of those one message brought about, the last one named: all have its author in common.
    at_once = pair.low_id + pair.high_id
    return connection.execute(query.order_by(undecided_first, pair.proposed_at.desc(), at_once.desc())).all()


def decide(tx: Tx, one: int, other: int, state: str, *, now: datetime) -> None:
    """Keep what somebody said of two identities: ``joined`` or ``parted``. It is not proposed again."""
    values = {**_pair(one, other), "state": state, "decided_at": now}
    insert_or_update(tx, person_pair, values, key=["low_id", "high_id"])


def _pair(one: int, other: int) -> dict[str, int]:
    return {"low_id": min(one, other), "high_id": max(one, other)}
