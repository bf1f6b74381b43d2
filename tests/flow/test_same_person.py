"""Two accounts that gave the same address or number: proposed once, joined by an agent's word, parted again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.configuration import Category, CategoryField
from hub.flow.recognise import masked, strong
from hub.store import connections, ticket_view
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, furnish, notes, steps, timeline

MAIL = "anna.rossi@example.com"
ACCOUNT = Category(
    name="account",
    fields=(CategoryField(name="login", purpose="to find it", find=r"[a-z.]+@[a-z.]+|\+[0-9 ]+[0-9]|[0-9]{9,}"),),
)


def open_house(url: str, **options: Any) -> House:
    house = House(url, desk=FullSink, **options)
    return furnish(house)


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    """One that publishes."""
    house = open_house(sqlite_url)
    yield house
    house.close()


def post(house: House, author: str, words: str = "Hello?", **more: Any) -> str:
    post_id = house.network.post(author, words, **more)
    steps(house)
    return post_id


def give(house: House, tag: str, record: str) -> None:
    have = house.helpdesk.records[record]["fields"].get("tags", [])
    house.helpdesk.set_fields(record, tags=[*have, tag], assignee="7")
    steps(house)


def proposals(house: House) -> list[str]:
    return [note for record in house.helpdesk.records for note in notes(house, record) if "sch-same-person" in note]


def customers(house: House) -> dict[str, int]:
    """Who belongs to whom now, by the account's id."""
    rows = house.rows(
        "SELECT i.vendor_id, l.customer_id FROM customer_link l JOIN identity i ON i.id = l.identity_id "
        "WHERE l.undone_at IS NULL"
    )
    return {row.vendor_id: row.customer_id for row in rows}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (" Anna.Rossi@Example.COM ", ("email", MAIL)),
        ("+39 (333) 123-45.67", ("phone", "+393331234567")),
        ("333 1234567", None),
        ("0039 333 1234567", None),
        ("+44 (0)20 7946 0000", None),
        ("+12", None),
        ("AB-123456", None),
        ("anna@localhost", None),
        ("a@b@example.com", None),
    ],
)
def test_what_tells_who_somebody_is(value: str, found: tuple[str, str] | None) -> None:
    """An address in any case, a number with its country code; what can be read in two ways is nothing."""
    assert strong(value) == found


def test_what_is_shown_of_it() -> None:
    """Enough to compare, not to copy."""
    assert masked("email", MAIL) == "a…@example.com"
    assert masked("email", "x@example.com") == "…@example.com"
    assert masked("phone", "+393331234567") == "…67"


def test_it_is_proposed_once_and_nothing_is_joined(house: House) -> None:
    """A note on the record of who wrote last says whom, where and why, with the address masked, and that is all."""
    post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL.upper()])
    (note,) = proposals(house)
    assert notes(house, "r2") == [note]
    code = house.rows("SELECT code FROM ticket ORDER BY id")[0].code
    (url,) = (row.url for row in house.rows("SELECT url FROM record_link WHERE vendor_id = 'r1'"))
    there = f"{code} ({url or '#r1'})"
    for words in ("bea, who writes here, and anna on Fake", "e-mail address (a…@example.com)", there, "Same person"):
        assert words in note
    assert MAIL not in note.lower()
    assert timeline(house, "person_proposed") == [
        ("hub", {"identity": "anna", "network": "fake", "ticket": code, "same": "email"})
    ]
    assert len(set(customers(house).values())) == 2
    post(house, "bea", "and?", emails=[MAIL])
    post(house, "anna", "and?", emails=[MAIL])
    house.clock.forward(30 * 86400)
    post(house, "anna", "again", emails=[MAIL])
    assert proposals(house) == [note]


def test_what_was_collected_counts_by_what_it_is(sqlite_url: str) -> None:
    """Whatever the field is called; a number without country code, or an order number, is nobody."""
    house = House(sqlite_url, desk=FullSink)
    house.categories = {"": ACCOUNT}
    furnish(house)
    post(house, "anna", phones=["+39 333 1234567"])
    post(house, "bea", "call +39 3331234567 please")
    assert [note.partition("(")[2][:3] for note in proposals(house)] == ["…67"]
    post(house, "carl", "my number is 3331234567, order 123456789")
    post(house, "dora", "my number is 3331234567, order 123456789")
    assert len(proposals(house)) == 1
    house.close()


def test_what_many_gave_belongs_to_nobody(house: House) -> None:
    """From the fourth customer on it is a shared mailbox."""
    for author in ("anna", "bea", "carl", "dora", "emil"):
        post(house, author, emails=["info@example.com"])
    assert [record for record in house.helpdesk.records if proposals_in(house, record)] == ["r2", "r3"]


def proposals_in(house: House, record: str) -> bool:
    return any("sch-same-person" in note for note in notes(house, record))


@pytest.mark.parametrize("account", [{"kind": "bot"}, {"kind": "agent"}, {"handle": "brand"}])
def test_bots_and_our_own_are_nobodys_second_account(house: House, account: dict[str, str]) -> None:
    """Whichever of the two writes first."""
    post(house, "echo", emails=[MAIL], **account)
    post(house, "anna", emails=[MAIL])
    post(house, "echo", "again", emails=[MAIL], **account)
    assert proposals(house) == []


def test_a_helpdesk_that_is_only_observed_hears_it_later(sqlite_url: str) -> None:
    """The one note is not spent where nobody can read it."""
    house = open_house(sqlite_url, sink_mode="observe")
    post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL])
    assert house.rows("SELECT * FROM person_pair") == []
    house.store.run(lambda tx: connections.change(tx, "desk", mode="live"))
    post(house, "bea", "and now?", emails=[MAIL])
    assert len(proposals(house)) == 1
    house.close()


def test_an_agents_word_joins_and_another_one_parts_again(database_url: str) -> None:
    """The older customer stays, with the tickets of both; parted, everything is as it was, and stays so."""
    house = open_house(database_url)
    post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL])
    before = customers(house)
    give(house, "sch-same-person", "r2")
    assert customers(house) == {"anna": before["anna"], "bea": before["anna"]}
    assert {row.customer_id for row in house.rows("SELECT customer_id FROM ticket")} == {before["anna"]}
    assert "bea on Fake and anna on Fake are one customer" in notes(house, "r2")[-1]
    assert timeline(house, "person_joined") == [("Agent 7", {"identity": "anna", "network": "fake"})]
    code = house.rows("SELECT code FROM ticket ORDER BY id")[1].code
    (evidence,) = {row.evidence for row in house.rows("SELECT evidence FROM customer_link")} - {"first seen"}
    assert evidence == f"same email, confirmed by Agent 7 in {code}"

    give(house, "sch-same-person", "r2")
    assert "one customer already" in notes(house, "r2")[-1]
    give(house, "sch-wrong-person", "r2")
    assert customers(house) == before
    owners = house.rows("SELECT i.vendor_id, t.customer_id FROM ticket t JOIN identity i ON i.id = t.identity_id")
    assert {row.vendor_id: row.customer_id for row in owners} == before
    assert "anna (Fake) and bea (Fake) are different customers again" in notes(house, "r2")[-1]
    assert "requester" not in house.helpdesk.records["r2"]["fields"]
    assert not any(row.joined for row in house.rows("SELECT joined FROM identity"))
    post(house, "bea", "still me", emails=[MAIL])
    assert len(proposals(house)) == 1
    house.close()


def test_the_first_one_parts_them_too(house: House) -> None:
    """Who was joined goes back, not the one they were joined with; the agent may think better of it once more."""
    post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL])
    before = customers(house)
    give(house, "sch-same-person", "r2")
    give(house, "sch-wrong-person", "r1")
    assert customers(house) == before
    give(house, "sch-same-person", "r2")
    assert customers(house) == {"anna": before["anna"], "bea": before["anna"]}


def test_joined_accounts_share_their_open_ticket(house: House) -> None:
    """Within 24 hours what either writes is one request; parted, it is its opener's, and each has its own again."""
    first = post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL])
    house.helpdesk.set_fields("r2", status="solved")
    give(house, "sch-same-person", "r2")
    post(house, "bea", "And another thing")
    assert len(house.helpdesk.records) == 2
    assert house.helpdesk.records["r1"]["comments"][-1]["text"] == "And another thing"
    post(house, "bea", "And here", reply_to=first)
    assert len(house.helpdesk.records) == 2

    give(house, "sch-wrong-person", "r1")
    post(house, "anna", "I wrote this myself")
    assert len(house.helpdesk.records) == 2
    post(house, "bea", "That was me", reply_to=first)
    assert len(house.helpdesk.records) == 3


def shared(url: str, *, mode: str = "live") -> House:
    """Anna and Bea, joined by an agent, both wrote privately into Bea's request r2, Anna last."""
    house = open_house(url, mode=mode)
    post(house, "anna", "Hello", emails=[MAIL])
    house.helpdesk.set_fields("r1", status="solved")
    steps(house)
    post(house, "bea", "My order is late", emails=[MAIL], private=True)
    give(house, "sch-same-person", "r2")
    post(house, "bea", "Are you there?", private=True)
    post(house, "anna", "My card is 12, by the way", private=True)
    assert len(house.helpdesk.records) == 2
    return house


def reply(house: House, words: str) -> list[tuple[str, str]]:
    """What an agent's answer in r2 becomes on the network: under whose message, with which words."""
    posts, before = house.network.posts, len(house.network.own())
    house.helpdesk.comment("r2", words)
    steps(house)
    return [(posts[one["reply_to"]]["author"], one["text"]) for one in house.network.own()[before:]]


def test_after_a_parting_nobody_is_answered_in_anothers_request(database_url: str) -> None:
    """Who wrote last in it is not its customer any more: the request, its requester and the answers are its opener's,
    also to all; who was parted has a request of their own from their next message on, until an agent joins them again.
    """
    house = shared(database_url)
    assert reply(house, "To both") == [("anna", "To both")]
    give(house, "sch-wrong-person", "r2")
    (owner,) = house.rows(
        "SELECT i.vendor_id, t.customer_id FROM ticket t JOIN identity i ON i.id = t.identity_id WHERE t.private"
    )
    assert (owner.vendor_id, owner.customer_id) == ("bea", customers(house)["bea"])
    assert "requester" not in house.helpdesk.records["r2"]["fields"]
    note = notes(house, "r2")[-1]
    for words in ("anna (Fake) and bea (Fake)", "What anna (Fake) wrote here", "only to bea (Fake)", "of its own"):
        assert words in note
    ((_, told),) = timeline(house, "person_parted")
    assert told == {"identity": "anna (Fake)"}

    assert reply(house, "To Bea alone") == [("bea", "To Bea alone")]
    give(house, "sch-publish-to-all", "r2")
    steps(house, 40)  # copies leave half a minute apart
    assert [house.network.posts[one["reply_to"]]["author"] for one in house.network.own()] == ["anna", "bea", "bea"]
    give(house, "sch-wrong-person", "r2")
    assert "nothing to undo" in notes(house, "r2")[-1]
    post(house, "anna", "And my card?", private=True)
    assert len(house.helpdesk.records) == 3
    assert "My card is 12, by the way" in [one["text"] for one in house.helpdesk.records["r2"]["comments"]]
    give(house, "sch-same-person", "r2")
    assert reply(house, "Again to both") == [("anna", "Again to both")]
    house.close()


@pytest.mark.parametrize("mode", ["draft", "live"])
def test_what_waits_for_who_was_parted_is_never_said(database_url: str, mode: str) -> None:
    """A draft, or an answer that had to wait: discarded, wherever the command is given, and the agent is told."""
    house = shared(database_url, mode=mode)
    if mode == "live":
        now = house.clock()
        house.store.run(lambda tx: connections.pause(tx, "network", reason="a pause", by="me", now=now))
    assert reply(house, "About your card") == []
    give(house, "sch-wrong-person", "r1")
    if mode == "live":
        house.store.run(lambda tx: connections.resume(tx, "network", now=house.clock()))
    (kept,) = house.rows("SELECT state, reason FROM delivery WHERE verb = 'reply'")
    assert (kept.state, kept.reason) == ("discarded", "it was for somebody who is another customer again")
    (why,) = [note for note in notes(house, "r2") if "NOT published" in note]
    assert "it was for anna, who is a different customer again" in why
    assert "goes to bea only" in why
    give(house, "sch-send-draft", "r2")
    assert house.network.own() == []
    house.close()


def test_a_customer_of_two_accounts_is_one_to_the_next(house: House) -> None:
    """What was proposed of one account is not proposed of the other; the console shows who belongs together."""
    post(house, "anna", emails=[MAIL])
    post(house, "bea", emails=[MAIL])
    give(house, "sch-same-person", "r2")
    post(house, "carl", emails=[MAIL], phones=["+393331234567"])
    post(house, "anna", "me again", emails=[MAIL], phones=["+393331234567"])
    assert len(proposals(house)) == 2
    code = house.rows("SELECT code FROM ticket ORDER BY id")[0].code
    with house.store.read() as connection:
        shown = ticket_view.ticket(connection, code, house.hub.decrypt_json)
    assert shown is not None
    assert shown.joined == (("bea", "fake"),)


def test_two_proposals_are_taken_up_one_by_one(house: House) -> None:
    """A tag cannot say which one it means: the newest goes first, and the note says that there is more."""
    for author in ("anna", "bea", "carl"):
        post(house, author, emails=[MAIL])
    before = customers(house)
    give(house, "sch-same-person", "r3")
    assert customers(house) == {**before, "carl": before["bea"]}
    assert "proposed 1 more" in notes(house, "r3")[-1]
    give(house, "sch-same-person", "r3")
    assert set(customers(house).values()) == {before["anna"]}
    assert "more for this request" not in notes(house, "r3")[-1]


def test_who_writes_many_addresses_fills_no_record(house: House) -> None:
    """A few proposals wait per ticket: a note as long as all of them would be refused by the helpdesk."""
    for number in range(8):
        house.network.post(f"u{number}", "Hello?", emails=[f"v{number}@example.com"])
    steps(house)
    for number in range(8):
        house.network.post("mallory", "Hi", emails=[f"v{number}@example.com"])
    steps(house, 20)
    assert len(house.rows("SELECT ticket_id FROM person_pair")) == 3
    assert sum(note.count("Perhaps one customer") for note in proposals(house)) == 3
