"""Raise an error of the contract at each place a connector may raise it, in a running hub, and see what becomes of it.

The tables of ``docs/errors`` are held against what is seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from hub.flow.receive import receive
from hub.sdk import (
    Absent,
    Account,
    AnyEvent,
    CannotTell,
    Completes,
    Delivery,
    Event,
    Failure,
    Found,
    Hint,
    MessageSeen,
    OutcomeUnknown,
    Page,
    Receipt,
    WebhookRequest,
)
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House

NETWORK, DESK = "network", "desk"


@dataclass(frozen=True)
class Seen:
    """One row of the table: what came of an error raised at one place."""

    place: str
    becomes: str
    counted: str
    again: str
    connection: str
    alarm: str

    def cells(self) -> tuple[str, ...]:
        """As the pages write it."""
        return (f"`{self.place}`", self.becomes, self.counted, self.again, self.connection, self.alarm)


class Trap:
    """Which method raises what, until it is taken away."""

    armed: ClassVar[dict[str, Exception]] = {}

    @classmethod
    def spring(cls, place: str) -> None:
        """Raise what is armed here."""
        if place in cls.armed:
            raise cls.armed[place]


class TrappedSource(FakeSource, Completes):
    """The fake network, told by hints, with a trap in every method."""

    def check_connection(self) -> Account:
        """Who we are."""
        Trap.spring("check_connection")
        return super().check_connection()

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """As hints when ``complete`` is to be tried."""
        Trap.spring("fetch_page")
        page = super().fetch_page(cursor)
        if "complete" not in Trap.armed:
            return page
        self.kept = {event.message.id: event for event in page.events if isinstance(event, MessageSeen)}
        hints = tuple(Hint(event_key=f"hint:{one}", lane=one, record=one) for one in self.kept)
        return page.model_copy(update={"events": hints})

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The message a hint stood for."""
        Trap.spring("complete")
        assert isinstance(event, Hint)
        return [self.kept[event.record]]

    def verify(self, request: WebhookRequest) -> None:
        """The fake's own check."""
        Trap.spring("verify")

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """Nothing new."""
        Trap.spring("events")
        return []


class TrappedSink(FakeSink):
    """The fake helpdesk with traps where it sends and looks."""

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """As the fake."""
        Trap.spring("deliver")
        results = super().deliver(deliveries)
        if "find" in Trap.armed:
            raise OutcomeUnknown("the answer was lost")
        return results

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """As the fake."""
        Trap.spring("find")
        return super().find(delivery)


@contextmanager
def _house(folder: Path, *, first: str = "") -> Any:
    house = House(f"sqlite:///{folder}/{len(list(folder.iterdir()))}.sqlite")
    classes = {NETWORK: TrappedSource, DESK: TrappedSink}
    house.hub.connected = {name: replace(one, connector=classes[name]) for name, one in house.hub.connected.items()}
    Trap.armed.clear()
    try:
        if not first:
            house.step()
            house.clock.forward(2)
        yield house
    finally:
        Trap.armed.clear()
        house.close()


def _row(house: House, sql: str) -> Any:
    rows = house.rows(sql)
    return rows[0] if rows else None


def _connection(house: House, name: str) -> str:
    row = _row(house, f"SELECT * FROM connection WHERE name = '{name}'")
    if row.paused:
        assert row.paused_by == "hub"
        return "paused"
    if row.blocked_until is not None:
        return "waits"
    return "goes on, one failure noted" if row.failures else "goes on"


def _alarm(house: House, name: str) -> str:
    row = _row(house, f"SELECT kind FROM alarm WHERE connection = '{name}' AND closed_at IS NULL")
    return f"`{row.kind}`" if row else "none"


def _mends(house: House, done: Callable[[], bool]) -> str:
    """Whether it comes to its end by itself within ten minutes once the cause is gone."""
    Trap.armed.clear()
    for _ in range(120):
        house.step()
        if done():
            return "yes"
        house.clock.forward(5)
    return "no"


def deliver(folder: Path, error: Exception) -> Seen:
    """While a record is opened."""
    with _house(folder) as house:
        Trap.armed["deliver"] = error
        house.network.post("ada", "My parcel is late")
        house.step()
        seen = _row(house, "SELECT state, attempts FROM delivery")
        health = _connection(house, DESK), _alarm(house, DESK)
        again = _mends(house, lambda: _row(house, "SELECT state FROM delivery").state == "done")
        return Seen("deliver", f"delivery `{seen.state}`", _yes(seen.attempts), again, *health)


def find(folder: Path, error: Exception) -> Seen:
    """While an unknown outcome is looked up."""
    with _house(folder) as house:
        Trap.armed["find"] = error
        house.network.post("ada", "My parcel is late")
        house.step()  # sends, and looks at once: the fake settles without delay
        seen = _row(house, "SELECT state, looks FROM delivery")
        health = _connection(house, DESK), _alarm(house, DESK)
        again = _mends(house, lambda: _row(house, "SELECT state FROM delivery").state == "done")
        assert len(house.helpdesk.records) == 1, "sent twice"
        return Seen("find", f"delivery `{seen.state}`", _yes(seen.looks), again, *health)


def fetch_page(folder: Path, error: Exception) -> Seen:
    """While the network is asked for news."""
    with _house(folder) as house:
        before = _row(house, "SELECT * FROM cursor WHERE connection = 'network'")
        Trap.armed["fetch_page"] = error
        house.network.post("ada", "My parcel is late")
        house.step()
        after = _row(house, "SELECT * FROM cursor WHERE connection = 'network'")
        becomes = "the cursor stays" if after == before else "the cursor moves"
        health = _connection(house, NETWORK), _alarm(house, NETWORK)
        again = _mends(house, lambda: bool(house.rows("SELECT id FROM message")))
        return Seen("fetch_page", becomes, "no", again, *health)


def complete(folder: Path, error: Exception) -> Seen:
    """While a hint is completed."""
    with _house(folder) as house:
        Trap.armed["complete"] = error
        house.network.post("ada", "My parcel is late")
        house.step()
        seen = _row(house, "SELECT state, attempts FROM inbox WHERE type = 'hint'")
        health = _connection(house, NETWORK), _alarm(house, NETWORK)
        again = _mends(house, lambda: bool(house.rows("SELECT id FROM message")))
        return Seen("complete", f"event `{seen.state}`", _yes(seen.attempts), again, *health)


def _webhook(place: str) -> Callable[[Path, Exception], Seen]:
    def run(folder: Path, error: Exception) -> Seen:
        with _house(folder) as house:
            Trap.armed[place] = error
            now = house.clock()
            request = WebhookRequest(method="POST", path="/", headers={}, query={}, body=b"[1]", received_at=now)
            status = receive(house.hub, NETWORK, request).status
            house.step()
            kept = bool(house.rows("SELECT id FROM arrival"))
            event = _row(house, "SELECT state FROM inbox")
            becomes = f"answered {status}, " + ("the body is kept" if kept else "nothing is kept")
            if event is not None:
                becomes += f", event `{event.state}`"
            again = "by the vendor" if status == 503 else "no"
            return Seen(place, becomes, "no", again, _connection(house, NETWORK), _alarm(house, NETWORK))

    return run


def check_connection(folder: Path, error: Exception) -> Seen:
    """At the start of the hub."""
    with _house(folder, first="check") as house:
        Trap.armed["check_connection"] = error
        house.step()
        becomes = "it is started" if NETWORK in house.hub.checked else "it is not started"
        health = _connection(house, NETWORK), _alarm(house, NETWORK)
        again = _mends(house, lambda: NETWORK in house.hub.checked)
        return Seen("check_connection", becomes, "no", again, *health)


def _yes(count: int) -> str:
    return "yes" if count else "no"


PLACES: dict[str, Callable[[Path, Exception], Seen]] = {
    "deliver": deliver,
    "find": find,
    "fetch_page": fetch_page,
    "complete": complete,
    "verify": _webhook("verify"),
    "events": _webhook("events"),
    "check_connection": check_connection,
}
"""Every place the pages speak of, in the order of their tables."""

HEADINGS = ("raised in", "what becomes of it", "counted", "tried again", "the connection", "alarm")
