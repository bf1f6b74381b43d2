"""Certificates: what a comparison takes in, its alarm, and the one of every night."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hub.flow import certify, mirror, reconcile, take
from hub.flow.reconcile import CannotCompare, Comparison
from hub.sdk import AuthenticationFailed
from hub.store import certificates
from tests.fakes.house import House
from tests.fakes.readable_desk import HOUR, Desk, answered, compare, do, kinds, live, said, unheard


@pytest.fixture
def house(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A hub with one answered ticket that is an hour old."""
    monkeypatch.setattr(Desk, "troubles", [])
    monkeypatch.setattr(Desk, "asked", [])
    house = answered(database_url)
    yield house
    house.close()


def test_since_takes_what_is_unsolved_and_what_was_touched(house: House) -> None:
    """An unsolved record may have changed without our hearing of it, however long ago; a solved one rests."""
    house.clock.forward(30 * 24 * HOUR)
    assert compare(house, days=1).records == 1
    do(house, "UPDATE ticket SET status='solved'")
    assert compare(house, days=1).records == 0
    assert compare(house).records == 1


def test_the_alarm_ends_when_all_that_differed_was_looked_at_again(house: House) -> None:
    """Opened by a difference; a comparison of less than what differed does not close it, one of as much does."""
    house.helpdesk.set_fields("r1", status="solved", at=house.clock.stamp())
    live(house)
    comment = house.helpdesk.records["r1"]["comments"].pop(0)
    house.clock.forward(10 * 24 * HOUR)
    assert compare(house).left == 1
    open_alarms = "SELECT kind, text FROM alarm WHERE closed_at IS NULL"
    assert [row.kind for row in house.rows(open_alarms)] == [reconcile.ALARM]
    assert "hub reconcile desk --all" in house.rows(open_alarms)[0].text
    house.helpdesk.records["r1"]["comments"].insert(0, comment)
    assert compare(house, days=1).agrees
    assert len(house.rows(open_alarms)) == 1
    assert compare(house).agrees
    assert house.rows(open_alarms) == []


def test_nothing_anybody_wrote_is_in_a_certificate(house: House) -> None:
    """It is kept unencrypted and shown: numbers and fixed words only."""
    unheard(house, "Secret words")
    house.helpdesk.records["r1"]["comments"][1]["text"] = "Other words"
    house.clock.forward(HOUR)
    assert compare(house).found == 2
    row = str(tuple(house.rows("SELECT * FROM certificate")[0]))
    assert not [word for word in ("Secret", "Other", "Agent", "anna", "parcel") if word in row]


def test_who_cannot_be_compared_says_who_can(house: House) -> None:
    """Networks are not compared."""
    with pytest.raises(CannotCompare, match=r"network is a network; helpdesks are compared. These can: desk"):
        Comparison(house.hub, "network", since=None)


def nights(house: House, count: int) -> None:
    """Let nights go by, a round every ten minutes, and every second for a while after three o'clock."""
    for _ in range(count):
        local = house.clock().astimezone()
        three = (local + timedelta(days=1)).replace(hour=3, minute=0, second=0, microsecond=0)
        house.clock.forward((three - local).total_seconds() - 60)
        live(house, 120)


def test_every_night_has_its_certificate(house: House) -> None:
    """Once a night, repairing nothing; a difference opens the alarm and the night after its repair closes it."""
    house.engine.nightly = certify.Nightly(house.hub, "03:00")
    live(house, 30)
    assert house.rows("SELECT id FROM certificate") == [], "not before its hour"
    nights(house, 2)
    assert [row.found for row in house.rows("SELECT found FROM certificate ORDER BY id")] == [0, 0]
    unheard(house, "Missed in the night")
    house.clock.forward(HOUR)
    nights(house, 1)
    assert said(house) == ["It comes tomorrow."]
    assert [row.kind for row in house.rows("SELECT kind FROM alarm WHERE closed_at IS NULL")] == [reconcile.ALARM]
    assert compare(house, days=7, repair=True).left == 0
    live(house, 20)
    nights(house, 1)
    made = house.rows("SELECT found, repaired FROM certificate ORDER BY id")
    assert [tuple(row) for row in made] == [(0, 0), (0, 0), (1, 0), (1, 1), (0, 0)]
    assert house.rows("SELECT kind FROM alarm WHERE closed_at IS NULL") == []


def test_a_night_of_trouble_is_only_one_night(house: House) -> None:
    """A plugin that breaks down costs this night's certificate, not the next one's."""
    house.engine.nightly = certify.Nightly(house.hub, "03:00")
    Desk.troubles[:] = [AuthenticationFailed("no")]
    nights(house, 1)
    assert house.rows("SELECT id FROM certificate") == []
    nights(house, 1)
    assert len(house.rows("SELECT id FROM certificate")) == 1


def test_a_planted_bug_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that loses every comment makes the comparison fail: it does not trust what the flow believes."""
    monkeypatch.setitem(
        take.HANDLERS,
        "comment",
        lambda hub, tx, row, event: mirror.inbox.finish(tx, row.id, "done", now=hub.now()),
    )
    house.helpdesk.comment("r1", "Lost on its way in")
    live(house)
    house.clock.forward(HOUR)
    made = compare(house)
    assert kinds(made) == ["comment_unknown"]
    with house.store.read() as connection:
        assert certificates.latest(connection, "desk")[0].left == 1


def test_a_comparison_by_hand_is_what_the_alarm_says_from_then_on(house: House) -> None:
    """Two differences in the night; one is put right by hand, then the other: the alarm says one, then it ends, though
    the seven days by hand begin a few hours after those of the night."""
    first, second = house.helpdesk.records["r1"]["comments"][:2]
    house.helpdesk.records["r1"]["comments"][:2] = []
    house.clock.forward(HOUR)
    assert compare(house, days=7).left == 2
    alarm = "SELECT text, told FROM alarm WHERE kind = 'reconcile' AND closed_at IS NULL"
    do(house, "UPDATE alarm SET told = 'opened'")
    house.helpdesk.records["r1"]["comments"].insert(0, second)
    house.clock.forward(HOUR)
    assert compare(house, days=7).left == 1
    assert [tuple(row) for row in house.rows(alarm)] == [
        ("1 difference between hub and helpdesk: hub reconcile desk", "opened")
    ], "nobody is told a second time"
    house.helpdesk.records["r1"]["comments"].insert(0, first)
    assert compare(house, days=6).agrees
    assert house.rows(alarm) == []
