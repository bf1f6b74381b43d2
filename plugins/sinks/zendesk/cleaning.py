# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletes what a proof made: tickets and the end users that stood for the customer, for good where we may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from hub.sdk import PROOF, CleansUp, Identity, Refused, Toolbox
from plugins.sinks.zendesk.errors import GONE
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.outgoing import external_user_id
from plugins.sinks.zendesk.payloads import is_id, part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

if TYPE_CHECKING:
    from plugins.sinks.zendesk.client import ZendeskClient


class ZendeskCleaning(CleansUp):
    """The part of the connector that tidies up after ``hub connections prove``."""

    settings: ZendeskSettings
    toolbox: Toolbox
    _client: ZendeskClient

    def clean_up(self, vendor_ids: Sequence[str], people: Sequence[Identity] = ()) -> Sequence[str]:
        """Tickets first: Zendesk keeps a user who still asks for something."""
        calls = Metadata(self.settings, self.toolbox, self._client.credentials)
        left = [told for ticket_id in vendor_ids if (told := self._ticket(calls, ticket_id))]
        return left + [told for person in people if (told := self._user(calls, person))]

    def _ticket(self, calls: Metadata, ticket_id: str) -> str:
        try:
            ticket = self._client.ticket(ticket_id)
        except Refused as error:
            if error.detail != GONE or not is_id(ticket_id):
                raise
            return ""  # its mark cannot be seen any more, so nothing more is done to it
        if not text_of(ticket.get("external_id")).startswith(PROOF):
            raise Refused(f"ticket {ticket_id} was not made by a proof: it stays")
        try:
            calls.call("DELETE", f"tickets/{ticket_id}.json")
        except Refused as error:
            if error.detail != GONE:
                return f"ticket {ticket_id}: our account may not delete tickets ({error.summary})"
        # The second deletion is a job of Zendesk's own. Where we may not, it forgets the ticket after 30 days.
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-ticket-permanently
        self._for_good(calls, f"deleted_tickets/{ticket_id}.json", f"ticket {ticket_id}")
        return ""

    def _user(self, calls: Metadata, person: Identity) -> str:
        if not person.id.startswith(PROOF):
            raise Refused("this identity was not made by a proof: its user stays")
        known = external_user_id(person)
        rows = calls.call("GET", f"users/show_many.json?external_ids={quote(known, safe='')}").get("users")
        for user in rows if isinstance(rows, list) else []:
            row = part_of({"user": user}, "user")
            user_id = text_of(row.get("id"))
            # The call is not asked to match exactly; and a role other than the customer's was given by a person.
            if text_of(row.get("external_id")) != known or row.get("role") != "end-user" or not is_id(user_id):
                continue
            try:
                calls.call("DELETE", f"users/{user_id}.json")
            except Refused as error:
                if error.detail != GONE:
                    return f"user {user_id}: our account may not delete end users ({error.summary})"
            self._for_good(calls, f"deleted_users/{user_id}.json", f"user {user_id}")
        return ""

    def _for_good(self, calls: Metadata, path: str, what: str) -> None:
        try:
            calls.call("DELETE", path)
        except Refused as error:
            self.toolbox.log.info("%s is deleted, though not for good: %s", what, error.summary)
