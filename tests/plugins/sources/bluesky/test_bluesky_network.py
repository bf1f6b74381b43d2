"""The connector against a running network, where there is one (``HUB_TEST_BLUESKY_URL``: the address of its PDS).

It must give out accounts freely, as the dev network does: @atproto/dev-env.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from bluesky_stage import answer, messages, picture

from hub.sdk import (
    Absent,
    Attachment,
    AuthenticationFailed,
    ConnectorError,
    DeleteReply,
    Delivery,
    Failure,
    Found,
    HttpSession,
    Media,
    OutcomeUnknown,
    Receipt,
    Refused,
    Toolbox,
)
from hub.testing.rig import MemoryVault
from plugins.sources.bluesky.source import BlueskySource

URL = os.environ.get("HUB_TEST_BLUESKY_URL", "")
POSTS = "app.bsky.feed.post"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not URL, reason="no real Bluesky network: set HUB_TEST_BLUESKY_URL to its PDS"),
]


class Person:
    """Somebody with an account and an app that is not ours."""

    def __init__(self, name: str) -> None:
        self.handle = f"{name}{uuid.uuid4().hex[:8]}.test"
        account = {"handle": self.handle, "email": f"{self.handle}@example.com", "password": "pass1234"}
        made = self.ask("com.atproto.server.createAccount", account)
        self.did, self.token = made["did"], made["accessJwt"]

    def ask(self, method: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.post(f"{URL}/xrpc/{method}", json=body, headers=headers, timeout=20)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json() if answer.content else {}
        return told

    def put(self, record: dict[str, Any], method: str = "createRecord", **more: Any) -> dict[str, str]:
        record = {"createdAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **record}
        body = {"repo": self.did, "collection": record["$type"], "record": record, **more}
        made = self.ask(f"com.atproto.repo.{method}", body, self.token)
        return {"uri": made["uri"], "cid": made["cid"]}

    def say(self, text: str, to: Person | None = None, **more: Any) -> dict[str, str]:
        record = {"$type": POSTS, "text": text, **more}
        if to:
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": to.did}
            name = f"@{to.handle}"
            record["text"] = f"{name} {text}"
            record["facets"] = [{"index": {"byteStart": 0, "byteEnd": len(name)}, "features": [feature]}]
        return self.put(record)

    def sees(self, uri: str) -> None:
        """Wait until the AppView shows a post. It reads repositories side by side and makes no notification of an
        answer to a post that it has not read yet; people cannot answer what they do not see."""
        headers, deadline = {"Authorization": f"Bearer {self.token}"}, time.monotonic() + 15
        while time.monotonic() < deadline:
            method = f"{URL}/xrpc/app.bsky.feed.getPosts"
            if requests.get(method, params={"uris": uri}, headers=headers, timeout=20).json().get("posts"):
                return
        raise AssertionError(f"{uri} is not shown")

    def delete(self, post: dict[str, str]) -> None:
        rkey = post["uri"].rpartition("/")[2]
        self.ask("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": POSTS, "rkey": rkey}, self.token)


class Brand(Person):
    """The company, with a hub."""

    def __init__(self) -> None:
        super().__init__("brand")
        made = self.ask("com.atproto.server.createAppPassword", {"name": "hub"}, self.token)
        self.password, self.vault, self.cursor = made["password"], MemoryVault(), dict[str, Any]()

    def source(self, http: HttpSession) -> BlueskySource:
        settings = {"service": URL, "identifier": self.handle, "app_password": self.password}
        log = logging.LoggerAdapter(logging.getLogger("test.bluesky"))
        toolbox = Toolbox("acme-bluesky", http, self.vault, lambda: datetime.now(UTC), log)
        return BlueskySource(BlueskySource.Settings.model_validate(settings), toolbox)


@pytest.fixture
def http() -> Iterator[HttpSession]:
    with HttpSession(user_agent="social-care-hub-tests") as session:
        yield session


@pytest.fixture
def brand() -> Brand:
    return Brand()


@pytest.fixture
def source(brand: Brand, http: HttpSession) -> BlueskySource:
    source = brand.source(http)
    brand.cursor = source.first_cursor()
    return source


def until(brand: Brand, source: BlueskySource, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Poll until the network has come round to it: it is seen after some 0.2 s."""
    events: list[Any] = []
    deadline = time.monotonic() + 15
    while not enough(events):
        assert time.monotonic() < deadline, f"it is not told; told are {[event.event_key for event in events]}"
        try:
            page = source.fetch_page(brand.cursor)
        except Refused:  # a new account is not known to the AppView at once
            continue
        brand.cursor = page.cursor
        events += page.events
    return events


def told(*posts: dict[str, str]) -> Callable[[list[Any]], bool]:
    return lambda events: {post["uri"] for post in posts} <= {message.id for message in messages(events)}


def sent(source: BlueskySource, delivery: Delivery) -> Receipt | ConnectorError:
    (result,) = source.deliver([delivery])
    return result.error if isinstance(result, Failure) else result


def test_pictures_go_out(brand: Brand, source: BlueskySource) -> None:
    """A real server takes them, and the AppView shows them under the customer's post."""
    fetch = lambda url, *, max_bytes: Media.of(picture("PNG", (64, 48)), "image/png", "map.png")  # noqa: E731
    toolbox = dataclasses.replace(source.toolbox, fetch_media=fetch)
    source = BlueskySource(source.settings, toolbox)
    carla = Person("carla")
    first = carla.say("where?", brand)
    (message,) = messages(until(brand, source, told(first)))
    files = (Attachment(url="https://desk.example/map.png", name="map.png", alt_text="a map"),)
    delivery = answer(message.id, "", person=carla.did, attachments=files, key=message.id)
    receipt = sent(source, delivery)
    assert isinstance(receipt, Receipt), receipt
    assert isinstance(source.find(delivery), Found)
    carla.sees(receipt.vendor_id)
    method, headers = f"{URL}/xrpc/app.bsky.feed.getPosts", {"Authorization": f"Bearer {carla.token}"}
    (post,) = requests.get(method, params={"uris": receipt.vendor_id}, headers=headers, timeout=20).json()["posts"]
    (shown,) = post["embed"]["images"]
    assert (shown["alt"], shown["aspectRatio"]) == ("a map", {"width": 64, "height": 48})


def test_a_round(brand: Brand, source: BlueskySource) -> None:
    """A mention is read, answered once in two parts, found, answered on, and seen when it goes."""
    carla = Person("carla")
    first = carla.say("dov'è il pacco? 👩‍👩‍👧", brand, langs=["it-IT"])
    (message,) = messages(until(brand, source, told(first)))
    assert (message.text, message.language, message.author.id) == ("dov'è il pacco? 👩‍👩‍👧", "it", carla.did)
    text = f"Ciao @{carla.handle}, guarda https://acme.example/è (qui) #pacco"
    delivery = answer(message.id, text, person=carla.did, handle=carla.handle, language="it", key=message.id)
    assert isinstance(source.find(delivery), Absent)
    part_one = sent(source, delivery)
    assert isinstance(part_one, Receipt), part_one
    assert isinstance(sent(source, delivery), OutcomeUnknown), "the same key again is refused, as a 500"
    found = source.find(delivery)
    assert isinstance(found, Found)
    assert found.receipt.vendor_id == part_one.vendor_id
    part_two = sent(source, answer(part_one.vendor_id, "e qui", part=2, parts=2, key=part_one.vendor_id))
    assert isinstance(part_two, Receipt), part_two
    below = {"uri": part_two.vendor_id, "cid": part_two.version}
    carla.sees(part_two.vendor_id)
    second = carla.say("e adesso?", reply={"root": first, "parent": below})
    by_hand = brand.say("lo diciamo noi", reply={"root": first, "parent": second})
    quoting = Person("dora").say("guardate", embed={"$type": "app.bsky.embed.record", "record": below})
    events = until(brand, source, told(second, by_hand, quoting))
    said = {message.id: message for message in messages(events)}
    assert said[by_hand["uri"]].own
    assert said[by_hand["uri"]].thread.id == first["uri"]
    assert [quote.own for quote in said[quoting["uri"]].context] == [True]
    reply = next(event for event in events if event.type == "message" and event.message.id == second["uri"])
    (full,) = messages(list(source.complete(reply)))
    assert full.thread.id == first["uri"]
    assert [quote.text for quote in full.context][1:] == [text, "e qui"]
    carla.delete(second)
    (gone,) = until(brand, source, lambda events: any(event.type == "message_deleted" for event in events))
    assert gone.message_id == second["uri"]
    removal = Delivery(key="d", body=DeleteReply(message_id=part_two.vendor_id, reason="asked for"))
    assert isinstance(source.find(removal), Absent)
    assert isinstance(sent(source, removal), Receipt)
    assert isinstance(source.find(removal), Found)


def test_where_no_answer_is_seen_none_is_given(brand: Brand, source: BlueskySource) -> None:
    """Deleted, closed and blocked: the server would take an answer to each."""
    carla, dora = Person("carla"), Person("dora")
    deleted, closed, blocked = carla.say("one", brand), carla.say("two", brand), dora.say("three", brand)
    until(brand, source, told(deleted, closed, blocked))
    carla.delete(deleted)
    gate = {"$type": "app.bsky.feed.threadgate", "post": closed["uri"], "allow": []}
    carla.put(gate, rkey=closed["uri"].rpartition("/")[2])
    dora.put({"$type": "app.bsky.graph.block", "subject": brand.did})
    until(brand, source, lambda events: any(event.type == "message_deleted" for event in events))
    for post, reason in ((deleted, "deleted"), (closed, "closed"), (blocked, "author blocks")):
        result: Any = None
        for _ in range(50):
            result = sent(source, answer(post["uri"], "too late", key=uuid.uuid4().hex))
            if isinstance(result, Refused):
                break
        assert isinstance(result, Refused), f"{reason}: {result}"
        assert reason in result.summary


def test_limits_are_the_networks(brand: Brand, source: BlueskySource) -> None:
    """300 graphemes pass, 301 do not."""
    post = Person("carla").say("how long?", brand)
    until(brand, source, told(post))
    limits = source.check_connection().reply_limits
    assert limits is not None
    whole = "x" * (limits.max_length - 1) + "👩‍👩‍👧"
    assert isinstance(sent(source, answer(post["uri"], whole, key="whole")), Receipt)
    assert isinstance(sent(source, answer(post["uri"], whole + "x", key="more")), Refused)


def test_a_withdrawn_password_is_noticed(brand: Brand, source: BlueskySource) -> None:
    """The check of the connection asks for new tokens: the old ones would work for two more hours."""
    assert source.check_connection().fingerprint == brand.did
    brand.ask("com.atproto.server.revokeAppPassword", {"name": "hub"}, brand.token)
    with pytest.raises(AuthenticationFailed):
        source.check_connection()
