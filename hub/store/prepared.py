"""Statements that run thousands of times a second: SQLAlchemy words and checks them once, the driver runs them.

SQLAlchemy spends about ten times what SQLite needs for such a statement (measured: 16 of 20 µs); one event takes some
forty. Here a statement is compiled once per dialect and set of parameters, with the same converters of values.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

Convert = Callable[[Any], Any]
_compiled: dict[tuple[Any, ...], _Compiled] = {}


class Ran:
    """What a statement brought; the parts of SQLAlchemy's ``Result`` that the store uses."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, found: list[Row[Any]], rowcount: int) -> None:
        self._rows = found
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Row[Any]]:
        return iter(self._rows)

    def all(self) -> list[Row[Any]]:
        """Every row."""
        return self._rows

    def first(self) -> Row[Any] | None:
        """The first row, or ``None``."""
        return self._rows[0] if self._rows else None

    def one(self) -> Row[Any]:
        """The only row. Raises ``NoResultFound`` and ``MultipleResultsFound``."""
        if len(self._rows) == 1:
            return self._rows[0]
        raise MultipleResultsFound("more than one row") if self._rows else NoResultFound("no row")

    def scalars(self) -> list[Any]:
        """The first column."""
        return [row[0] for row in self._rows]


def run(connection: Connection, statement: Executable, params: Mapping[str, Any]) -> Ran:
    """Run a statement that is built once and kept (a module's constant, a cached function's result): each is remembered
    for ever. Raises what ``connection.execute`` raises."""
    dialect = connection.dialect
    key = (statement, dialect.name, *params)
    compiled = _compiled.get(key)
    if compiled is None:
        compiled = _compiled[key] = _Compiled(statement, dialect, list(params))
    return compiled.run(connection, params)


class _Compiled:
    """One statement for one dialect and one set of parameters."""

    def __init__(self, statement: Any, dialect: Dialect, names: list[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=names)
        if compiled.literal_execute_params or compiled.post_compile_params:
            raise TypeError(f"not for a statement whose text depends on its values: {compiled}")
        self._text = str(compiled)
        self._dialect = dialect
        self._constants: dict[str, Any] = {}
        converters: dict[str, Convert] = {}  # one name may stand at several places
        # Values the statement or the table sets itself; the rest comes with each run.
        defaults = {column.key: column.default.arg for column in compiled.insert_prefetch}
        for bind, name in compiled.bind_names.items():
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if name in names:
                if convert is not None:
                    converters[name] = convert
            else:
                value = defaults.get(name, bind.effective_value)
                self._constants[name] = value if convert is None else convert(value)
        self._converters = list(converters.items())
        self._order: list[str] | None = compiled.positiontup
        self._make, self._results = _results(compiled, dialect)

    def run(self, connection: Connection, params: Mapping[str, Any]) -> Ran:
        values = {**self._constants, **params}
        for name, convert in self._converters:
            values[name] = convert(values[name])
        order = self._order
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, values if order is None else [values[name] for name in order])
            if self._make is None:
                return Ran([], cursor.rowcount)
            make, results = self._make, self._results
            found = []
            for raw in cursor.fetchall():
                row = list(raw)
                for index, convert in results:
                    row[index] = convert(row[index])
                found.append(make(row))
            return Ran(found, cursor.rowcount)
        except self._dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(  # as SQLAlchemy does, without the values: they are customers' texts
                self._text, {}, error, self._dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error
        finally:
            cursor.close()


def _results(compiled: Any, dialect: Dialect) -> tuple[Callable[[list[Any]], Any] | None, list[tuple[int, Convert]]]:
    """How to make a row, and the converters by column; ``None`` for a statement without rows."""
    columns = [(entry.keyname, entry.type) for entry in compiled._result_columns]  # noqa: SLF001 - it has no other name
    if not columns:
        return None, []
    converters = []
    for index, (_, kind) in enumerate(columns):
        convert = kind.dialect_impl(dialect).result_processor(dialect, None)
        if convert is not None:
            converters.append((index, convert))
    row = namedtuple("Row", [name for name, _ in columns])  # type: ignore[misc]
    return row._make, converters
