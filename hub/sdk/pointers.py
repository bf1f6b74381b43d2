"""JSON pointers (RFC 6901), taken apart once; ``*`` stands for every element where many are wanted.

Not the library jsonpointer: it knows no ``*``, and it raises where "not there" is the everyday answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator

MISSING: Any = object()
"""What a pointer gives where there is nothing."""

_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _checked(value: str) -> str:
    if value and (not value.startswith("/") or re.search(r"~(?![01])", value)):
        raise ValueError('must be a JSON pointer: empty, or starting with "/" ("~1" stands for "/", "~0" for "~")')
    return value


PointerText = Annotated[str, AfterValidator(_checked)]
"""A JSON pointer in the settings; empty: not there."""


class Pointer:
    """One compiled pointer. ``text`` is what it was made of; an empty one points at the whole document."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])

    def of(self, document: Any) -> Any:
        """The value, or ``MISSING``."""
        for step in self._steps:
            # Not always through _child: a call per step is felt where each event has twenty pointers.
            document = document.get(step, MISSING) if isinstance(document, dict) else _child(document, step)
            if document is MISSING:
                return MISSING
        return document

    def text_of(self, document: Any) -> str:
        """The value when it is a text or a number, else empty."""
        value = self.of(document)
        return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""

    def each(self, document: Any) -> list[tuple[str, Any]]:
        """Every value with its place (a pointer without ``*``); a branch without the rest of the path gives none."""
        found = [("", document)]
        for step in self._steps:
            if step == "*":
                found = [child for place, value in found for child in _children(place, value)]
            else:
                found = [
                    (f"{place}/{_escaped(step)}", child)
                    for place, value in found
                    if (child := _child(value, step)) is not MISSING
                ]
        return found

    def broken_at(self, document: Any) -> str:
        """Where the path ends too early, in words for a person: names of the document, never its values."""
        found = [("", document)]
        for number, step in enumerate(self._steps):
            before = found
            found = Pointer("".join("/" + _escaped(name) for name in self._steps[: number + 1])).each(document)
            if not found:
                place, value = before[0]
                if step == "*" and isinstance(value, list | dict):
                    return f"{place or 'the body'} is empty"
                return f"{place or 'the body'} is {_kind(value)}, without {_escaped(step)!r}"
        return "it is there"


def moment(value: Any, zone: tzinfo = UTC) -> datetime:
    """A time from ISO 8601 (in ``zone`` when it names none), or seconds or milliseconds since 1970, also as a text.
    Raises ``ValueError``, ``OverflowError`` or ``OSError``."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("neither text nor number")
    try:
        number = float(value)
    except ValueError:
        parsed = datetime.fromisoformat(str(value).strip())
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
    return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number, UTC)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _child(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
        return value[int(step)]
    return MISSING


def _children(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield f"{place}/{index}", child
    elif isinstance(value, dict):
        for name, child in value.items():
            yield f"{place}/{_escaped(name)}", child


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        names = ", ".join(sorted(str(name)[:40] for name in list(value)[:12]))
        return f"an object with {names}" if names else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return {str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
