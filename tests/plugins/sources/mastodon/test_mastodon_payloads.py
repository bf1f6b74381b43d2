"""What Mastodon's JSON becomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mastodon_samples import OWN, OWN_MENTION, account, mention_html, status

from hub.sdk import ConfigurationError, MessageSeen, Unreadable
from plugins.sources.mastodon import payloads
from plugins.sources.mastodon.cursor import Cursor

BOB = {"id": "9", "username": "bob", "acct": "bob", "url": "https://mastodon.example/@bob"}
NAMESAKE = {"id": "8", "username": "acme", "acct": "acme@fake.example", "url": "https://fake.example/@acme"}


@pytest.mark.parametrize(
    ("content", "mentions", "text"),
    [
        (f"<p>{mention_html('acme')} my parcel</p>", [OWN_MENTION], "my parcel"),
        ("<p>@acme my parcel</p>", [OWN_MENTION], "my parcel"),
        ("<p>@ACME: my parcel</p>", [OWN_MENTION], "my parcel"),
        ("<p>@acme!! @acme my parcel</p>", [OWN_MENTION], "my parcel"),
        ("<p>@acme@mastodon.example, my parcel</p>", [OWN_MENTION], "my parcel"),
        (f"<p>{mention_html('bob')} {mention_html('acme')} look</p>", [OWN_MENTION, BOB], "@bob look"),
        (f"<p>{mention_html('acme')} {mention_html('bob')} look</p>", [OWN_MENTION, BOB], "@bob look"),
        (f"<p>help me {mention_html('acme')}</p>", [OWN_MENTION], "help me @acme"),
        ("<p>@acmee is not you</p>", [OWN_MENTION], "@acmee is not you"),
        (f"<p>{mention_html('acme', 'fake.example')} hi</p>", [OWN_MENTION, NAMESAKE], "@acme hi"),
        ("<p>@acme@fake.example hi</p>", [OWN_MENTION], "@acme@fake.example hi"),
        (f"<p>{mention_html('acme')}</p><p>first<br />second</p>", [OWN_MENTION], "first\nsecond"),
        (f"<p>{mention_html('acme')}</p>", [OWN_MENTION], "@acme"),
        ("<p>&lt;b&gt; &amp; co</p>", [], "<b> & co"),
        ('<p class="quote-inline">RE: <a href="https://x.example/1">x</a></p><p>shame</p>', [], "shame"),
    ],
)
def test_text(content: str, mentions: list[dict[str, str]], text: str) -> None:
    """Our own name is taken from the head of a text, and nothing else is."""
    assert payloads.message(status(content=content, mentions=mentions), OWN).text == text


@pytest.mark.parametrize(
    ("visibility", "privacy"),
    [
        ("public", "public"),
        ("unlisted", "unlisted"),
        ("private", "followers"),
        ("direct", "direct"),
        ("limited", "direct"),
    ],
)
def test_visibility(visibility: str, privacy: str) -> None:
    """Each visibility has its privacy; one we do not know counts as the narrowest."""
    assert payloads.message(status(visibility=visibility), OWN).privacy == privacy


def test_a_status_is_read_whole() -> None:
    """Author, times, warning, language, links and addresses all arrive."""
    message = payloads.message(
        status(
            spoiler_text="parcel",
            edited_at="2026-05-01T12:30:00.000+02:00",
            account=account(bot=True),
            in_reply_to_id="90",
        ),
        OWN,
    )
    assert message.author.id == "lucia@elsewhere.example"
    assert (message.author.kind, message.author.label) == ("bot", "Lucia")
    assert message.created_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert message.edited_at == datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    assert message.revision == "2026-05-01T12:30:00.000+02:00"
    assert (message.subject, message.language) == ("parcel", "it")
    assert (message.reply_to, message.parent, message.thread.id, message.root) == ("90", "90", "", "")
    assert message.permalink == "https://elsewhere.example/@lucia/100"
    assert message.answer_with == {"acct": "lucia@elsewhere.example"}
    assert [mention.id for mention in message.mentions] == ["acme@mastodon.example"]
    assert not message.own


def test_a_first_post_is_its_own_thread() -> None:
    """What answers nothing opens a thread under its own id."""
    message = payloads.message(status(), OWN)
    assert (message.thread.id, message.root, message.reply_to) == ("100", "100", "")


def test_local_accounts_get_the_servers_domain() -> None:
    """A handle without a domain belongs to the server; the same number elsewhere is somebody else."""
    here = payloads.identity(account("1", "Anna"), OWN)
    there = payloads.identity(account("1", "anna@elsewhere.example"), OWN)
    assert (here.id, here.handle) == ("anna@mastodon.example", "Anna@mastodon.example")
    assert here.id != there.id


@pytest.mark.parametrize(
    ("media", "kind", "url"),
    [
        ({"type": "image", "url": "https://m.example/1.png"}, "image", "https://m.example/1.png"),
        ({"type": "gifv", "url": "https://m.example/1.mp4"}, "video", "https://m.example/1.mp4"),
        ({"type": "audio", "url": None, "remote_url": "https://r.example/a.ogg"}, "audio", "https://r.example/a.ogg"),
        ({"type": "unknown", "url": None}, "file", "https://elsewhere.example/@lucia/100"),
    ],
)
def test_media(media: dict[str, str], kind: str, url: str) -> None:
    """No medium is lost, also when the server has not fetched it, and its description comes along."""
    posted = status(media_attachments=[{"id": "5", "description": "a broken cup", **media}])
    (attachment,) = payloads.message(posted, OWN).attachments
    assert (attachment.kind, attachment.url, attachment.alt_text) == (kind, url, "a broken cup")


def test_a_quoted_post_is_shown() -> None:
    """Who complains by quoting us does not repeat what was said: the agent sees it."""
    ours = status("90", "<p>We never lose parcels</p>", account=account("7", "acme"))
    item = {"id": "1", "type": "quote", "status": status(quote={"state": "accepted", "quoted_status": ours})}
    (event,) = payloads.notification(item, OWN)
    assert isinstance(event, MessageSeen)
    assert [(quote.text, quote.own) for quote in event.message.context] == [("We never lose parcels", True)]


def test_one_key_whichever_list_brings_a_post() -> None:
    """A private mention comes as a notification and as a conversation: one event; an edit is another."""
    private = status(visibility="direct")
    (mention,) = payloads.notification({"id": "1", "type": "mention", "status": private}, OWN)
    (talk,) = payloads.conversation({"id": "3", "last_status": private}, OWN)
    (edited,) = payloads.watched_status({**private, "edited_at": "2026-05-01T11:00:00.000Z"}, OWN)
    assert mention == talk
    assert mention.event_key != edited.event_key


def test_edits_of_posts_that_never_addressed_us_are_not_ours() -> None:
    """Mastodon tells edits of boosted posts, too; only those that name or answer us are reported."""

    def update(**fields: object) -> int:
        return len(payloads.notification({"id": "1", "type": "update", "status": status(**fields)}, OWN))

    assert update(mentions=[]) == 0
    assert update(mentions=[OWN_MENTION]) == 1
    assert update(mentions=[], in_reply_to_id="90", in_reply_to_account_id="7") == 1


def test_a_mention_whose_post_is_already_gone_is_no_event() -> None:
    """The author deleted it before we came: there is nothing to report."""
    assert payloads.notification({"id": "1", "type": "mention", "status": None}, OWN) == ()


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({"in_reply_to_id": "90", "in_reply_to_account_id": "42"}, True),
        ({"in_reply_to_id": "90", "in_reply_to_account_id": "7", "mentions": [BOB]}, True),
        ({"in_reply_to_id": "90", "in_reply_to_account_id": "7", "mentions": []}, False),
        ({"in_reply_to_id": None, "mentions": [BOB]}, False),
    ],
)
def test_own_words(fields: dict[str, object], reported: bool) -> None:
    """What we say to somebody in a thread is reported as ours; campaigns and monologues are not."""
    events = payloads.own_status(status(account=account("7", "acme"), **fields), OWN)
    assert [event.message.own for event in events if isinstance(event, MessageSeen)] == [True] * reported


def test_our_own_last_word_of_a_conversation_is_left_to_the_own_timeline() -> None:
    """A conversation that ends with us brings nothing new, one without a post neither."""
    assert payloads.conversation({"id": "3", "last_status": status(account=account("7", "acme"))}, OWN) == ()
    assert payloads.conversation({"id": "3", "last_status": None}, OWN) == ()


@pytest.mark.parametrize(
    "item",
    [
        {"id": "1", "type": "mention", "status": {"id": "100"}},
        {"id": "1", "type": "a new type", "status": {"id": "100"}},
        {"id": "1", "type": "mention", "status": status(created_at="yesterday")},
        {"id": "1", "type": "mention", "status": ["what?"]},
    ],
)
def test_what_cannot_be_read_is_kept(item: dict[str, object]) -> None:
    """An item of an unknown shape is reported with its text and does not stop the page."""
    (event,) = payloads.notification(item, OWN)
    assert isinstance(event, Unreadable)
    assert event.event_key == "unreadable:notification:1"
    assert '"id": "1"' in event.raw


def test_the_cursor_keeps_the_newest_and_takes_turns() -> None:
    """A bounded number is watched; the newest are read each time, the others in turn, nobody twice in one turn."""
    cursor = Cursor()
    for number in range(90, 111):
        cursor.watch(str(number), "", 20)
    assert [entry[0] for entry in cursor.watched] == [str(number) for number in range(91, 111)]
    turns = [cursor.due(6) for _ in range(6)]
    assert all({"108", "109", "110"} <= set(turn) and len(turn) == 6 for turn in turns)
    assert {status_id for turn in turns for status_id in turn} == {str(number) for number in range(91, 111)}
    assert Cursor.load(cursor.model_dump(mode="json")) == cursor


def test_a_foreign_cursor_is_refused() -> None:
    """A cursor that is not ours stops the connection with a reason instead of reading all history."""
    with pytest.raises(ConfigurationError, match="not one of this connector"):
        Cursor.load({"since": 12})
