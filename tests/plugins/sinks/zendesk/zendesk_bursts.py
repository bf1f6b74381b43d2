"""Many deliveries at once, and a hub in miniature that drives them to their ends."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from zendesk_cases import Account, make_sink

from hub.sdk import (
    Absent,
    Accepted,
    CannotTell,
    Delivery,
    Failure,
    Found,
    Identity,
    OpenTicket,
    RateLimited,
    Receipt,
    Said,
    TicketView,
)
from plugins.sinks.zendesk.sink import ZendeskSink

MANY = 12


class Clock:
    """The hub's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def sink_of(account: Account, clock: Clock, **more: Any) -> ZendeskSink:
    """A connector on the test's clock."""
    return make_sink(account.sandbox.connection_settings(webhook_url="") | more, now=clock)


def person(name: str) -> Identity:
    """A customer of this name."""
    return Identity(network="mastodon", id=name, handle=name, display_name=name.title())


def openings(uid: str, count: int = MANY, *, text: str = "Where is my parcel?", **view: Any) -> list[Delivery]:
    """Openings of as many new customers."""
    made = []
    for number in range(count):
        who = person(f"{uid}-{number}")
        values: dict[str, Any] = {"code": f"SCH-{number}", "subject": "No parcel", "network": "mastodon", "source": "m"}
        ticket = TicketView(uid=f"{uid}-{number}", requester=who, **values | view)
        said = Said(text=f"{text} {number}", author=who, permalink=f"https://social.example/{number}")
        made.append(Delivery(key=f"key-{uid}-{number}", body=OpenTicket(ticket=ticket, said=said)))
    return made


def driven(
    sink: ZendeskSink, clock: Clock, deliveries: list[Delivery], *, rounds: int = 12
) -> dict[str, Receipt | Failure | CannotTell]:
    """As the hub does it: what a look shows absent is sent again together with others; by key, what came of each."""
    ends: dict[str, Receipt | Failure | CannotTell] = {}
    waiting = list(deliveries)
    for _ in range(rounds):
        to_send, later = [], []
        for one in waiting:
            outcome = sink.find(one) if one.memo else Absent()
            if isinstance(outcome, Absent):
                to_send.append(one.model_copy(update={"memo": {}, "attempt": one.attempt + bool(one.memo)}))
            elif isinstance(outcome, Accepted):
                later.append(one.model_copy(update={"memo": outcome.memo}))
            else:
                ends[one.key] = outcome.receipt if isinstance(outcome, Found) else outcome
        if to_send:
            for one, result in zip(to_send, sink.deliver(to_send), strict=True):
                if isinstance(result, Accepted):
                    later.append(one.model_copy(update={"memo": result.memo}))
                elif isinstance(result, Failure) and isinstance(result.error, RateLimited):
                    later.append(one)
                else:
                    ends[one.key] = result
        waiting = later
        if not waiting:
            return ends
        clock.pass_(2)
    raise AssertionError(f"{len(waiting)} deliveries do not end")


def calls(account: Account) -> Counter[str]:
    """The calls of the hub's account since the last time this was asked."""
    told = account.http.get(f"{account.url}/_sandbox/calls", timeout=5).json()
    account.http.delete(f"{account.url}/_sandbox/calls", timeout=5).raise_for_status()
    rows = told["accounts"].get("hub", {}).get("calls", {})
    return Counter({call: sum(by_status.values()) for call, by_status in rows.items()})


def records_of(account: Account, deliveries: list[Delivery]) -> set[int]:
    """How many records there are of each ticket; ``{1}`` is right."""
    found = set()
    for delivery in deliveries:
        assert isinstance(delivery.body, OpenTicket)
        uid = delivery.body.ticket.uid
        found.add(len(account.as_agent("GET", f"/api/v2/tickets.json?external_id={uid}")["tickets"]))
    return found
