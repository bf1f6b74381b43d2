"""Bodies to events: through pointers, and in the hub's documented JSON."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from forum_vendor import incoming, source_of
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from hub.sdk import (
    AnyEvent,
    Message,
    MessageDeleted,
    MessageSeen,
    PayloadNotUnderstood,
    Unreadable,
    UnsupportedEvent,
)
from plugins.sources.webhook import documents
from plugins.sources.webhook.settings import WebhookSettings

ARRIVED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
REVIEW = {
    "id": "/nr",
    "text": "/body",
    "subject": "/title",
    "rating": "/stars",
    "author_id": "/by/0/id",
    "author_name": "/by/0/name",
    "author_email": "/by/0/mail",
    "created_at": "/at",
    "thread_id": "/about",
    "reply_to": "/parent",
    "permalink": "/link",
    "language": "/lang",
    "privacy": "/who",
    "deleted": "/verb",
    "attachments": "/files/*/url",
    "answer_with": {"case": "/case"},
}
FULL = {
    "nr": 7,
    "body": "Rotto",
    "title": "Tazza",
    "stars": 1,
    "by": [{"id": 44, "name": "Anna", "mail": "anna@example.com"}],
    "at": "2026-03-01T10:00:00",
    "about": "cup",
    "parent": "6",
    "link": "https://shop.example.com/r/7",
    "lang": "it_IT",
    "who": "members",
    "files": [{"url": "https://shop.example.com/1.jpg"}, {"none": 1}],
    "case": {"nr": 9},
}


def through(body: Any, pointers: dict[str, Any], **settings: Any) -> list[AnyEvent]:
    """The events of a body with these pointers."""
    source = source_of(format="pointers", pointers=pointers, **settings)
    return list(source.events(incoming(body, at=ARRIVED)))


def one(events: list[AnyEvent]) -> Message:
    """The only message."""
    (event,) = events
    assert isinstance(event, MessageSeen), event
    return event.message


def test_a_nested_batch_gives_one_event_each() -> None:
    """A body as Facebook's: the items are found with *, the arrival is the time, the connection is the network."""
    value = {"comment_id": "evt1", "message": "Hello", "from": {"id": "44", "name": "Anna"}}
    body = {"object": "page", "entry": [{"changes": [{"value": value}, {"value": {**value, "comment_id": "evt2"}}]}]}
    pointers = {"items": "/entry/*/changes/*/value", "id": "/comment_id", "text": "/message"}
    pointers |= {"author_id": "/from/id", "author_name": "/from/name"}
    first, second = through(body, pointers, permalink_format="https://forum.example.com/{id}")
    assert isinstance(first, MessageSeen)
    assert isinstance(second, MessageSeen)
    assert (first.message.network, first.message.id, first.message.text) == ("acme-forum", "evt1", "Hello")
    assert (first.message.author.id, first.message.author.display_name) == ("44", "Anna")
    assert (first.message.created_at, first.message.permalink) == (ARRIVED, "https://forum.example.com/evt1")
    assert first.message.thread.id == "evt1"
    assert second.message.id == "evt2"
    assert first.event_key != second.event_key


def test_every_field_is_taken() -> None:
    """A flat body with all there is, in the words of the settings."""
    message = one(through(FULL, REVIEW, time_zone="Europe/Rome", privacy_values={"members": "followers"}))
    assert message.model_dump(exclude_defaults=True, exclude={"revision"}) == {
        "network": "acme-forum",
        "id": "7",
        "thread": {"id": "cup"},
        "author": {"network": "acme-forum", "id": "44", "display_name": "Anna", "emails": ("anna@example.com",)},
        "text": "Rotto",
        "subject": "★ 1 – Tazza",
        "language": "it",
        "created_at": datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
        "privacy": "followers",
        "reply_to": "6",
        "permalink": "https://shop.example.com/r/7",
        "attachments": ({"url": "https://shop.example.com/1.jpg"},),
        "answer_with": {"case": {"nr": 9}},
    }


@pytest.mark.parametrize(
    "value",
    [1_772_442_000, 1_772_442_000_000, "1772442000", 1772442000.0, "2026-03-02T09:00Z", "2026-03-02T10:00+01:00"],
)
def test_a_time_may_be_written_in_many_ways(value: Any) -> None:
    """ISO 8601 with a zone, seconds and milliseconds since 1970, as a number or a text."""
    assert one(through({"nr": 1, "body": "a", "at": value}, REVIEW)).created_at == ARRIVED


@pytest.mark.parametrize("value", ["yesterday", True, {}, 10**30, "nan"])
def test_a_time_that_is_none_is_told(value: Any) -> None:
    """The words name the pointer and the place, and the item is kept."""
    (event,) = through([{"nr": 1, "body": "a", "at": value}], REVIEW)
    assert isinstance(event, Unreadable)
    assert "created_at '/at' is not a time" in event.reason
    assert event.reason.endswith("in the item at /0")


def test_one_bad_item_does_not_stop_the_others() -> None:
    """Items without an id, with an odd value or with nothing said are parked one by one."""
    events = through([{"nr": 1, "body": "a"}, {"body": "b"}, 5, {"nr": {}, "body": "c"}, {"nr": 2}], REVIEW)
    assert [event.type for event in events] == ["message", "unreadable", "unreadable", "unreadable", "unreadable"]
    reasons = [event.reason for event in events if isinstance(event, Unreadable)]
    assert reasons == [
        "id '/nr' is missing: the body is an object with body, without 'nr'; in the item at /1",
        "id '/nr' is missing: the body is a number, without 'nr'; in the item at /2",
        "id '/nr' is neither a text nor a number; in the item at /3",
        "nothing was said: '/body' is empty or missing (the body is an object with nr, without 'body'); "
        "in the item at /4",
    ]
    assert len({event.event_key for event in events}) == 5


def test_items_that_are_not_there_are_told() -> None:
    """A wrong pointer parks the body and says where it ends; an empty list is nothing to do."""
    pointers = {"items": "/entry/*/value", "id": "/id", "text": "/t"}
    with pytest.raises(PayloadNotUnderstood, match="'/entry/\\*/value' finds nothing: the body is an object with a"):
        through({"a": 1}, pointers)
    for body in ({"entry": []}, []):
        with pytest.raises(UnsupportedEvent):
            through(body, pointers)


def test_only_takes_what_is_wanted() -> None:
    """Items of another kind are ignored, and a body of nothing else is no event."""
    pointers = {"id": "/id", "text": "/t", "only": {"/kind": ["comment"]}}
    items = [{"id": 1, "t": "a", "kind": "like"}, {"id": 2, "t": "b", "kind": "comment"}]
    assert one(through(items, pointers)).id == "2"
    with pytest.raises(UnsupportedEvent):
        through(items[:1], pointers)


def test_a_deletion_is_one() -> None:
    """true or one of the words at the pointer; the text need not be there."""
    for verb in (True, "remove"):
        (event,) = through({"nr": 7, "verb": verb}, REVIEW)
        assert event == MessageDeleted(event_key="deleted:7", network="acme-forum", message_id="7")
    assert one(through({"nr": 7, "body": "a", "verb": "add"}, REVIEW)).id == "7"


def test_an_edit_is_another_event_and_a_repetition_is_not() -> None:
    """Without a revision the text tells edits apart; with one the revision does."""
    said = [through({"nr": 7, "body": body}, REVIEW)[0].event_key for body in ("a", "a", "b")]
    assert said[0] == said[1] != said[2]
    revised = REVIEW | {"revision": "/v"}
    keys = [through({"nr": 7, "body": "a", "v": version}, revised)[0].event_key for version in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


def test_an_unknown_privacy_is_the_narrowest() -> None:
    """What we do not know is never answered more openly than it was meant."""
    assert one(through({"nr": 1, "body": "a", "who": "friends-of-friends"}, REVIEW)).privacy == "direct"
    assert one(through({"nr": 1, "body": "a"}, REVIEW)).privacy == "direct"
    plain = {"id": "/nr", "text": "/body"}
    assert one(through({"nr": 1, "body": "a"}, plain, default_privacy="unlisted")).privacy == "unlisted"


def test_own_authors_and_the_unnamed() -> None:
    """The company's own accounts are own; without an author's id every message has an author of its own."""
    own = one(through({"nr": 1, "body": "a", "by": [{"id": "staff"}]}, REVIEW, own_authors=["staff"]))
    unnamed = [one(through({"nr": number, "body": "a"}, REVIEW)) for number in (1, 2)]
    assert own.own
    assert not unnamed[0].own
    assert unnamed[0].author.id != unnamed[1].author.id


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_json_breaks_the_pointers(body: Any) -> None:
    """Whatever the body: events, or one of the two errors of the contract."""
    for item in (body, [{"nr": 1, "body": body, "at": body, "by": body, "files": body, "who": body, "verb": body}]):
        with contextlib.suppress(PayloadNotUnderstood, UnsupportedEvent):
            through(item, REVIEW)


# --- the hub's documented JSON -------------------------------------------------------------------------------------

SAID = {"type": "message", "message": {"id": "7", "text": "Rotto", "author": {"id": "44", "display_name": "Anna"}}}


def documented(body: Any) -> list[AnyEvent]:
    """The events of a body in the hub's own JSON."""
    return list(source_of().events(incoming(body, at=ARRIVED)))


def test_the_smallest_documented_message() -> None:
    """Network, time, thread and key are filled in by the hub; the text tells an edit apart."""
    message = one(documented(SAID))
    assert (message.network, message.author.network) == ("acme-forum", "acme-forum")
    assert (message.created_at, message.thread.id, message.text) == (ARRIVED, "7", "Rotto")
    edited = {**SAID, "message": {**SAID["message"], "text": "Rotto!"}}
    assert documented(SAID)[0].event_key == documented(SAID)[0].event_key != documented(edited)[0].event_key


def test_a_list_with_a_bad_event() -> None:
    """The bad ones are parked with the place and the rule they break; a foreign network is not believed."""
    deleted = {"type": "message_deleted", "message_id": "7", "network": "mastodon"}
    late = {"type": "message", "message": {**SAID["message"], "created_at": "2026-03-01T10:00:00"}}
    odd = {"type": "message", "message": {**SAID["message"], "autor": 1}}
    events = documented([SAID, deleted, late, odd, {"type": "like"}, 5])
    assert [event.type for event in events] == ["message", "message_deleted", *["unreadable"] * 4]
    assert isinstance(events[1], MessageDeleted)
    assert events[1].network == "acme-forum"
    reasons = [event.reason for event in events if isinstance(event, Unreadable)]
    assert reasons[0] == "/2/message/created_at: needs a time zone, such as Z or +02:00"
    assert reasons[1].startswith("/3/message/autor: Extra inputs")
    assert reasons[2:] == [f"/{place}/type must be one of message, message_deleted" for place in (4, 5)]


def test_what_is_no_event_is_told() -> None:
    """Broken JSON, another type, and a body that is neither an event nor a list."""
    with pytest.raises(PayloadNotUnderstood):
        documented(b"{")
    with pytest.raises(PayloadNotUnderstood):
        documented(b"\xff\xfe\xfa")
    for body in ({"type": "like"}, 5, "text"):
        with pytest.raises(UnsupportedEvent):
            documented(body)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_json_breaks_the_documented_format(body: Any) -> None:
    """Whatever the body: events, or one of the two errors of the contract."""
    shapes: list[Any] = [body, {"type": "message", "message": body}, {"type": "message_deleted", "message_id": body}]
    shapes.append({"type": "message", "message": {**SAID["message"], "author": body, "mentions": body, "thread": body}})
    for shape in shapes:
        with contextlib.suppress(PayloadNotUnderstood, UnsupportedEvent):
            documented(shape)


def test_what_the_schema_allows_is_taken() -> None:
    """A third party reads our schema: what it calls valid becomes an event, what it calls wrong does not."""
    part = documents.openapi()
    root = {"$ref": "#/components/schemas/message", "components": {"schemas": part["schemas"]}}
    schema = Draft202012Validator(root)
    rich = {**SAID["message"], "thread": {"id": "t"}, "privacy": "direct", "created_at": "2026-03-01T10:00:00Z"}
    rich |= {"attachments": [{"url": "https://shop.example.com/1.jpg"}], "mentions": [{"id": "m"}]}
    for good in (SAID, {"type": "message", "message": rich}):
        assert schema.is_valid(good), next(schema.iter_errors(good))
        assert documented(good)[0].type == "message"
    for bad in ({"type": "message", "message": {**rich, "privacy": "secret"}}, {"type": "message", "message": {}}):
        assert not schema.is_valid(bad)
        assert documented(bad)[0].type == "unreadable"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"format": "pointers"}, "the table pointers belongs to format = pointers"),
        ({"pointers": {"id": "/a", "text": "/b"}}, "the table pointers belongs to format = pointers"),
        ({"format": "pointers", "pointers": {"id": "/a"}}, "at least one of text"),
        ({"format": "pointers", "pointers": {"id": "", "text": "/b"}}, "must not be empty"),
        ({"time_zone": "Mars/Olympus"}, "is not a time zone"),
        ({"permalink_format": "https://a.example/{secrets}"}, "may only name"),
        ({"permalink_format": "javascript:{id}"}, "must start with https://"),
        ({"reply_url": "http://forum.example.com"}, "must start with https://"),
        ({"find_url": "https://forum.example.com"}, "of no use without reply_url"),
    ],
)
def test_settings_that_cannot_work_are_refused(block: dict[str, Any], words: str) -> None:
    """Each is told in words an operator understands."""
    with pytest.raises(ValidationError, match=words):
        WebhookSettings.model_validate({"signature": "x_hub", "secrets": ["s"], **block})


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_none(key: str | None) -> None:
    """Two messages with an empty event_key are two: the second would be thrown away as a repetition."""
    connector = source_of()
    bodies = [
        {"type": "message", "event_key": key, "message": {"id": number, "text": "x", "author": {"id": "a"}}}
        for number in ("1", "2")
    ]
    deleted = [{"type": "message_deleted", "event_key": key, "message_id": number} for number in ("1", "2")]
    keys = [event.event_key for body in (*bodies, *deleted) for event in connector.events(incoming(body))]
    assert len(set(keys)) == 4, keys
