"""The kinds of columns the tables are made of, the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Text, TypeDecorator, text
from sqlalchemy.engine import Dialect


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as epoch milliseconds: SQLite would give back a naive one."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Milliseconds since the epoch; a naive datetime is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the store")
        return round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The aware datetime."""
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class Json(TypeDecorator[Any]):
    """A JSON value in a text column, the same on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Compact JSON."""
        return None if value is None else to_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value."""
        return None if value is None else from_json(value)


BIG = BigInteger().with_variant(Integer, "sqlite")


def identifier() -> Column[int]:
    """The row's own number."""
    return Column("id", BIG, primary_key=True, autoincrement=True)


def ref(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[int]:
    """A reference to another table's row."""
    return Column(name, BIG, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def text_column(name: str, default: str = "") -> Column[str]:
    """A text, empty when nothing is said."""
    return Column(name, Text, nullable=False, default=default, server_default=default)


def flag(name: str, default: bool = False) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False, default=default, server_default=text("true" if default else "false"))


def count(name: str) -> Column[int]:
    """A number from 0 up."""
    return Column(name, BIG, nullable=False, default=0, server_default="0")


def only_if(condition: str) -> dict[str, Any]:
    """The condition of a partial index."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
