# SPDX-License-Identifier: GPL-3.0-or-later
"""The ticket fields that tell by when to answer, and what became of the last answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hub.sdk import AddComment, CategoryName, OpenTicket, UpdateFields, Words
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import Choice, TicketFields

STATES = (
    CategoryName(name="published", label=Words(en="Published", it="Pubblicata")),
    CategoryName(name="refused", label=Words(en="Not published", it="Non pubblicata")),
    CategoryName(name="unknown", label=Words(en="Not known", it="Non noto")),
)
"""The states of a proof; what stands for one is matched as for a category."""
STATE_KIND = "answer"
_TIMES = {"date": "%Y-%m-%d", "text": "%Y-%m-%d %H:%M UTC"}
"""How a field of this type tells a deadline, so that views sort by it; Zendesk has no type with a time.
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/"""
DEADLINE_TYPES = tuple(_TIMES)


class AnswerFields:
    """One per connector instance."""

    def __init__(self, settings: Callable[[], ZendeskSettings], fields: TicketFields) -> None:
        self._settings = settings
        self._fields = fields

    def choices(self, body: OpenTicket | AddComment | UpdateFields) -> Sequence[Choice]:
        """What to write beside the rest of a delivery, as far as the fields are there; may raise what a read may."""
        settings = self._settings()
        found: list[Choice | None] = []
        if settings.deadline_field is not None and body.ticket.answer_by is not None:
            found.append(self._deadline(settings.deadline_field, body.ticket.answer_by))
        if settings.state_field is not None and isinstance(body, UpdateFields) and body.proofs:
            found.append(self._fields.choice(settings.state_field, body.proofs[-1].state, STATES, STATE_KIND))
        return [one for one in found if one is not None]

    def _deadline(self, number: int, at: datetime) -> Choice | None:
        form = _TIMES.get(str(self._fields.field(number).get("type")))
        return Choice(number, f"{at.astimezone(UTC):{form}}") if form else None
