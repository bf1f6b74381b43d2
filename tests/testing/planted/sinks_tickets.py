"""Sinks that make the wrong thing in the helpdesk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hub.sdk import (
    AddComment,
    AuthenticationFailed,
    Delivery,
    Failure,
    OpenTicket,
    Receipt,
    RecordChanged,
    Refused,
    Said,
    TicketView,
    UpdateFields,
)
from hub.testing.reference_helpdesk import LONGEST_COMMENT
from tests.testing.planted.good_sink import GoodSink
from tests.testing.selftest import breaks

Json = dict[str, Any]


# --- records -------------------------------------------------------------------------------------------------------


@breaks("opening_makes_one_record", "sink")
class EndsTheSubject(GoodSink):
    def _opening(self, body: OpenTicket) -> Json:
        opening = super()._opening(body)
        opening["fields"]["subject"] = opening["fields"]["subject"].replace(" has not come", "…")
        return opening


@breaks("record_carries_our_id", "sink")
class OtherCase(GoodSink):
    def external_id(self, view: TicketView) -> str:
        return view.uid.upper()

    def record_changed(self, row: Json) -> RecordChanged:
        return super().record_changed(row | {"external_id": ""})


class _NoLink(GoodSink):
    verb: type

    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        receipt = super()._send(delivery, body)
        return receipt.model_copy(update={"permalink": ""}) if isinstance(body, self.verb) else receipt


@breaks("receipt_names_the_record", "sink")
class NoLinkToTheRecord(_NoLink):
    verb = OpenTicket


@breaks("receipt_names_the_comment", "sink")
class NoLinkToTheComment(_NoLink):
    verb = AddComment


@breaks("opening_is_as_visible_as_asked", "sink")
class OpensInPublic(GoodSink):
    def _opening(self, body: OpenTicket) -> Json:
        return super()._opening(body.model_copy(update={"public": True}))


@breaks("comment_is_as_visible_as_asked", "sink")
class CommentsInPublic(GoodSink):
    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        return super()._send(
            delivery, body.model_copy(update={"public": True}) if isinstance(body, AddComment) else body
        )


@breaks("notes_and_proofs_are_internal", "sink")
class NotesInPublic(GoodSink):
    def _changes(self, body: UpdateFields) -> Json:
        changes = super()._changes(body)
        if "comment" in changes:
            changes["comment"]["public"] = True
        return changes


class _Fields(GoodSink):
    def _changes(self, body: UpdateFields) -> Json:
        changes = super()._changes(body)
        self.spoil(changes["fields"])
        return changes

    def spoil(self, fields: Json) -> None:
        raise NotImplementedError


@breaks("status_stands_after_an_update", "sink")
class NeverSolves(_Fields):
    def spoil(self, fields: Json) -> None:
        if fields.get("status") == "solved":
            fields["status"] = "pending"


@breaks("priority_stands_after_an_update", "sink")
class NothingIsUrgent(_Fields):
    def spoil(self, fields: Json) -> None:
        if fields.get("priority") == "urgent":
            fields["priority"] = "high"


@breaks("tags_stand_after_an_update", "sink")
class KeepsTags(GoodSink):
    def _changes(self, body: UpdateFields) -> Json:
        return super()._changes(body.model_copy(update={"tags_remove": ()}))


@breaks("an_update_leaves_the_rest_alone", "sink")
class ResetsThePriority(_Fields):
    def spoil(self, fields: Json) -> None:
        fields.setdefault("priority", "normal")


# --- texts ---------------------------------------------------------------------------------------------------------


@breaks("ticket_with", "sink")
class WantsAName(GoodSink):
    def _opening(self, body: OpenTicket) -> Json:
        if not body.ticket.requester.display_name:
            raise Refused("the customer has no name")
        return super()._opening(body)


@breaks("ticket_with", "sink")
class WantsAText(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said).removeprefix("(no text)")


@breaks("ticket_with", "sink")
class LatinOnly(GoodSink):
    def text_of(self, said: Said) -> str:
        return re.sub(r"[\u0590-\u06ff]", "?", super().text_of(said))


@breaks("ticket_with", "sink")
class NoAnger(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said).replace("😡", "?")


@breaks("ticket_with", "sink")
class StripsTags(GoodSink):
    def text_of(self, said: Said) -> str:
        return re.sub(r"<[^>]+>", "", super().text_of(said))


@breaks("ticket_with", "sink")
class FirstLineOnly(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said.model_copy(update={"text": said.text.partition("\n\n")[0]}))


@breaks("ticket_with", "sink")
class FourPictures(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said.model_copy(update={"attachments": said.attachments[:4]}))


@breaks("ticket_with", "sink")
class ForgetsTheTalk(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said.model_copy(update={"context": ()}))


@breaks("ticket_with", "sink")
class OnlyCustomersSpeak(GoodSink):
    def text_of(self, said: Said) -> str:
        return "(ours)" if said.by_company else super().text_of(said)


@breaks("ticket_with", "sink")
class FirstLineOfTheSubject(GoodSink):
    def _opening(self, body: OpenTicket) -> Json:
        view = body.ticket.model_copy(update={"subject": body.ticket.subject.partition("\n")[0]})
        return super()._opening(body.model_copy(update={"ticket": view}))


@breaks("ticket_with", "sink")
class ShortSubjects(GoodSink):
    def _opening(self, body: OpenTicket) -> Json:
        if len(body.ticket.subject) > 250:
            raise Refused("the subject is too long")
        return super()._opening(body)


@breaks("long_text", "sink")
class CutsInSilence(GoodSink):
    def text_of(self, said: Said) -> str:
        return super().text_of(said)[:LONGEST_COMMENT]


@breaks("long_text", "sink")
class CutsWithinAnEmoji(GoodSink):
    def text_of(self, said: Said) -> str:
        text = super().text_of(said)
        return text if len(text) <= LONGEST_COMMENT else text[: LONGEST_COMMENT - 2] + "…"


# --- answers -------------------------------------------------------------------------------------------------------


@breaks("answers_come_in_order", "sink")
class Backwards(GoodSink):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results = super().deliver(deliveries)
        return results[::-1] if all(isinstance(result, Receipt) for result in results) else results


@breaks("answers_come_in_order", "sink")
class AnswersTheFirst(GoodSink):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results = super().deliver(deliveries)
        return results[:1] if all(isinstance(result, Receipt) for result in results) else results


@breaks("a_refusal_stops_no_other", "sink")
class StopsAtARefusal(GoodSink):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results: list[Receipt | Failure] = []
        for delivery in deliveries:
            last = results[-1] if results else None
            stopped = isinstance(last, Failure) and isinstance(last.error, Refused)
            results.append(last if last is not None and stopped else self._deliver(delivery))
        return results


@breaks("credentials_that_end_within_a_batch", "sink")
class RaisesInTheMiddle(GoodSink):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results = super().deliver(deliveries)
        for result in results:
            if isinstance(result, Failure) and isinstance(result.error, AuthenticationFailed):
                raise result.error
        return results


@breaks("accepted_but_not_done_is_no_receipt", "sink")
class BelievesA200(GoodSink):
    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        try:
            return super()._send(delivery, body)
        except Refused as error:
            if "did not do it" not in error.summary:
                raise
            return self._receipt("r1", "r1")
