"""What became of an attempt whose outcome nobody knows: consistent reads only, and never a guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.sdk import Absent, AddComment, CannotTell, Delivery, Found, OpenTicket, Receipt, Refused, UpdateFields
from plugins.sinks.request_tracker import outgoing, payloads
from plugins.sinks.request_tracker.client import PER_PAGE, RequestTrackerClient, any_of, quoted
from plugins.sinks.request_tracker.directory import Directory
from plugins.sinks.request_tracker.payloads import id_of, name_of, text_of, time_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

CLOCKS = timedelta(minutes=10)
"""How far RT's clock may be from ours."""
_CHANGES = frozenset({"Status", "Set", "CustomField", "SetWatcher"})

Json = dict[str, Any]


class Finder:
    """Looks up deliveries. ``receipt`` makes the receipt of a ticket or of its comment; ``changes`` is what an
    update would change on a ticket as just read."""

    def __init__(
        self,
        client: RequestTrackerClient,
        settings: RequestTrackerSettings,
        directory: Directory,
        receipt: Callable[..., Receipt],
        changes: Callable[[UpdateFields, Json], Json],
    ) -> None:
        self._client = client
        self._settings = settings
        self._directory = directory
        self._receipt = receipt
        self._changes = changes

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """See :class:`hub.sdk.FindsTickets`. Raises ``OddAnswer`` when an answer cannot be read."""
        body = delivery.body
        if isinstance(body, OpenTicket):
            return self._ticket(body, delivery)
        if not isinstance(body, AddComment | UpdateFields):
            return CannotTell(reason=f"Request Tracker's REST 2 cannot do {body.verb}")
        try:
            ticket, _ = self._client.ticket(body.record_id)
            here = list(dict.fromkeys([body.record_id, text_of(ticket["id"])]))  # after a merge both
            history, complete = self._client.history(here)
        except Refused as error:
            return CannotTell(reason=f"the ticket cannot be read: {error.summary}")
        our_name = self._directory.our_name
        for row in reversed(history):
            if payloads.delivery_key_of(row, our_name) == delivery.key:
                comment_id = text_of(row["id"]) if isinstance(body, AddComment) else ""
                return self._found(body.record_id, comment_id)
        if not complete:
            return CannotTell(reason="the ticket has more history than we read")
        if isinstance(body, UpdateFields):
            return self._update(body, delivery, ticket, history)
        return Absent()

    def _update(
        self, body: UpdateFields, delivery: Delivery, ticket: Json, history: list[Json]
    ) -> Found | Absent | CannotTell:
        if outgoing.note_of(body, self._settings, key=delivery.key) is not None:
            return Absent()  # the note goes last; fields that are set already stay as they are
        if not self._changes(body, ticket):
            return self._found(body.record_id)
        since = delivery.first_attempt_at
        changes = [
            name_of(row.get("Creator"))
            for row in history
            if row.get("Type") in _CHANGES and (since is None or _at(row) >= since - CLOCKS)
        ]
        if self._directory.our_name in changes and changes[-1] != self._directory.our_name:
            return CannotTell(reason="somebody changed the ticket after us; sending again could undo that")
        return Absent()

    def _ticket(self, body: OpenTicket, delivery: Delivery) -> Found | Absent | CannotTell:
        uid = body.ticket.uid
        rows = self._client.find_tickets(f"'CF.{{{self._settings.external_id_field}}}' = {quoted(uid)}")
        tickets = [
            text_of(row["id"])
            for row in rows
            if payloads.external_id(row, self._settings) == uid and text_of(row["id"]) != body.follow_up_of
        ]
        for ticket_id in tickets:
            first = self._client.history([ticket_id])[0][0]
            if self._key_of_first(ticket_id, text_of(first["id"])) == delivery.key:
                return self._found(ticket_id)
        if tickets:
            return CannotTell(reason="a ticket with this id exists, but this delivery did not make it")
        return self._hidden_ticket(delivery)

    def _hidden_ticket(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """A search shows neither merged nor deleted tickets, and none when our account does not see the custom field:
        so account for every ticket we opened since then."""
        since = delivery.first_attempt_at
        rows = self._client.newest_creations(self._settings.user_id)
        opened = {id_of(row.get("ObjectId")): row for row in rows if since is None or _at(row) >= since - CLOCKS}
        if len(opened) == PER_PAGE:
            return CannotTell(reason="too many tickets were opened since then to be sure")
        shown = self._client.find_tickets(any_of(opened)) if opened else []
        accounted = {text_of(row["id"]) for row in shown if payloads.external_id(row, self._settings)}
        for ticket_id, row in opened.items():
            if ticket_id in accounted:
                continue
            key = self._key_of_first(ticket_id, text_of(row["id"]))
            if not key:
                return CannotTell(reason=f"ticket {ticket_id}, opened by us, does not show which delivery made it")
            if key == delivery.key:
                ticket, _ = self._client.ticket(ticket_id)
                if text_of(ticket["id"]) == ticket_id and not payloads.external_id(ticket, self._settings):
                    return CannotTell(reason=f"ticket {ticket_id} is it, but it has no external id: set it there")
                return self._found(ticket_id)
        return Absent()

    def _key_of_first(self, ticket_id: str, transaction: str) -> str:
        """The delivery key in the message that opened a ticket of ours."""
        texts = self._client.parts(ticket_id, [transaction])[1]
        text = text_of(texts[0].get("Content")) if texts else ""
        ours = {"Type": "Create", "Creator": {"Name": self._directory.our_name}}
        return payloads.delivery_key_of(ours, self._directory.our_name, text)

    def _found(self, ticket_id: str, comment_id: str = "") -> Found:
        receipt = self._receipt(ticket_id, comment_id=comment_id)
        return Found(receipt=receipt.model_copy(update={"already_there": True}))


def _at(row: Json) -> datetime:
    return time_of(row.get("Created")) or datetime.max.replace(tzinfo=UTC)
