"""An answer that does not get out is told in the record, once, and goes out when it can; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hub.flow import control, disconnect, late
from hub.store import connections
from tests.fakes.house import House
from tests.fakes.staffed import FullSink, furnish, notes, steps, timeline


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """Anna waits for an answer."""
    house = furnish(House(database_url, desk=FullSink))
    house.network.post("anna", "Hello?")
    steps(house)
    yield house
    house.close()


def told(house: House) -> list[str]:
    """The notes that say an answer is not out yet."""
    return [note for note in notes(house) if note.startswith("NOT on")]


def pause(house: House) -> None:
    """The network's connection is switched off."""
    house.store.run(lambda tx: connections.pause(tx, "network", reason="x", by="operator", now=house.clock()))


def kill_token(house: House) -> None:
    """The network takes our token no more."""
    house.network.faults.token_dead = True


def mend(house: House) -> None:
    """All is as it was."""
    house.network.faults.token_dead = False
    house.store.run(lambda tx: connections.resume(tx, "network", now=house.clock()))


def wait(house: House, minutes: float) -> None:
    """Time goes by, in steps a vendor's retries would take."""
    for _ in range(int(minutes * 4)):
        house.clock.forward(15)
        house.step()


def answer_five(house: House) -> None:
    """Five customers are answered while the network's connection is off."""
    for who in ("bea", "carl", "dora", "emma"):
        house.network.post(who, "Hello?")
    steps(house)
    pause(house)
    for number in range(1, 6):
        house.helpdesk.comment(f"r{number}", "We look at it.")


@pytest.mark.parametrize(("stop", "why"), [(kill_token, "takes nothing"), (pause, "switched off")])
def test_the_agent_learns_that_an_answer_waits(house: House, stop: Callable[[House], None], why: str) -> None:
    """After five minutes, once, with the reason; it goes out when the connection is back."""
    stop(house)
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 4)
    assert told(house) == []
    wait(house, 30)
    assert len(told(house)) == 1
    assert why in told(house)[0]
    mend(house)
    wait(house, 2)
    assert [post["text"] for post in house.network.own()] == ["We look at it."]
    assert len(told(house)) == 1
    assert len(timeline(house, "answer_late")) == 1


def test_a_removed_connection_promises_nothing(house: House) -> None:
    """The answer never goes out by itself: the agent is told to reach the customer by hand."""
    disconnect.remove(house.hub, "network", actor="operator")
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 7)
    assert len(told(house)) == 1
    assert "removed" in told(house)[0]
    assert "by itself" not in told(house)[0]


def test_a_halt_of_everything_is_named(house: House) -> None:
    """As after hub stop-talking."""
    control.stop_talking(house.hub, actor="operator")
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 7)
    assert len(told(house)) == 1
    assert "halted" in told(house)[0]


def test_a_second_process_does_not_tell_it_again(house: House) -> None:
    """What was told is in the outbox."""
    pause(house)
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 7)
    assert late.Late(house.hub).step() == 0
    wait(house, 1)
    assert len(told(house)) == 1


def test_many_are_told_in_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, a few at a time, and each comes to its turn."""
    monkeypatch.setattr(late, "AT_ONCE", 2)
    answer_five(house)
    wait(house, 8)
    assert len(timeline(house, "answer_late")) == 5


def test_what_waits_on_purpose_is_not_told(house: House) -> None:
    """A draft waits for the agent, not for the network."""
    house.store.run(lambda tx: connections.change(tx, "network", mode="draft"))
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 10)
    assert told(house) == []


def test_a_note_that_is_out_of_date_is_not_written(house: House) -> None:
    """The helpdesk was away too, and the answer came out first."""
    pause(house)
    house.helpdesk.comment("r1", "We look at it.")
    wait(house, 4)
    house.store.run(lambda tx: connections.pause(tx, "desk", reason="x", by="operator", now=house.clock()))
    wait(house, 4)
    mend(house)
    wait(house, 1)
    house.store.run(lambda tx: connections.resume(tx, "desk", now=house.clock()))
    wait(house, 2)
    assert [post["text"] for post in house.network.own()] == ["We look at it."]
    assert told(house) == []


def test_a_storm_of_notes_is_paced(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked: the helpdesk's quota is for what customers write."""
    monkeypatch.setattr(late, "AT_ONCE", 2)
    answer_five(house)
    steps(house)
    one = late.Late(house.hub)
    house.clock.forward(400)
    assert [one.step() for _ in range(3)] == [2, 0, 0]
    house.clock.forward(late.EVERY.total_seconds())
    assert [one.step() for _ in range(3)] == [2, 0, 0]
