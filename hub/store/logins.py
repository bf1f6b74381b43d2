"""Login links and sessions of the console, by the hash of their secret, in the ``switch`` table."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, select

from hub.store import tables as t
from hub.store.connections import read_switch, set_switch
from hub.store.writer import Tx

Kind = Literal["login", "session"]


def _name(kind: Kind, secret: str) -> str:
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()[:48]}"


def remember(tx: Tx, kind: Kind, secret: str, *, until: datetime, now: datetime) -> None:
    """Let ``secret`` count until then. What is over is dropped on the way."""
    for other in ("login", "session"):
        rows = tx.execute(select(t.switch).where(t.switch.c.name.startswith(f"{other}:"))).all()
        over = [row.name for row in rows if row.value["until"] <= now.timestamp()]
        tx.execute(delete(t.switch).where(t.switch.c.name.in_(over)))
    set_switch(tx, _name(kind, secret), {"until": until.timestamp()}, now=now)


def counts(connection: Connection, kind: Kind, secret: str, *, now: datetime) -> bool:
    """True while the secret counts."""
    value = read_switch(connection, _name(kind, secret))
    return value is not None and value["until"] > now.timestamp()


def use_up(tx: Tx, kind: Kind, secret: str, *, now: datetime) -> bool:
    """End the secret; True when it still counted. Of two who come together one gets True."""
    gone = tx.execute(
        delete(t.switch).where(t.switch.c.name == _name(kind, secret)).returning(t.switch.c.value)
    ).first()
    return gone is not None and gone.value["until"] > now.timestamp()
