"""The hub's categories in a custom field of RT: read whatever a person chose, written as the field offers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.sdk import CategoryName, House, Refused
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.errors import DENIED, GONE
from plugins.sinks.request_tracker.payloads import custom_values, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

_LASTS = timedelta(minutes=15)

Json = dict[str, Any]


class Categories:
    """One per connector instance. What the field offers is remembered for a while: each look-up is two calls."""

    def __init__(
        self,
        client: RequestTrackerClient,
        settings: RequestTrackerSettings,
        house: House,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._settings = settings
        self._house = house
        self._now = now
        self._seen: tuple[datetime, Sequence[str]] | None = None

    def read(self, ticket: Json) -> str | None:
        """The category the ticket's field names: empty for none and for one the hub does not have. ``None`` when no
        field is set for it, or the ticket does not show it."""
        field = self._settings.category_field
        values = custom_values(ticket, field) if field else None
        if values is None:
            return None
        named = {word.casefold(): one.name for one in self._house.categories for word in words_of(one)}
        return next((named[value.casefold()] for value in values if value.casefold() in named), "")

    def written(self, category: str) -> str:
        """The field's value for a category of the hub; empty when no field is set for it. What a list does not offer
        is written nevertheless: RT refuses it in its own words."""
        if not category or not self._settings.category_field:
            return ""
        known = next((one for one in self._house.categories if one.name == category), None)
        words = words_of(known, self._settings.agent_language) if known else [category]
        offered = {value.casefold(): value for value in self._offered()}
        return next((offered[word.casefold()] for word in words if word.casefold() in offered), words[0])

    def _offered(self) -> Sequence[str]:
        if self._seen is None or self._seen[0] < self._now() - _LASTS:
            self._seen = (self._now(), offered(self._client, self._settings) or ())
        return self._seen[1]


def offered(client: RequestTrackerClient, settings: RequestTrackerSettings) -> list[str] | None:
    """The values the category's field offers on the connection's queue; ``None`` for a field of free text, for none at
    all, and when our account lacks SeeCustomField for all fields (on the queue alone it does not show them)."""
    try:
        rows = client.queue(settings.queue).get("TicketCustomFields")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and text_of(row.get("name")).casefold() == settings.category_field.casefold():
                return client.offered_values(text_of(row.get("id")))
    except Refused as error:
        if error.detail not in (DENIED, GONE):
            raise
    return None


def lacking(house: House, values: Sequence[str], language: str) -> list[str]:
    """What a list of values lacks, as agents call it: a value per category none of whose words it has."""
    there = {value.casefold() for value in values}
    wanted = (words_of(one, language) for one in house.categories)
    return [words[0] for words in wanted if not there & {word.casefold() for word in words}]


def words_of(category: CategoryName, language: str = "en") -> list[str]:
    """What a person may call a category: the label in ``language`` first, then the other one and the name."""
    other = "it" if language == "en" else "en"
    return [category.label.in_language(language), category.label.in_language(other), category.name]
