"""Rows whose ids nobody waits for: written together at the end of a commit.

Each statement of the driver gives up Python's lock, and on a busy hub another thread takes it: twenty rows in one
statement cost little more than one (measured: a third of a writer's time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.prepared import run

AT_ONCE = 16


class Later:
    """What one transaction has still to write, table by table, in the order it came."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Table, bool], list[Mapping[str, Any]]] = {}

    def add(self, table: Table, values: Mapping[str, Any], *, new: bool = False) -> None:
        """Make a row before the commit; ``new``: unless its key is there."""
        self._rows.setdefault((table, new), []).append(values)

    def write(self, connection: Connection) -> None:
        """Make every row that waits."""
        for (table, new), waiting in self._rows.items():
            first = 0
            while left := len(waiting) - first:
                # A statement per power of two: few texts to remember, whatever the number of rows.
                count = min(AT_ONCE, 1 << (left.bit_length() - 1))
                params = _params(table, waiting[first : first + count])
                run(connection, _insert(connection.dialect.name, table, new, count), params)
                first += count
        self._rows.clear()


def _params(table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    defaults = _defaults(table)
    return {
        f"{name}_{number}": row.get(name, default)
        for number, row in enumerate(rows)
        for name, default in defaults.items()
    }


@cache
def _defaults(table: Table) -> dict[str, Any]:
    """What each column gets when nothing is said; a row's own number is the database's."""
    return {
        column.key: getattr(column.default, "arg", None) for column in table.columns if column.autoincrement is not True
    }


@cache
def _insert(dialect: str, table: Table, new: bool, count: int) -> Any:
    rows = [
        {name: bindparam(f"{name}_{number}", type_=table.columns[name].type) for name in _defaults(table)}
        for number in range(count)
    ]
    if not new:
        return insert(table).values(rows)
    return (sqlite if dialect == "sqlite" else postgresql).insert(table).values(rows).on_conflict_do_nothing()
