"""Sinks that tell or find something else than what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.sdk import (
    Absent,
    AddComment,
    CannotTell,
    Delivery,
    Failure,
    Found,
    OpenTicket,
    OutcomeUnknown,
    Receipt,
    RedactComment,
    Refused,
    TemporaryFailure,
    UpdateFields,
)
from tests.testing.planted.good_sink import GoodSink
from tests.testing.selftest import breaks

Json = dict[str, Any]


class _CallsItTemporary(GoodSink):
    verb: type

    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        try:
            return super()._send(delivery, body)
        except OutcomeUnknown as error:
            if not isinstance(body, self.verb):
                raise
            raise TemporaryFailure(error.summary) from error


@breaks("opening_under", "sink")
class OpensAgain(_CallsItTemporary):
    verb = OpenTicket


@breaks("comment_under", "sink")
class CommentsAgain(_CallsItTemporary):
    verb = AddComment


@breaks("update_under", "sink")
class UpdatesAgain(_CallsItTemporary):
    verb = UpdateFields


class _CallsItRefused(GoodSink):
    """A 2xx whose JSON holds no record is taken for a no."""

    verb: type

    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        try:
            return super()._send(delivery, body)
        except OutcomeUnknown as error:
            if isinstance(body, self.verb) and "without" in error.summary:
                raise Refused(error.summary) from error
            raise


@breaks("opening_under", "sink")
class RefusesStrangeOpenings(_CallsItRefused):
    verb = OpenTicket


@breaks("comment_under", "sink")
class RefusesStrangeComments(_CallsItRefused):
    verb = AddComment


@breaks("update_under", "sink")
class RefusesStrangeUpdates(_CallsItRefused):
    verb = UpdateFields


@breaks("deliver_repeats_nothing", "sink")
class TriesAgain(GoodSink):
    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        try:
            return super()._send(delivery, body)
        except OutcomeUnknown:
            return super()._send(delivery, body)


class _OtherKeys(GoodSink):
    """Its keys have an ending, which it takes off wherever it reads them."""

    def ending(self) -> str:
        raise NotImplementedError

    def _ask(self, method: str, path: str, body: Json | None = None, *, want: str, effect: bool = False) -> Json:
        if body and "key" in body:
            body = body | {"key": body["key"] + self.ending()}
        answer: Json = _without_endings(super()._ask(method, path, body, want=want, effect=effect))
        return answer


def _without_endings(node: Any, name: str = "") -> Any:
    if isinstance(node, dict):
        return {key: _without_endings(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_endings(value, name) for value in node]
    return node.partition("#")[0] if name in ("key", "keys") else node


@breaks("same_key_has_one_effect", "sink")
class KeysOfTheInstance(_OtherKeys):
    def ending(self) -> str:
        return f"#{id(self)}-{id(self.toolbox)}"


@breaks("effect_is_made_once", "sink")
class KeysOfTheAttempt(_OtherKeys):
    failures = 0

    def ending(self) -> str:
        return f"#{self.failures}"

    def _deliver(self, delivery: Delivery) -> Receipt | Failure:
        result = super()._deliver(delivery)
        self.failures += isinstance(result, Failure)
        return result


@breaks("find_finds_what_was_sent", "sink")
class ForgetsSoon(GoodSink):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        first = delivery.first_attempt_at
        if first is not None and self.toolbox.now() - first > timedelta(minutes=30):
            return CannotTell(reason="too long ago")
        return super().find(delivery)


@breaks("find_takes_nothing_else_for_it", "sink")
class FindsByText(GoodSink):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        body = delivery.body
        if not isinstance(body, AddComment):
            return super().find(delivery)
        row = self._ask("GET", f"/records/{body.record_id}", want="record")["record"]
        for comment in row["comments"]:
            if comment["text"] == self.text_of(body.said):
                return Found(receipt=self._receipt(comment["id"], row["id"]))
        return Absent()


@breaks("find_tells_the_truth_after", "sink")
class FindsWhatItKnows(GoodSink):
    def _send(self, delivery: Delivery, body: Any) -> Receipt:
        receipt = super()._send(delivery, body)
        self.toolbox.vault.write(delivery.key, "sent")
        return receipt

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        return super().find(delivery) if self.toolbox.vault.read(delivery.key) else Absent()


@breaks("find_under", "sink")
class NothingIsAbsent(GoodSink):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        try:
            return super().find(delivery)
        except TemporaryFailure:
            return Absent()


@breaks("find_knows_a_redaction", "sink")
class AlwaysRedacted(GoodSink):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        body = delivery.body
        if isinstance(body, RedactComment):
            return Found(receipt=self._receipt(body.comment_id, body.record_id))
        return super().find(delivery)
