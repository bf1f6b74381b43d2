"""Who answers: the team, from the router's word or from teams.toml."""

from __future__ import annotations

from typing import Any

from hub.configuration import Team
from hub.flow import staff, track
from hub.flow.hub import Hub
from hub.store import Connection, Row, Tx, tickets
from hub.store import staff as people_there


def team_for(hub: Hub, *, source: str, fields: dict[str, str]) -> Team:
    """The team of a ticket. A router may name it; a name that does not exist falls back to the map."""
    named = hub.teams.teams.get(fields.get("team", ""))
    if named is not None:
        return named
    config = hub.connected[source].config
    return hub.teams.team_for(
        source=source,
        brand=config.brand,
        country=config.country,
        language=fields.get("language", ""),
        category=fields.get("category", ""),
        kind=fields.get("kind", ""),
    )


def agent_for(hub: Hub, connection: Connection, team: Team, fields: dict[str, str]) -> str:
    """The agent of a ticket: who a router named, else who is free in the team; empty: the group decides."""
    named = fields.get("agent", "")
    if named:
        return named
    language, category = fields.get("language", ""), fields.get("category", "")
    person = staff.pick(hub, connection, team, category=category, language=language, now=hub.now())
    return person.id if person else ""


def is_second_step(ticket: Row[Any]) -> bool:
    """True when a single agent was named: the record is opened first, then assigned.

    A team alone stands in the opening, which saves the vendor's quota one call per ticket.
    """
    return bool(ticket.agent)


def assign(hub: Hub, tx: Tx, ticket: Row[Any], *, cause: str, agent: str = "") -> None:
    """Tell the helpdesk the team (and agent), as the second delivery of a ticket.

    How much of it is applied is the sink's setting ``assign``: off, fields, group or agent.
    """
    team = hub.teams.teams.get(ticket.team) or hub.teams.default
    now = hub.now()
    known = people_there.find(tx.connection, ticket.sink, agent)
    name = known.name if known is not None and known.name else agent
    tickets.add_event(tx, ticket.id, "assigned", now=now, actor="hub", team=team.name, agent=name)
    track.tell_sink(
        hub,
        tx,
        ticket,
        cause=f"assign:{cause}",
        now=now,
        by_person=False,
        soon=True,
        group=team.group,
        agent=agent,
    )
