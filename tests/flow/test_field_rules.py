"""Where both sides have a value, the configured side's holds, newer over older, and the timeline tells; on both
databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hub.configuration import Category, CategoryField, Route, Team, Teams
from hub.sdk import Agent, RecordChanged
from hub.store import inbox, tickets
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, furnish, notes, steps, timeline

TEAMS = Teams(
    default_team="care",
    teams={
        "care": Team(name="care", sink="desk", group="Care"),
        "billing": Team(name="billing", sink="desk", group="Billing"),
    },
)


@pytest.fixture
def make(database_url: str) -> Iterator[Any]:
    """``make(**wins)`` opens a house with these rules and one ticket of Anna's."""
    houses: list[House] = []

    def _make(**wins: str) -> House:
        house = furnish(House(database_url, desk=FullSink), teams=TEAMS, wins=wins)
        houses.append(house)
        house.network.post("anna", "Hello?")
        steps(house)
        house.store.run(lambda tx: tickets.change(tx, 1, now=house.clock(), tags=["vip"], agent="3"))
        return house

    yield _make
    for house in houses:
        house.close()


def ticket(house: House) -> Any:
    """The ticket."""
    return house.rows("SELECT * FROM ticket")[0]


def there(house: House, field: str) -> Any:
    """A field's value in the helpdesk."""
    return house.helpdesk.records["r1"]["fields"].get(field)


def story(house: House, kind: str) -> list[tuple[Any, ...]]:
    """The overwrites of this kind: field, ours, theirs, whose rule."""
    return [tuple(data[name] for name in ("field", "ours", "theirs", "wins")) for _, data in timeline(house, kind)]


def test_the_helpdesk_wins_unless_said_otherwise(make: Any) -> None:
    """Status, priority, group and assignee are taken over, each with both values in the timeline."""
    house = make()
    house.helpdesk.set_fields("r1", status="open", priority="high", group="Billing", assignee="8", tags=["x"])
    steps(house)
    now = ticket(house)
    assert (now.status, now.priority, now.team, now.agent) == ("open", "high", "billing", "8")
    assert now.assignees == '["Agent 8"]'
    assert sorted(story(house, "field_taken")) == [
        ("assignee", "3", "Agent 8", "helpdesk"),
        ("group", "Care", "Billing", "helpdesk"),
        ("priority", "normal", "high", "helpdesk"),
        ("status", "new", "open", "helpdesk"),
    ]
    assert story(house, "field_put_back") == []
    assert timeline(house, "record_changed")[0][1] == {"tags": ["x"]}


@pytest.mark.parametrize(
    ("field", "theirs", "ours"),
    [
        ("priority", "low", "normal"),
        ("group", "Billing", "Care"),
        ("status", "solved", "new"),
        ("assignee", "8", "3"),
        ("tags", ["x"], ["x", "vip"]),
    ],
)
def test_a_field_the_hub_wins_is_put_back_once(make: Any, field: str, theirs: Any, ours: Any) -> None:
    """The ticket keeps its value, the helpdesk gets it again, and both are in the timeline."""
    house = make(**{field: "hub"})
    house.helpdesk.set_fields("r1", **{field: theirs})
    steps(house, 20)
    assert there(house, field) == ours
    shown = "Agent 8" if field == "assignee" else theirs
    assert story(house, "field_put_back") == [(field, ["vip"] if field == "tags" else ours, shown, "hub")]
    assert story(house, "field_taken") == []
    assert (ticket(house).status, ticket(house).priority, ticket(house).team) == ("new", "normal", "care")


def test_something_that_undoes_it_each_time_wins_in_the_end(make: Any) -> None:
    """A trigger there and a rule here never play ping-pong: after three laps an hour the hub leaves the field alone."""
    house = make(priority="hub")

    def undo(path: str, answer: dict[str, Any]) -> None:
        if path == "update" and there(house, "priority") == "normal":
            house.helpdesk.set_fields("r1", priority="low")

    house.helpdesk.on_effect = undo
    house.helpdesk.set_fields("r1", priority="low")
    steps(house, 60)
    assert len(story(house, "field_put_back")) == 3
    assert story(house, "field_left") == [("priority", "normal", "low", "hub")]
    house.clock.forward(3700)
    house.helpdesk.on_effect = lambda path, answer: None
    house.helpdesk.set_fields("r1", priority="high")
    steps(house)
    assert there(house, "priority") == "normal"


def report(house: House, key: str, *, ago: float = 0, **fields: Any) -> None:
    """The helpdesk reports a record as it was a while ago."""
    at = house.clock() - timedelta(seconds=ago)
    event = RecordChanged(event_key=key, record_id="r1", changed_at=at, **fields)
    house.store.run(lambda tx: inbox.add_events(tx, connection="desk", events=[event], now=house.clock()))
    steps(house, 3)


def test_older_never_overwrites_newer_field_by_field(make: Any) -> None:
    """A late report counts for what the newer one did not speak of, and for nothing else."""
    house = make()
    house.clock.forward(100)
    report(house, "new", status="pending")
    report(house, "old", ago=50, status="open", priority="urgent")
    assert (ticket(house).status, ticket(house).priority) == ("pending", "urgent")
    report(house, "older", ago=90, status="solved", priority="low")
    assert (ticket(house).status, ticket(house).priority) == ("pending", "urgent")
    (row,) = house.rows("SELECT reason FROM inbox WHERE event_key = 'older'")
    assert row.reason == "older than what is known"


def test_a_value_of_ours_on_its_way_is_not_overwritten_by_a_report_from_before(make: Any) -> None:
    """The customer reopened the ticket; that it was solved a moment ago is no longer news."""
    house = make()
    report(house, "solved", status="solved", assignee=Agent(id="3"))
    house.helpdesk.comment("r1", "Done")
    steps(house)
    house.helpdesk.faults.add("add", "before", 4)
    house.network.post("anna", "Not at all", reply_to="p1")
    house.step()
    assert ticket(house).status == "open"
    report(house, "solved late", status="solved", priority="low")
    assert (ticket(house).status, ticket(house).priority) == ("open", "low")
    steps(house, 30)
    assert there(house, "status") == "open"
    house.clock.forward(60)
    report(house, "solved again", status="solved")
    assert ticket(house).status == "solved"


def test_a_report_from_before_our_value_arrived_is_old_though_its_echo_has_not_come(make: Any) -> None:
    """The helpdesk's time of our update counts, not when the hub heard of it."""
    house = make()
    report(house, "solved", status="solved")
    house.helpdesk.comment("r1", "Done")
    steps(house)
    feed = house.helpdesk.feed
    house.helpdesk.on_effect = lambda path, answer: feed.pop() if path == "update" and feed[-1].get("fields") else None
    house.network.post("anna", "Not at all", reply_to="p1")
    steps(house, 3)
    assert there(house, "status") == "open"
    report(house, "pending late", ago=9, status="pending", priority="low")
    assert (ticket(house).status, ticket(house).priority) == ("open", "low")


def test_what_was_mirrored_before_there_were_clocks_counts(make: Any) -> None:
    """A hub that was updated does not take an old report for new."""
    house = make()
    at = house.clock.stamp()
    house.store.run(
        lambda tx: tx.connection.exec_driver_sql(
            f"""UPDATE record_link SET mirrored = '{{"status": "pending", "at": {at}}}'"""
        )
    )
    report(house, "old", ago=100, status="solved")
    assert ticket(house).status == "new"
    report(house, "new", status="open")
    assert ticket(house).status == "open"


def test_who_was_named_by_address_is_no_conflict_with_an_id(make: Any) -> None:
    """What cannot be compared is taken over in silence."""
    house = make(assignee="hub")
    house.store.run(lambda tx: tickets.change(tx, 1, now=house.clock(), agent="anna@example.com"))
    report(house, "assigned", assignee=Agent(id="8", name="Anna"))
    assert ticket(house).assignees == '["Anna"]'
    assert story(house, "field_put_back") == story(house, "field_taken") == []


CATEGORIES = {
    "billing": Category(
        name="billing", fields=(CategoryField(name="invoice", purpose="to find it", find="INV-[0-9]+"),)
    ),
    "delivery": Category(name="delivery"),
}


def sorted_by_category(make: Any, **wins: str) -> House:
    """A house that knows two categories, with a ticket of the first."""
    house: House = make(**wins)
    house.hub.categories = CATEGORIES
    house.hub.teams = TEAMS.model_copy(update={"routes": (Route(team="billing", category="billing"),)})
    house.store.run(lambda tx: tickets.change(tx, 1, now=house.clock(), category="delivery"))
    return house


def test_an_agent_s_category_is_followed(make: Any) -> None:
    """As by the command: the team changes with it, what is missing is named, and nothing comes twice."""
    house = sorted_by_category(make)
    house.helpdesk.set_fields("r1", category="billing")
    house.helpdesk.set_fields("r1", category="billing", priority="low")
    steps(house)
    assert (ticket(house).category, ticket(house).team, there(house, "group")) == ("billing", "billing", "Billing")
    assert story(house, "field_taken") == [
        ("category", "delivery", "billing", "helpdesk"),
        ("priority", "normal", "low", "helpdesk"),
    ]
    assert len(timeline(house, "category_changed")) == 1
    assert sum("invoice" in note for note in notes(house)) == 1


def test_a_category_that_means_nothing_here_changes_nothing(make: Any) -> None:
    """Emptied, or unknown to the hub: no opinion."""
    house = sorted_by_category(make)
    house.helpdesk.set_fields("r1", category="")
    house.helpdesk.set_fields("r1", category="weather")
    steps(house)
    assert ticket(house).category == "delivery"
    assert story(house, "field_taken") == []


def test_a_category_the_hub_wins_is_put_back(make: Any) -> None:
    """Once; the ticket keeps its own."""
    house = sorted_by_category(make, category="hub")
    house.helpdesk.set_fields("r1", category="billing")
    steps(house, 12)
    assert (ticket(house).category, there(house, "category")) == ("delivery", "delivery")
    assert story(house, "field_put_back") == [("category", "delivery", "billing", "hub")]


def test_two_rules_that_answer_each_other_end(make: Any) -> None:
    """Each update of ours makes a rule set the other category: after some laps the hub stops and raises an alarm."""
    house = sorted_by_category(make)

    def answer(path: str, _: dict[str, Any]) -> None:
        if path == "update":
            house.helpdesk.set_fields("r1", category="delivery" if there(house, "category") == "billing" else "billing")

    house.helpdesk.on_effect = answer
    house.helpdesk.set_fields("r1", category="billing")
    steps(house, 60)
    assert len(timeline(house, "category_changed")) == 6
    (alarm,) = house.rows("SELECT kind, text FROM alarm")
    assert alarm.kind == "fuse"
    assert "changes of category" in alarm.text
