"""What must be known to solve this kind of request, what the customer has said already, and what is missing."""

from __future__ import annotations

from functools import cache

import regex

from hub.configuration import Category
from hub.configuration.categories import as_word
from hub.sdk.text import LONG


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


def find_fields(category: Category | None, text: str, known: dict[str, str]) -> dict[str, str]:
    """The category's fields that ``text`` holds, for those that say what to look for (``find``); known ones are kept
    as they are. A field's ``pattern`` is for whole answers and too loose for a text: it only refuses what was found."""
    found = dict(known)
    for field in category.fields if category else ():
        if field.name in found or not field.find:
            continue
        try:
            for match in _compiled(as_word(field.find)).finditer(text, timeout=0.2, concurrent=len(text) > LONG):
                value = match.group(0)
                if not field.pattern or _compiled(field.pattern).fullmatch(value, timeout=0.2):
                    found[field.name] = value
                    break
        except TimeoutError:
            continue  # an expensive expression costs its own field, not the ticket
    return found


def missing_fields(category: Category | None, known: dict[str, str]) -> list[str]:
    """The names of the fields nobody knows yet: what the customer is asked, once."""
    return [field.name for field in category.fields if field.name not in known] if category else []
