# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub's categories and the ticket field that shows them, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.sdk import House
from plugins.sinks.zendesk.payloads import text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import Choice, TicketFields, letters, meaning_of, meanings, options_of

Json = dict[str, Any]


class Categories:
    """One per connector instance."""

    def __init__(self, settings: Callable[[], ZendeskSettings], house: House, fields: TicketFields) -> None:
        self._settings = settings
        self._house = house
        self._fields = fields

    def choice(self, category: str) -> Choice | None:
        """What to write for a category: ``None`` without a field of a fitting type, an empty value where a dropdown has
        no option for it. May raise what a read may."""
        number = self._settings().category_field
        if number is None or not category:
            return None
        return self._fields.choice(number, category, self._house.categories, "category")

    def told(self, ticket: Json) -> str | None:
        """The category a ticket's field shows: ``None`` without a field, empty for none or one the hub does not know.
        May raise what a read may."""
        number, rows = self._settings().category_field, ticket.get("custom_fields")
        if number is None or not isinstance(rows, list):
            return None
        value = next(
            (text_of(row.get("value")) for row in rows if isinstance(row, dict) and row.get("id") == number), ""
        )
        ways = meanings(self._house.categories, self._settings().tag_prefix)
        known = ways.get(letters(value), "")
        if known or not value:
            return known
        for fresh in (False, True):  # the tag says nothing to us; what people read beside it may
            options = options_of(self._fields.field(number, fresh=fresh))
            option = next((row for row in options if text_of(row["value"]) == value), None)
            if option is not None:
                return meaning_of(option, ways)
        return ""
