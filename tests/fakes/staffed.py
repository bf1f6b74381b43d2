"""The fake helpdesk with all its fields in both directions, and people who answer in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from hub.configuration import Teams
from hub.sdk import Agent, AgentState, AnyEvent, Delivery, Failure, Receipt, RecordChanged, ReportsAgents, UpdateFields
from hub.work.engine import Engine
from tests.fakes.connectors import FakeSettings, FakeSink
from tests.fakes.house import House


class StaffedSettings(FakeSettings):
    """How far routing may go, too."""

    assign: str = "agent"


class FullSink(FakeSink):
    """Reports tags, priority, group and assignee, and sets what the hub asks it to."""

    Settings = StaffedSettings

    @staticmethod
    def event(entry: dict[str, Any]) -> AnyEvent:
        """As the plain one, with the other fields."""
        event = FakeSink.event(entry)
        if not isinstance(event, RecordChanged):
            return event
        who = entry["fields"].get("assignee")
        return event.model_copy(
            update={
                "group": entry["fields"].get("group"),
                "category": entry["fields"].get("category"),
                "problem": entry["fields"].get("problem"),
                "assignee": None if who is None else Agent(id=who, name=f"Agent {who}", role="agent"),
            }
        )

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """An update sets every field it names."""
        delivery, body = deliveries[0], deliveries[0].body
        if not isinstance(body, UpdateFields):
            return super().deliver(deliveries)
        record = self.call("find", record_id=body.record_id)["records"][0]
        have = record["fields"].get("tags", [])
        fields: dict[str, Any] = {
            name: value
            for name, value in {
                "status": body.status,
                "priority": body.priority,
                "group": body.group,
                "assignee": body.agent,
                "category": body.category,
                "requester": body.requester.id if body.requester else "",
            }.items()
            if value
        }
        if body.tags_add or body.tags_remove:
            fields["tags"] = [tag for tag in [*have, *body.tags_add] if tag not in body.tags_remove]
        note = "\n".join([body.note, *(f"{proof.state} {proof.permalink}" for proof in body.proofs)]).strip()
        answer = self.call("update", effect=True, record_id=body.record_id, fields=fields, note=note, ref=delivery.key)
        at = datetime.fromtimestamp(self.toolbox.now().timestamp(), UTC)
        return [Receipt(vendor_id=body.record_id, comment_id=answer["comment_id"], at=at)]


class StaffedSink(FullSink, ReportsAgents):
    """Tells who is there: what a test put into ``people``; an exception in their place is raised."""

    people: ClassVar[list[AgentState] | Exception] = []

    def agents(self) -> Sequence[AgentState]:
        """Those."""
        self.call("whoami")
        if isinstance(self.people, Exception):
            raise self.people
        return self.people


def person(number: str, **state: Any) -> AgentState:
    """One agent in the group Care."""
    values: dict[str, Any] = {"email": f"{number}@example.com", "groups": ("Care",), **state}
    return AgentState(agent=Agent(id=number, name=f"Agent {number}", role="agent"), **values)


def furnish(
    house: House, *, teams: Teams | None = None, wins: Mapping[str, str] | None = None, assign: str = "agent"
) -> House:
    """Give the house's hub teams, field rules and a sink that may be told agents."""
    desk = house.hub.connected["desk"]
    config = desk.config.model_copy(update={"wins": dict(wins or {})})
    settings = StaffedSettings(url=desk.settings.url, assign=assign)
    house.hub.connected = {**house.hub.connected, "desk": replace(desk, config=config, settings=settings)}
    house.hub.teams = teams or house.hub.teams
    house.hub.categories = house.categories
    house.engine = Engine(house.hub)
    house.engine.prepare(alone=True)
    house.step()
    house.clock.forward(2)
    return house


def steps(house: House, count: int = 8) -> None:
    """Let some rounds go by, a second each."""
    for _ in range(count):
        house.step()
        house.clock.forward(1)


def notes(house: House, record: str = "r1") -> list[str]:
    """The internal comments of a record."""
    return [one["text"] for one in house.helpdesk.records[record]["comments"] if not one["public"]]


def timeline(house: House, kind: str) -> list[Any]:
    """The lines of this kind, as (actor, data)."""
    rows = house.rows("SELECT actor, data FROM event WHERE kind = :kind ORDER BY id", kind=kind)
    return [(row.actor, json.loads(row.data or "{}")) for row in rows]
