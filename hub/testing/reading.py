"""The checks of what a source reports: what customers say, edit and delete."""

from __future__ import annotations

from hub.sdk import Completes, Message, RepliesInPrivate, Unreadable
from hub.testing import faults
from hub.testing.attempts import assert_kind, attempt
from hub.testing.checks import cases, needs, takes_posts_back
from hub.testing.connectors import ConnectorConformance
from hub.testing.listening import Listener, deletions_of, messages_of, network, ways

TEXTS = (
    "Dov'è il mio pacco?",
    "two\nlines & <b>angles</b>",
    "emoji \U0001f469\u200d\U0001f469\u200d\U0001f467 at the end \U0001f1ee\U0001f1f9",
    "מתי מגיעה החבילה שלי?",
)
"""What customers write, to be read letter by letter: an apostrophe, lines, markup that is text, emoji, Hebrew."""


class ReadingChecks(ConnectorConformance):
    """They hold however the news comes; a connector that polls and receives is checked both ways."""

    def test_posts_arrive_whole(self) -> None:
        """Each post of a customer is told once, under its vendor's id, letter by letter, oldest first."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            wanted = []
            for text in TEXTS:
                rig.clock.advance(1)
                wanted.append((network(rig).customer_posts(text), text))
            events = listener.arrivals()
            broken = [event for event in events if isinstance(event, Unreadable)]
            assert not broken, f"by {way}: unreadable: {broken[0].reason}"
            found = [
                (message.id, message.text) for event in events for message in messages_of(listener.completed(event))
            ]
            assert found == wanted, f"by {way}: {wanted} was said, {found} is told"

    def test_messages_are_well_formed(self) -> None:
        """Network, author, time, thread and memo of a message are such that the hub can keep and answer it."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            vendor = network(rig)
            first = vendor.customer_posts("one", author="ada")
            vendor.customer_posts("two", author="bruno")
            vendor.customer_posts("three", author="ada", reply_to=first)
            messages = listener.messages()
            assert len(messages) == 3, f"by {way}: three things were said, {len(messages)} are told"
            ada, bruno, again = messages
            for message in messages:
                _well_formed(message, rig.connector.network, rig.clock.now().timestamp())
            assert ada.author.id == again.author.id, "one author has two ids"
            assert ada.author.id != bruno.author.id, "two authors have one id"
            assert len({message.id for message in messages}) == 3, "two messages have one id"
            assert again.thread.id == ada.thread.id, "an answer to a post is not in the post's thread"
            assert bruno.thread.id != ada.thread.id, "two posts of two people are in one thread"

    @needs(RepliesInPrivate)
    def test_private_posts_are_private(self) -> None:
        """What was said in private has the privacy ``direct``: the answer may go nowhere else."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            network(rig).customer_posts("my number is 555", private=True)
            (message,) = listener.messages()
            assert message.privacy == "direct", f"by {way}: a private post is told as {message.privacy}"

    def test_edits_are_new_revisions(self) -> None:
        """An edited post comes again: same id, new text, another revision and another event key."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            post = network(rig).customer_posts("my ordr is late")
            first = listener.news()
            rig.clock.advance(60)
            network(rig).customer_edits(post, "my order is late")
            second = listener.news()
            (before,), after = messages_of(first), messages_of(second)
            assert after, f"by {way}: the edit is not told"
            assert (after[-1].id, after[-1].text) == (post, "my order is late"), f"by {way}: told as {after[-1]}"
            assert after[-1].revision != before.revision, f"by {way}: the edit has the revision of the first text"

    def test_deletions_are_told(self) -> None:
        """A deleted post is told as MessageDeleted with its id."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            post = network(rig).customer_posts("wrong account, sorry")
            listener.news()
            rig.clock.advance(60)
            network(rig).customer_deletes(post)
            assert deletions_of(listener.news()) == [post], f"by {way}: the deletion is not told"

    @needs(given=takes_posts_back)
    def test_ids_are_never_given_twice(self) -> None:
        """A post after the removal of another is told as news: another id and another event key, even where the vendor
        uses its numbers again."""
        for way in ways(self.connector):
            rig = self.new_rig()
            listener = Listener(rig, way)
            post = network(rig).customer_posts("wrong account, sorry")
            (first,) = listener.messages()
            network(rig).customer_deletes(post)
            rig.clock.advance(60)
            network(rig).customer_posts("the right account")
            second = [message for message in listener.messages() if message.text == "the right account"]
            assert second, f"by {way}: a post after a removal is not told: its event key came before"
            assert second[0].id != first.id, f"by {way}: {first.id!r} is the id of a removed post and of the next one"

    @needs(when=lambda connector: len(ways(connector)) > 1)
    def test_both_ways_give_one_key(self) -> None:
        """The same post by poll and by webhook is one message: same id and revision."""
        rig = self.new_rig()
        polls, receives = Listener(rig, "poll"), Listener(rig, "webhook")
        post = network(rig).customer_posts("once, please")
        rig.clock.advance(60)
        network(rig).customer_edits(post, "once, thank you")
        polled = {(message.network, message.id, message.revision) for message in polls.messages()}
        received = {(message.network, message.id, message.revision) for message in receives.messages()}
        # A poll may see only the last revision.
        assert polled, "the poll tells nothing"
        assert polled <= received, f"by poll {sorted(polled)}, by webhook {sorted(received)}"

    @needs(Completes)
    @cases("fault", faults.TRANSPORT)
    def test_complete_under(self, fault: faults.Fault) -> None:
        """Completing an event while the vendor fails raises one of our errors, or does without."""
        rig = self.new_rig()
        listener = Listener(rig)
        first = network(rig).customer_posts("one")
        network(rig).customer_posts("two", reply_to=first)
        events = listener.arrivals()
        for event in events:
            rig.restart()
            before = len(rig.calls)
            listener.completed(event)
            for at in range(len(rig.calls) - before):
                rig.restart()
                rig.break_call(fault, at)
                result = attempt(lambda event=event: listener.completed(event))  # type: ignore[misc]
                if isinstance(result, Exception):
                    assert_kind(result, fault.reading, f"call {at + 1} of complete met {fault}")

    @needs(Completes)
    def test_complete_of_the_gone_is_empty(self) -> None:
        """What was deleted before it was completed is an empty list, not an error."""
        rig = self.new_rig()
        listener = Listener(rig)
        first = network(rig).customer_posts("one")
        second = network(rig).customer_posts("two", reply_to=first)
        events = [event for event in listener.arrivals() if second in event.model_dump_json()]
        network(rig).customer_deletes(second)
        for event in events:
            if not any(message.thread.id for message in messages_of([event])):
                assert list(listener.completed(event)) == [], "complete invents what is gone"


def _well_formed(message: Message, network_name: str, now: float) -> None:
    assert message.network == network_name, f'network is "{message.network}", the connector\'s is "{network_name}"'
    assert message.author.network == network_name, "the author is of another network"
    assert message.author.id, "the author has no id"
    assert not message.own, "a customer's message is marked as our own"
    assert message.created_at.tzinfo is not None, "created_at has no time zone"
    assert abs(message.created_at.timestamp() - now) < 120, f"created_at is {message.created_at}, said just now"
    assert message.thread.id, "the thread is not known, not even after complete"
    # The hub keeps messages as JSON: whatever is in the memo must come back as it was.
    assert Message.model_validate_json(message.model_dump_json()) == message, "the message does not survive JSON"
