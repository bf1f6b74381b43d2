"""The checks of what a source publishes: once, where it belongs, whole, and to nobody else."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from hub.sdk import (
    AuthenticationFailed,
    DeleteReply,
    DeletesReplies,
    Delivery,
    EditReply,
    EditsReplies,
    Failure,
    FindsReplies,
    Found,
    Identity,
    Message,
    OpenTicket,
    Receipt,
    Refused,
    RepliesInPrivate,
    RepliesInPublic,
    Reply,
    ReplyLimits,
    TicketView,
)
from hub.sdk import Said as Opening
from hub.sdk.connectors import Delivers
from hub.sdk.text import fits
from hub.testing import faults
from hub.testing.attempts import attempt
from hub.testing.checks import cases, has_credentials, needs, remembers_keys, takes_posts_back
from hub.testing.connectors import ConnectorConformance
from hub.testing.deliveries import deliver_under, find_after, find_under, looked_up, no_repeats, once_per_key, sent
from hub.testing.listening import Listener, network
from hub.testing.rig import Rig
from hub.testing.vendor import Said

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
"""One grapheme of five code points and 18 bytes: whoever cuts text in the wrong unit cuts through it."""


def replies(connector: type) -> bool:
    """Whether it can answer at all."""
    return issubclass(connector, RepliesInPublic | RepliesInPrivate)


class ReplyingChecks(ConnectorConformance):
    """Every delivery starts from something a customer said, seen by the connector as the hub would."""

    def private_only(self) -> bool:
        """Whether every answer of this connector is private."""
        return not issubclass(self.connector, RepliesInPublic)

    def asked(self, rig: Rig, text: str = "where is my parcel?", *, private: bool | None = None) -> Message:
        """A customer says something; the message as the connector tells it, after a stay in the hub's database."""
        private = self.private_only() if private is None else private
        listener = Listener(rig)
        post = network(rig).customer_posts(text, private=private)
        (message,) = [found for found in listener.messages() if found.id == post]
        rig.restart()
        return Message.model_validate_json(message.model_dump_json())

    def answer(self, rig: Rig, to: Message, text: str = "on its way", *, key: str = "answer") -> Delivery:
        """What the hub hands over to answer ``to``."""
        body = Reply(
            network=to.network,
            thread_id=to.thread.id,
            reply_to=to.id,
            to=to.author,
            text=text,
            language="en",
            privacy=to.privacy,
            answer_with=to.answer_with,
        )
        return Delivery(key=str(uuid5(NAMESPACE_URL, key + to.id)), body=body, first_attempt_at=rig.clock.now())

    def reply_ready(self, rig: Rig) -> Delivery:
        """An answer, ready to be sent by a fresh instance."""
        return self.answer(rig, self.asked(rig))

    def published(self, rig: Rig) -> Receipt:
        """An answer that has been sent."""
        receipt = sent(rig, self.reply_ready(rig))
        assert isinstance(receipt, Receipt), f"nothing was wrong, and the reply failed: {receipt}"
        rig.restart()
        return receipt

    def edit_ready(self, rig: Rig) -> Delivery:
        """Another text for a published answer."""
        body = EditReply(message_id=self.published(rig).vendor_id, text="it comes tomorrow")
        return Delivery(key=str(uuid5(NAMESPACE_URL, "edit")), body=body, first_attempt_at=rig.clock.now())

    def deletion_ready(self, rig: Rig) -> Delivery:
        """The removal of a published answer."""
        body = DeleteReply(message_id=self.published(rig).vendor_id, reason="asked for by the agent")
        return Delivery(key=str(uuid5(NAMESPACE_URL, "delete")), body=body, first_attempt_at=rig.clock.now())

    @staticmethod
    def said(rig: Rig) -> list[Said]:
        """What the company has said and not deleted."""
        return list(network(rig).company_posts())

    # --- what a reply is ---------------------------------------------------------------------------------------------

    @needs(when=replies)
    def test_reply_stands_under_the_post(self, rig: Rig) -> None:
        """One new post of the company, under the customer's, with the agent's words and the receipt's id."""
        message = self.asked(rig)
        before = self.said(rig)
        receipt = sent(rig, self.answer(rig, message))
        assert isinstance(receipt, Receipt), f"nothing was wrong, and the reply failed: {receipt}"
        new = [post for post in self.said(rig) if post not in before]
        assert len(new) == 1, f"one answer was sent, {len(new)} stand there"
        (post,) = new
        assert "on its way" in post.text, f"the agent's words are not there: {post.text!r}"
        assert post.reply_to == message.id, f"it answers {post.reply_to!r}, not the customer's post {message.id!r}"
        assert receipt.vendor_id == post.id, f"the receipt says {receipt.vendor_id!r}, the post is {post.id!r}"

    @needs(when=replies)
    def test_reply_is_never_wider(self, rig: Rig) -> None:
        """A reply with the privacy ``direct`` is private, or is refused; it is never public."""
        message = self.asked(rig).model_copy(update={"privacy": "direct"})
        before = self.said(rig)
        result = sent(rig, self.answer(rig, message))
        wide = [post for post in self.said(rig) if post not in before and post.public]
        assert not wide, f"a private answer stands in public: {wide[0].text!r}"
        assert isinstance(result, Receipt | Refused), f"expected Refused, got {type(result).__name__}: {result}"

    @needs(when=replies, given=takes_posts_back)
    def test_answer_to_a_removed_post_is_refused(self, rig: Rig) -> None:
        """An answer to a post that its author has removed meanwhile is Refused, and nothing is said."""
        message = self.asked(rig)
        rig.clock.advance(60)
        network(rig).customer_deletes(message.id)
        before = self.said(rig)
        result = sent(rig, self.answer(rig, message))
        new = [post for post in self.said(rig) if post not in before]
        assert not new, f"the post is gone, and the answer stands there: {new[0].text!r}"
        assert isinstance(result, Refused), f"expected Refused, got {type(result).__name__}: {result}"

    @needs(RepliesInPrivate)
    def test_private_reply_arrives(self, rig: Rig) -> None:
        """A private message is answered in private, in the same talk."""
        message = self.asked(rig, private=True)
        before = self.said(rig)
        result = sent(rig, self.answer(rig, message, "just between us"))
        assert isinstance(result, Receipt), f"nothing was wrong, and the private reply failed: {result}"
        (post,) = [post for post in self.said(rig) if post not in before]
        assert not post.public, "the private answer is public"
        assert "just between us" in post.text, f"the agent's words are not there: {post.text!r}"

    @needs(when=replies)
    def test_reply_is_whole_or_refused(self, rig: Rig) -> None:
        """A text of exactly the limit arrives whole, its last emoji too; a longer one is whole or refused."""
        limits = rig.connector.check_connection().reply_limits or ReplyLimits(max_length=20_000)
        message = self.asked(rig)
        for what, text in (("at the limit", filled(limits)), ("over the limit", filled(limits) + FAMILY)):
            before = self.said(rig)
            result = sent(rig, self.answer(rig, message, text, key=what))
            new = [post for post in self.said(rig) if post not in before]
            if what == "at the limit":
                assert isinstance(result, Receipt), f"a text of {limits.max_length} {limits.unit} is refused: {result}"
            if isinstance(result, Receipt):
                assert text in "".join(post.text for post in new), f"{what}, the text is cut: ...{new[-1].text[-40:]!r}"
            else:
                assert isinstance(result, Refused), f"{what}: expected Refused, got {type(result).__name__}: {result}"
                assert not new, f"{what}, it is refused and stands there"

    @needs(when=replies)
    def test_own_reply_comes_back_as_own(self, rig: Rig) -> None:
        """If the connector tells of our own reply, it says that it is ours and gives the receipt's id."""
        listener = Listener(rig)
        receipt = self.published(rig)
        rig.clock.advance(60)
        told = [message for message in listener.messages(own=False) if "on its way" in message.text]
        assert not told, f"our own reply {receipt.vendor_id} is told as a customer's message"

    @needs(when=replies)
    def test_one_result_for_each(self, rig: Rig) -> None:
        """A batch gives one result each, in order; what the connector cannot do is refused, alone."""
        size = min(self.connector.batch, 5)  # type: ignore[attr-defined]
        deliveries = []
        for number in range(size):
            message = self.asked(rig, f"question {number}")
            deliveries.append(self.answer(rig, message, f"answer {number}"))
        results = rig.connector.deliver(deliveries)
        assert len(results) == size, f"{size} deliveries gave {len(results)} results"
        texts = {post.id: post.text for post in self.said(rig)}
        for number, result in enumerate(results):
            assert isinstance(result, Receipt), f"delivery {number}: {result}"
            assert f"answer {number}" in texts.get(result.vendor_id, ""), "the results are not in the order given"

    @needs(when=replies)
    def test_foreign_verb_is_refused(self, rig: Rig) -> None:
        """A delivery for the other side is Refused, not a crash."""
        someone = Identity(network=rig.connector.network, id="1")
        ticket = TicketView(uid="u", code="T-1", subject="s", network="n", source="acme", requester=someone)
        result = sent(rig, Delivery(key="k", body=OpenTicket(ticket=ticket, said=Opening(text="t"))))
        assert isinstance(result, Refused), f"expected Refused, got {type(result).__name__}: {result}"

    @needs(
        when=lambda connector: replies(connector) and issubclass(connector, Delivers) and connector.batch > 1,
        given=has_credentials,
    )
    def test_batch_stops_at_refused_credentials(self, rig: Rig) -> None:
        """Credentials that end in mid-batch: what was sent has its receipt, the rest AuthenticationFailed."""
        first, second = self.asked(rig, "one"), self.asked(rig, "two")
        rig.break_call(faults.UNAUTHORIZED, 1)
        results = attempt(
            lambda: rig.connector.deliver([self.answer(rig, first, "answer 1"), self.answer(rig, second, "answer 2")])
        )
        stands = {number for number in (1, 2) if any(f"answer {number}" in post.text for post in self.said(rig))}
        if isinstance(results, list):
            told = {number for number, result in enumerate(results, 1) if isinstance(result, Receipt)}
            assert told == stands, f"sent: {sorted(stands)}, told as sent: {sorted(told)}"
            rest = [result.error for result in results if isinstance(result, Failure)]
            assert all(isinstance(error, AuthenticationFailed) for error in rest), f"the rest is {rest}"
        else:
            assert not stands, f"raised {type(results).__name__}, which means that none was sent, and {stands} was"

    # --- once --------------------------------------------------------------------------------------------------------

    @needs(when=replies)
    @cases("fault", faults.DELIVERING)
    def test_reply_under(self, fault: faults.Fault) -> None:
        """Whatever call of a reply fails, the error is of the right family and never denies what was published."""
        deliver_under(self, fault, self.reply_ready, self.said)

    @needs(FindsReplies, when=replies)
    @cases("fault", faults.LOSING_THE_ANSWER)
    def test_reply_is_found_after(self, fault: faults.Fault) -> None:
        """After a lost answer, Found and Absent are true."""
        find_after(self, fault, self.reply_ready, self.said)

    @needs(FindsReplies, when=replies)
    @cases("fault", faults.BUT_NOT_FOUND)  # 404 is the vendor's word that it is not there
    def test_look_up_under(self, fault: faults.Fault) -> None:
        """A look-up that fails itself never says Absent of a reply that stands there."""
        find_under(self, fault, self.reply_ready, self.said)

    @needs(FindsReplies, when=replies)
    def test_published_reply_is_found(self, rig: Rig) -> None:
        """The look-up finds a reply that was published, under the receipt's id, among others."""
        delivery = self.reply_ready(rig)
        receipt = sent(rig, delivery)
        assert isinstance(receipt, Receipt), f"nothing was wrong, and the reply failed: {receipt}"
        other = self.asked(rig, "and mine?")
        sent(rig, self.answer(rig, other, "on its way", key="other"))
        found = looked_up(rig, delivery, there=True, where="a published reply was looked for")
        assert isinstance(found, Found), f"a reply that stands there is not found: {found!r}"
        assert found.receipt.vendor_id == receipt.vendor_id, "it found another reply"

    @needs(FindsReplies, when=replies)
    def test_unsent_reply_is_not_found(self, rig: Rig) -> None:
        """The look-up does not take another answer, in the same words, for the one it looks for."""
        first, second = self.asked(rig, "my parcel?"), self.asked(rig, "and mine?")
        assert isinstance(sent(rig, self.answer(rig, first)), Receipt)
        looked_up(rig, self.answer(rig, second), there=False, where="nothing was sent")

    @needs(when=replies, given=remembers_keys)
    def test_same_reply_twice_is_one(self) -> None:
        """Within ``idempotent_for`` the same delivery twice is one post."""
        once_per_key(self, self.reply_ready, self.said)

    @needs(when=replies)
    def test_reply_repeats_nothing(self) -> None:
        """A reply that fails is tried once."""
        no_repeats(self, self.reply_ready)

    # --- edits and deletions -----------------------------------------------------------------------------------------

    @needs(EditsReplies)
    @cases("fault", faults.DELIVERING)
    def test_edit_under(self, fault: faults.Fault) -> None:
        """Whatever call of an edit fails, the error is of the right family and never denies what was changed."""
        deliver_under(self, fault, self.edit_ready, self.said)

    @needs(EditsReplies)
    def test_edit_replaces_the_text(self, rig: Rig) -> None:
        """The same post has the new words, and no second one stands there."""
        delivery = self.edit_ready(rig)
        before = self.said(rig)
        receipt = sent(rig, delivery)
        assert isinstance(receipt, Receipt), f"nothing was wrong, and the edit failed: {receipt}"
        after = self.said(rig)
        assert len(after) == len(before), "the edit made another post"
        assert any("it comes tomorrow" in post.text for post in after), "the new words are not there"
        assert not any("on its way" in post.text for post in after if post not in before), (
            "the old words are still there"
        )

    @needs(DeletesReplies)
    @cases("fault", (*faults.BUT_NOT_FOUND, *faults.SHAPES))  # 404 means gone
    def test_deletion_under(self, fault: faults.Fault) -> None:
        """Whatever call of a deletion fails, the error is of the right family and never denies what is gone."""
        deliver_under(self, fault, self.deletion_ready, self.said)

    @needs(DeletesReplies)
    def test_deletion_removes_one(self, rig: Rig) -> None:
        """The reply is gone, the others stay; deleting what is gone is a receipt."""
        other = self.published(rig)
        delivery = self.deletion_ready(rig)
        before = self.said(rig)
        receipt = sent(rig, delivery)
        assert isinstance(receipt, Receipt), f"nothing was wrong, and the deletion failed: {receipt}"
        left = self.said(rig)
        assert len(left) == len(before) - 1, f"{len(before)} stood there, {len(left)} are left"
        assert other.vendor_id in {post.id for post in left}, "another reply was deleted"
        again = sent(rig, delivery)
        assert isinstance(again, Receipt), f"deleting what is gone is told as {type(again).__name__}"


def filled(limits: ReplyLimits) -> str:
    """A text as long as the limits allow, an emoji of several code points at its end."""
    text = FAMILY
    step = limits.max_length
    while step:
        longer = "a" * step + text
        if fits(longer, limits):
            text = longer
        else:
            step //= 2
    return text
