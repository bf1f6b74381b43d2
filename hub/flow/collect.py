"""What must be known to solve this kind of request, what the customer has said already, and what is missing."""

from __future__ import annotations

from hub.configuration import Category


def find_fields(category: Category | None, text: str, known: dict[str, str]) -> dict[str, str]:
    """The category's fields that ``text`` holds, found by their patterns; known ones are kept as they are."""
    import regex

    found = dict(known)
    for field in category.fields if category else ():
        if field.name in found or not field.pattern:
            continue
        try:
            match = regex.search(rf"(?<!\w)(?:{field.pattern})(?!\w)", text, timeout=0.2)
        except TimeoutError:
            continue  # an expensive pattern costs its own field, not the ticket
        if match:
            found[field.name] = match.group(0)
    return found


def missing_fields(category: Category | None, known: dict[str, str]) -> list[str]:
    """The names of the fields nobody knows yet: what the customer is asked, once."""
    return [field.name for field in category.fields if field.name not in known] if category else []
