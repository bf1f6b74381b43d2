"""The checks of a source that asks for news."""

from __future__ import annotations

import copy
import json
from typing import Any

from hub.sdk import AnyEvent, ConnectorError, Page, PollsForMessages, Unreadable
from hub.testing import faults
from hub.testing.attempts import assert_kind, assert_no_repeats, assert_wait, attempt
from hub.testing.checks import cases, needs
from hub.testing.connectors import ConnectorConformance
from hub.testing.listening import Listener, messages_of, network
from hub.testing.rig import Rig
from hub.testing.strange_items import MARK, WHOLE, Miss, Spoiler

MANY, MANY_OF_A_SERVER = 250, 45
"""More at once than any page a network gives, however many are asked for; of a real server, where each post costs
time, more than its lists give by themselves."""


class PollingChecks(ConnectorConformance):
    """Cursors, pages, and what a broken poll may lose: nothing."""

    @needs(PollsForMessages)
    def test_first_cursor_is_now(self, rig: Rig) -> None:
        """What was said before the first cursor is never read; what comes after it is."""
        network(rig).customer_posts("long ago")
        rig.clock.advance(60)
        listener = Listener(rig, "poll")
        assert messages_of(listener.arrivals()) == [], "history is read: the company would answer old posts"
        rig.clock.advance(60)
        post = network(rig).customer_posts("just now")
        assert [message.id for message in messages_of(listener.arrivals())] == [post], (
            "the first post after it is missed"
        )

    @needs(PollsForMessages)
    def test_cursor_is_json(self, rig: Rig) -> None:
        """Cursors survive the database, a restart and another instance; the given one is left as it was."""
        cursor = rig.connector.first_cursor()
        post, told = network(rig).customer_posts("hello"), list[str]()
        for _ in range(4):
            kept = copy.deepcopy(cursor)
            assert json.loads(json.dumps(cursor)) == cursor, f"the cursor {cursor} is not the same after JSON"
            if post in told:
                return
            rig.restart()
            page = rig.connector.fetch_page(cursor)
            assert cursor == kept, "fetch_page changes the cursor it was given: a rolled-back page would be lost"
            cursor = page.cursor
            told += [message.id for message in messages_of(page.events)]
        raise AssertionError("a fresh instance does not go on from the cursor of another")

    @needs(PollsForMessages)
    def test_strange_cursor_is_handled(self, rig: Rig) -> None:
        """A cursor of another format or from the future gives a page or one of our errors."""
        ours = rig.connector.first_cursor()
        for strange in (
            {},
            {"format": 99, "somewhere": ["else"]},
            {**ours, "since_1999": True},
            _future(ours),
            _odd(ours),
        ):
            result = attempt(lambda cursor=strange: rig.connector.fetch_page(cursor))  # type: ignore[misc]
            assert isinstance(result, Page | ConnectorError), f"the cursor {strange} gives {result!r}"

    @needs(PollsForMessages)
    def test_nothing_is_lost_over_pages(self, rig: Rig) -> None:
        """Far more than a page of posts, and of answers to them, arrives whole, once and in order, and polling comes
        to an end."""
        listener = Listener(rig, "poll")
        posts: list[str] = []
        for number in range(MANY_OF_A_SERVER if rig.vendor.has_own_clock else MANY):
            rig.clock.advance(1)
            # Now and then an answer, to something said a while ago: some vendors list these elsewhere, or first.
            above = posts[number // 2] if number % 3 == 2 else ""
            author = f"person{number % 5}"
            posts.append(network(rig).customer_posts(f"case {number}", author=author, reply_to=above))
        found = [message.id for message in messages_of(listener.arrivals())]
        assert set(found) == set(posts), f"{len(posts)} were said, {len(set(found) & set(posts))} are told"
        assert len(found) == len(posts), f"{len(posts)} were said, {len(found)} are told: some come twice"
        assert found == posts, "they are not told in the order they were said"

    @needs(PollsForMessages)
    def test_strange_item_stops_nothing(self) -> None:
        """An item with missing fields among good ones: they come out, and it comes as Unreadable where it is not
        understood."""
        ways_to_miss = self._spoilt(())[0]
        assert ways_to_miss, "no answer of a poll is JSON with a list of objects in which a post stands"
        quiet, unreadable = list[str](), 0
        for miss in ways_to_miss:
            _, posts, events = self._spoilt(miss)
            told = {message.id for message in messages_of(events)}
            assert {posts[0], posts[2]} <= told, (
                f"{_what(miss)} takes the good ones beside it away: {sorted(told)} are told"
            )
            strange = [event for event in events if isinstance(event, Unreadable)]
            unreadable += bool(strange)
            if not strange and posts[1] not in told:
                quiet.append(_what(miss))
        # Some field may say that an item is none of ours, and an item without it is passed over with reason.
        assert unreadable or not quiet, f"never Unreadable, and nobody is told of {quiet[0]}"

    def _spoilt(self, miss: Miss) -> tuple[list[Miss], list[str], list[AnyEvent]]:
        """Three posts, the middle one spoilt in every list: what could miss there, the posts, what is told."""
        rig = self.new_rig()
        listener = Listener(rig, "poll")
        posts = []
        for text in ("the first", MARK, "the third"):
            rig.clock.advance(1)
            posts.append(network(rig).customer_posts(text, author=f"author of {text}"))
        rig.restart()
        spoiler = Spoiler((MARK, posts[1]), miss)
        rig.break_all(spoiler.fault)
        try:
            events = listener.arrivals()
        except ConnectorError as error:
            raise AssertionError(f"{_what(miss)} stops the page: {error!r}") from error
        return spoiler.fields, posts, events

    @needs(PollsForMessages)
    def test_polling_on_tells_nothing_twice(self, rig: Rig) -> None:
        """The same cursor gives the same keys; the next one gives nothing old under a new key."""
        listener = Listener(rig, "poll")
        for number in range(3):
            network(rig).customer_posts(f"case {number}")
        before = listener.cursor
        listener.arrivals()
        rig.clock.advance(60)
        assert messages_of(listener.arrivals()) == [], "what was told before comes again under another key"
        listener.cursor = before
        assert listener.arrivals() == [], "the same page again gives other event keys: the hub would take it twice"

    @needs(PollsForMessages)
    @cases("fault", faults.TRANSPORT)
    def test_poll_under(self, fault: faults.Fault) -> None:
        """A poll that fails raises one of our errors, and the next one brings everything."""
        rig = self.new_rig()
        listener = Listener(rig, "poll")
        network(rig).customer_posts("hello")
        rig.restart()
        listener.page()
        for at in range(len(rig.calls)):
            rig = self.new_rig()
            listener = Listener(rig, "poll")
            post = network(rig).customer_posts("hello")
            rig.restart()
            made = len(rig.calls)
            rig.break_call(fault, at)
            result = attempt(listener.page)
            if len(rig.calls) <= made + at:
                break  # a page needs fewer calls than this
            pages = [result] if isinstance(result, Page) else []
            if not pages:
                assert_kind(result, fault.reading, f"call {at + 1} of the poll met {fault}")
                assert_wait(result, fault)
            rig.mend()
            told = [message.id for page in pages for message in messages_of(page.events)]
            told += [message.id for message in messages_of(listener.arrivals())]
            assert post in told, f"call {at + 1} of the poll met {fault}, and the post is lost"

    @needs(PollsForMessages)
    def test_poll_repeats_nothing(self) -> None:
        """A poll that fails is tried once: the hub polls again."""
        for fault in (faults.SERVER_ERROR, faults.SLOW_DOWN_FOR, faults.READ_TIMEOUT):
            rig = self.new_rig()
            listener = Listener(rig, "poll")
            rig.restart()
            since = len(rig.calls)
            rig.break_all(fault)
            attempt(listener.page)
            assert_no_repeats(rig, since)


def _what(miss: Miss) -> str:
    return "an empty item" if miss == WHOLE else f"an item without {'.'.join(miss)}"


def _future(cursor: Any) -> Any:
    """Every number and every date or id of digits far beyond what the vendor has."""
    if isinstance(cursor, dict):
        return {key: _future(value) for key, value in cursor.items()}
    if isinstance(cursor, str):
        return (
            "".join("9" if letter.isdigit() else letter for letter in cursor)
            if "-" not in cursor
            else "2099-12-31T23:59:59Z"
        )
    if isinstance(cursor, int | float) and not isinstance(cursor, bool):
        return cursor + 4_000_000_000
    return cursor


def _odd(cursor: dict[str, Any]) -> dict[str, Any]:
    """The same names, other types."""
    return {key: {"was": str(value)} for key, value in cursor.items()}
