"""Sources that answer wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.sdk import (
    Absent,
    AuthenticationFailed,
    CannotTell,
    DeleteReply,
    Delivery,
    EditReply,
    Failure,
    Found,
    Message,
    OutcomeUnknown,
    PayloadNotUnderstood,
    RateLimited,
    Receipt,
    Refused,
    Reply,
    TemporaryFailure,
)
from hub.testing.reference_network import LIMIT, ReferenceNetwork
from hub.testing.reference_source import NotThere
from tests.testing.planted.sources import GoodSource, GoodSourceSuite
from tests.testing.selftest import breaks

# --- replies ---------------------------------------------------------------------------------------------------------


@breaks("reply_stands_under_the_post")
class InventsReceipts(GoodSource):
    def receipt(self, post: dict[str, Any]) -> Receipt:
        receipt = super().receipt(post)
        return receipt.model_copy(update={"permalink": "https://network.example.com/1"})

    def post(self, delivery: Delivery) -> dict[str, Any]:
        post = super().post(delivery)
        plain = not post["private"] and post["text"] == "on its way"
        return {**post, "text": post["text"].replace("on its way", "on its w\u200bay")} if plain else post


@breaks("reply_is_never_wider")
class SaysPrivateThingsInPublic(GoodSource):
    def post(self, delivery: Delivery) -> dict[str, Any]:
        post = super().post(delivery)
        return {**post, "private": post["private"] and post["text"] == "just between us"}


class AnswersStandAlone(ReferenceNetwork):
    """An answer is a record of its own, as in atproto: whether the other post exists is nobody's business."""

    def takes_answers(self, post_id: str) -> bool:
        return True


@breaks("answer_to_a_removed_post_is_refused")
class AnswersTheRemoved(GoodSourceSuite):
    def vendor(self) -> ReferenceNetwork:
        return AnswersStandAlone()


@breaks("answer_to_a_removed_post_is_refused")
class TriesAgainForTheRemoved(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except NotThere as error:
            raise TemporaryFailure("not yet there") from error


@breaks("private_reply_arrives")
class RefusesPrivateReplies(GoodSource):
    def post(self, delivery: Delivery) -> dict[str, Any]:
        if isinstance(delivery.body, Reply) and delivery.body.privacy == "direct":
            raise Refused("not in private")
        return super().post(delivery)


@breaks("reply_is_whole_or_refused")
class CutsLongReplies(GoodSource):
    def post(self, delivery: Delivery) -> dict[str, Any]:
        post = super().post(delivery)
        return {**post, "text": post["text"][:LIMIT]}


@breaks("own_reply_comes_back_as_own")
class TakesItselfForACustomer(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        return super().message(post).model_copy(update={"own": False})


@breaks("one_result_for_each")
class AnswersBackToFront(GoodSource):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results = super().deliver(deliveries)
        return results[::-1] if not any(isinstance(result, Failure) for result in results) else results


@breaks("foreign_verb_is_refused")
class FallsOverForeignVerbs(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        if delivery.body.verb == "open_ticket":
            raise NotImplementedError(delivery.body.verb)
        return super().send(delivery)


@breaks("batch_stops_at_refused_credentials")
class RaisesInMidBatch(GoodSource):
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        results = super().deliver(deliveries)
        for result in results[1:]:
            if isinstance(result, Failure) and isinstance(result.error, AuthenticationFailed):
                raise result.error
        return results


@breaks("reply_under")
class TakesEveryTimeoutForUnsent(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except OutcomeUnknown as error:
            if isinstance(delivery.body, Reply):
                raise TemporaryFailure("no answer") from error
            raise


@breaks("reply_under")
class LosesRetryAfter(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except RateLimited as error:
            if isinstance(delivery.body, Reply):
                raise RateLimited("too fast") from error
            raise


@breaks("reply_under")
class TakesAStrangeAnswerForANo(GoodSource):
    """What it published answers with JSON that is no post; then nobody shall say that it was refused."""

    def receipt(self, post: dict[str, Any]) -> Receipt:
        try:
            return super().receipt(post)
        except OutcomeUnknown as error:
            raise Refused("the network gave no post") from error


@breaks("reply_is_found_after")
class LooksAtAStaleCopy(GoodSource):
    """The look-up is right only where nothing went wrong before."""

    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except OutcomeUnknown:
            self.toolbox.vault.write("lost", delivery.key)
            raise

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        found = super().find(delivery)
        return Absent() if self.toolbox.vault.read("lost") == delivery.key else found


@breaks("look_up_under")
class TakesNoAnswerForNo(GoodSource):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        try:
            return super().find(delivery)
        except PayloadNotUnderstood:
            return Absent()


@breaks("published_reply_is_found")
class NeverTells(GoodSource):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        found = super().find(delivery)
        return CannotTell(reason="who knows") if isinstance(found, Found) else found


@breaks("unsent_reply_is_not_found")
class FindsTheSameWords(GoodSource):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        found = super().find(delivery)
        log = self.call("GET", "/log", after=0)["events"]
        same = [item["post"] for item in log if isinstance(delivery.body, Reply)]
        same = [post for post in same if post["author"] == "acme" and post["text"] == delivery.body.text]
        known = self.toolbox.vault.read("sent")
        return Found(receipt=self.receipt(same[0])) if isinstance(found, Absent) and same and known else found

    def send(self, delivery: Delivery) -> Receipt:
        receipt = super().send(delivery)
        self.toolbox.vault.write("sent", receipt.vendor_id)
        return receipt


@breaks("same_reply_twice_is_one")
class SendsNoKey(GoodSource):
    def post(self, delivery: Delivery) -> dict[str, Any]:
        post = super().post(delivery)
        return {**post, "key": f"{post['key']}-{delivery.attempt}"} if delivery.attempt > 1 else post


@breaks("reply_repeats_nothing")
class SendsAgainWhenSlowedDown(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except RateLimited:
            if isinstance(delivery.body, Reply):
                return super().send(delivery)
            raise


@breaks("edit_under")
class DeniesItsEdits(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except OutcomeUnknown as error:
            if isinstance(delivery.body, EditReply):
                raise TemporaryFailure("no answer") from error
            raise


@breaks("edit_replaces_the_text")
class AddsToTheText(GoodSource):
    def call(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        if method == "PUT":
            body = {"text": f"on its way. Edit: {body['text']}"}
        return super().call(method, path, body, **query)


@breaks("deletion_under")
class DeniesItsDeletions(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        try:
            return super().send(delivery)
        except OutcomeUnknown as error:
            if isinstance(delivery.body, DeleteReply):
                raise TemporaryFailure("no answer") from error
            raise


@breaks("deletion_removes_one")
class CannotDeleteTwice(GoodSource):
    def send(self, delivery: Delivery) -> Receipt:
        receipt = super().send(delivery)
        if receipt.already_there:
            raise Refused("it is gone")
        return receipt
