"""The one way to insert "unless it is there": by natural key, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, Table
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.prepared import run
from hub.store.writer import Tx


def insert_new(tx: Tx, table: Table, values: dict[str, Any], *, key: Sequence[str]) -> Row[Any] | None:
    """Insert one row and return it; ``None`` when a row with the same ``key`` columns exists."""
    return run(tx.connection, _insert_new(tx.connection.dialect.name, table, tuple(key)), values).first()


def insert_or_update(tx: Tx, table: Table, values: dict[str, Any], *, key: Sequence[str]) -> Row[Any]:
    """Insert one row, or set its other columns when the key exists; return it as it is now."""
    changed = tuple(name for name in values if name not in key)
    return run(tx.connection, _insert_or_update(tx.connection.dialect.name, table, tuple(key), changed), values).one()


@cache
def _insert_new(dialect: str, table: Table, key: tuple[str, ...]) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=key).returning(table)


@cache
def _insert_or_update(dialect: str, table: Table, key: tuple[str, ...], changed: tuple[str, ...]) -> Any:
    insert = _insert(dialect, table)
    values = {name: insert.excluded[name] for name in changed}
    return insert.on_conflict_do_update(index_elements=key, set_=values).returning(table)


def _insert(dialect: str, table: Table) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)
