"""Takes in what a source reports, as the hub does: page by page or by webhooks, each event once, threads completed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

from hub.sdk import (
    AnyEvent,
    Completes,
    Hint,
    Message,
    MessageDeleted,
    MessageSeen,
    Page,
    PollsForMessages,
    ReceivesWebhooks,
)
from hub.testing.rig import Rig
from hub.testing.vendor import NetworkVendor

Way = Literal["poll", "webhook"]
PAGES = 60
"""No connector needs more pages for what a check makes."""


def ways(connector: type) -> list[Way]:
    """How news of this connector comes."""
    found: list[Way] = []
    if issubclass(connector, PollsForMessages):
        found.append("poll")
    if issubclass(connector, ReceivesWebhooks):
        found.append("webhook")
    return found


def network(rig: Rig) -> NetworkVendor:
    """The vendor of the rig, as a network."""
    assert isinstance(rig.vendor, NetworkVendor), "vendor() of a source returns a NetworkVendor"
    return rig.vendor


def through_json(cursor: dict[str, Any]) -> dict[str, Any]:
    """The cursor as it comes back from the hub's database."""
    return cast(dict[str, Any], json.loads(json.dumps(cursor)))


class Listener:
    """Listens from now on: what stood there before is not told."""

    def __init__(self, rig: Rig, way: Way | None = None) -> None:
        self._rig = rig
        self.way: Way = way or ways(rig.connector_class)[0]
        self._known: set[str] = set()
        self.cursor: dict[str, Any] = {}
        if self.way == "poll":
            self.cursor = through_json(rig.connector.first_cursor())
        else:
            rig.vendor.webhooks()

    def page(self) -> Page:
        """The next page; the cursor moves on."""
        page = self._rig.connector.fetch_page(self.cursor)
        assert isinstance(page, Page), f"fetch_page returned {type(page).__name__}, not a Page"
        self.cursor = through_json(page.cursor)
        return page

    def arrivals(self) -> list[AnyEvent]:
        """Everything told until now, as it came; a key that came before is dropped, as in the hub's inbox."""
        events: list[AnyEvent] = []
        for told in self._told():
            events += [event for event in told if event.event_key not in self._known]
            self._known |= {event.event_key for event in told}
        return events

    def _told(self) -> Iterable[Sequence[AnyEvent]]:
        if self.way == "webhook":
            for request in self._rig.vendor.webhooks():
                self._rig.connector.verify(request)
                yield self._rig.connector.events(request)
            return
        for _ in range(PAGES):
            page = self.page()
            yield page.events
            if not page.has_more:
                return
        raise AssertionError(f"after {PAGES} pages fetch_page still says that there is more")

    def news(self) -> list[AnyEvent]:
        """The arrivals with hints and open threads completed, where the connector can."""
        return [full for event in self.arrivals() for full in self.completed(event)]

    def completed(self, event: AnyEvent) -> Sequence[AnyEvent]:
        """The event as the hub would have it before it goes on."""
        open_thread = isinstance(event, MessageSeen) and not event.message.thread.id
        if issubclass(self._rig.connector_class, Completes) and (open_thread or isinstance(event, Hint)):
            return cast(Sequence[AnyEvent], self._rig.connector.complete(event))
        return [event]

    def messages(self, *, own: bool = False) -> list[Message]:
        """What customers said (or what the account said itself) since the last time."""
        return [message for message in messages_of(self.news()) if message.own == own]


def messages_of(events: Iterable[AnyEvent]) -> list[Message]:
    """The messages among events."""
    return [event.message for event in events if isinstance(event, MessageSeen)]


def deletions_of(events: Iterable[AnyEvent]) -> list[str]:
    """The vendor ids of what was deleted."""
    return [event.message_id for event in events if isinstance(event, MessageDeleted)]
