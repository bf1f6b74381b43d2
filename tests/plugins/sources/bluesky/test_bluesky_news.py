"""What a poll brings: everything once, in order, and what has gone again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from bluesky_stage import messages, news, pages, stage
from bluesky_vendor import BLOCKS, GATES, POSTS, BlueskyVendor, iso

from hub.sdk import ConfigurationError, PayloadNotUnderstood, TemporaryFailure, Unreadable
from hub.testing import reply
from plugins.sources.bluesky.addresses import time_of
from plugins.sources.bluesky.cursor import Cursor

LIST = "app.bsky.notification.listNotifications"
SEARCH = "app.bsky.feed.searchPosts"
OWN_POSTS = "com.atproto.repo.listRecords"


def test_a_long_outage_is_caught_up_in_order() -> None:
    """Three pages of notifications come newest first; they are told oldest first, and none is read twice."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    posts = []
    for number in range(260):
        rig.clock.advance(1)
        posts.append(vendor.customer_posts(f"case {number}"))
    vendor.calls.clear()
    found, cursor = pages(rig, cursor)
    told = [event.message.id for page in found for event in page.events]
    assert told == posts
    assert vendor.calls.count(LIST) == 3
    assert max(len(page.events) for page in found) == 25
    vendor.calls.clear()
    assert news(rig, cursor)[0] == []
    assert sorted(vendor.calls) == sorted([LIST, SEARCH, OWN_POSTS, "app.bsky.feed.getPosts"])


def test_pages_that_overlap_end_nothing() -> None:
    """A post found on the page before is no proof that the rest was told."""

    class Overlapping(BlueskyVendor):
        def list_notifications(self, query: dict[str, list[str]], _: str) -> dict[str, Any]:
            if "cursor" in query:
                query = {**query, "cursor": [iso(datetime.fromisoformat(query["cursor"][0]) + timedelta(seconds=5))]}
            return super().list_notifications(query, _)

    rig, vendor = stage(Overlapping())
    cursor = rig.connector.first_cursor()
    posts = []
    for number in range(250):
        rig.clock.advance(1)
        posts.append(vendor.customer_posts(f"case {number}"))
    assert [message.id for message in messages(news(rig, cursor)[0])] == posts


def test_a_post_from_a_slow_clock_is_told() -> None:
    """Lists are sorted by the author's clock: a late one stands below what is known, and is new all the same."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    rig.clock.advance(600)
    vendor.customer_posts("now")
    _, cursor = news(rig, cursor)
    late = vendor.say("carla.example.org", "hours ago", mention=True, at=rig.clock.now() - timedelta(hours=3))
    events, cursor = news(rig, cursor)
    assert [message.id for message in messages(events)] == [late.uri]
    assert news(rig, cursor)[0] == []


def test_posts_of_one_moment_are_all_told() -> None:
    """A cursor that were a time would lose the second of two."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    first = vendor.customer_posts("one", author="ada")
    _, cursor = news(rig, cursor)
    second = vendor.customer_posts("two", author="bruno")
    events, _ = news(rig, cursor)
    assert [message.id for message in messages(events)] == [second] != [first]


def test_the_search_is_a_net_under_the_notifications() -> None:
    """A mention in a thread that staff have muted makes no notification; whoever only writes our name is not told."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    first = vendor.customer_posts("hello")
    vendor.muted.add(first)
    second = vendor.customer_posts("anybody there?", reply_to=first)
    vendor.say("dora.example.org", "acme.example.com is a shop, and @acme.example.com without a mention")
    events, cursor = news(rig, cursor)
    assert {message.id for message in messages(events)} == {first, second}
    assert news(rig, cursor)[0] == []


def test_the_search_brings_no_history() -> None:
    """What was said before the connection was made stays unread, whichever list brings it."""
    rig, vendor = stage()
    first = vendor.customer_posts("long ago")
    vendor.muted.add(first)
    vendor.customer_posts("long ago, too", reply_to=first)
    rig.clock.advance(60)
    assert news(rig, rig.connector.first_cursor())[0] == []


class Failing(BlueskyVendor):
    """The stand-in, one of whose methods is down."""

    down = ""

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        if self.down and self.down in str(request.url):
            return reply(request, 502, {"error": "UpstreamFailure", "message": "down"})
        return super().answer(request)


def test_a_search_that_is_down_stops_nothing() -> None:
    """It is the second net; the first holds."""
    rig, vendor = stage(Failing())
    cursor = rig.connector.first_cursor()
    vendor.down = SEARCH  # type: ignore[attr-defined]
    post = vendor.customer_posts("hello")
    assert [message.id for message in messages(news(rig, cursor)[0])] == [post]


def test_what_fails_after_the_news_waits() -> None:
    """Customers' posts go on although our own repository cannot be listed; a poll without news says what is wrong."""
    rig, vendor = stage(Failing())
    cursor = rig.connector.first_cursor()
    vendor.down = OWN_POSTS  # type: ignore[attr-defined]
    post = vendor.customer_posts("hello")
    events, cursor = news(rig, cursor)
    assert [message.id for message in messages(events)] == [post]
    with pytest.raises(TemporaryFailure):
        news(rig, cursor)
    vendor.down = ""  # type: ignore[attr-defined]
    vendor.say("acme.example.com", "by hand", reply=vendor.below(post))
    assert [message.text for message in messages(news(rig, cursor)[0])] == ["by hand"]


def test_own_words_in_threads_of_others_are_told() -> None:
    """An answer by hand is told as ours; a campaign and what goes on below it by ourselves is not."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    hers = vendor.customer_posts("hello")
    campaign = vendor.say("acme.example.com", "buy this")
    vendor.say("acme.example.com", "and that", reply=vendor.below(campaign.uri))
    by_hand = vendor.say("acme.example.com", "we look into it", reply=vendor.below(hers))
    further = vendor.say("acme.example.com", "found it", reply=vendor.below(by_hand.uri))
    events, cursor = news(rig, cursor)
    ours = [message for message in messages(events) if message.own]
    assert [message.id for message in ours] == [by_hand.uri, further.uri]
    assert {message.thread.id for message in ours} == {hers}
    assert news(rig, cursor)[0] == []
    slow = vendor.say(
        "acme.example.com", "from a phone", reply=vendor.below(hers), at=rig.clock.now() - timedelta(minutes=5)
    )
    assert [message.id for message in messages(news(rig, cursor)[0])] == [slow.uri]


def test_own_words_of_a_long_outage_are_told() -> None:
    """More than a page of answers by hand, oldest first."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    hers = vendor.customer_posts("hello")
    said = []
    for number in range(230):
        rig.clock.advance(30)
        said.append(vendor.say("acme.example.com", f"answer {number}", reply=vendor.below(hers)).uri)
    events, cursor = news(rig, cursor)
    assert [message.id for message in messages(events) if message.own] == said
    assert news(rig, cursor)[0] == []


def test_a_record_key_from_the_future_hides_nothing() -> None:
    """Anybody's client may write any key; what is said afterwards is still read."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    hers = vendor.customer_posts("hello")
    vendor.say("acme.example.com", "odd", reply=vendor.below(hers), at=rig.clock.now() + timedelta(days=9000))
    _, cursor = news(rig, cursor)
    vendor.say("acme.example.com", "later", reply=vendor.below(hers))
    assert "later" in [message.text for message in messages(news(rig, cursor)[0])]


def test_a_blocked_post_is_hidden_and_not_deleted() -> None:
    """Its author blocks us: nothing to tell, and nothing to ask again."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    post = vendor.customer_posts("and goodbye")
    _, cursor = news(rig, cursor)
    block = {"$type": BLOCKS, "subject": vendor.brand, "createdAt": iso(vendor.now())}
    vendor.put(post.split("/")[2], BLOCKS, vendor.new_key(), block)
    events, cursor = news(rig, cursor)
    assert events == []
    vendor.calls.clear()
    news(rig, cursor)
    assert "com.atproto.repo.getRecord" not in vendor.calls


def test_deletions_are_looked_for_in_turn() -> None:
    """The newest posts are read again in each poll, the others in turn: every deletion among the watched is found."""
    rig, vendor = stage(watch_newest=60)
    cursor = rig.connector.first_cursor()
    posts = []
    for number in range(80):
        rig.clock.advance(1)
        posts.append(vendor.customer_posts(f"case {number}"))
    _, cursor = news(rig, cursor)
    for post in (posts[79], posts[50], posts[25], posts[5]):
        vendor.customer_deletes(post)
    gone: list[str] = []
    for poll in range(8):
        events, cursor = news(rig, cursor)
        gone += [event.message_id for event in events]
        assert posts[79] in gone or poll, "the newest is not read at once"
    assert gone[0] == posts[79]
    assert set(gone) == {posts[79], posts[50], posts[25]}, "the sixth of 80 is no longer watched: 60 are"


def test_nothing_is_watched_when_told_so() -> None:
    """0 turns the watch off: one call less, and deletions stay unknown."""
    rig, vendor = stage(watch_newest=0)
    cursor = rig.connector.first_cursor()
    post = vendor.customer_posts("hello")
    _, cursor = news(rig, cursor)
    vendor.customer_deletes(post)
    vendor.calls.clear()
    assert news(rig, cursor)[0] == []
    assert "app.bsky.feed.getPosts" not in vendor.calls


def test_the_whole_thread_is_one() -> None:
    """Posts of several people below one root are in one thread, each with what was said before it."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    first = vendor.customer_posts("one", author="ada")
    second = vendor.customer_posts("two", author="bruno", reply_to=first)
    vendor.customer_posts("three", author="carla", reply_to=second)
    events, _ = news(rig, cursor)
    full = [message for event in events for message in messages(list(rig.connector.complete(event)))]
    assert [message.thread.id for message in full] == [first, first, first]
    assert [[quote.text.split()[-1] for quote in message.context] for message in full] == [[], ["one"], ["one", "two"]]
    assert full[2].reply_to == second


def test_what_stands_above_a_post_may_be_gone() -> None:
    """The parent was deleted or is hidden: the thread is known all the same."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    first = vendor.customer_posts("one")
    second = vendor.customer_posts("two", author="bruno", reply_to=first)
    vendor.customer_posts("three", author="carla", reply_to=second)
    events, _ = news(rig, cursor)
    vendor.customer_deletes(second)
    (last,) = rig.connector.complete(events[-1])
    assert (last.message.thread.id, last.message.context) == (first, ())


def test_a_closed_thread_is_still_read() -> None:
    """Reply gates stop answers, not reading."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    post = vendor.customer_posts("no answers please")
    gate = {"$type": GATES, "post": post, "allow": [], "createdAt": iso(vendor.now())}
    vendor.put(post.split("/")[2], GATES, post.split("/")[4], gate)
    assert [message.id for message in messages(news(rig, cursor)[0])] == [post]


def test_one_odd_post_stops_nothing() -> None:
    """It is kept with its text, once, and the others are told."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    odd = vendor.say("ada.example.org", "odd", mention=True, reply={"parent": {}, "root": {}})
    good = vendor.customer_posts("good")
    events, cursor = news(rig, cursor)
    assert [type(event) for event in events if isinstance(event, Unreadable)] == [Unreadable]
    assert [message.id for message in messages(events)] == [good]
    assert odd.uri in next(event.raw for event in events if isinstance(event, Unreadable))
    assert news(rig, cursor)[0] == []


def test_a_list_without_times_is_not_taken_for_read() -> None:
    """Without a place in time a notification could be lost: the poll stops and says so."""

    class Odd(BlueskyVendor):
        def answer(self, request: requests.PreparedRequest) -> requests.Response:
            if LIST in str(request.url):
                odd = {"uri": f"at://did:plc:x/{POSTS}/1", "reason": "mention"}
                return reply(request, 200, {"notifications": [odd]})
            return super().answer(request)

    rig, _ = stage(Odd())
    with pytest.raises(PayloadNotUnderstood):
        rig.connector.first_cursor()


def test_the_cursor_stays_small() -> None:
    """It is stored with every poll, whatever went by."""
    rig, vendor = stage()
    cursor: dict[str, Any] = rig.connector.first_cursor()
    for number in range(400):
        rig.clock.advance(1)
        vendor.customer_posts(f"case {number}")
    _, cursor = news(rig, cursor)
    assert len(cursor["known"]) == 200
    assert len(str(cursor)) < 40_000
    assert Cursor.load(cursor).model_dump(mode="json") == cursor


def test_a_foreign_cursor_is_refused() -> None:
    """A cursor that is not ours stops the connection with a reason instead of reading all history."""
    with pytest.raises(ConfigurationError, match="not one of this connector"):
        Cursor.load({"since": 12})


def test_a_key_that_is_no_moment() -> None:
    """Only TIDs have a time."""
    assert time_of("self") is None
    assert time_of("zzzzzzzzzzzzz") is None
