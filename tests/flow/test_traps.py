"""Traps that other systems fell into and no other file here names (demand 4: a login that dies unseen; clients
that threads share)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hub.flow import check
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
