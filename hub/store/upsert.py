"""The one way to insert "unless it is there": by natural key, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.writer import Tx


def insert_new(tx: Tx, table: Table, values: dict[str, Any], *, key: Sequence[str]) -> Row[Any] | None:
    """Insert one row and return it; ``None`` when a row with the same ``key`` columns exists."""
    insert: Any = (sqlite if tx.connection.dialect.name == "sqlite" else postgresql).insert(table)
    statement = insert.values(**values).on_conflict_do_nothing(index_elements=list(key)).returning(table)
    return tx.execute(statement).first()


def insert_or_update(tx: Tx, table: Table, values: dict[str, Any], *, key: Sequence[str]) -> Row[Any]:
    """Insert one row, or set its other columns when the key exists; return it as it is now."""
    insert: Any = (sqlite if tx.connection.dialect.name == "sqlite" else postgresql).insert(table)
    changed = {name: value for name, value in values.items() if name not in key}
    statement = insert.values(**values).on_conflict_do_update(index_elements=list(key), set_=changed).returning(table)
    return tx.execute(statement).one()
