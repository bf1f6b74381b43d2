# SPDX-License-Identifier: GPL-3.0-or-later
"""The account's own ticket fields that the hub fills in by choosing: which option of a dropdown stands for what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.sdk import CategoryName, Refused, Toolbox, category_tag
from hub.sdk.commands import CATEGORY_TAG_PREFIX
from plugins.sinks.zendesk.access import Credentials
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.payloads import part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

FIELD_TYPES = ("tagger", "text")
"""Types a field may have into which the hub chooses a value: a dropdown or one line of text."""

_LASTS = timedelta(minutes=30)
_AGAIN = timedelta(minutes=1)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a field; ``tags`` are those of the dropdown's options, one of which the ticket may have."""

    field: int
    value: str | None
    tags: frozenset[str] = frozenset()

    def among(self, tags: list[str]) -> list[str]:
        """These tags with the option's own, and without those of the other options: Zendesk would read the field from
        one that stayed."""
        kept = [tag for tag in tags if tag not in self.tags or tag == self.value]
        return kept if self.value is None or self.value not in self.tags or self.value in kept else [*kept, self.value]


def own_tag(prefix: str, name: str, value: str) -> str:
    """Our tag for a value: ``sch_category_delivery``. No command: those have ``-`` after the prefix."""
    return tag_of("_".join(part for part in (prefix, name, value) if part))


def tag_of(text: str) -> str:
    """A tag as Zendesk keeps it: lower case, no blanks or punctuation but ``_ - / :``."""
    return re.sub(r"[^\w/:-]+", "_", text.lower()).strip("_")


def meanings(named: Iterable[CategoryName], prefix: str, kind: str = "category") -> dict[str, str]:
    """Every way to write a category (or another thing of this ``kind``), in letters that compare, and its name. A name
    goes before a label."""
    known = tuple(named)
    ways: dict[str, str] = {}
    for write in (
        lambda one: one.name,
        lambda one: own_tag(prefix, kind, one.name),
        lambda one: one.label.en,
        lambda one: one.label.it,
    ):
        for one in known:
            ways.setdefault(letters(write(one)), one.name)
    ways.pop("", None)
    return ways


def meaning_of(option: Json, ways: dict[str, str]) -> str:
    """What a dropdown's option stands for, by its tag or by what people read; empty for nothing known."""
    value, name = letters(text_of(option.get("value"))), letters(text_of(option.get("name")))
    return ways.get(value) or ways.get(name, "")


def options_of(field: Json) -> list[Json]:
    """A dropdown's options."""
    rows = field.get("custom_field_options")
    return [row for row in rows if isinstance(row, dict) and row.get("value")] if isinstance(rows, list) else []


def letters(text: str) -> str:
    """What compares: "In consegna", "in_consegna" and "in-consegna" are one."""
    bare = text.strip()
    return category_tag(bare).removeprefix(CATEGORY_TAG_PREFIX).replace("_", "-") if bare else ""


class TicketFields:
    """One per connector instance. Reads a field once in half an hour, and again when it lacks what is asked for."""

    def __init__(self, settings: Callable[[], ZendeskSettings], toolbox: Toolbox, credentials: Credentials) -> None:
        self._settings = settings
        self._toolbox = toolbox
        self._credentials = credentials
        self._read: dict[int, tuple[datetime, Json]] = {}

    def choice(self, number: int, wanted: str, named: Iterable[CategoryName], kind: str) -> Choice | None:
        """What to write for the one of this name: ``None`` where the field's type does not fit, an empty value where a
        dropdown has no option for it. May raise what a read may."""
        known, settings = tuple(named), self._settings()
        ways = meanings(known, settings.tag_prefix, kind)
        tags: frozenset[str] = frozenset()
        for fresh in (False, True):
            field = self.field(number, fresh=fresh)
            if field.get("type") == "text":
                label = next((one.label for one in known if one.name == wanted), None)
                return Choice(number, label.in_language(settings.language) if label is not None else wanted)
            if field.get("type") != "tagger":
                return None
            options = options_of(field)
            tags = frozenset(text_of(option["value"]) for option in options)
            for option in options:
                if meaning_of(option, ways) == wanted:
                    return Choice(number, text_of(option["value"]), tags)
        self._toolbox.log.info("the field %s has no option for the %s %s", number, kind, wanted)
        return Choice(number, None, tags)

    def field(self, number: int, *, fresh: bool = False) -> Json:
        """A field as Zendesk told it within the last half hour (``fresh``: the last minute); empty when our account
        cannot see it."""
        now = self._toolbox.now()
        known, lasts = self._read.get(number), _AGAIN if fresh else _LASTS
        if known is not None and now - known[0] < lasts:
            return known[1]
        metadata = Metadata(self._settings(), self._toolbox, self._credentials)
        try:
            field = part_of(metadata.call("GET", f"ticket_fields/{number}"), "ticket_field")
        except Refused as error:  # deleted, or not ours to see: the setup says so, and no ticket waits for it
            self._toolbox.log.warning("the field %s cannot be read: %s", number, error.summary)
            field = {}
        self._read[number] = now, field
        return field
