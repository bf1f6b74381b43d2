"""Units that share a commit, rows read once per unit, and statements that use their indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.store import Store, Tx, connections
from tests.fakes.house import START, House


class Broken(Exception):
    """What the failing unit of a test raises."""


def switch(name: str) -> Callable[[Tx], int]:
    """A unit that sets a switch and tells which transaction it ran in."""

    def unit(tx: Tx) -> int:
        connections.set_switch(tx, name, True, now=START)
        return id(tx)

    return unit


def broken(tx: Tx) -> int:
    """A unit that writes and then raises."""
    connections.set_switch(tx, "broken", True, now=START)
    raise Broken


@pytest.fixture(params=["inline", "writer"])
def store(request: pytest.FixtureRequest, database_url: str) -> Any:
    """The store of a house, without a writer and with several."""
    house = House(database_url)
    if request.param == "writer":
        house.store.start(writers=3)
    yield house.store
    house.close()


def names(store: Store) -> set[str]:
    """The switches that are set."""
    with store.read() as connection:
        return {name for name in ("a", "b", "c", "broken") if connections.read_switch(connection, name)}


def test_units_given_together_share_one_commit(store: Store) -> None:
    """Each has its own result, and all ran in one transaction."""
    done = [future.result() for future in store.run_all([switch("a"), switch("b"), switch("c")])]
    assert len(set(done)) == 1
    assert names(store) == {"a", "b", "c"}


def test_a_unit_that_raises_costs_only_itself(store: Store) -> None:
    """Those before and after it are committed, and only its own future raises."""
    first, second, third = store.run_all([switch("a"), broken, switch("b")])
    assert isinstance(second.exception(), Broken)
    assert (first.exception(), third.exception()) == (None, None)
    assert names(store) == {"a", "b"}


def test_what_a_unit_knows_of_a_connection_follows_its_own_changes(store: Store) -> None:
    """The row is read once per transaction, and again after each change that anything decides on."""

    def unit(tx: Tx) -> list[Any]:
        found = [connections.seen(tx, "desk").mode]
        connections.change(tx, "desk", mode="draft")
        found.append(connections.seen(tx, "desk").mode)
        connections.pause(tx, "desk", reason="tired", by="test", now=START)
        found.append(connections.seen(tx, "desk").paused)
        connections.resume(tx, "desk", now=START)
        found.append(connections.seen(tx, "desk").paused)
        connections.failed(tx, "desk", error="oh", now=START)
        found.append(connections.seen(tx, "desk").failures)
        connections.add_calls(tx, "desk", 3)
        found.append(connections.seen(tx, "desk").calls)
        return found

    before = store.run(lambda tx: connections.get(tx.connection, "desk").calls)
    assert store.run(unit) == ["live", "draft", "tired", "", 1, before + 3]


def test_no_step_reads_a_whole_growing_table(sqlite_url: str) -> None:
    """A post and its answer cost the same in the first hour as after a year: every statement finds an index."""
    house, seen = House(sqlite_url), set[str]()
    for engine in (house.store.writer_engine, house.store.reader_engine):
        raw = engine.raw_connection()
        raw.driver_connection.set_trace_callback(seen.add)  # type: ignore[union-attr]
        raw.close()
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "My parcel is late")
    house.settle(seconds=5)
    house.helpdesk.comment("r1", "It comes tomorrow.")
    house.settle(seconds=5)
    assert house.network.own()
    plans: set[str] = set()
    with house.store.reader_engine.connect() as connection:
        for sql in list(seen):
            if sql.startswith(("SELECT", "UPDATE")):
                plans.update(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
    house.close()
    growing = ("delivery", "record_link", "comment_link", "message", "ticket", "identity", "thread", "attempt", "inbox")
    assert {f"SCAN {name}" for name in growing} & plans == set()
    assert any("ix_delivery_lane_open" in plan for plan in plans)
