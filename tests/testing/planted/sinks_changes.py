"""Sinks that report what agents do wrongly, and that redact or set up too much or too little."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hub.sdk import (
    AnyEvent,
    CommentSeen,
    Delivery,
    Event,
    Page,
    Receipt,
    RecordChanged,
    RedactComment,
    Refused,
    SetupStep,
    TemporaryFailure,
)
from tests.testing.planted.good_sink import GoodSink
from tests.testing.selftest import breaks

Json = dict[str, Any]


class _Comments(GoodSink):
    def comment_seen(self, row: Json, comment: Json) -> CommentSeen:
        seen = super().comment_seen(row, comment)
        return seen.model_copy(update={"comment": seen.comment.model_copy(update=self.spoiled(comment))})

    def spoiled(self, comment: Json) -> Json:
        raise NotImplementedError


@breaks("agents_words_are_told", "sink")
class AgentsAreStaff(_Comments):
    def spoiled(self, comment: Json) -> Json:
        author = super(_Comments, self).comment_seen({"id": ""}, comment).comment.author
        return {"author": author.model_copy(update={"role": "staff"})}


@breaks("agents_words_are_told", "sink")
class ALongTimeAgo(_Comments):
    def spoiled(self, comment: Json) -> Json:
        return {"created_at": self.toolbox.now() - timedelta(days=1)}


@breaks("agents_words_are_told", "sink")
class EverybodyIsTheHub(_Comments):
    def spoiled(self, comment: Json) -> Json:
        return {"origin": comment["key"] or "somebody"}


@breaks("own_words_are_told_apart", "sink")
class ForgetsTheOrigin(_Comments):
    def spoiled(self, comment: Json) -> Json:
        return {"origin": ""}


@breaks("rules_are_no_people", "sink")
class RulesArePeople(_Comments):
    def spoiled(self, comment: Json) -> Json:
        author = super(_Comments, self).comment_seen({"id": ""}, comment).comment.author
        return {"automatic": False, "author": author.model_copy(update={"role": "agent"})}


@breaks("note_made_public_is_told_anew", "sink")
class OneKeyPerComment(GoodSink):
    def comment_seen(self, row: Json, comment: Json) -> CommentSeen:
        return super().comment_seen(row, comment).model_copy(update={"event_key": f"comment:{comment['id']}"})


@breaks("status_is_told", "sink")
class TellsNoStatus(GoodSink):
    def event_of(self, change: Json) -> AnyEvent:
        event = super().event_of(change)
        return event.model_copy(update={"status": None}) if isinstance(event, RecordChanged) else event


@breaks("first_cursor_is_now", "sink")
class ReadsHistory(GoodSink):
    def first_cursor(self) -> dict[str, Any]:
        return {"after": 0}


@breaks("cursor_is_json", "sink")
class TupleInTheCursor(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        return page.model_copy(update={"cursor": page.cursor | {"seen": ("a", "b")}})


@breaks("strange_cursor_is_handled", "sink")
class TrustsTheCursor(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        return super().fetch_page({"after": cursor["after"]})


@breaks("nothing_is_lost_and_nothing_comes_again", "sink")
class OnePageIsEnough(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        return page.model_copy(update={"cursor": self.first_cursor(), "has_more": False}) if page.has_more else page


@breaks("nothing_is_lost_and_nothing_comes_again", "sink")
class NewestFirst(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        return page.model_copy(update={"events": page.events[::-1]})


@breaks("polling_repeats_nothing", "sink")
class PollsAgain(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        try:
            return super().fetch_page(cursor)
        except TemporaryFailure:
            return super().fetch_page(cursor)


@breaks("same_cursor_gives_the_same_keys", "sink")
class KeysOfTheMoment(GoodSink):
    def event_of(self, change: Json) -> AnyEvent:
        event = super().event_of(change)
        return event.model_copy(update={"event_key": f"{event.event_key}:{self.toolbox.now()}"})


@breaks("polling_under", "sink")
class SkipsWhatItCannotRead(GoodSink):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        try:
            return super().fetch_page(cursor)
        except TemporaryFailure as error:
            if "other than JSON" not in error.summary:
                raise
            return Page(events=(), cursor={"after": cursor["after"] + 1})


@breaks("complete_tells_the_whole_record", "sink")
class HidesNotes(GoodSink):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        return [one for one in super().complete(event) if not isinstance(one, CommentSeen) or one.comment.public]


@breaks("complete_of_the_gone_is_no_error", "sink")
class GoneIsAnError(GoodSink):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        events = super().complete(event)
        if not events:
            raise Refused("there is no such record")
        return events


@breaks("complete_under", "sink")
class OddIsGone(GoodSink):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        try:
            return super().complete(event)
        except TemporaryFailure:
            return []


@breaks("webhook_and_poll_tell_the_same", "sink")
class TwoIdsForOneRecord(GoodSink):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        return [
            one.model_copy(update={"record_id": f"record-{one.record_id}"}) if isinstance(one, CommentSeen) else one
            for one in super().complete(event)
        ]


# --- redaction and setting up --------------------------------------------------------------------------------------


@breaks("redaction_removes_the_text", "sink")
class QuotesWhatItRedacts(GoodSink):
    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        if isinstance(body, RedactComment):
            row = self._ask("GET", f"/records/{body.record_id}", want="record")["record"]
            text = next(comment["text"] for comment in row["comments"] if comment["id"] == body.comment_id)
            note = {"comment": {"text": f"redacted: {text}", "public": False}, "key": delivery.key + "-note"}
            self._ask("PATCH", f"/records/{body.record_id}", note, want="record", effect=True)
        return super()._send(delivery, body)


@breaks("setup_plan_only_reads", "sink")
class PlansByTrying(GoodSink):
    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        self._ask("DELETE", "/hooks/of-nobody", want="deleted")
        return super().plan_setup(webhook_url)


@breaks("setup_is_taken_back_whole_and_alone", "sink")
class RemovesEverything(GoodSink):
    def remove_setup(self) -> Sequence[SetupStep]:
        for hook in self._hooks():
            self._ask("DELETE", f"/hooks/{hook['id']}", want="deleted", effect=True)
        return []


@breaks("setup_is_taken_back_whole_and_alone", "sink")
class RemovesNothing(GoodSink):
    def remove_setup(self) -> Sequence[SetupStep]:
        return []
