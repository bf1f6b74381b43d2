"""What the hub expects to be asked by itself, through the outside."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from hub.store import tables as t
from hub.store.connections import read_switch, set_switch
from hub.store.writer import Tx

LASTS = timedelta(minutes=2)
NOT_OUR_NAME = "this hub has another name"
"""What a hub answers to a question that came under a name it does not know."""


def _name(asked: str) -> str:
    return f"reach:{hashlib.sha256(asked.encode()).hexdigest()[:48]}"


def expect(tx: Tx, asked: str, word: str, *, now: datetime) -> None:
    """Be ready to answer ``word`` to ``asked``. What was never asked is dropped on the way."""
    rows = tx.execute(select(t.switch).where(t.switch.c.name.startswith("reach:"))).all()
    over = [row.name for row in rows if row.value["until"] <= now.timestamp()]
    tx.execute(delete(t.switch).where(t.switch.c.name.in_(over)))
    set_switch(tx, _name(asked), {"word": word, "until": (now + LASTS).timestamp()}, now=now)


def answer(connection: Connection, asked: str, *, now: datetime) -> str | None:
    """The word, or ``None`` when nothing of this is expected."""
    value = read_switch(connection, _name(asked))
    return value["word"] if value is not None and value["until"] > now.timestamp() else None


def forget(tx: Tx, asked: str) -> None:
    """It was asked."""
    tx.execute(delete(t.switch).where(t.switch.c.name == _name(asked)))
