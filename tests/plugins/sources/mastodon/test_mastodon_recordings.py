"""Bodies recorded from real servers go through the connector's own readers."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import responses
import yaml
from mastodon_samples import OWN
from mastodon_stage import make_toolbox

from hub.sdk import HttpSession, Message, MessageSeen, Unreadable
from hub.sdk.text import html_to_text
from plugins.sources.mastodon import payloads
from plugins.sources.mastodon.source import MastodonSource

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("HUB_TEST_DATA", ROOT.parent / "shared" / "data"))
RECORDINGS = DATA / "payloads" / "mastodon" / "tests"
SCHEMA = DATA / "specs" / "mastodon" / "schema.json"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings of Mastodon in {DATA} (HUB_TEST_DATA)"),
]


@pytest.fixture(scope="module")
def bodies() -> list[Any]:
    """Every JSON body a server answered."""
    return list(recorded())


def recorded() -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(RECORDINGS.rglob("*.yaml")):
        with path.open(encoding="utf-8") as file:
            interactions = yaml.load(file, Loader=loader)["interactions"]
        for interaction in interactions:
            raw = interaction["response"]["body"].get("string") or b""
            raw = raw if isinstance(raw, bytes) else raw.encode()
            raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
            try:
                yield json.loads(raw)
            except ValueError:  # streams and empty answers are no JSON
                continue


def every(bodies: Any, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """All objects of a kind, however deep they lie."""
    if isinstance(bodies, dict):
        if wanted(bodies):
            yield bodies
        bodies = list(bodies.values())
    if isinstance(bodies, list):
        for item in bodies:
            yield from every(item, wanted)


def is_status(item: dict[str, Any]) -> bool:
    return {"visibility", "content", "account", "in_reply_to_id"} <= item.keys()


def is_notification(item: Any) -> bool:
    return isinstance(item, dict) and {"type", "account", "group_key", "status"} <= item.keys()


def is_conversation(item: dict[str, Any]) -> bool:
    return {"last_status", "unread"} <= item.keys()


def is_context(item: dict[str, Any]) -> bool:
    return {"ancestors", "descendants"} <= item.keys()


def test_every_recorded_status_is_read(bodies: list[Any]) -> None:
    """Each status of each recording becomes a message that keeps what it held."""
    seen: Counter[str] = Counter()
    for status in every(bodies, is_status):
        (event,) = payloads.watched_status(status, OWN)
        assert isinstance(event, MessageSeen), event
        kept(status, event.message)
        seen.update(["statuses", f"visibility {status['visibility']}"])
        seen.update(["mentions"] * bool(status["mentions"]) + ["replies"] * bool(status["in_reply_to_id"]))
        seen.update(["media"] * bool(status["media_attachments"]) + ["edited"] * bool(status["edited_at"]))
        seen.update(["warned"] * bool(status["spoiler_text"]) + ["quoting"] * bool(status.get("quote")))
    assert seen["statuses"] > 150
    for kind in ("visibility public", "visibility private", "visibility direct", "mentions", "replies", "edited"):
        assert seen[kind] > 0, (kind, seen)
    assert seen["warned"] > 0
    assert seen["quoting"] > 0


def kept(status: dict[str, Any], message: Message) -> None:
    assert (message.id, message.reply_to) == (status["id"], status["in_reply_to_id"] or "")
    assert message.created_at.tzinfo is not None
    assert len(message.attachments) == len(status["media_attachments"])
    assert len(message.mentions) == len(status["mentions"])
    assert message.subject == status["spoiler_text"]
    assert message.text or not html_to_text(status["content"])
    assert "<" not in message.text.replace("<3", "")


def test_every_recorded_notification_is_read(bodies: list[Any]) -> None:
    """Each notification of a type we ask for gives an event, or says nothing about us; none is unreadable."""
    seen: Counter[str] = Counter()
    for item in every(bodies, is_notification):
        if item["type"] in payloads.NOTIFICATIONS:
            events = payloads.notification(item, OWN)
            assert not [event for event in events if isinstance(event, Unreadable)]
            assert len(events) == 1 or item["type"] == "update" or item["status"] is None
            seen[item["type"]] += len(events)
    assert seen["mention"] > 10


def test_every_recorded_conversation_is_read(bodies: list[Any]) -> None:
    """Each private conversation gives its last post."""
    conversations = list(every(bodies, is_conversation))
    events = [event for item in conversations for event in payloads.conversation(item, OWN)]
    assert len(conversations) > 2
    assert len(events) == len([item for item in conversations if item["last_status"]])
    assert all(isinstance(event, MessageSeen) for event in events)


def test_every_recorded_context_is_read(bodies: list[Any]) -> None:
    """Ancestors become what the agent sees above the request."""
    contexts = list(every(bodies, is_context))
    assert sum(len(payloads.quotes(context["ancestors"], OWN)) for context in contexts) > 0


def test_recorded_mentions_become_plain_words(bodies: list[Any]) -> None:
    """The spans and links of a real mention leave "@name", and nothing when the name is ours."""
    private = next(status for status in every(bodies, is_status) if "pssssst!" in status["content"])
    (addressee,) = private["mentions"]
    ours = payloads.OwnAccount(id=addressee["id"], username=addressee["username"], domain="localhost:3000")
    assert payloads.message(private, OWN).text == "@mastodonpy_test pssssst!"
    assert payloads.message(private, ours).text == "pssssst!"


def test_a_recorded_answer_passes_through_the_connector(bodies: list[Any], http: HttpSession) -> None:
    """A recorded list of notifications, served again, gives its mentions in a page that the hub can store."""
    recorded_lists = [body for body in bodies if isinstance(body, list) and all(map(is_notification, body))]
    recording = max(recorded_lists, key=lambda body: sum(item["type"] == "mention" for item in body))
    me = next(body for body in bodies if isinstance(body, dict) and "acct" in body and "source" in body)
    settings = MastodonSource.Settings.model_validate({"base_url": "http://localhost:3000", "access_token": "t"})
    with responses.RequestsMock() as vendor:
        vendor.get("http://localhost:3000/api/v1/accounts/verify_credentials", json=me)
        vendor.get("http://localhost:3000/api/v2/instance", json={"domain": "localhost:3000"})
        wanted = [item for item in recording if item["type"] in payloads.NOTIFICATIONS and item["status"]]
        vendor.get("http://localhost:3000/api/v1/notifications", json=wanted)
        page = MastodonSource(settings, make_toolbox(http)).fetch_page({})
    assert len(page.events) == len(wanted) > 0
    assert page.has_more
    assert json.loads(page.model_dump_json())["cursor"]["mentions"] == max(item["id"] for item in wanted)


@pytest.mark.skipif(not SCHEMA.is_file(), reason=f"no description of Mastodon's API in {DATA} (HUB_TEST_DATA)")
def test_what_is_sent_is_in_the_description(http: HttpSession) -> None:
    """The bodies of a reply and of an edit hold only properties that Mastodon documents, of the documented types."""
    described = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for path, method, body in (
        ("/api/v1/statuses", "post", {"status": "x", "in_reply_to_id": "1", "visibility": "private", "language": "it"}),
        ("/api/v1/statuses/{id}", "put", {"status": "x"}),
    ):
        schema = described["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(body, {**schema, "components": described["components"]})
        kinds = [schema, *(resolved(kind, described) for kind in schema.get("oneOf", ()))]
        assert set(body) <= {name for kind in kinds for name in kind.get("properties", {})}


def resolved(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "allOf" in found:
        parts = [resolved(part, described) if "$ref" in part else part for part in found["allOf"]]
        return {"properties": {name: 0 for part in parts for name in part.get("properties", {})}}
    return found
