"""A helpdesk whose records can be read one by one, a house before it, and hands to plant differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.flow.reconcile import Comparison
from hub.sdk import Agent, AnyEvent, Comment, CommentSeen, Completes, ConnectorError, Event, Hint, RecordChanged
from hub.store.certificates import CertificateView
from tests.fakes.connectors import FakeSink
from tests.fakes.house import House

HOUR = 3600


class Desk(FakeSink, Completes):  # type: ignore[misc]
    """The fake helpdesk, whose records can be read one by one. What the feed never told is seen here."""

    name = "readable_desk"
    troubles: list[ConnectorError] = []
    asked: list[str] = []

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record with its comments as they are now."""
        assert isinstance(event, Hint)
        self.asked.append(event.record)
        if self.troubles:
            raise self.troubles.pop(0)
        records = self.call("find", record_id=event.record)["records"]
        if not records:
            return [self._record(event.record, {}, deleted=True)]
        record = records[0]
        if record.get("not_ours"):
            return []
        seen = [self._comment(one) for one in record["comments"]]
        return [*seen, self._record(event.record, record["fields"], merged_into=record.get("merged_into", ""))]

    def _record(self, record_id: str, fields: dict[str, Any], **more: Any) -> RecordChanged:
        at = datetime.fromtimestamp(fields.get("at", 0), UTC)
        told = {name: fields[name] for name in ("status", "priority", "category") if name in fields}
        key = f"record:{record_id}:{sorted(told.items())}:{sorted(more.items())}"
        return RecordChanged(event_key=key, record_id=record_id, changed_at=at, **told, **more)

    def _comment(self, one: dict[str, Any]) -> CommentSeen:
        comment = Comment(
            id=one["id"],
            public=one["public"],
            author=Agent(id=one["role"], name=one["role"].title(), role=one["role"]),
            automatic=one["automatic"],
            text=one["text"],
            created_at=datetime.fromtimestamp(one["at"], UTC),
            origin=one["ref"],
        )
        key = f"comment:{one['id']}:{'public' if one['public'] else 'private'}"
        return CommentSeen(event_key=key, record_id=one["record"], comment=comment)


def answered(url: str) -> House:
    """A hub with one answered ticket that is an hour old."""
    house = House(url, desk=Desk)
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "My parcel is late")
    live(house)
    house.helpdesk.comment("r1", "It comes tomorrow.")
    live(house)
    house.helpdesk.set_fields("r1", status="pending", priority="high", at=house.clock.stamp())
    live(house)
    house.clock.forward(HOUR)
    return house


def live(house: House, rounds: int = 10) -> None:
    """Let some rounds go by, a second each."""
    for _ in range(rounds):
        house.step()
        house.clock.forward(1)


def compare(house: House, *, days: float | None = None, repair: bool = False) -> CertificateView:
    """One comparison to its end, waiting by the clock."""
    since = None if days is None else house.clock() - timedelta(days=days)
    comparison = Comparison(house.hub, "desk", since=since, repair=repair)
    while comparison.left:
        house.clock.forward(comparison.pause())
        comparison.step()
    return comparison.finish()


def kinds(made: CertificateView) -> list[str]:
    """What differs."""
    return [one["kind"] for one in made.differences]


def said(house: House) -> list[str]:
    """What the company said on the network."""
    return [post["text"] for post in house.network.own()]


def notes(house: House) -> list[str]:
    """The internal notes of the record."""
    return [one["text"] for one in house.helpdesk.records["r1"]["comments"] if not one["public"]]


def do(house: House, statement: str) -> None:
    """Plant something in the database by hand."""
    house.store.run(lambda tx: tx.connection.exec_driver_sql(statement))


def unheard(house: House, text: str, **options: Any) -> str:
    """A comment that neither webhook nor feed tells of."""
    comment = house.helpdesk.comment("r1", text, **options)
    house.helpdesk.feed.pop()
    return comment
