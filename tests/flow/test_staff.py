"""The helpdesk's people are asked, and one who is free gets the ticket; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.configuration import Member, Shift, Team, Teams
from hub.flow import staff
from hub.sdk import AgentState, AuthenticationFailed, Decides, Decision, Question, RateLimited, TemporaryFailure
from hub.store import connections
from hub.store.side_tables import agent
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, StaffedSink, furnish, person, steps, timeline


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has people of its own."""
    monkeypatch.setattr(StaffedSink, "people", [])


def care(**more: Any) -> Teams:
    """One team in the group Care."""
    return Teams(default_team="care", teams={"care": Team(**{"name": "care", "sink": "desk", "group": "Care", **more})})


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database; whatever houses were built on it are closed."""
    yield database_url
    for house in HOUSES:
        house.close()
    HOUSES.clear()


HOUSES: list[House] = []


def at_work(url: str, people: list[AgentState] | Exception, *, desk: type = StaffedSink, **how: Any) -> House:
    """A house whose helpdesk has these people."""
    StaffedSink.people = people  # type: ignore[assignment]
    HOUSES.append(furnish(House(url, desk=desk), teams=how.pop("teams", care()), **how))
    return HOUSES[-1]


def given(house: House, *names: str) -> list[str]:
    """Whom the tickets of new customers went to in the helpdesk."""
    for name in names:
        house.network.post(name, f"{name} asks")
        steps(house, 3)
    steps(house)
    return [str(record["fields"].get("assignee", "")) for record in house.helpdesk.records.values()]


def test_who_has_least_to_do_gets_the_ticket_and_what_was_given_counts_at_once(url: str) -> None:
    """The helpdesk's count is minutes old: what the hub gave since is added."""
    house = at_work(url, [person("1", open_tickets=2), person("2", open_tickets=0), person("3", open_tickets=9)])
    assert given(house, "anna", "bruno", "carla", "dora") == ["2", "2", "1", "2"]
    assert timeline(house, "assigned")[0][1] == {"team": "care", "agent": "Agent 2"}


def test_a_count_that_is_read_again_counts_nothing_twice(url: str) -> None:
    """After the next asking the helpdesk's own count holds."""
    house = at_work(url, [person("1", open_tickets=1), person("2", open_tickets=0)])
    assert given(house, "anna") == ["2"]
    house.clock.forward(600)
    StaffedSink.people = [person("1", open_tickets=1), person("2", open_tickets=0)]
    assert given(house, "bruno") == ["2", "2"]


@pytest.mark.parametrize(
    ("people", "team", "who"),
    [
        ([person("1", available=False), person("2", open_tickets=9)], {}, "2"),
        ([person("1", available=False)], {}, ""),
        ([person("1", groups=("Other",)), person("2", open_tickets=9)], {}, "2"),
        ([person("1", open_tickets=5), person("2", open_tickets=9, capacity=10)], {"capacity": 5}, "2"),
        ([person("1", open_tickets=5, available=True, capacity=5)], {}, ""),
        ([person("1"), person("2", open_tickets=3)], {"members": ("2@example.com",)}, "2"),
        ([person("1"), person("2", open_tickets=3)], {"members": ("agent 2",)}, "2"),
        ([person("1"), person("2", open_tickets=3)], {"members": ({"agent": "2", "capacity": 3},)}, ""),
        ([person("1"), person("2", open_tickets=3, groups=("Other",))], {"members": ("2",)}, ""),
        ([person("1")], {"group": ""}, ""),
        ([person("1")], {"group": "", "members": ("1",)}, "1"),
    ],
    ids=[
        "one is away",
        "all are away",
        "one is in another group",
        "one has too much for the team, the other less than the helpdesk says",
        "present and full",
        "a member by address",
        "a member by name",
        "a member's own capacity",
        "a member outside of the group",
        "neither group nor members",
        "members without a group",
    ],
)
def test_only_who_is_free_gets_it(url: str, people: list[AgentState], team: dict[str, Any], who: str) -> None:
    """Nobody free: the group decides."""
    members = tuple(
        Member.model_validate(one if isinstance(one, dict) else {"agent": one}) for one in team.get("members", ())
    )
    house = at_work(url, people, teams=care(**{**team, "members": members}))
    assert given(house, "anna") == [who]


class Says(Decides):
    """A router that knows language, category or agent."""

    name = "says"
    display_name = "Says"
    answer = Decision()

    def decide(self, questions: Any) -> list[Decision | None]:
        """The same for all."""
        assert all(isinstance(one, Question) for one in questions)
        return [self.answer for _ in questions]


@pytest.mark.parametrize(
    ("answer", "who"),
    [
        (Decision(category="Refunds"), "3"),
        (Decision(category="parcels"), "1"),
        (Decision(language="it-IT"), "2"),
        (Decision(language="fr"), ""),
        (Decision(agent="9"), "9"),
    ],
    ids=["a skill", "a skill nobody has", "a language", "a language nobody speaks", "the router's word"],
)
def test_skill_and_language_go_before_load(url: str, answer: Decision, who: str) -> None:
    """Who speaks the language; among them who knows the subject; then who has least to do."""
    members = (
        Member(agent="1", languages=("en", "de")),
        Member(agent="2", languages=("it",)),
        Member(agent="3", skills=("refunds",), languages=("en", "it")),
    )
    people = [person("1", open_tickets=0), person("2", open_tickets=1), person("3", open_tickets=2)]
    house = at_work(url, people, teams=care(members=members))
    Says.answer = answer
    house.hub.routers = [Says(None)]
    assert given(house, "anna") == [who]


def test_out_of_hours_nobody_is_named(url: str) -> None:
    """The group gets it; in the morning somebody does again."""
    shift = Shift.model_validate({"days": "mon-fri", "hours": "10:05-18:00", "time_zone": "Europe/Rome"})
    house = at_work(url, [person("1")], teams=care(shifts=(shift,)))
    assert given(house, "anna") == [""]
    house.clock.forward(300)
    assert given(house, "bruno") == ["", "1"]


@pytest.mark.parametrize("assign", ["off", "fields", "group"])
def test_nobody_is_asked_or_named_where_the_helpdesk_decides(url: str, assign: str) -> None:
    """Without ``assign = "agent"`` not even the list of people is read."""
    house = at_work(url, TemporaryFailure("must not be asked"), assign=assign)
    assert staff.sinks(house.hub) == []
    assert given(house, "anna") == [""]
    assert house.rows("SELECT * FROM agent") == []


def test_where_the_helpdesk_does_not_tell_its_people_the_members_are_counted_here(url: str) -> None:
    """Open tickets per member are the hub's own; solved ones free the member."""
    house = at_work(url, [], desk=FullSink, teams=care(group="", members=(Member(agent="1"), Member(agent="2"))))
    assert given(house, "anna", "bruno") == ["1", "2"]
    house.helpdesk.set_fields("r2", status="solved")
    steps(house)
    house.clock.forward(300)
    assert given(house, "carla") == ["1", "2", "2"]


def test_who_left_is_forgotten_and_what_was_known_outlives_a_failure(url: str) -> None:
    """A helpdesk that does not answer costs nothing but freshness."""
    house = at_work(url, [person("1"), person("2", open_tickets=5)])
    StaffedSink.people = TemporaryFailure("down")  # type: ignore[assignment]
    house.clock.forward(600)
    assert given(house, "anna") == ["1"]
    StaffedSink.people = [person("2", open_tickets=5)]
    house.clock.forward(600)
    assert given(house, "bruno") == ["1", "2"]
    assert [row.vendor_id for row in house.rows("SELECT vendor_id FROM agent")] == ["2"]


@pytest.mark.parametrize(
    ("error", "paused", "blocked"),
    [
        (RateLimited("slow down", retry_after=60), False, True),
        (AuthenticationFailed("the token is not valid"), True, False),
        (RuntimeError("a bug"), False, False),
    ],
    ids=["rate limit", "token", "bug"],
)
def test_a_failure_is_handled_as_its_kind_says(url: str, error: Exception, paused: bool, blocked: bool) -> None:
    """As for every other call to the vendor; the engine goes on."""
    house = at_work(url, error)
    (row,) = house.rows("SELECT paused, blocked_until FROM connection WHERE name = 'desk'")
    assert (bool(row.paused), row.blocked_until is not None) == (paused, blocked)


def test_people_are_asked_every_few_minutes_and_not_while_the_connection_rests(url: str) -> None:
    """Each asking costs calls."""
    house = at_work(url, [person("1")])
    asked = lambda: len([1 for _ in house.rows("SELECT seen_at FROM agent WHERE seen_at > :at", at=before)])  # noqa: E731
    before = house.clock.stamp() * 1000
    steps(house, 100)
    assert asked() == 0
    house.store.run(lambda tx: connections.change(tx, "desk", paused="by hand"))
    steps(house, 200)
    assert asked() == 0
    house.store.run(lambda tx: connections.change(tx, "desk", paused=""))
    steps(house, 200)
    assert asked() == 1


def test_no_score_of_a_person_is_kept() -> None:
    """Who is there and how much they have, now: nothing about how well or fast somebody works."""
    kept = {column.name for column in agent.columns}
    assert kept == {
        *("connection", "vendor_id", "name", "email", "groups", "skills"),
        *("available", "open_tickets", "capacity", "seen_at"),
    }
