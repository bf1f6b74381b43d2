"""Connections as the hub knows them: mode, pauses, breaker, cursor, alarms, switches, audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, or_, select, text, update

from hub.store import rows
from hub.store import tables as t
from hub.store.prepared import run
from hub.store.upsert import insert_new, insert_or_update
from hub.store.writer import Tx

BREAKER_OPENS_AFTER = 5
STOP_TALKING = "stop-talking"
PROBE_EVERY = timedelta(seconds=2)

_ADD_CALLS = (
    update(t.connection)
    .where(*rows.where(t.connection, "name"))
    .values(calls=t.connection.c.calls + bindparam("more"))
    .returning(t.connection)
)


def ensure(tx: Tx, *, name: str, connector: str, side: str, mode: str, now: datetime) -> Row[Any]:
    """The connection's row, made on first sight with the configured mode. A mode a person set later stays."""
    made = insert_new(
        tx,
        t.connection,
        {"name": name, "connector": connector, "side": side, "mode": mode, "made_at": now},
        key=["name"],
    )
    if made is not None:
        return made
    change(tx, name, connector=connector, side=side, gone=False)
    return get(tx.connection, name)


def get(connection: Connection, name: str) -> Row[Any]:
    """One connection; raises ``NoResultFound`` for an unknown name."""
    return rows.one(connection, t.connection, {"name": name})


def seen(tx: Tx, name: str) -> Row[Any]:
    """As :func:`get`, read once per transaction: every unit of work asks for mode and pauses several times."""
    if name not in tx.connections:
        tx.connections[name] = get(tx.connection, name)
    return tx.connections[name]


def every(connection: Connection) -> Sequence[Row[Any]]:
    """All connections by name."""
    return connection.execute(select(t.connection).order_by(t.connection.c.name)).all()


def names(connection: Connection) -> set[str]:
    """The names of all connections, also of those no longer configured."""
    return set(connection.scalars(select(t.connection.c.name)))


def open_tickets(connection: Connection, name: str) -> int:
    """How many tickets that are not solved came by a connection, or lie at it."""
    here = t.ticket.c
    mine = or_(here.connection == name, here.sink == name)
    query = select(func.count()).select_from(t.ticket).where(mine, here.status.not_in(("solved", "closed")))
    return int(connection.scalar(query) or 0)


def change(tx: Tx, name: str, **values: Any) -> None:
    """Set columns of one connection."""
    tx.connections.pop(name, None)
    rows.change(tx, t.connection, {"name": name}, values)


def add_calls(tx: Tx, name: str, calls: int) -> None:
    """Add to the connection's bill."""
    if calls:
        row = run(tx.connection, _ADD_CALLS, {"where_name": name, "more": calls}).first()
        if row is not None:
            tx.connections[name] = row


def pause(tx: Tx, name: str, *, reason: str, by: str, now: datetime) -> bool:
    """Pause unless it is paused already; True when it was running."""
    tx.connections.pop(name, None)
    values = {"paused": reason, "paused_by": by, "paused_at": now, "probe_at": now + timedelta(seconds=30)}
    return bool(rows.change(tx, t.connection, {"name": name, "paused": ""}, values))


def resume(tx: Tx, name: str, *, now: datetime) -> bool:
    """Take up work again at once, whatever backoff was set; True when it was paused."""
    tx.connections.pop(name, None)
    result = tx.execute(
        update(t.connection)
        .where(t.connection.c.name == name, t.connection.c.paused != "")
        .values(
            paused="", paused_by="", paused_at=None, probe_at=None, failures=0, blocked_until=None, next_poll_at=now
        )
    )
    make_due(tx, name, now=now)
    return bool(result.rowcount)


def make_due(tx: Tx, name: str, *, now: datetime) -> None:
    """What waits out a backoff at this connection may go now."""
    waiting = (
        update(t.delivery)
        .where(
            t.delivery.c.connection == name,
            t.delivery.c.state == "waiting",
            t.delivery.c.attempts > 0,
            text("delivery.state NOT IN ('done', 'superseded', 'discarded')"),
        )
        .values(due_at=now)
    )
    tx.execute(waiting)
    tx.execute(update(t.lane).where(t.lane.c.connection == name, t.lane.c.due_at > now).values(due_at=now))


def succeeded(tx: Tx, name: str, *, now: datetime) -> bool:
    """Note a call that worked; True when that closes an open breaker (what waits is then due at once)."""
    row = seen(tx, name)
    was_open = bool(row.failures >= BREAKER_OPENS_AFTER)
    if row.failures or row.last_success_at is None or (now - row.last_success_at).total_seconds() >= 1:
        change(tx, name, failures=0, last_success_at=now, last_error="")
    if was_open:
        change(tx, name, blocked_until=None)
        make_due(tx, name, now=now)
        close_alarm(tx, name, "unreachable", now=now)
    elif row.blocked_until is not None and row.blocked_until <= now:
        change(tx, name, blocked_until=None)
        close_alarm(tx, name, "rate_limited", now=now)
    return was_open


def failed(tx: Tx, name: str, *, error: str, now: datetime) -> None:
    """Note a call that failed for the vendor's sake; enough of them in a row open the breaker."""
    row = get(tx.connection, name)
    values: dict[str, Any] = {"failures": row.failures + 1, "last_error": error, "last_error_at": now}
    if row.failures + 1 >= BREAKER_OPENS_AFTER:
        values["blocked_until"] = now + PROBE_EVERY
        open_alarm(tx, name, "unreachable", text=error, now=now)
    change(tx, name, **values)


def read_cursor(connection: Connection, name: str) -> Row[Any] | None:
    """Value and version of the cursor, or ``None`` before the first poll."""
    return rows.find(connection, t.cursor, {"connection": name})


def save_cursor(tx: Tx, name: str, value: dict[str, Any], *, version: int | None, now: datetime) -> bool:
    """Move the cursor from the version that was read (``None``: there was none). False: somebody else moved it."""
    if version is None:
        values = {"connection": name, "value": value, "version": 1, "updated_at": now}
        return insert_new(tx, t.cursor, values, key=["connection"]) is not None
    values = {"value": value, "version": version + 1, "updated_at": now}
    return bool(rows.change(tx, t.cursor, {"connection": name, "version": version}, values))


def open_alarm(tx: Tx, name: str, kind: str, *, text: str, now: datetime) -> bool:
    """Open an alarm; True when none of this kind was open for the connection. One that is open says this from now on;
    nobody is told again."""
    values = {"connection": name, "kind": kind, "text": text, "opened_at": now}
    found = tx.execute(select(t.alarm.c.id, t.alarm.c.text).where(_is_open(name, kind))).first()
    if found is None:
        rows.insert(tx, t.alarm, values)
    elif found.text != text:
        rows.change(tx, t.alarm, {"id": found.id}, {"text": text})
    return found is None


def close_alarm(tx: Tx, name: str, kind: str, *, now: datetime) -> bool:
    """Close the open alarm of this kind; True when there was one."""
    result = tx.execute(update(t.alarm).where(_is_open(name, kind)).values(closed_at=now))
    return bool(result.rowcount)


def drop_alarms(tx: Tx, name: str, *, now: datetime) -> None:
    """Close a removed connection's alarms. Nobody is told that it works again: it does not."""
    mine = (t.alarm.c.connection == name) & (t.alarm.c.told != "closed")
    tx.execute(update(t.alarm).where(mine & t.alarm.c.closed_at.is_(None)).values(closed_at=now))
    tx.execute(update(t.alarm).where(mine).values(told="closed"))


def _is_open(name: str, kind: str) -> ColumnElement[bool]:
    return (t.alarm.c.connection == name) & (t.alarm.c.kind == kind) & t.alarm.c.closed_at.is_(None)


def alarms(connection: Connection, *, open_only: bool = True) -> Sequence[Row[Any]]:
    """Alarms, newest first."""
    query = select(t.alarm).order_by(t.alarm.c.id.desc()).limit(200)
    return connection.execute(query.where(t.alarm.c.closed_at.is_(None)) if open_only else query).all()


def read_switch(connection: Connection, name: str) -> Any:
    """The value of a switch, or ``None``."""
    row = rows.find(connection, t.switch, {"name": name})
    return None if row is None else row.value


def set_switch(tx: Tx, name: str, value: Any, *, now: datetime) -> None:
    """Set a switch."""
    insert_or_update(tx, t.switch, {"name": name, "value": value, "updated_at": now}, key=["name"])


def drop_switches(tx: Tx, prefix: str, *, before: datetime) -> int:
    """Forget the switches of such names that nobody has set since then; return how many."""
    column = t.switch.c
    old = (column.name.startswith(prefix, autoescape=True), column.updated_at < before)
    return int(tx.execute(delete(t.switch).where(*old)).rowcount)


def write_audit(tx: Tx, *, actor: str, action: str, object_: str, now: datetime, **data: Any) -> None:
    """Record what a person did."""
    rows.insert(tx, t.audit, {"at": now, "actor": actor, "action": action, "object": object_, "data": data})
