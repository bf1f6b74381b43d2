"""People are told once when something stops, and once when it works again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from hub.configuration import Alerts
from hub.flow import disconnect
from tests.fakes.house import House
from tests.flow.test_round_trip import steps

HOOK = "https://chat.example.com/hooks/1"


@pytest.fixture
def told() -> Any:
    """The webhook that is told, with what it was told."""
    with responses.RequestsMock() as server:
        yield server


def test_an_alarm_is_told_once_and_its_end_once(sqlite_url: str, told: responses.RequestsMock) -> None:
    """A dead token: one message down, one message up, whatever goes on in between."""
    told.add(responses.POST, HOOK, status=500)
    told.add(responses.POST, HOOK)
    house = House(sqlite_url)
    house.engine.alerts = Alerts(webhook=HOOK)
    steps(house, 2)
    house.network.faults.token_dead = True
    steps(house, 20)
    house.network.faults.token_dead = False
    house.clock.forward(120)
    steps(house, 5)
    bodies = [json.loads(call.request.body or "") for call in told.calls]
    assert [(body["kind"], body["news"]) for body in bodies] == [
        ("authentication", "opened"),  # refused with 500
        ("authentication", "opened"),
        ("authentication", "closed"),
    ]
    assert "needs you" in bodies[1]["text"]
    house.close()


def test_nobody_is_told_that_a_removed_connection_works_again(sqlite_url: str, told: responses.RequestsMock) -> None:
    """Its alarm was told; removed, it just ends."""
    told.add(responses.POST, HOOK)
    house = House(sqlite_url)
    house.engine.alerts = Alerts(webhook=HOOK)
    steps(house, 2)
    house.network.faults.token_dead = True
    steps(house, 20)
    assert len(told.calls) == 1
    disconnect.remove(house.hub, "network", actor="anna")
    steps(house, 20)
    assert len(told.calls) == 1
    assert house.rows("SELECT id FROM alarm WHERE closed_at IS NULL") == []
    house.close()
