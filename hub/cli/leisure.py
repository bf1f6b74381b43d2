"""What commands share that ask a vendor for long: since when, a bar that tells how far it is, and waiting."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Misused

if TYPE_CHECKING:
    from rich.progress import Progress

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
TELL_EVERY = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


calls_option = click.option(
    "--calls-a-minute",
    type=click.IntRange(1, 2500),
    default=120,
    show_default=True,
    help="Calls to the helpdesk; its own limits hold all the same.",
)


def since(text: str, now: datetime) -> datetime:
    """``30d``, ``12h``, ``2w``, or an ISO date, in local time unless it names its zone. Raises :class:`Misused`."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", text.strip().lower())
    try:
        at = now - int(found[1]) * UNITS[found[2]] if found else datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misused(
            f'--since cannot be "{text}": give a time back from now (30d, 12h, 2w) or a date (2026-01-31).'
        ) from error
    if at >= now:
        raise Misused(f'--since must lie in the past, "{text}" does not.')
    return at


class Telling:
    """Shows how far a long command is: a bar on a terminal, else a line now and then, always on standard error."""

    def __init__(self, what: str, bar: Progress | None, *, quiet: bool) -> None:
        self._what, self._bar, self._quiet = what, bar, quiet
        self._task = None if bar is None else bar.add_task(what, total=None)
        self._told_at = time.monotonic()
        self._said = ""

    def show(self, done: int, total: int | None, words: str) -> None:
        """So many of ``total`` (``None``: nobody knows) are done."""
        self._said = words
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=f"{self._what}: {words}")
        elif not self._quiet and time.monotonic() - self._told_at >= TELL_EVERY:
            self._told_at = time.monotonic()
            of = f" of {total}" if total is not None else ""
            click.echo(f"{self._what}: {done}{of}, {words}", err=True)

    def wait(self, seconds: float, why: str) -> None:
        """Sleep, and say why unless it is only the pace."""
        if why and not self._quiet:
            told = f"waiting {max(1, round(seconds))} s: {why}"
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, description=f"{self._what}: {self._said}; {told}")
            else:
                click.echo(f"{self._what}: {told}", err=True)
        time.sleep(seconds)


@contextmanager
def telling(what: str, *, quiet: bool) -> Iterator[Telling]:
    """A :class:`Telling`; with ``quiet`` (JSON) it says nothing."""
    if quiet or not sys.stderr.isatty():
        yield Telling(what, None, quiet=quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # What is left is shown only when the vendor says how many there are; otherwise rich shows -:--:--.
    with Progress(*columns, Remaining(), console=Console(stderr=True), transient=True) as bar:
        yield Telling(what, bar, quiet=False)
