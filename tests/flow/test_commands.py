"""What agents say by a tag is obeyed once, told when it cannot be, and the tag goes away; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.configuration import Category, CategoryField, Route, Team, Teams
from hub.sdk import COMMANDS, Agent, Command, RecordChanged, category_tag
from hub.store import Tx, inbox, people, tickets
from hub.store import tables as t
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, furnish, notes, steps, timeline

TEAMS = Teams(
    default_team="care",
    teams={
        "care": Team(name="care", sink="desk", group="Care"),
        "billing": Team(name="billing", sink="desk", group="Billing"),
        "abroad": Team(name="abroad", sink="elsewhere", group="Abroad"),
    },
    routes=(Route(team="billing", category="billing"), Route(team="abroad", category="Customs & Duty")),
)
CATEGORIES = {
    "billing": Category(
        name="billing",
        label={"en": "Bills", "it": "Fatture"},
        fields=(
            CategoryField(name="invoice", purpose="to find it", find="INV-[0-9]+", label="Invoice"),
            CategoryField(name="iban", purpose="to pay back", label="Account"),
        ),
    ),
    "Customs & Duty": Category(name="Customs & Duty"),
}


def open_house(url: str, mode: str = "live") -> House:
    """A house whose helpdesk has every field, with two categories and three teams."""
    house = House(url, desk=FullSink, mode=mode)
    house.categories = CATEGORIES
    return furnish(house, teams=TEAMS, assign="group")


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """One that publishes, with a post of Anna's in the helpdesk."""
    house = open_house(database_url)
    house.network.post("anna", "INV-77 is wrong")
    steps(house)
    yield house
    house.close()


def give(house: House, *tags: str, record: str = "r1") -> None:
    """An agent sets tags, and the hub takes notice."""
    have = house.helpdesk.records[record]["fields"].get("tags", [])
    house.helpdesk.set_fields(record, tags=[*have, *tags], assignee="7")
    steps(house)


def ticket(house: House) -> Any:
    """The first ticket."""
    return house.rows("SELECT * FROM ticket ORDER BY id")[0]


def tags(house: House) -> list[str]:
    """What tags the record has."""
    return list(house.helpdesk.records["r1"]["fields"].get("tags", []))


def answers(house: House) -> list[tuple[str, str]]:
    """What the company said on the network, and under what."""
    return [(post["text"], post["reply_to"]) for post in house.network.own()]


def test_the_table_is_whole() -> None:
    """Every command has a tag of its own that any helpdesk takes, and words in both languages."""
    assert len({command.name for command in COMMANDS}) == len({command.tag for command in COMMANDS}) == 9
    for command in COMMANDS:
        assert command.tag.startswith("sch-")
        assert set(command.tag) <= set("abcdefghijklmnopqrstuvwxyz-")
        assert command.title.en != command.title.it
        assert command.description.in_language("it-IT") == command.description.it
        assert command.description.in_language("de") == command.description.en
    assert [command.tag for command in COMMANDS if command.name == "send_draft"] == ["sch-send"]
    assert category_tag("Customs & Duty") == "sch-category-customs-duty"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_acts_once_and_its_tag_goes_away(house: House, command: Command) -> None:
    """Other changes of the record while the tag is still there are no new word of the agent's."""
    tag = category_tag("billing") if command.takes_category else command.tag
    house.helpdesk.faults.add("update", "before", 3)  # the removal takes a while
    give(house, "vip", tag)
    seen = len(timeline(house, "record_changed"))
    house.helpdesk.set_fields("r1", priority="high")
    steps(house, 20)
    assert tags(house) == ["vip"]
    assert len(timeline(house, "record_changed")) >= seen
    kinds = {
        "accept": "accepted",
        "not_for_us": "not_for_us",
        "other_category": "category_changed",
        "stop_updates": "updates_stopped",
    }
    if command.name in kinds:
        assert len(timeline(house, kinds[command.name])) == 1
    else:
        assert len(notes(house)) == 1, "where there is nothing to act on, one note says so"


def test_given_again_after_it_was_removed_it_is_a_new_word(house: House) -> None:
    """Also when the record was not seen without it in between."""
    feed = house.helpdesk.feed
    house.helpdesk.on_effect = lambda path, answer: feed.pop() if path == "update" else None
    give(house, "sch-accept")
    assert (len(timeline(house, "accepted")), tags(house)) == (1, [])
    give(house, "sch-accept")
    assert (len(timeline(house, "accepted")), tags(house)) == (1, [])
    assert notes(house) == ["Accepted already: nothing changed."]


def _arrives(house: House, event: Any) -> None:
    house.store.run(lambda tx: inbox.add_events(tx, connection="desk", events=[event], now=house.clock()))
    steps(house)


def test_a_late_report_of_the_tag_is_no_new_word(house: House) -> None:
    """What was true before the removal does not count after it."""
    give(house, "sch-stop-updates")
    old = next(one for one in house.helpdesk.feed if one["kind"] == "record")
    event = FullSink.event(old)
    assert isinstance(event, RecordChanged)
    _arrives(house, event.model_copy(update={"event_key": "late"}))
    assert len(timeline(house, "updates_stopped")) == 1
    assert notes(house) == []


def test_a_rule_that_sets_a_tag_again_and_again_blows_the_fuse(house: House) -> None:
    """The hub takes the tag away, and a trigger fires at that very change: twenty rounds, an alarm, and no more."""
    for _ in range(30):
        if "sch-ask-again" not in tags(house):
            give(house, "sch-ask-again")
    assert tags(house) == ["sch-ask-again"]
    assert len(notes(house)) == 20
    assert [row.kind for row in house.rows("SELECT kind FROM alarm")] == ["fuse"]
    house.helpdesk.set_fields("r1", tags=[])
    house.clock.forward(3600)
    steps(house)
    give(house, "sch-ask-again")
    assert tags(house) == []


def test_categories_in_any_script_have_tags_of_their_own(house: House) -> None:
    """An agent's order goes to the category that was named, whatever letters it is written in."""
    names = ("配送", "退货", "Qualità", "Reso", "Доставка")
    assert len({category_tag(name) for name in names}) == len(names)
    assert category_tag("Qualità") == "sch-category-qualita"
    house.hub.categories = {name: Category(name=name) for name in names}
    give(house, category_tag("退货"))
    assert ticket(house).category == "退货"


def test_accept_keeps_the_ticket_as_it_is(house: House) -> None:
    """The status stays; who said so is in the timeline."""
    house.helpdesk.set_fields("r1", status="pending")
    steps(house)
    give(house, "sch-accept")
    assert ticket(house).status == "pending"
    assert timeline(house, "accepted")[0][0] == "Agent 7"


def test_not_for_us_ends_it_without_an_answer(house: House) -> None:
    """Solved in both; what the customer adds is a note and reopens nothing, weeks later neither; the router can learn
    from the timeline."""
    give(house, "sch-not-for-us")
    assert (ticket(house).status, house.helpdesk.records["r1"]["fields"]["status"]) == ("solved", "solved")
    assert timeline(house, "not_for_us")[0][1]["team"] == "care"
    house.network.post("anna", "Hello?", reply_to="p1")
    steps(house)
    house.clock.forward(20 * 86400)
    house.network.post("anna", "Still there?", reply_to="p1")
    steps(house)
    assert (ticket(house).status, len(house.helpdesk.records)) == ("solved", 1)
    assert [note.rsplit("\n", 1)[1] for note in notes(house)] == ["Hello?", "Still there?"]
    house.helpdesk.comment("r1", "Please ask somebody else")
    steps(house)
    assert answers(house) == []
    assert "not for us" in notes(house)[-1]


def test_accept_takes_not_for_us_back(house: House) -> None:
    """From then on answers go out and the customer's words reopen it."""
    give(house, "sch-not-for-us")
    give(house, "sch-accept")
    house.helpdesk.comment("r1", "Sorry for the delay")
    steps(house)
    assert [text for text, _ in answers(house)] == ["Sorry for the delay"]
    house.network.post("anna", "Thanks", reply_to="p1")
    steps(house)
    assert ticket(house).status == "open"


def test_not_for_us_gives_a_waiting_draft_up(database_url: str) -> None:
    """A later "send this draft" finds none."""
    house = open_house(database_url, mode="draft")
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    steps(house)
    give(house, "sch-not-for-us")
    give(house, "sch-send")
    assert answers(house) == []
    assert any("No draft waits" in note for note in notes(house))
    house.close()


def test_another_category_brings_its_team_and_its_data(house: House) -> None:
    """The group moves, what the customer said already is found, the rest is named."""
    give(house, "sch-category-billing")
    now = ticket(house)
    assert (now.category, now.team) == ("billing", "billing")
    assert house.helpdesk.records["r1"]["fields"]["group"] == "Billing"
    assert house.hub.decrypt_json(now.fields) == {"invoice": "INV-77"}
    assert "Category: Bills. Team: billing." in notes(house)[-1]
    assert "Account" in notes(house)[-1]
    assert timeline(house, "category_changed")[0][1] == {"category": "billing", "kind": "other", "team": "billing"}


@pytest.mark.parametrize(
    ("tag", "words", "category"),
    [
        ("sch-category-dragons", "sch-category-billing, sch-category-customs-duty", ""),
        ("sch-category-", "sch-category-billing, sch-category-customs-duty", ""),
        ("sch-category-customs-duty", "another helpdesk (elsewhere)", "Customs & Duty"),
    ],
)
def test_a_category_that_cannot_be_followed_is_told(house: House, tag: str, words: str, category: str) -> None:
    """One nobody knows changes nothing; one of a team elsewhere leaves the record where it is."""
    give(house, tag)
    assert words in notes(house)[-1]
    assert (ticket(house).category, ticket(house).team) == (category, "care")
    assert tags(house) == []


def test_a_wrong_person_is_parted_from_the_customer(house: House) -> None:
    """The link is undone with its evidence, the identity goes back to the customer it was, also in its tickets."""

    def join(tx: Tx) -> tuple[int, int]:
        other = tx.execute(t.customer.insert().values(name="Bruno", created_at=house.clock())).inserted_primary_key[0]
        bruno = tx.execute(
            t.identity.insert().values(network="fake", vendor_id="bruno", created_at=house.clock())
        ).inserted_primary_key[0]
        anna = people.find_identity(tx.connection, "fake", "anna")
        assert anna is not None
        own = people.customer_of(tx, anna.id)
        assert own is not None
        tx.execute(t.customer_link.update().values(undone_at=house.clock()))
        for identity in (bruno, anna.id):
            link = {"customer_id": other, "identity_id": identity, "evidence": "guess", "created_at": house.clock()}
            tx.execute(t.customer_link.insert().values(**link))
        tickets.change(tx, 1, now=house.clock(), customer_id=other)
        return own, anna.id

    own, anna = house.store.run(join)
    give(house, "sch-wrong-person")
    assert ticket(house).customer_id == own
    links = house.rows("SELECT * FROM customer_link WHERE identity_id = :anna ORDER BY id", anna=anna)
    assert [(link.evidence, link.undone_at is None) for link in links] == [
        ("first seen", False),
        ("guess", False),
        (f"parted by Agent 7 in {ticket(house).code}", True),
    ]
    assert "anna" in notes(house)[-1]
    give(house, "sch-wrong-person")
    assert "nothing to undo" in notes(house)[-1]


def test_publish_to_all_reaches_the_customers_other_posts_once(house: House) -> None:
    """The last answer goes under each other post, spaced, and a second command finds nothing left."""
    second, third = house.network.post("anna", "and here"), house.network.post("anna", "and there")
    steps(house)
    house.helpdesk.comment("r1", "It is settled")
    steps(house)
    assert len(answers(house)) == 1
    before = house.clock()
    give(house, "sch-publish-to-all")
    assert len(answers(house)) == 2
    steps(house, 40)
    assert {under for _, under in answers(house)} == {"p1", second, third}
    due = sorted(row.due_at for row in house.rows("SELECT due_at FROM delivery WHERE key LIKE 'reply:all:%'"))
    assert due[1] - due[0] == 30_000
    assert due[0] >= before.timestamp() * 1000
    give(house, "sch-publish-to-all")
    steps(house, 40)
    assert len(answers(house)) == 3
    assert any("Nothing more to publish" in note for note in notes(house))
    assert timeline(house, "published_to_all")[0][1]["number"] == 2


def test_publish_to_all_asks_for_the_draft_first(database_url: str) -> None:
    """A draft is not copied; both commands at once send it and copy it."""
    house = open_house(database_url, mode="draft")
    house.network.post("anna", "one")
    steps(house)
    house.network.post("anna", "two")
    steps(house)
    house.helpdesk.comment("r1", "Both done")
    steps(house)
    give(house, "sch-publish-to-all")
    assert answers(house) == []
    assert "still a draft" in notes(house)[-1]
    give(house, "sch-publish-to-all", "sch-send")
    steps(house, 10)
    assert {under for _, under in answers(house)} == {"p1", "p2"}
    house.close()


def test_a_copy_that_may_not_go_out_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others still do; more than the bound wait for another word."""
    monkeypatch.setattr("hub.flow.commands.MOST_COPIES", 2)
    for number in range(4):
        house.network.post("anna", f"post {number}")
    steps(house)
    house.helpdesk.comment("r1", "Known")
    steps(house)
    give(house, "sch-publish-to-all")
    assert "2 more posts were left out" in notes(house)[-1]


def test_ask_again_is_kept_with_what_is_missing(house: House) -> None:
    """Nothing missing, or automation stopped: the note says so."""
    give(house, "sch-ask-again")
    assert "Nothing is missing" in notes(house)[-1]
    give(house, "sch-category-billing")
    give(house, "sch-ask-again")
    assert timeline(house, "asked_again") == [("Agent 7", {"names": ["iban"]})]
    give(house, "sch-stop-updates")
    give(house, "sch-ask-again")
    assert "asks nothing" in notes(house)[-1]
    assert ticket(house).automation_stopped
    assert len(timeline(house, "asked_again")) == 1


def test_a_record_that_is_no_longer_the_tickets_gives_no_commands(house: House) -> None:
    """A merged record's tags are history."""
    event = RecordChanged(
        event_key="merge", record_id="r1", changed_at=house.clock(), merged_into="r9", tags=("sch-not-for-us",)
    )
    _arrives(house, event)
    later = event.model_copy(update={"event_key": "after", "changed_at": house.clock(), "assignee": Agent(id="7")})
    _arrives(house, later)
    assert ticket(house).status == "new"
    assert timeline(house, "not_for_us") == []
