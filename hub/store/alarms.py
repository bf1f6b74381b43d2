"""Which alarms somebody must still be told about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from hub.store import tables as t
from hub.store.writer import Tx


def untold(connection: Connection) -> Sequence[Row[Any]]:
    """Alarms whose opening, or whose end after a told opening, was not sent out. An alarm that ended before anybody
    was told is no news."""
    opened = and_(t.alarm.c.closed_at.is_(None), t.alarm.c.told == "")
    closed = and_(t.alarm.c.closed_at.is_not(None), t.alarm.c.told == "opened")
    return connection.execute(select(t.alarm).where(or_(opened, closed)).order_by(t.alarm.c.id).limit(20)).all()


def mark_told(tx: Tx, alarm_id: int, news: str) -> None:
    """Remember that ``opened`` or ``closed`` was sent out."""
    tx.execute(update(t.alarm).where(t.alarm.c.id == alarm_id).values(told=news))
