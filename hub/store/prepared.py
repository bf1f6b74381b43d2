"""Statements that run thousands of times a second: SQLAlchemy words and checks them once, the driver runs them.

SQLAlchemy spends about ten times what SQLite needs for such a statement (measured: 16 of 20 µs); one event takes some
forty. Here a statement is compiled once per dialect and set of parameters, with the same converters of values.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Executable, Row, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.types import TypeEngine

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
        return [getattr(row, row._fields[0]) for row in self._rows]


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
            convert = _converter(bind.type, dialect, to_database=True)
            if name in names:
                if convert is not None:
                    converters[name] = convert
            else:
                value = defaults.get(name, bind.effective_value)
                self._constants[name] = value if convert is None else convert(value)
        self._converters = list(converters.items())
        self._order: list[str] | None = compiled.positiontup
        self._row: Any = _row_class(compiled, dialect)

    def run(self, connection: Connection, params: Mapping[str, Any]) -> Ran:
        values = {**self._constants, **params}
        for name, convert in self._converters:
            values[name] = convert(values[name])
        order = self._order
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, values if order is None else [values[name] for name in order])
            found = [self._row._make(raw) for raw in cursor.fetchall()] if self._row is not None else []
            return Ran(found, cursor.rowcount)
        except self._dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(  # as SQLAlchemy does, without the values: they are customers' texts
                self._text, {}, error, self._dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error
        finally:
            cursor.close()


def _row_class(compiled: Any, dialect: Dialect) -> Any:
    """A named tuple of what the driver gives, whose attributes convert when they are read: most never are. ``None``
    for a statement without rows."""
    columns = [(entry.keyname, entry.type) for entry in compiled._result_columns]  # noqa: SLF001 - it has no other name
    if not columns:
        return None
    read: dict[str, Any] = {}
    for index, (name, kind) in enumerate(columns):
        convert = _converter(kind, dialect, to_database=False)
        if convert is not None:
            read[name] = _reader(index, convert)
    plain = namedtuple("Row", [name for name, _ in columns])  # type: ignore[misc]
    return type("Row", (plain,), {"__slots__": (), **read})


def _reader(index: int, convert: Convert) -> property:
    return property(lambda row: convert(row[index]))


def _converter(kind: TypeEngine[Any], dialect: Dialect, *, to_database: bool) -> Convert | None:
    """How values of a type are written or read; ``None`` when the driver takes and gives them as they are."""
    if isinstance(kind, TypeDecorator):
        # Ours write and read plain numbers and texts: without SQLAlchemy's wrapping they cost half.
        own = kind.process_bind_param if to_database else kind.process_result_value
        return partial(own, dialect=dialect)
    inner = kind.dialect_impl(dialect)
    return inner.bind_processor(dialect) if to_database else inner.result_processor(dialect, None)
