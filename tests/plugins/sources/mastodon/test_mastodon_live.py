"""The connector against a running server: what people do there, and what goes wrong on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
import requests
from requests.adapters import HTTPAdapter

from hub.sdk import (
    Absent,
    AnyEvent,
    Attachment,
    AuthenticationFailed,
    DeleteReply,
    Delivery,
    EditReply,
    Failure,
    Found,
    HttpSession,
    Media,
    Message,
    MessageDeleted,
    MessageSeen,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    Reply,
    TemporaryFailure,
)
from hub.testing.rig import MemoryVault
from plugins.sources.mastodon.sandbox import MastodonSandbox
from plugins.sources.mastodon.source import MastodonSource


def poll(source: MastodonSource, cursor: dict[str, Any]) -> tuple[list[AnyEvent], dict[str, Any]]:
    """Read until there is nothing more, as the hub does; each event once, as its inbox does."""
    events: dict[str, AnyEvent] = {}
    for _ in range(20):
        page = source.fetch_page(cursor)
        cursor = page.cursor
        events |= {event.event_key: event for event in page.events if event.event_key not in events}
        if not page.has_more:
            return list(events.values()), cursor
    raise AssertionError("the connector never stops saying that there is more")


def messages(events: list[AnyEvent]) -> list[Message]:
    return [event.message for event in events if isinstance(event, MessageSeen)]


def answer(to: Message, text: str, *, key: str = "", **fields: Any) -> Delivery:
    body = Reply(
        network="mastodon",
        thread_id=to.thread.id,
        reply_to=to.id,
        to=to.author,
        text=text,
        privacy=to.privacy,
        answer_with=to.answer_with,
        **fields,
    )
    return Delivery(key=str(uuid5(NAMESPACE_URL, key or to.id + text)), body=body, first_attempt_at=datetime.now(UTC))


def deliver(source: MastodonSource, delivery: Delivery) -> Receipt:
    (result,) = source.deliver([delivery])
    assert isinstance(result, Receipt), result
    return result


def test_the_account_is_named(source: MastodonSource) -> None:
    """The fingerprint names account, domain and number; the limits are the server's."""
    account = source.check_connection()
    assert account.fingerprint == f"brand@mastodon.example#{account.id}"
    assert account.reply_limits is not None
    assert account.reply_limits.max_length == 468


def test_files_go_out_with_the_answer(sandbox: MastodonSandbox, make_source: Callable[..., MastodonSource]) -> None:
    """Two pictures with their descriptions stand at the server, under the customer's post, and once."""
    source, vault = make_source(), MemoryVault()
    content = b"\x89PNG\r\n\x1a\n" + bytes(20)
    fetch = lambda url, *, max_bytes: Media.of(content, "image/png", "map.png")  # noqa: E731
    toolbox = dataclasses.replace(source.toolbox, vault=vault, fetch_media=fetch)
    source = MastodonSource(source.settings, toolbox)
    cursor = source.first_cursor()
    sandbox.post("Chiara", "where is it?")
    (post,) = messages(poll(source, cursor)[0])
    files = tuple(Attachment(url=f"https://desk.example/{n}.png", alt_text=f"map {n}") for n in (1, 2))
    delivery = answer(post, "here:", attachments=files)
    first, again = deliver(source, delivery), deliver(source, delivery)
    assert first.vendor_id == again.vendor_id
    found = requests.get(f"{sandbox.base_url}/api/v1/statuses/{first.vendor_id}", timeout=5).json()
    assert [one["description"] for one in found["media_attachments"]] == ["map 1", "map 2"]
    assert requests.get(found["media_attachments"][0]["url"], timeout=5).content == content
    assert vault.values == {}


def test_nothing_written_before_the_first_cursor_is_read(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """The first cursor is "now": no history comes by accident, and the next post does."""
    sandbox.post("Anna", "long ago")
    sandbox.post("Anna", "long ago, in private", private=True)
    cursor = source.first_cursor()
    assert poll(source, cursor)[0] == []
    post_id = sandbox.post("Anna", "just now")
    assert [message.id for message in messages(poll(source, cursor)[0])] == [post_id]


def test_mentions_come_once_and_in_order(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """More than a page of mentions, public and private, arrives whole, oldest first, each under one key."""
    cursor = source.first_cursor()
    ids = [sandbox.post(f"Person {n % 5}", f"case {n}", private=n % 10 == 0) for n in range(50)]
    events, cursor = poll(source, cursor)
    assert [message.id for message in messages(events)] == ids
    assert [message.text for message in messages(events)] == [f"case {n}" for n in range(50)]
    assert {message.privacy for message in messages(events)} == {"public", "direct"}
    assert poll(source, cursor)[0] == []


def test_edits_and_deletions_are_noticed(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """Mastodon tells us neither: the watched posts are read again, and each change is told once."""
    cursor = source.first_cursor()
    edited = sandbox.post("Bruno", "my ordr is late")
    gone = sandbox.post("Bruno", "wrong account, sorry")
    _, cursor = poll(source, cursor)
    sandbox.edit("Bruno", edited, "my order is late")
    sandbox.delete("Bruno", gone)
    events, cursor = poll(source, cursor)
    assert [event.message_id for event in events if isinstance(event, MessageDeleted)] == [gone]
    (message,) = messages(events)
    assert (message.id, message.text) == (edited, "my order is late")
    assert message.revision
    assert poll(source, cursor)[0] == []


def test_watching_can_be_turned_off(sandbox: MastodonSandbox, make_source: Callable[..., MastodonSource]) -> None:
    """With watch_newest = 0 nothing is read again."""
    source = make_source(watch_newest=0)
    cursor = source.first_cursor()
    gone = sandbox.post("Bruno", "soon gone")
    _, cursor = poll(source, cursor)
    sandbox.delete("Bruno", gone)
    assert cursor["watched"] == []
    assert poll(source, cursor)[0] == []


def test_a_conversation_there_and_back(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """Post, answer, reply: the reply finds its thread and its context, our answer comes back as our own word."""
    cursor = source.first_cursor()
    first_id = sandbox.post("Carla", "where is my parcel?")
    events, cursor = poll(source, cursor)
    (first,) = messages(events)
    receipt = deliver(source, answer(first, "On its way, Carla"))
    reply_id = sandbox.post("Carla", "thank you", reply_to=receipt.vendor_id)
    events, cursor = poll(source, cursor)
    reply, ours = messages(events)
    assert (ours.id, ours.own, ours.reply_to) == (receipt.vendor_id, True, first_id)
    assert (reply.id, reply.thread.id) == (reply_id, "")
    (event,) = source.complete(next(e for e in events if e.event_key.startswith(f"status:{reply_id}")))
    assert isinstance(event, MessageSeen)
    assert (event.message.thread.id, event.message.root, event.message.parent) == (
        first_id,
        first_id,
        receipt.vendor_id,
    )
    assert [(quote.text, quote.own) for quote in event.message.context] == [
        ("where is my parcel?", False),
        ("@carla On its way, Carla", True),
    ]
    posted = sandbox.posts(limit=2)
    assert [(post.own, post.reply_to) for post in posted] == [(False, receipt.vendor_id), (True, first_id)]


def test_what_we_say_in_the_app_is_reported(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """An answer typed in the native app arrives as ours; a campaign does not."""
    cursor = source.first_cursor()
    post_id = sandbox.post("Dario", "hello?")
    token = sandbox.connection_settings(webhook_url="")["access_token"]
    for body in ({"status": "@dario hi!", "in_reply_to_id": post_id}, {"status": "Summer sale!"}):
        headers = {"Authorization": f"Bearer {token}"}
        requests.post(sandbox.base_url + "/api/v1/statuses", json=body, headers=headers, timeout=5).raise_for_status()
    found = messages(poll(source, cursor)[0])
    assert [(message.own, message.text) for message in found] == [(False, "hello?"), (True, "@dario hi!")]


def test_a_private_answer_stays_private_and_arrives(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """It is a direct post that names the customer and shows in no public list."""
    cursor = source.first_cursor()
    sandbox.post("Elena", "my number is 333", private=True)
    (message,) = messages(poll(source, cursor)[0])
    receipt = deliver(source, answer(message, "Thank you, @mario will call"))
    (post,) = [post for post in sandbox.posts(limit=5) if post.id == receipt.vendor_id]
    assert (post.privacy, post.text) == ("direct", "@elena Thank you, @\u200bmario will call")
    public = requests.get(sandbox.base_url + "/api/v1/timelines/public", timeout=5).json()
    assert receipt.vendor_id not in [status["id"] for status in public]


def test_one_key_posts_once(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """The same delivery twice is one post, with the same receipt."""
    cursor = source.first_cursor()
    sandbox.post("Fabio", "once please")
    (message,) = messages(poll(source, cursor)[0])
    delivery = answer(message, "once, promised")
    assert deliver(source, delivery) == deliver(source, delivery)
    assert len([post for post in sandbox.posts(limit=10) if "once, promised" in post.text]) == 1


def test_replies_are_edited_and_deleted(sandbox: MastodonSandbox, source: MastodonSource) -> None:
    """An edit replaces the words and keeps the name; a deletion removes the post; both are found afterwards."""
    cursor = source.first_cursor()
    sandbox.post("Gaia", "when?")
    (message,) = messages(poll(source, cursor)[0])
    published = deliver(source, answer(message, "Tomorow"))
    edit = Delivery(key="e", body=EditReply(message_id=published.vendor_id, text="Tomorrow"))
    assert isinstance(source.find(edit), Absent)
    assert deliver(source, edit).version
    assert isinstance(source.find(edit), Found)
    assert "@gaia Tomorrow" in [post.text for post in sandbox.posts(limit=5)]
    delete = Delivery(key="d", body=DeleteReply(message_id=published.vendor_id, reason="asked by the agent"))
    assert isinstance(source.find(delete), Absent)
    deliver(source, delete)
    assert isinstance(source.find(delete), Found)
    assert isinstance(source.find(edit), Absent)
    assert published.vendor_id not in [post.id for post in sandbox.posts(limit=10)]


class LosesAnswers(HTTPAdapter):
    """Lets the request reach the server and loses what it says."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        super().send(*args, **kwargs).close()
        raise requests.ReadTimeout("the answer was lost")


def test_a_reply_whose_answer_was_lost_is_found(
    sandbox: MastodonSandbox, source: MastodonSource, http: HttpSession
) -> None:
    """The effect happened, nobody told us: find shows the post, and shows "absent" for one that never left."""
    cursor = source.first_cursor()
    sandbox.post("Ivo", "is it lost?")
    (message,) = messages(poll(source, cursor)[0])
    delivery = answer(message, "See https://acme.example/help & ask @brand\n\nCiao")
    assert isinstance(source.find(delivery), Absent)
    healthy = http.get_adapter(sandbox.base_url)
    http.mount(sandbox.base_url, LosesAnswers())
    (result,) = source.deliver([delivery])
    http.mount(sandbox.base_url, healthy)
    assert isinstance(result, Failure)
    assert isinstance(result.error, OutcomeUnknown)
    found = source.find(delivery)
    assert isinstance(found, Found)
    assert found.receipt == deliver(source, delivery)
    assert isinstance(source.find(answer(message, "Something else")), Absent)


def test_the_server_asks_to_slow_down(source: MastodonSource, fault: Callable[..., None]) -> None:
    """A 429 with and without Retry-After; afterwards the same cursor goes on."""
    cursor = source.first_cursor()
    fault({"type": "ratelimit"}, path_regex="/notifications$")
    with pytest.raises(RateLimited) as caught:
        source.fetch_page(cursor)
    assert caught.value.retry_after == 300
    fault({"type": "status", "status": 429}, path_regex="/notifications$")
    with pytest.raises(RateLimited) as caught:
        source.fetch_page(cursor)
    assert caught.value.retry_after is None
    assert source.fetch_page(cursor).events == ()


@pytest.mark.parametrize(
    ("effect", "path"),
    [
        ({"type": "status", "status": 500}, "/notifications$"),
        ({"type": "status", "status": 503}, "/conversations$"),
        ({"type": "malformed"}, "/accounts/[0-9]+/statuses$"),
        ({"type": "malformed", "truncate": False}, "/notifications$"),
    ],
)
def test_a_broken_answer_loses_nothing(
    sandbox: MastodonSandbox,
    source: MastodonSource,
    fault: Callable[..., None],
    effect: dict[str, Any],
    path: str,
) -> None:
    """A poll that fails at any of its lists moves no cursor: the next one brings the message."""
    cursor = source.first_cursor()
    post_id = sandbox.post("Lia", "still there?")
    fault(effect, path_regex=path)
    with pytest.raises(TemporaryFailure):
        poll(source, cursor)
    assert [message.id for message in messages(poll(source, cursor)[0])] == [post_id]


def test_a_silent_server_is_a_temporary_failure(
    source: MastodonSource, http: HttpSession, fault: Callable[..., None]
) -> None:
    """Reading does not wait for ever."""
    cursor = source.first_cursor()
    http.timeout = (1.0, 0.3)
    fault({"type": "timeout"}, path_regex="/notifications$")
    with pytest.raises(TemporaryFailure):
        source.fetch_page(cursor)


def test_a_reply_into_a_broken_server_is_of_unknown_outcome(
    sandbox: MastodonSandbox, source: MastodonSource, fault: Callable[..., None]
) -> None:
    """A 500 and a torn answer prove nothing; the look-up and the key settle it with one post."""
    cursor = source.first_cursor()
    sandbox.post("Mia", "hello")
    (message,) = messages(poll(source, cursor)[0])
    delivery = answer(message, "hello Mia, once")
    for effect in ({"type": "status", "status": 500}, {"type": "malformed"}):
        fault(effect, method="POST", path_regex="/statuses$")
        (result,) = source.deliver([delivery])
        assert isinstance(result, Failure)
        assert isinstance(result.error, OutcomeUnknown)
    assert isinstance(source.find(delivery), Absent)
    deliver(source, delivery)
    assert len([post for post in sandbox.posts(limit=10) if post.text == "@mia hello Mia, once"]) == 1


def test_a_wrong_token_is_told_apart(make_source: Callable[..., MastodonSource]) -> None:
    """A token the server does not know pauses the connection."""
    source = make_source(access_token="wrong")
    with pytest.raises(AuthenticationFailed):
        source.check_connection()
