"""The connector's calls and the stand-in's answers are held against the official lexicons, and those checks against
the official lists of what is well formed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from bluesky_stage import OWN, answer, messages, news, stage
from bluesky_vendor import BlueskyVendor
from lexicons import FORMATS, Lexicons, NotInLexicon

from hub.sdk import DeleteReply, Delivery, Found, Receipt
from plugins.sources.bluesky import payloads
from plugins.sources.bluesky.addresses import tid, time_of

pytestmark = pytest.mark.data

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module")
def lexicons(data: Path) -> Lexicons:
    return Lexicons(data / "specs" / "atproto" / "lexicons")


@pytest.fixture(scope="module")
def samples(data: Path) -> Path:
    return data / "payloads" / "bluesky"


class Checked(BlueskyVendor):
    """The stand-in, with every request and every good answer held against its lexicon."""

    lexicons: Lexicons
    checked: set[str]

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        url = urlsplit(request.url or "")
        method = url.path.removeprefix("/xrpc/")
        if request.method == "GET":
            self.lexicons.check_params(method, parse_qs(url.query))
        else:
            raw = method == "com.atproto.repo.uploadBlob"
            self.lexicons.check_input(
                method, request.body if raw else json.loads(request.body) if request.body else None
            )
        response = super().answer(request)
        if response.status_code == 200:
            self.lexicons.check_output(method, response.json())
            self.checked.add(method)
        return response


@pytest.fixture
def network(lexicons: Lexicons) -> Checked:
    vendor = Checked()
    vendor.lexicons, vendor.checked = lexicons, set()
    return vendor


def test_every_call_and_every_answer_is_in_the_lexicons(network: Checked) -> None:
    """A whole round: read, complete, answer in two parts with links and names, look up, find a deletion, delete."""
    rig, _ = stage(network)
    rig.connector.check_connection()
    cursor = rig.connector.first_cursor()
    blob = {"$type": "blob", "ref": {"$link": "bafkrei" + "a" * 52}, "mimeType": "image/png", "size": 1}
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": blob}]}
    first = network.say("ada.example.org", "broken", mention=True, langs=["it"], embed=images)
    second = network.customer_posts("hello?", author="bruno", reply_to=first.uri)
    quoted = {"$type": "app.bsky.embed.record", "record": {"uri": first.uri, "cid": first.cid}}
    media = {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": quoted["record"]}, "media": images}
    card = {"uri": "https://example.com/x", "title": "x", "description": "y"}
    network.say("carla.example.org", "look", mention=True, embed=quoted)
    network.say("carla.example.org", "look again", mention=True, embed=media)
    network.say("carla.example.org", "x", mention=True, embed={"$type": "app.bsky.embed.external", "external": card})
    events, cursor = news(rig, cursor)
    assert len(messages(events)) == 5
    (full,) = rig.connector.complete(next(event for event in events if event.message.id == second))
    assert [quote.text for quote in full.message.context] == ["@acme.example.com broken"]
    text = "Dear @ada.example.org, see https://acme.example.com/ö. #parcel"
    part = answer(first.uri, text, person=network.account("ada.example.org"), handle="ada.example.org", language="it")
    (receipt,) = rig.connector.deliver([part])
    assert isinstance(receipt, Receipt), receipt
    (below,) = rig.connector.deliver([answer(receipt.vendor_id, "and more", part=2, parts=2, key="second")])
    assert isinstance(below, Receipt), below
    assert isinstance(rig.connector.find(part), Found)
    network.customer_deletes(second)
    network.expire_access()
    events, cursor = news(rig, cursor)
    assert [event.message_id for event in events if event.type == "message_deleted"] == [second]
    rig.connector.deliver([Delivery(key="d", body=DeleteReply(message_id=below.vendor_id, reason="asked for"))])
    assert {call for call in network.calls if call not in network.checked} == set()
    assert len(network.checked) == 10, "the round leaves out a call that the connector can make"


def test_fixtures_are_in_the_lexicons(lexicons: Lexicons) -> None:
    """The bodies that the conformance kit reads have the network's own shape."""
    for path in sorted(FIXTURES.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        if ".expected" in path.name or "unreadable" in path.name:
            continue
        kind = "com.atproto.repo.listRecords#record" if "own_record" in path.name else "app.bsky.feed.defs#postView"
        lexicons.check_def(kind, body)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("com.atproto.repo.createRecord", {"repo": "not a name", "collection": "app.bsky.feed.post", "record": {}}),
        ("com.atproto.repo.createRecord", {"repo": "a.example", "collection": "app.bsky.feed.post"}),
        (
            "com.atproto.repo.createRecord",
            {
                "repo": "a.example",
                "collection": "app.bsky.feed.post",
                "record": {"$type": "app.bsky.feed.post", "text": "x" * 301, "createdAt": "2026-03-02T09:00:00Z"},
            },
        ),
    ],
)
def test_the_check_can_fail(lexicons: Lexicons, method: str, body: dict[str, Any]) -> None:
    """What is not in the lexicon is found, or the checks above prove nothing."""
    with pytest.raises(NotInLexicon):
        lexicons.check_input(method, body)


FILES = {
    "at-uri": "aturi",
    "did": "did",
    "handle": "handle",
    "nsid": "nsid",
    "record-key": "recordkey",
    "tid": "tid",
    "datetime": "datetime",
    "language": "language",
}


@pytest.mark.parametrize("kind", FILES)
def test_formats_agree_with_the_official_lists(samples: Path, kind: str) -> None:
    """The checks of formats take what the protocol's authors call valid."""
    folder = samples / "interop-test-files" / "syntax"
    for verdict in ("valid", "invalid"):
        lines = (folder / f"{FILES[kind]}_syntax_{verdict}.txt").read_text(encoding="utf-8").splitlines()
        wrong = [
            line
            for line in lines
            if line and not line.startswith("#") and bool(re.fullmatch(FORMATS[kind], line)) != (verdict == "valid")
        ]
        assert wrong == [], f"{verdict}: {wrong}"


def test_record_keys_agree_with_the_official_lists(samples: Path) -> None:
    """A key that is a moment is told from one that is not, and comes back the same."""
    folder = samples / "interop-test-files" / "syntax"
    for verdict in ("valid", "invalid"):
        lines = (folder / f"tid_syntax_{verdict}.txt").read_text(encoding="utf-8").splitlines()
        for line in (line for line in lines if line and not line.startswith("#")):
            at = time_of(line)
            assert (at is not None) == (verdict == "valid"), line
            assert at is None or line[0] > "b" or tid(at)[:11] == line[:11], line  # the top bit is never used


def test_a_recorded_post_is_read(samples: Path) -> None:
    """A body recorded from the real network: a quoted post and a picture, and no text."""
    path = samples / "tests" / "test_atproto_client" / "models" / "test_data"
    thread = json.loads((path / "thread_view_post_with_embed_media.json").read_text(encoding="utf-8"))["thread"]
    message = payloads.seen(thread["post"], OWN).message
    assert (message.text, message.language, message.author.handle) == ("", "en", "test.marshal.dev")
    (picture,) = message.attachments
    assert (picture.kind, picture.mime_type) == ("image", "image/jpeg")
    assert "feed_fullsize" in picture.url
    assert [quote.text for quote in message.context] == ["test"]
