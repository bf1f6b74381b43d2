"""One cause, many who report it: the link is followed, an answer to all goes out piece by piece; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from hub.flow import incident
from hub.store import connections
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, furnish, notes, steps, timeline


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """Three customers report the same outage."""
    house = furnish(House(database_url, desk=FullSink))
    for who in ("anna", "bea", "carl"):
        house.network.post(who, f"{who} is offline")
    steps(house)
    yield house
    house.close()


def said(house: House) -> list[str]:
    """What the company said on the network."""
    return [post["text"] for post in house.network.own()]


def solve(house: House, *records: str) -> None:
    """The problem p9 is solved with an answer, which the helpdesk copies to its incidents."""
    for record in records:
        house.helpdesk.comment(record, "It works again.", copied_from="p9")


def test_an_incident_s_problem_is_in_its_timeline(house: House) -> None:
    """Linked and unlinked once each; a report of the same link again says nothing."""
    house.helpdesk.set_fields("r1", problem="p9")
    house.helpdesk.set_fields("r1", priority="high")
    house.helpdesk.set_fields("r1", problem="")
    house.helpdesk.set_fields("r2", problem="")
    steps(house)
    assert timeline(house, "problem_linked") == [("desk", {"problem": "p9"})]
    assert timeline(house, "problem_unlinked") == [("desk", {"problem": "p9"})]


def test_copies_of_one_answer_leave_one_by_one(house: House) -> None:
    """Every customer gets it, spaced: networks take many like words at once for spam."""
    solve(house, "r1", "r2", "r3")
    steps(house, 3)
    assert said(house) == ["It works again."]
    house.clock.forward(incident.COPIES_APART.total_seconds())
    steps(house, 3)
    assert len(said(house)) == 2
    house.clock.forward(incident.COPIES_APART.total_seconds())
    steps(house, 3)
    assert len(said(house)) == 3
    assert {data["copied_from"] for _, data in timeline(house, "agent_answered")} == {"p9"}


def test_an_ordinary_answer_waits_for_no_copy(house: House) -> None:
    """Only copies of one problem's answers are spaced."""
    for record in ("r1", "r2", "r3"):
        house.helpdesk.comment(record, "We look at it.")
    steps(house, 4)
    assert len(said(house)) == 3


def test_words_pasted_into_each_incident_are_spaced_too(house: House) -> None:
    """Whoever writes them, a network sees the same words many times; other words do not wait for them."""
    for record in ("r1", "r2", "r3"):
        house.helpdesk.set_fields(record, problem="p9")
    steps(house)
    for record in ("r1", "r2"):
        house.helpdesk.comment(record, "It works again.")
    house.helpdesk.comment("r3", "Yours was something else.")
    steps(house, 3)
    assert sorted(said(house)) == ["It works again.", "Yours was something else."]


def test_too_many_copies_wait_for_the_agent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound a copy is a draft with a note; the macro sends it."""
    monkeypatch.setattr(incident, "MOST_COPIES", 2)
    solve(house, "r1", "r2", "r3")
    steps(house)
    house.clock.forward(100)
    steps(house)
    assert len(said(house)) == 2
    assert any("for spam" in note for note in notes(house, "r3"))
    house.helpdesk.set_fields("r3", tags=["sch-send"])
    steps(house)
    assert len(said(house)) == 3


def test_a_copy_of_a_rule_s_words_is_not_published(house: House) -> None:
    """What no person wrote stays inside, copied or not."""
    house.helpdesk.comment("r1", "Automatic words", copied_from="p9", automatic=True)
    steps(house)
    assert said(house) == []


def test_copies_that_waited_do_not_leave_together(house: House) -> None:
    """The network was off for an hour: every turn went by, and they are spaced all the same."""
    house.store.run(lambda tx: connections.pause(tx, "network", reason="x", by="operator", now=house.clock()))
    solve(house, "r1", "r2", "r3")
    steps(house)
    house.clock.forward(3600)
    house.store.run(lambda tx: connections.resume(tx, "network", now=house.clock()))
    steps(house)
    assert len(said(house)) == 1
    steps(house, 45)
    moments = [post["at"] for post in house.network.own()]
    assert len(moments) == 3
    assert min(after - before for before, after in pairwise(moments)) >= 10


def test_drafts_sent_in_one_go_are_spaced(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent marks them all and chooses the macro."""
    monkeypatch.setattr(incident, "MOST_COPIES", 0)
    solve(house, "r1", "r2", "r3")
    steps(house)
    for record in ("r1", "r2", "r3"):
        house.helpdesk.set_fields(record, tags=["sch-send"])
    steps(house)
    assert len(said(house)) == 1
    steps(house, 45)
    assert len(said(house)) == 3


def test_turns_of_long_ago_are_forgotten(house: House) -> None:
    """Each wording of each problem has a row."""
    solve(house, "r1")
    steps(house)
    rows = "SELECT name FROM switch WHERE name LIKE 'incident:%'"
    house.engine.prune()
    assert len(house.rows(rows)) == 1
    house.clock.forward(3 * 24 * 3600)
    house.engine.prune()
    assert house.rows(rows) == []
