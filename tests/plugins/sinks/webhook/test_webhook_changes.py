"""What the helpdesk posts back: the documented JSON, or a comment through pointers."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk_vendor import SECRET, incoming, sink_of
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from hub.sdk import (
    AnyEvent,
    CommentSeen,
    PayloadNotUnderstood,
    RecordChanged,
    SignatureRejected,
    Unreadable,
    UnsupportedEvent,
)
from plugins.sinks.webhook import documents

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
COMMENT = {
    "type": "comment",
    "record_id": "R1",
    "comment": {
        "id": "c1",
        "public": True,
        "author": {"id": "5", "name": "Marta", "role": "agent"},
        "text": "Arriva domani",
        "created_at": "2026-03-02T10:00:00+01:00",
    },
}
RECORD = {"type": "record", "record_id": "R1", "changed_at": "2026-03-02T09:00:00Z", "status": "solved", "tags": ["a"]}
POINTERS = {
    "record_id": "/case/id",
    "id": "/note/id",
    "text": "/note/body",
    "public": "/note/visibility",
    "author_name": "/note/by",
    "automatic": "/note/robot",
    "created_at": "/note/at",
    "origin": "/note/origin",
    "only": {"/event": ["note"]},
}
NOTE = {"id": 3, "body": "Arriva", "visibility": "public", "by": "Marta", "at": "2026-03-02T10:00:00", "origin": "k1"}


def documented(body: Any) -> list[AnyEvent]:
    """The events of a body in the hub's own JSON."""
    return list(sink_of().events(incoming(body)))


def mapped(body: Any) -> CommentSeen:
    """The comment of a body through the pointers."""
    (event,) = sink_of(format="pointers", pointers=POINTERS, time_zone="Europe/Rome").events(incoming(body))
    assert isinstance(event, CommentSeen)
    return event


def test_a_comment_and_a_record_as_documented() -> None:
    """Both give their event; the same body the same key, a changed one another."""
    comment, record = documented([COMMENT, RECORD])
    assert isinstance(comment, CommentSeen)
    assert (comment.record_id, comment.comment.text, comment.comment.created_at) == ("R1", "Arriva domani", NOW)
    assert isinstance(record, RecordChanged)
    assert (record.status, record.tags, record.lane) == ("solved", ("a",), comment.lane)
    keys = [documented(body)[0].event_key for body in (RECORD, RECORD, {**RECORD, "status": "open"})]
    assert keys[0] == keys[1] != keys[2]


def test_bad_events_are_parked_one_by_one() -> None:
    """With the place and the rule they break."""
    naive = {**RECORD, "changed_at": "2026-03-02T09:00:00"}
    events = documented([COMMENT, naive, {**RECORD, "status": "done"}, {"type": "like"}, 5])
    assert [event.type for event in events] == ["comment", *["unreadable"] * 4]
    reasons = [event.reason for event in events if isinstance(event, Unreadable)]
    assert reasons[0] == "/1/changed_at: needs a time zone, such as Z or +02:00"
    assert reasons[1].startswith("/2/status: Input should be")
    for body in ({"type": "like"}, 5):
        with pytest.raises(UnsupportedEvent):
            documented(body)
    with pytest.raises(PayloadNotUnderstood):
        documented(b"{")


def test_what_the_schema_allows_is_taken() -> None:
    """A third party reads our schema: what it calls valid becomes an event, what it calls wrong does not."""
    part = documents.openapi()
    for good in (COMMENT, RECORD):
        schema = Draft202012Validator({"$ref": f"#/components/schemas/{good['type']}", "components": part})
        assert schema.is_valid(good), next(schema.iter_errors(good))
        for bad in ({**good, "autor": 1}, {**good, "record_id": None}):
            assert not schema.is_valid(bad)
            assert documented(bad)[0].type == "unreadable"


def test_a_comment_through_pointers() -> None:
    """Every value from its place; times without a zone are those of the settings."""
    event = mapped({"event": "note", "case": {"id": "R1"}, "note": NOTE})
    assert event.record_id == "R1"
    assert event.comment.model_dump(include={"id", "public", "automatic", "text", "origin", "created_at"}) == {
        "id": "3",
        "public": True,
        "automatic": False,
        "text": "Arriva",
        "origin": "k1",
        "created_at": NOW,
    }
    assert (event.comment.author.name, event.comment.author.role) == ("Marta", "agent")


@pytest.mark.parametrize(
    ("value", "public"), [(True, True), ("public", True), (False, False), ("all", False), (1, False)]
)
def test_only_a_clear_word_is_public(value: Any, public: bool) -> None:
    """Everything else is internal: what is public goes to the customer."""
    event = mapped({"event": "note", "case": {"id": 1}, "note": {**NOTE, "visibility": value}})
    assert event.comment.public is public


def test_programs_are_told_apart() -> None:
    """Any word at the pointer automatic but no, and what it says is never the company's answer."""
    for value, automatic in ((True, True), ("macro", True), (False, False), (None, False)):
        event = mapped({"event": "note", "case": {"id": 1}, "note": {**NOTE, "robot": value}})
        assert event.comment.automatic is automatic


def test_what_lacks_a_value_is_told() -> None:
    """The words name the setting and the pointer; another kind of body is ignored."""
    for name, note in (
        ("id", {**NOTE, "id": None}),
        ("text", {**NOTE, "body": {}}),
        ("public", {**NOTE, "visibility": None}),
    ):
        with pytest.raises(PayloadNotUnderstood, match=f"^{name} '/note/"):
            mapped({"event": "note", "case": {"id": 1}, "note": note})
    with pytest.raises(PayloadNotUnderstood, match="is not a time"):
        mapped({"event": "note", "case": {"id": 1}, "note": {**NOTE, "at": "soon"}})
    with pytest.raises(UnsupportedEvent):
        mapped({"event": "login", "case": {"id": 1}, "note": NOTE})


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_json_breaks_it(body: Any) -> None:
    """Whatever the body: events, or one of the two errors of the contract."""
    note = dict.fromkeys(NOTE, body)
    for shape in (body, {"type": "comment", "comment": body}, {"event": "note", "case": {"id": body}, "note": note}):
        for take in (documented, mapped):
            with contextlib.suppress(PayloadNotUnderstood, UnsupportedEvent):
                take(shape)


def test_signatures_are_those_of_the_library() -> None:
    """What standardwebhooks signs is believed; another body, an old time or no header is not."""
    sink, body = sink_of(), b'{"type":"comment"}'

    def signed(at: datetime) -> dict[str, str]:
        signature = Webhook(SECRET).sign("m1", at, body.decode())
        return {"webhook-id": "m1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}

    sink.verify(incoming(body, signed(NOW)))
    for wrong in (
        incoming(body + b" ", signed(NOW)),
        incoming(body, signed(NOW - timedelta(seconds=301))),
        incoming(body),
    ):
        with pytest.raises(SignatureRejected):
            sink.verify(wrong)
