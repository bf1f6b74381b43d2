"""A connection that could not start: what is meant for it waits, and goes nowhere else."""

from __future__ import annotations

from tests.fakes.house import House
from tests.flow.test_round_trip import answers, steps, texts


def test_tickets_of_a_sink_that_is_left_out_wait_for_it(house: House) -> None:
    """With another helpdesk connected, nothing opens there; when the team's own is back, the ticket opens in it."""
    house.second_desk, house.left_out = True, ("desk",)
    house.restart()
    house.network.post("anna", "My parcel is late")
    steps(house)
    assert (house.helpdesk.records, house.other_helpdesk.records) == ({}, {})
    assert [(row.connection, row.state) for row in house.rows("SELECT connection, state FROM delivery")] == [
        ("desk", "waiting")
    ]
    house.left_out = ()
    house.restart()
    steps(house)
    assert texts(house) == [("My parcel is late", True)]
    assert house.other_helpdesk.records == {}


def test_a_sink_that_never_started_can_be_waited_for(database_url: str) -> None:
    """On a new database too: the connection's row is made from the configuration."""
    house = House(database_url, left_out=("desk",), second_desk=True)
    try:
        house.step()
        house.clock.forward(2)
        house.network.post("anna", "My parcel is late")
        steps(house)
        assert [(row.connection, row.state) for row in house.rows("SELECT connection, state FROM delivery")] == [
            ("desk", "waiting")
        ]
    finally:
        house.close()


def test_an_answer_waits_for_a_source_that_is_left_out(house: House) -> None:
    """The agent's word is kept and appears when the network is connected again."""
    house.network.post("anna", "My parcel is late")
    steps(house)
    house.left_out = ("network",)
    house.restart()
    house.helpdesk.comment("r1", "It comes tomorrow.")
    steps(house)
    assert answers(house) == []
    house.left_out = ()
    house.restart()
    steps(house)
    assert answers(house) == ["It comes tomorrow."]
