"""Tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from pydantic import BaseModel

PIPE_WIDTH = 120
"""A pipe has no width of its own."""
NARROWEST = 14
"""Letters to which a column may be folded before others are left out."""


def print_json(value: Any) -> None:
    """Dataclasses, dates and whatever JSON knows."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def as_dict(value: Any) -> dict[str, Any]:
    """The fields of a dataclass."""
    return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_dict(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str,
    whole: Sequence[str] = (),
    cut: Sequence[str] = (),
    dispensable: Sequence[str] = (),
) -> None:
    """A table that fits the terminal; ``empty`` in its place when there is no row.

    Columns in ``whole`` (codes, names one types again) are never broken; those in ``cut`` keep to one line, with … at
    its end; all others fold. Those in ``dispensable`` are left out, the
    first named first, where there is no room for all.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [[clean(cell) for cell in line] for line in rows]
    if not lines:
        click.echo(empty)
        return
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    broad = {name: max(len(name), *(len(line[at]) for line in lines)) for at, name in enumerate(columns)}
    narrow = {name: max(len(name), min(broad[name], NARROWEST)) for name in columns}
    shown = list(columns)

    def room() -> int:
        """What the columns shown need at least, with the blanks between them."""
        return sum(3 + (broad[name] if name in whole else narrow[name]) for name in shown)

    for name in dispensable:
        if room() > console.width:
            shown.remove(name)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in shown:
        least = broad[name] if name in whole else narrow[name]
        table.add_column(name, overflow="fold", no_wrap=name in whole, min_width=least)
    for line in lines:
        # Text, not str: what customers wrote must not be read as markup.
        table.add_row(
            *(
                Text(" ".join(cell.split()), no_wrap=True, overflow="ellipsis") if name in cut else Text(cell)
                for name, cell in zip(columns, line, strict=True)
                if name in shown
            )
        )
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


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
    """Local time with its zone, to the second."""
    return "" if at is None else at.astimezone().isoformat(sep=" ", timespec="seconds")


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
