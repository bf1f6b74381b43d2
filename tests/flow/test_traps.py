"""Traps that other systems fell into and no other file here names (demand 4: a login that dies unseen; clients
that threads share)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from hub.flow import check
from hub.sdk import Agent, Comment, CommentSeen
from hub.store import inbox
from tests.fakes.house import House

HOUR = 3600


def test_trap_a_quiet_connection_is_probed_every_day(house: House) -> None:
    """A login that ended shows although nothing is due there; between two probes nobody is asked."""
    house.settle(seconds=5, most=20)
    assert check.due(house.hub) == []
    house.clock.forward(23 * HOUR)
    assert check.due(house.hub) == []
    house.clock.forward(1 * HOUR)
    assert sorted(check.due(house.hub)) == ["desk", "network"]
    house.network.faults.token_dead = True
    house.step()
    assert [row.kind for row in house.rows("SELECT kind FROM alarm WHERE closed_at IS NULL")] == ["authentication"]


def test_trap_no_two_threads_share_a_connector(house: House) -> None:
    """Vendors' clients are not made for it: what one call left in them would colour another's."""
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(house.hub.instance, "desk").result()
    assert theirs is not house.hub.instance("desk")
    assert house.hub.instance("desk") is house.hub.instance("desk")


def test_trap_what_another_hub_wrote_is_no_answer(house: House) -> None:
    """A second hub on the same helpdesk writes with an agent's account: its words would be published as a person's."""
    house.settle(seconds=5, most=20)
    house.network.post("anna", "Hello?")
    house.settle(seconds=5, most=20)
    agent = Agent(id="7", name="Hub", role="agent")
    theirs = Comment(id="c9", public=True, author=agent, text="Hi", created_at=house.clock(), origin=str(uuid.uuid4()))
    event = CommentSeen(event_key="c9", record_id="r1", comment=theirs)
    house.store.run(lambda tx: inbox.add_events(tx, connection="desk", events=[event], now=house.clock()))
    house.settle(seconds=5, most=20)
    assert house.network.own() == []
    (line,) = house.rows("SELECT data FROM event WHERE kind='comment_not_published'")
    assert "another hub" in line.data
