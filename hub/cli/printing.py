"""Tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click


def print_json(value: Any) -> None:
    """Dataclasses, dates and whatever JSON knows."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str, title: str = "") -> None:
    """A table; ``empty`` in its place when there is no row."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    if not lines:
        click.echo(empty)
        return
    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for line in lines:
        # Text, not str: what customers wrote must not be read as markup.
        table.add_row(*(Text(clean(cell)) for cell in line))
    # A pipe has no width of its own; without one rich would fold everything into 80 columns.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Name and value, one a line; empty ones are left out."""
    shown = [(name, clean(value)) for name, value in facts if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def clean(value: object) -> str:
    """One value as text, without what a terminal would obey (texts come from strangers)."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(clean, value))
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in str(value))


def when(at: datetime | None) -> str:
    """Local time, to the second."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(at: datetime | None) -> str:
    """How long since, in one unit."""
    if at is None:
        return "never"
    seconds = int((datetime.now(UTC) - at).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(0, seconds)} s ago"


def indented(text: str, by: str = "    ") -> str:
    """Every line moved to the right."""
    return "\n".join(by + line for line in clean(text).splitlines())
