"""Deliveries whose start shares a commit: what did not leave counts as never tried."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.house import House


@pytest.mark.parametrize(
    ("fault", "sent", "untried"),
    [("limited", 0, 4), ("limited_silently", 0, 4), ("token", 0, 4), ("before", 3, 0), ("after", 4, 0)],
)
def test_a_failure_in_their_midst_is_heeded_before_the_next_leaves(
    house: House, fault: str, sent: int, untried: int
) -> None:
    """After two tickets the vendor fails. What concerns the whole connection keeps the rest at home, as if they had
    never been tried; what concerns one delivery holds only that one."""

    def fail_after_two(path: str, answer: dict[str, Any]) -> None:
        if len(house.helpdesk.records) == 2:
            house.helpdesk.on_effect = lambda path, answer: None
            house.helpdesk.faults.add("", fault)

    for number in range(6):
        house.network.post(f"customer {number}", f"Post {number}")
    house.helpdesk.on_effect = fail_after_two
    house.step()
    assert len(house.helpdesk.records) == 2 + sent
    stayed = house.rows("SELECT attempts, first_attempt_at FROM delivery WHERE state = 'waiting'")
    assert [row.attempts for row in stayed].count(0) == untried
    assert [row.first_attempt_at for row in stayed].count(None) == max(0, untried - 1)
    house.settle(seconds=40)
    assert len(house.helpdesk.records) == 6
    assert {row.state for row in house.rows("SELECT state FROM delivery")} == {"done"}


def test_a_crash_among_them_doubles_nothing(house: House) -> None:
    """The process dies after the second of six left: all six were committed as sending, and are looked for."""

    class Died(BaseException):
        """kill -9."""

    def die(path: str, answer: dict[str, Any]) -> None:
        if len(house.helpdesk.records) == 2:
            house.helpdesk.on_effect = lambda path, answer: None
            raise Died

    for number in range(6):
        house.network.post(f"customer {number}", f"Post {number}")
    house.helpdesk.on_effect = die
    with pytest.raises(Died):
        house.step()
    assert [row.state for row in house.rows("SELECT state FROM delivery")] == ["sending"] * 6
    house.restart()
    house.settle(seconds=20)
    assert len(house.helpdesk.records) == 6
    assert {row.state for row in house.rows("SELECT state FROM delivery")} == {"done"}
