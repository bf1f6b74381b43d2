"""Rows by the values of some columns: found, made, changed.

Every statement is built once and kept: SQLAlchemy takes many times longer to build one than to run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Row, Select, Table, Update, bindparam, select, update

from hub.store.prepared import run
from hub.store.writer import Tx

Columns = tuple[str, ...]


def where(table: Table, *columns: str) -> list[ColumnElement[bool]]:
    """Conditions ``column = :where_column``, for a prebuilt statement; run it with :func:`at`."""
    return [table.c[name] == bindparam(f"where_{name}") for name in columns]


def at(key: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for :func:`where`. No value may be ``None``: nothing equals NULL."""
    return {f"where_{name}": value for name, value in key.items()}


def find(connection: Connection, table: Table, key: Mapping[str, Any]) -> Row[Any] | None:
    """The row with these values, or ``None``."""
    return run(connection, _select(table, tuple(key)), at(key)).first()


def one(connection: Connection, table: Table, key: Mapping[str, Any]) -> Row[Any]:
    """The row with these values; raises ``NoResultFound``."""
    return run(connection, _select(table, tuple(key)), at(key)).one()


def insert(tx: Tx, table: Table, values: dict[str, Any]) -> None:
    """Make a row."""
    run(tx.connection, _insert(table, returning=False), values)


def insert_returning(tx: Tx, table: Table, values: dict[str, Any]) -> Row[Any]:
    """Make a row and return it."""
    return run(tx.connection, _insert(table, returning=True), values).one()


def insert_id(tx: Tx, table: Table, values: dict[str, Any]) -> int:
    """Make a row and return its id."""
    return int(run(tx.connection, _insert_id(table), values).one()[0])


def change(tx: Tx, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Set columns of the rows with these values; return how many there were."""
    return run(tx.connection, _update(table, tuple(key), returning=False), {**at(key), **values}).rowcount


def change_returning(tx: Tx, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> Row[Any] | None:
    """Set columns of the one row with these values and return it as it is now; ``None``: there is none."""
    return run(tx.connection, _update(table, tuple(key), returning=True), {**at(key), **values}).first()


@cache
def _select(table: Table, key: Columns) -> Select[Any]:
    return select(table).where(*where(table, *key))


@cache
def _insert(table: Table, *, returning: bool) -> Insert:
    return table.insert().returning(table) if returning else table.insert()


@cache
def _insert_id(table: Table) -> Insert:
    return table.insert().returning(table.c.id)


@cache
def _update(table: Table, key: Columns, *, returning: bool) -> Update:
    statement = update(table).where(*where(table, *key))
    return statement.returning(table) if returning else statement
