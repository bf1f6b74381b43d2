"""Consents under way: a person was sent to a vendor's page and is expected back; and links for who holds the rights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from hub.store import rows
from hub.store import tables as t
from hub.store.connections import set_switch
from hub.store.side_tables import consent
from hub.store.upsert import insert_or_update
from hub.store.writer import Tx

KEEP = timedelta(days=1)
"""How long one can look up what became of a consent that is over."""


def digest(secret: str) -> str:
    """What is stored of a state or of a link's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin(
    tx: Tx,
    secret: str,
    *,
    kind: str,
    connection: str,
    actor: str,
    now: datetime,
    until: datetime,
    redirect_url: str = "",
    verifier: str | None = None,
) -> str:
    """Remember a consent or a link until then; return its digest. What is long over is dropped on the way."""
    tx.execute(delete(consent).where(consent.c.expires_at < now - KEEP))
    values = {
        "state": digest(secret),
        "kind": kind,
        "connection": connection,
        "actor": actor,
        "redirect_url": redirect_url,
        "verifier": verifier,
        "created_at": now,
        "expires_at": until,
    }
    rows.insert(tx, consent, values)
    return digest(secret)


def find(connection: Connection, number: str, *, kind: str = "consent") -> Row[Any] | None:
    """The consent or link of this digest, whatever became of it."""
    return rows.find(connection, consent, {"state": number, "kind": kind})


def latest(connection: Connection, name: str) -> Row[Any] | None:
    """A connection's newest consent."""
    query = select(consent).where(consent.c.connection == name, consent.c.kind == "consent")
    return connection.execute(query.order_by(consent.c.created_at.desc(), consent.c.state).limit(1)).first()


def use_up(tx: Tx, number: str, *, now: datetime) -> Row[Any] | None:
    """The consent, for the first who comes back with its state in time; ``None`` for everybody else."""
    first = (
        update(consent)
        .where(
            consent.c.state == number,
            consent.c.kind == "consent",
            consent.c.done_at.is_(None),
            consent.c.expires_at > now,
        )
        .values(done_at=now)
        .returning(consent)
    )
    return tx.execute(first).first()


def settle(tx: Tx, number: str, *, outcome: str, **values: Any) -> None:
    """Write down how it stands. The verifier has done its work."""
    rows.change(tx, consent, {"state": number}, {"outcome": outcome, "verifier": None, **values})


def withdraw(tx: Tx, name: str, *, now: datetime, but: str = "") -> None:
    """End a connection's links and its consents under way, except one; what they had brought is dropped."""
    mine = (consent.c.connection == name) & (consent.c.state != but)
    tx.execute(delete(consent).where(mine, consent.c.kind == "link"))
    tx.execute(update(consent).where(mine).values(staged=None, verifier=None, expires_at=now))


def keep(tx: Tx, name: str, values: Mapping[str, tuple[str, datetime | None] | None], *, now: datetime) -> None:
    """Put encrypted values into a connection's vault, all at once; ``None`` deletes one."""
    for key, value in values.items():
        where = (t.vault.c.connection == name) & (t.vault.c.name == key)
        if value is None:
            tx.execute(delete(t.vault).where(where))
            continue
        columns = {"ciphertext": value[0], "expires_at": value[1], "updated_at": now}
        insert_or_update(tx, t.vault, {"connection": name, "name": key, **columns}, key=["connection", "name"])
        tx.execute(update(t.vault).where(where).values(version=t.vault.c.version + 1))


def empty_vault(tx: Tx, name: str) -> int:
    """Delete everything a connection has in the vault; return how much that was."""
    return int(tx.execute(delete(t.vault).where(t.vault.c.connection == name)).rowcount)


def vault_names(connection: Connection, name: str) -> list[str]:
    """What a connection has in the vault, by name."""
    return list(connection.scalars(select(t.vault.c.name).where(t.vault.c.connection == name).order_by(t.vault.c.name)))


def last_call(connection: Connection, name: str, *, since: datetime) -> datetime | None:
    """When the vendor's last accepted call came to a connection's webhook after that; ``None``: none came yet, or it
    was pruned."""
    query = select(t.arrival.c.received_at).where(
        t.arrival.c.connection == name, t.arrival.c.received_at >= since, t.arrival.c.method != ""
    )
    found: datetime | None = connection.scalars(query.order_by(t.arrival.c.id.desc()).limit(1)).first()
    return found


def doubt_setup(tx: Tx, name: str, *, now: datetime) -> None:
    """Forget what was last seen of the vendor's side, and which calls had come from there: only a look tells now."""
    set_switch(tx, f"setup:{name}", {"since": now.timestamp()}, now=now)
