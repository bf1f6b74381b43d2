"""A hub before the sandbox, compared: with the real connector both sides agree, and what was missed is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from zendesk_vendor import SETTINGS, ZendeskVendor

from hub.flow.backfill import backfill
from hub.store import history
from plugins.sinks.zendesk.sink import ZendeskSink
from tests.fakes.vendor_house import VendorHouse


@pytest.fixture
def house(tmp_path: Path) -> Iterator[VendorHouse]:
    """A day like any other."""
    house = VendorHouse(f"sqlite:///{tmp_path}/hub.sqlite", ZendeskVendor(), ZendeskSink, SETTINGS)
    house.live_through()
    yield house
    house.close()


def test_both_sides_agree_after_a_day_like_any_other(house: VendorHouse) -> None:
    """Posts, answers, notes, proofs and fields: nothing is taken for a difference that is none."""
    made = house.compare()
    assert made.differences == ()
    assert (made.records, made.comments, made.agrees) == (1, 5, True)
    assert made.ours == made.theirs


def test_what_no_export_told_is_found_and_published_once(house: VendorHouse) -> None:
    """The bookmark jumped over it; the comparison reads the record itself."""
    (record,) = house.vendor.records()
    house.vendor.agent_answers(record.id, "Here is the number")
    rows = house.rows("SELECT value FROM cursor WHERE connection='desk'")
    later = house.hub.instance("desk").fetch_page(json.loads(rows[0].value)).cursor  # type: ignore[attr-defined]
    house.store.run(
        lambda tx: tx.connection.exec_driver_sql(
            "UPDATE cursor SET value=? WHERE connection='desk'", (json.dumps(later),)
        )
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
    assert (outcome.new, outcome.past.solvers) == (1, 1)
    with house.store.read() as connection:
        (told,) = history.tickets(connection, "desk", house.hub.cipher.decrypt)
    assert told.status == "solved"
    assert [one.text for one in told.comments][-3:-1] == ["It comes tomorrow", "It is lost"]
    assert (house.vendor.records(), len(house.rows("SELECT id FROM delivery"))) == before
