"""Deletes what a proof made: its tickets get the status ``deleted``, from which RT shows them to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.sdk import PROOF, CleansUp, Identity, Refused
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.errors import GONE
from plugins.sinks.request_tracker.payloads import external_id, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings


class RequestTrackerCleaning(CleansUp):
    """The part of the connector that tidies up after ``hub connections prove``. RT makes no user for a customer."""

    settings: RequestTrackerSettings
    _client: RequestTrackerClient

    def clean_up(self, vendor_ids: Sequence[str], people: Sequence[Identity] = ()) -> Sequence[str]:
        """Only ``rt-shredder`` on RT's own machine removes a ticket from its database."""
        return [told for ticket_id in vendor_ids if (told := self._delete(ticket_id))]

    def _delete(self, ticket_id: str) -> str:
        ticket = self._living(ticket_id)
        if ticket is None:
            return ""
        if text_of(ticket.get("id")) != ticket_id or not external_id(ticket, self.settings).startswith(PROOF):
            raise Refused(f"ticket {ticket_id} was not made by a proof: it stays")
        said = self._client.update_ticket(ticket_id, {"Status": "deleted"})
        # RT answers 200 also to what it did not do, and may hide what it deleted.
        if self._living(ticket_id) is None:
            return ""
        return f"ticket {ticket_id}: our account needs the right DeleteTicket ({'; '.join(said)[:200]})"

    def _living(self, ticket_id: str) -> Any:
        try:
            ticket, _ = self._client.ticket(ticket_id)
        except Refused as error:
            if error.detail == GONE:
                return None
            raise
        return None if text_of(ticket.get("Status")) == "deleted" else ticket
