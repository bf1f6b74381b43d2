"""JSON pointers (RFC 6901) to single values, taken apart once."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _checked(value: str) -> str:
    if value and (not value.startswith("/") or re.search(r"~(?![01])", value)):
        raise ValueError('must be a JSON pointer: empty, or starting with "/" ("~1" stands for "/", "~0" for "~")')
    return value


PointerText = Annotated[str, AfterValidator(_checked)]
"""A JSON pointer in the settings; empty: not there."""


class Pointer:
    """One compiled pointer. An empty one points at nothing."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])

    def of(self, document: Any) -> Any:
        """The value; ``None`` when there is none."""
        if not self._steps:
            return None
        for step in self._steps:
            if isinstance(document, dict):
                document = document.get(step)
            elif isinstance(document, list) and _INDEX.fullmatch(step) and int(step) < len(document):
                document = document[int(step)]
            else:
                return None
        return document

    def text_of(self, document: Any) -> str:
        """The value when it is a text or a number, else empty."""
        value = self.of(document)
        return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
