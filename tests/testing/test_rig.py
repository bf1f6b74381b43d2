"""The bench itself: faults hit the call they were planned for, clocks and guards are whose they should be."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from hub.sdk import Account, OutcomeUnknown, RateLimited, TemporaryFailure
from hub.testing import faults
from hub.testing.attempts import attempt
from hub.testing.reference_network import BASE_URL, TOKEN, ReferenceNetwork
from hub.testing.reference_source import ReferenceSource
from hub.testing.rig import START, Rig

SETTINGS = {"base_url": BASE_URL, "token": TOKEN}


class RealServer(ReferenceNetwork):
    """A vendor that is a server with a clock of its own."""

    has_own_clock = True

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


def test_the_planned_call_fails_and_no_other() -> None:
    """``break_call`` counts from now; ``break_all`` holds until it is mended."""
    rig = Rig(ReferenceSource, SETTINGS, ReferenceNetwork())
    rig.break_call(faults.SERVER_ERROR, 1)
    results = [type(attempt(rig.connector.check_connection)) for _ in range(3)]
    assert results == [Account, TemporaryFailure, Account]
    rig.break_all(faults.SLOW_DOWN_FOR)
    assert [type(attempt(rig.connector.check_connection)) for _ in range(2)] == [RateLimited, RateLimited]
    rig.mend()
    assert isinstance(attempt(rig.connector.check_connection), Account)
    assert [call.outcome for call in rig.calls] == ["200", "500", "200", "429", "429", "200"]


@pytest.mark.parametrize("fault", [fault for fault in faults.TRANSPORT if fault.reaches_vendor], ids=str)
def test_a_lost_answer_leaves_the_effect(fault: faults.Fault) -> None:
    """These faults happen after the vendor has done it, the others before."""
    vendor = ReferenceNetwork()
    rig = Rig(ReferenceSource, SETTINGS, vendor)
    post = vendor.customer_posts("hello")
    for number, planned in enumerate((fault, faults.SERVER_ERROR)):
        rig.break_all(planned)
        body = {"text": f"answer {number}", "reply_to": post, "key": str(number)}
        assert isinstance(attempt(lambda body=body: rig.connector.call("POST", "/posts", body)), OutcomeUnknown)
    assert [said.text for said in vendor.company_posts()] == ["answer 0"]


def test_a_server_has_its_own_clock() -> None:
    """A vendor in memory lives on the test's clock, a real server on its own."""
    rig = Rig(ReferenceSource, SETTINGS, ReferenceNetwork())
    rig.clock.advance(60)
    assert (rig.clock.now() - START).total_seconds() == 60
    assert rig.vendor.now() == rig.clock.now()
    assert Rig(ReferenceSource, SETTINGS, RealServer()).clock.now() == datetime(2030, 1, 1, tzinfo=UTC)


def test_guards_are_taken_away_again() -> None:
    """After a call everything is as it was."""
    before = (print, time.sleep, os.environ)
    rig = Rig(ReferenceSource, SETTINGS, ReferenceNetwork())
    rig.break_all(faults.RESET_AFTER)
    attempt(rig.connector.check_connection)
    assert (print, time.sleep, os.environ) == before
    assert rig.watch.on is False


class ServersWallClock(ReferenceNetwork):
    """A vendor that says only that it is a real server."""

    has_own_clock = True


def test_a_real_server_has_the_wall_clock() -> None:
    """``has_own_clock`` alone is enough: the time is now, and in UTC."""
    rig = Rig(ReferenceSource, SETTINGS, ServersWallClock())
    rig.clock.advance(3600)
    assert abs((rig.clock.now() - datetime.now(UTC)).total_seconds()) < 60
    assert rig.clock.now().utcoffset() == timedelta(0)
