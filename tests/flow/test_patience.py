"""How long the hub waits and when it gives up, where no delivery is concerned: checks, polls and completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from hub.flow import parked
from hub.flow.receive import receive
from hub.sdk import (
    Account,
    AnyEvent,
    Completes,
    Event,
    Hint,
    Page,
    RateLimited,
    TemporaryFailure,
    WebhookRequest,
)
from tests.fakes.connectors import FakeSource
from tests.fakes.house import START, House


class Fickle(FakeSource, Completes):
    """A network that tells by hints, and fails where it is told to."""

    asked: ClassVar[list[str]] = []
    failing: ClassVar[dict[str, Exception]] = {}

    @classmethod
    def ask(cls, what: str) -> None:
        """Count the call; fail if that is wanted."""
        cls.asked.append(what)
        if what in cls.failing:
            raise cls.failing[what]

    def check_connection(self) -> Account:
        """Who we are."""
        self.ask("check_connection")
        return super().check_connection()

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Nothing new."""
        self.ask("fetch_page")
        return Page(events=(), cursor=cursor)

    def verify(self, request: WebhookRequest) -> None:
        """Anybody."""

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """Names of records that changed; all in one lane."""
        return [Hint(event_key=f"hint:{one}", lane="one lane", record=one) for one in json.loads(request.body)]

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """It is gone."""
        assert isinstance(event, Hint)
        self.ask(f"complete {event.record}")
        return []


@pytest.fixture
def fresh(database_url: str) -> Iterator[House]:
    """A house with a fickle network that was never checked."""
    Fickle.asked.clear()
    Fickle.failing.clear()
    house = House(database_url)
    connected = dict(house.hub.connected)
    connected["network"] = replace(connected["network"], connector=Fickle)
    house.hub.connected = connected
    yield house
    Fickle.failing.clear()
    house.close()


def wait(house: House, seconds: int, *, every: int = 5) -> None:
    """Let time pass."""
    for _ in range(seconds // every):
        house.step()
        house.clock.forward(every)


def tell(house: House, *records: str) -> None:
    """The network says that these changed."""
    body = json.dumps(records).encode()
    request = WebhookRequest("POST", "/hooks/network", {}, {}, body, house.clock())
    assert receive(house.hub, "network", request).status == 200


def state(house: House, record: str) -> tuple[str, str, int]:
    """What became of a hint."""
    row = house.rows("SELECT state, reason, attempts FROM inbox WHERE event_key = :key", key=f"hint:{record}")[0]
    return row.state, row.reason, row.attempts


@pytest.mark.parametrize("scope", ["connection", "lane"])
@pytest.mark.parametrize(("place", "before"), [("check_connection", 0), ("fetch_page", 10)])
def test_who_has_no_lane_waits_as_long_as_the_vendor_asks(fresh: House, place: str, before: int, scope: Any) -> None:
    """A check or a poll that is told to come back in an hour is not made again in that hour."""
    wait(fresh, before)
    Fickle.failing[place] = RateLimited("slow down", retry_after=3600, scope=scope)
    Fickle.asked.clear()
    wait(fresh, 3600, every=60)
    assert Fickle.asked == [place]
    Fickle.failing.clear()
    wait(fresh, 120)
    assert {"check_connection", "fetch_page"} & set(Fickle.asked[1:])
    assert "network" in fresh.hub.checked


def test_a_check_is_not_made_while_the_connection_rests_for_another_call(fresh: House) -> None:
    """A restart does not ask before the time the polls were told."""
    wait(fresh, 10)
    Fickle.failing["fetch_page"] = RateLimited("slow down", retry_after=600)
    wait(fresh, 10)
    fresh.hub.checked.clear()
    fresh.engine.prepare(alone=True)
    Fickle.asked.clear()
    wait(fresh, 500, every=20)
    assert Fickle.asked == []
    Fickle.failing.clear()
    wait(fresh, 200, every=20)
    assert Fickle.asked[0] == "check_connection"


def test_what_cannot_be_completed_is_given_up_and_tried_again_by_hand(fresh: House) -> None:
    """Ten attempts, then a reason; the lane goes on; ``hub parked retry`` gives it ten more."""
    wait(fresh, 10)
    Fickle.failing["complete 7"] = TemporaryFailure("the vendor has a problem (503)")
    tell(fresh, "7")
    wait(fresh, 60)
    tell(fresh, "8")
    wait(fresh, 1800, every=20)
    why = "gave up after 10 attempts: the vendor has a problem (503)"
    assert state(fresh, "7") == ("parked", why, 10)
    assert Fickle.asked.count("complete 7") == 10
    assert Fickle.asked.count("complete 8") == 0, "joined with 7, as hints of one lane are"
    number = fresh.rows("SELECT id FROM inbox WHERE state = 'parked'")[0].id
    parked.retry(fresh.hub, "inbox", number, actor="test")
    wait(fresh, 60)
    assert state(fresh, "7")[0] == "new"
    wait(fresh, 1800, every=20)
    assert state(fresh, "7") == ("parked", why, 10)
    Fickle.failing.clear()
    parked.retry(fresh.hub, "inbox", number, actor="test")
    wait(fresh, 10)
    assert state(fresh, "7")[0] == "done"


def test_nothing_is_given_up_while_the_whole_vendor_is_down(fresh: House) -> None:
    """When checks and polls fail as well, the event waits until the vendor is back."""
    wait(fresh, 10)
    tell(fresh, "7")
    for place in ("check_connection", "fetch_page", "complete 7"):
        Fickle.failing[place] = TemporaryFailure("no answer from the vendor")
    wait(fresh, 2 * 3600, every=20)
    assert state(fresh, "7")[0] == "new"
    assert Fickle.asked.count("complete 7") > 15
    Fickle.failing.clear()
    wait(fresh, 600, every=20)
    assert state(fresh, "7")[0] == "done"


def test_where_nothing_else_is_asked_a_check_tells_whether_the_vendor_is_down(fresh: House) -> None:
    """A connection that is only told and never polls: its one failing event alone opens the breaker, not for ever."""
    fresh.engine.polling = ["desk"]
    wait(fresh, 10)
    tell(fresh, "7")
    for place in ("check_connection", "complete 7"):
        Fickle.failing[place] = TemporaryFailure("no answer from the vendor")
    wait(fresh, 3600, every=20)
    assert state(fresh, "7")[0] == "new"
    assert [row.kind for row in fresh.rows("SELECT kind FROM alarm WHERE closed_at IS NULL")] == ["unreachable"]
    del Fickle.failing["check_connection"]
    wait(fresh, 900, every=20)
    assert state(fresh, "7")[0] == "parked"
    assert fresh.rows("SELECT id FROM alarm WHERE closed_at IS NULL") == []


def test_a_connector_knows_since_when_its_connection_is(fresh: House) -> None:
    """``toolbox.made_at`` is the time in the connection's row; ``None`` before there is one."""
    assert fresh.hub.toolbox("network").made_at == START
    fresh.clock.forward(3600)
    fresh.restart()
    assert fresh.hub.instance("network").toolbox.made_at == START
    assert fresh.hub.toolbox("other").made_at is None
