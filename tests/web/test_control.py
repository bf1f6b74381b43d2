"""The switches a person has, whoever throws them: console, command line or trial."""

from __future__ import annotations

import pytest

from hub.flow import check, control
from hub.store import connections, views
from tests.fakes.house import House


def actions(house: House) -> list[tuple[str, str]]:
    """What was audited, oldest first."""
    with house.store.read() as read:
        return [(row.action, row.object) for row in reversed(views.audit_rows(read))]


def test_every_switch_tells_whether_it_changed_anything_and_is_audited_once(house: House) -> None:
    """A second identical command is no change and leaves no trace."""
    hub = house.hub
    for _ in range(2):
        control.set_mode(hub, "network", "draft", actor="me")
        control.pause(hub, "network", actor="me", reason="holiday")
        control.stop_talking(hub, actor="me")
    assert not control.set_mode(hub, "network", "draft", actor="me")
    assert control.resume(hub, "network", actor="me")
    assert not control.resume(hub, "network", actor="me")
    assert control.talk_again(hub, actor="me")
    assert not control.talk_again(hub, actor="me")
    assert actions(house) == [
        ("set_mode", "network"),
        ("pause", "network"),
        ("stop_talking", "hub"),
        ("resume", "network"),
        ("talk_again", "hub"),
    ]


def test_mistakes_are_named(house: House) -> None:
    """An unknown connection or mode changes nothing."""
    with pytest.raises(control.UnknownConnection, match="desk, network"):
        control.pause(house.hub, "nobody", actor="me")
    with pytest.raises(ValueError, match="observe, draft, live"):
        control.set_mode(house.hub, "network", "loud", actor="me")
    with pytest.raises(control.UnknownConnection):
        control.check_now(house.hub, "nobody", actor="me")
    assert actions(house) == []


def test_a_mode_set_by_a_person_survives_a_restart(house: House) -> None:
    """The configuration's mode is only the first one."""
    control.set_mode(house.hub, "network", "observe", actor="me")
    house.restart()
    with house.store.read() as read:
        assert connections.get(read, "network").mode == "observe"


def test_a_persons_pause_outlives_the_hubs_own(house: House) -> None:
    """Over a pause of the hub itself, which would end by itself, a person's pause stays until resumed."""
    house.network.faults.token_dead = True
    house.settle(seconds=3, most=6)
    assert control.pause(house.hub, "network", actor="me")
    house.network.faults.token_dead = False
    house.settle(seconds=100, most=200)
    with house.store.read() as read:
        assert connections.get(read, "network").paused_by == "me"


def test_resuming_accepts_another_account(house: House) -> None:
    """After "another account answers", a person who resumes means it: the new one is kept, not refused again."""
    house.settle(seconds=3, most=6)
    house.network.account = "newbrand"
    check.check(house.hub, "network")
    with house.store.read() as read:
        assert "another account" in connections.get(read, "network").paused
    control.resume(house.hub, "network", actor="me")
    check.check(house.hub, "network")
    with house.store.read() as read:
        row = connections.get(read, "network")
        assert (row.paused, row.fingerprint) == ("", "newbrand")
        assert views.alarms(read) == []
