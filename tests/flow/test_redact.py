"""What must be forgotten is forgotten everywhere: by a person's command, and by an agent's hand in the helpdesk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.flow import redact
from hub.sdk import CommentSeen, Delivery, Failure, Hint, Receipt, RedactComment, RedactsComments
from hub.store import Tx, inbox, redacting
from hub.store.redacting import REDACTED
from tests.fakes.connectors import IN_PROCESS
from tests.fakes.house import House
from tests.fakes.readable_desk import HOUR, Desk, compare, do, kinds, live, notes, said

CARD = "4111 1111 1111 1111"
BLACK = "▇▇▇▇ ▇▇▇▇ ▇▇▇▇ ▇▇▇▇"


class Blackening(Desk, RedactsComments):  # type: ignore[misc]
    """The fake helpdesk, which can redact, and tells of it as Zendesk does."""

    name = "blackening_desk"

    @staticmethod
    def event(entry: dict[str, Any]) -> Any:
        """One feed entry."""
        event = Desk.event(entry)
        return _with_mark(event, entry) if isinstance(event, CommentSeen) else event

    def _comment(self, one: dict[str, Any]) -> CommentSeen:
        return _with_mark(super()._comment(one), one)

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """A redaction, or what the desk can already."""
        body = deliveries[0].body
        if not isinstance(body, RedactComment):
            return super().deliver(deliveries)
        blacken(IN_PROCESS["in-process:helpdesk"], body.comment_id)
        return [Receipt(vendor_id=body.comment_id)]


def _with_mark(event: CommentSeen, entry: dict[str, Any]) -> CommentSeen:
    if not entry.get("redacted"):
        return event
    key = f"{event.event_key}:redacted:{entry['redacted']}"
    return event.model_copy(update={"event_key": key, "comment": event.comment.model_copy(update={"redacted": True})})


def blacken(helpdesk: Any, comment_id: str, words: str = "") -> None:
    """Somebody redacts a comment there: these words of it, or all."""
    (one,) = [c for record in helpdesk.records.values() for c in record["comments"] if c["id"] == comment_id]
    gone = words or one["text"]
    black = " ".join("▇" * len(word) for word in gone.split())
    one.update(text=one["text"].replace(gone, black), redacted=one.get("redacted", 0) + 1)
    helpdesk.feed.append({"kind": "comment", **one})


def opened(url: str, text: str, **options: Any) -> House:
    """A hub whose customer wrote this."""
    house = House(url, **options)
    house.step()
    house.clock.forward(2)
    house.network.post("anna", text)
    live(house)
    return house


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One database is enough where the statements are the same."""
    return f"sqlite:///{tmp_path / 'hub.sqlite'}"


@pytest.fixture
def house(url: str) -> Iterator[House]:
    """A hub whose customer wrote a card's number."""
    house = opened(url, f"My card {CARD} was charged", desk=Blackening)
    yield house
    house.close()


def message(house: House, text: str = "%") -> Any:
    """The newest message with such a text."""
    return house.rows("SELECT * FROM message WHERE text LIKE :text ORDER BY id DESC", text=text)[0]


def code(house: House) -> str:
    """The only ticket's."""
    return str(house.rows("SELECT code FROM ticket")[0].code)


def everywhere(house: House, words: str) -> list[str]:
    """The tables and columns that still hold these words."""
    kept = {
        "message": ("text", "subject", "context", "attachments"),
        "message_revision": ("text",),
        "delivery": ("body",),
        "inbox": ("payload",),
        "event": ("data",),
        "ticket": ("subject",),
        "thread": ("title",),
        "audit": ("data",),
    }
    found = []
    for table, columns in kept.items():
        for column in columns:
            rows = house.rows(f"SELECT id FROM {table} WHERE {column} LIKE :words", words=f"%{words}%")
            found += [f"{table}.{column}"] if rows else []
    return found


def timeline(house: House, kind: str) -> list[str]:
    """What the timeline says of one kind of event."""
    return [str(row.data) for row in house.rows("SELECT data FROM event WHERE kind=:kind ORDER BY id", kind=kind)]


def test_a_command_forgets_the_words_everywhere_and_in_the_helpdesk(database_url: str) -> None:
    """Text, edit, frozen bodies, events, subject: none has the number; the helpdesk's comments are black."""
    house = opened(database_url, f"My card {CARD} was charged", desk=Blackening)
    house.network.edit("p1", f"My card {CARD} was charged twice")
    live(house)
    assert {"message.text", "message_revision.text", "delivery.body", "inbox.payload", "ticket.subject"} <= set(
        everywhere(house, CARD)
    )
    done = redact.redact(house.hub, code(house), message(house).id, actor="me", reason="a card number")
    assert (done.there, done.by_hand, done.title) == (("c1", "c2"), (), True)
    live(house)
    assert everywhere(house, CARD) == []
    assert CARD not in str([one["text"] for one in house.helpdesk.records["r1"]["comments"]])
    (line,) = timeline(house, "redacted")
    assert "a card number" in line
    assert '"title_at":"r1"' in line
    assert len(timeline(house, "redacted_there")) == 2
    (audited,) = house.rows("SELECT actor, action, data FROM audit")
    assert (audited.actor, audited.action) == ("me", "redact")
    assert [row.text for row in house.rows("SELECT text FROM message")] == [REDACTED]
    house.close()


def test_quotes_and_raw_bodies_are_forgotten_too(house: House) -> None:
    """Another customer's message of the thread that quotes it, what that one's helpdesk was told, and what came in."""
    house.network.post("bruno", "Me too", reply_to="p1")
    live(house)
    quote = [{"author": "anna", "text": f"My card {CARD} was charged", "permalink": "", "own": False}]
    raw: dict[str, Any] = dict.fromkeys(("method", "content_type", "digest", "note"), "")

    def unit(tx: Tx) -> None:
        redacting.set_context(tx, message(house, "Me too").id, quote)
        arrival = inbox.add_arrival(tx, connection="network", headers={}, body=CARD.encode(), now=house.clock(), **raw)
        hint = Hint(event_key="hint", record="p1", lane="author:fake:anna")
        inbox.add_events(tx, connection="network", events=[hint], now=house.clock(), arrival_id=arrival)

    house.store.run(unit)
    (first,) = house.rows("SELECT id, ticket_id FROM message WHERE text LIKE 'My card%'")
    (ticket,) = house.rows("SELECT code FROM ticket WHERE id=:id", id=first.ticket_id)
    lane = house.rows("SELECT lane FROM inbox WHERE payload LIKE '%4111%' AND connection='network'")[0].lane
    do(house, f"UPDATE inbox SET lane='{lane}' WHERE event_key='hint'")
    told = f'"context":[{{"author":"anna","text":"My card {CARD} was charged"}}]'
    do(house, f"UPDATE delivery SET body=replace(body, '\"context\":[]', '{told}') WHERE body LIKE '%Me too%'")
    assert len(house.rows("SELECT id FROM delivery WHERE body LIKE '%Me too%' AND body LIKE '%4111%'")) == 1
    redact.redact(house.hub, ticket.code, first.id, actor="me", reason="card")
    assert everywhere(house, CARD) == []
    assert [bytes(row.body) for row in house.rows("SELECT body FROM arrival")] == [b""]


def test_what_has_not_left_yet_goes_out_without_the_words(house: House) -> None:
    """A comment that waits is written black; nobody there ever reads the number."""
    do(house, "UPDATE connection SET paused='by a test', paused_by='me' WHERE name='desk'")
    house.network.post("anna", f"Again: {CARD}", reply_to="p1")
    live(house)
    redact.redact(house.hub, code(house), message(house).id, actor="me", reason="card")
    do(house, "UPDATE connection SET paused='', paused_by='' WHERE name='desk'")
    live(house)
    texts = [one["text"] for one in house.helpdesk.records["r1"]["comments"]]
    assert (len(texts), texts[-1]) == (2, REDACTED)


def test_what_is_on_its_way_is_redacted_behind_it(url: str) -> None:
    """A record that is being opened arrives as it was frozen, is redacted there then, and forgotten here."""
    house = House(url, desk=Blackening)
    house.step()
    house.clock.forward(2)
    done: list[redact.Redaction] = []

    def command(path: str, answer: dict[str, Any]) -> None:
        if path == "create":
            done.append(redact.redact(house.hub, code(house), message(house).id, actor="me", reason="card"))

    house.helpdesk.on_effect = command
    house.network.post("anna", f"Again: {CARD}")
    live(house)
    assert [one.there for one in done] == [()]
    (first,) = house.helpdesk.records["r1"]["comments"]
    assert (first["text"], first["redacted"]) == ("▇▇▇▇▇▇ " + BLACK, 1)
    assert everywhere(house, CARD) == []
    house.close()


def test_an_answer_that_was_published_stays_there_and_is_named(house: House) -> None:
    """The hub forgets it, takes nothing back on the network, and says where it stands."""
    house.helpdesk.comment("r1", "Your card is refunded")
    live(house)
    done = redact.redact(house.hub, code(house), message(house, "Your%").id, actor="me", reason="wrong customer")
    live(house)
    assert said(house) == ["Your card is refunded"]
    assert done.published == ("https://fake.example.com/p2",)
    assert everywhere(house, "is refunded") == []


def test_an_edit_does_not_bring_redacted_words_back(house: House) -> None:
    """A later edit, or the same one again, leaves the message black; the agent is told where to read it."""
    redact.redact(house.hub, code(house), message(house).id, actor="me", reason="card")
    house.network.edit("p1", f"My card {CARD} was charged twice!")
    live(house)
    assert everywhere(house, CARD) == []
    assert CARD not in str([one["text"] for one in house.helpdesk.records["r1"]["comments"]])
    assert len([note for note in notes(house) if "had been redacted" in note]) == 1


def test_what_an_agent_redacts_in_our_comment_the_hub_forgets(house: House) -> None:
    """The customer's words stay, but for those that are black there; what the network still shows is no news."""
    blacken(house.helpdesk, "c1", CARD)
    live(house)
    assert message(house).text == f"My card {REDACTED} was charged"
    assert everywhere(house, CARD) == []
    assert notes(house) == []
    assert house.rows("SELECT id FROM delivery WHERE verb='redact_comment'") == [], "a sync removes nothing there"
    blacken(house.helpdesk, "c1", "charged")
    live(house)
    assert message(house).text == f"My card {REDACTED} was {REDACTED}"


def test_what_an_agent_redacts_in_an_answer_the_hub_forgets(house: House) -> None:
    """The new wording is kept, and a note says that the published one can still be read."""
    house.helpdesk.comment("r1", "The word is swordfish")
    live(house)
    blacken(house.helpdesk, "c2", "swordfish")
    live(house)
    assert message(house, "The%").text == "The word is ▇▇▇▇▇▇▇▇▇"
    assert said(house) == ["The word is swordfish"]
    assert everywhere(house, "swordfish") == []
    assert ["p2" in note for note in notes(house) if "can still be read" in note] == [True]
    assert "p2" in timeline(house, "redacted")[0]


def test_an_answer_redacted_before_it_went_out_never_does(url: str) -> None:
    """A draft is discarded, and so is what is redacted before the hub reads it for the first time."""
    house = opened(url, "My parcel is late", mode="draft", desk=Blackening)
    house.helpdesk.comment("r1", "The word is swordfish")
    live(house)
    assert "swordfish" in notes(house)[-1]
    blacken(house.helpdesk, "c2", "swordfish")
    live(house)
    (draft,) = house.rows("SELECT state, reason FROM delivery WHERE verb='reply'")
    assert (draft.state, draft.reason) == ("discarded", "redacted before it went out")
    assert everywhere(house, "swordfish") == []
    house.helpdesk.comment("r1", "Another card")
    house.helpdesk.feed.pop()
    newest = house.helpdesk.records["r1"]["comments"][-1]["id"]
    blacken(house.helpdesk, newest, "card")
    live(house)
    assert len(house.rows("SELECT id FROM delivery WHERE verb='reply'")) == 1
    house.close()


@pytest.mark.parametrize("by_hub", [True, False])
def test_a_redacted_comment_is_no_difference(house: House, by_hub: bool) -> None:
    """Whoever redacted it: once both sides know, a comparison finds them equal; before, it is told and repaired."""
    house.helpdesk.comment("r1", f"We charged {CARD}")
    live(house)
    if by_hub:
        redact.redact(house.hub, code(house), message(house, "We%").id, actor="me", reason="card")
        live(house)
    else:
        blacken(house.helpdesk, "c2", CARD)
        house.helpdesk.feed.pop()  # nobody tells
        house.clock.forward(HOUR)
        assert kinds(compare(house, repair=True)) == ["text_differs"]
        live(house)
    house.clock.forward(HOUR)
    assert kinds(compare(house)) == []
    assert everywhere(house, f"charged {CARD}") == []


def test_a_helpdesk_that_cannot_redact_is_named(url: str) -> None:
    """The hub forgets, sends nothing that could only fail, and says which comment a person must remove."""
    house = opened(url, f"My card {CARD}", desk=Desk)
    done = redact.redact(house.hub, code(house), message(house).id, actor="me", reason="card")
    assert (done.there, done.by_hand) == ((), ("c1",))
    assert everywhere(house, CARD) == []
    assert house.rows("SELECT id FROM delivery WHERE verb='redact_comment'") == []
    house.close()


def test_mistakes_change_nothing(house: House) -> None:
    """No reason, another ticket's message, no such ticket."""
    with pytest.raises(ValueError, match="reason"):
        redact.redact(house.hub, code(house), 1, actor="me", reason=" ")
    for wrong in ((code(house), 99), ("SCH-NOPE", 1)):
        with pytest.raises(redact.NoSuchMessage):
            redact.redact(house.hub, *wrong, actor="me", reason="card")
    assert house.rows("SELECT id FROM audit") == []


def test_only_words_that_can_still_be_read_stay() -> None:
    """Whatever stands around them there, and however long the black is."""
    assert redact.legible("one two three", "Anna wrote: one two three https://x") == "one two three"
    assert redact.legible("pin 12 34, thanks", "Anna wrote:\npin ▇, thanks") == f"pin {REDACTED} thanks"
    assert redact.legible("all of it", "▇▇▇") == REDACTED
