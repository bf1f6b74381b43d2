"""A hub before a Request Tracker, compared: with the real connector both sides agree, and what was missed is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rt_cases import SETTINGS
from rt_vendor import RequestTracker

from hub.flow.backfill import backfill
from plugins.sinks.request_tracker.sink import RequestTrackerSink
from tests.fakes.vendor_house import VendorHouse


@pytest.fixture
def house(tmp_path: Path) -> Iterator[VendorHouse]:
    """A day like any other."""
    url = f"sqlite:///{tmp_path}/hub.sqlite"
    house = VendorHouse(url, RequestTracker(), RequestTrackerSink, SETTINGS)
    house.live_through()
    yield house
    house.close()


def test_both_sides_agree_after_a_day_like_any_other(house: VendorHouse) -> None:
    """Posts, answers, notes, proofs and fields: nothing is taken for a difference that is none."""
    made = house.compare()
    assert made.differences == ()
    assert (made.records, made.comments, made.agrees) == (1, 5, True)
    assert made.ours == made.theirs


def test_what_no_transaction_told_is_found_and_published_once(house: VendorHouse) -> None:
    """The bookmark jumped over it; the comparison reads the ticket itself."""
    (record,) = house.vendor.records()
    house.vendor.agent_answers(record.id, "Here is the number")
    jumped = json.dumps(house.hub.instance("desk").first_cursor())  # type: ignore[attr-defined]
    house.store.run(
        lambda tx: tx.connection.exec_driver_sql("UPDATE cursor SET value=? WHERE connection='desk'", (jumped,))
    )
    house.clock.forward(3600)
    assert "comment_unknown" in [one["kind"] for one in house.compare(repair=True).differences]
    house.live()
    house.compare(repair=True)
    house.live()
    assert [post["text"] for post in house.network.own()] == ["It comes tomorrow", "Here is the number"]
    house.clock.forward(3600)
    assert house.compare().agrees


def test_the_past_is_read_beside_the_flow(house: VendorHouse) -> None:
    """The same ticket by backfill, and neither a comment nor a delivery more on either side."""
    before = (house.vendor.records(), len(house.rows("SELECT id FROM delivery")))
    outcome = backfill(
        house.hub, "desk", since=house.hub.now().replace(day=1), wait=lambda seconds, why: house.clock.forward(seconds)
    )
    assert (outcome.new, outcome.past.comments, outcome.past.solvers) == (1, 5, 1)
    assert (house.vendor.records(), len(house.rows("SELECT id FROM delivery"))) == before
