"""Who is free to answer: the helpdesks' people are asked every few minutes, and one is picked per ticket.

Agents are named only where the sink's setting ``assign`` is ``agent``; elsewhere nothing is read and nobody is picked.
What is kept is who is there and how many tickets each has now; how well or fast somebody works is not.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.configuration import Member, Team
from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import Agent, AgentState, ConnectorError, ReportsAgents
from hub.store import Connection, Row, Tx, connections, staff

log = logging.getLogger("hub.staff")

EVERY = timedelta(minutes=3)
COUNTED_LATE = timedelta(minutes=1)
"""A helpdesk counts open tickets from an index that is behind by about so much."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who could get the ticket; ``load`` is how many open tickets they have."""

    id: str
    name: str
    skills: frozenset[str]
    load: int


def names_agents(hub: Hub, sink: str) -> bool:
    """True when this sink may be told a single agent."""
    one = hub.connected.get(sink)
    # By convention of every sink (see "assign" in the docs of sinks): the connector applies it, the hub only asks.
    return one is not None and getattr(one.settings, "assign", "") == "agent"


def sinks(hub: Hub) -> list[str]:
    """The sinks whose people must be known: a team works there, and an agent may be named."""
    return [name for name in sorted({team.sink for team in hub.teams.teams.values()}) if names_agents(hub, name)]


def refresh(hub: Hub, name: str) -> bool:
    """Ask a helpdesk who is there and write it down. False: it was not asked or did not answer, and what was known
    stays."""
    with hub.store.read() as connection:
        row, now = connections.get(connection, name), hub.now()
    if name not in hub.checked or row.paused or (row.blocked_until is not None and row.blocked_until > now):
        return False
    connector = hub.instance(name)
    try:
        states = connector.agents() if isinstance(connector, ReportsAgents) else _members(hub, name)
    except Exception as error:
        _failed(hub, name, error)
        return False
    calls = hub.calls(name).take()

    def unit(tx: Tx) -> None:
        connections.add_calls(tx, name, calls)
        told = any(state.open_tickets is not None for state in states)
        ours = staff.given(tx.connection, name, since=now - staff.LOOKS_BACK, open_only=True)
        reckoned = [state if state.open_tickets is not None else _reckoned(state, ours) for state in states]
        staff.replace(tx, name, reckoned, seen_at=now - COUNTED_LATE if told else now)

    hub.store.run(unit)
    return True


def _members(hub: Hub, name: str) -> Sequence[AgentState]:
    """The members teams.toml names, for a helpdesk that tells nothing about its people."""
    named = {member.agent for team in hub.teams.teams.values() if team.sink == name for member in team.members}
    return [AgentState(agent=Agent(id=who)) for who in sorted(named)]


def _reckoned(state: AgentState, ours: dict[str, int]) -> AgentState:
    number = ours.get(state.agent.id, 0) + (ours.get(state.email, 0) if state.email else 0)
    return state.model_copy(update={"open_tickets": number})


def _failed(hub: Hub, name: str, error: Exception) -> None:
    calls = hub.calls(name).take()

    def unit(tx: Tx) -> None:
        connections.add_calls(tx, name, calls)
        retry.blame_connection(hub, tx, name, error, now=hub.now(), has_lane=False)

    hub.store.run(unit)
    if isinstance(error, ConnectorError):
        log.warning("%s did not tell its agents: %s", name, error.summary)
    else:
        log.error("%s did not tell its agents: a bug of its plugin", name, exc_info=error)


def pick(hub: Hub, connection: Connection, team: Team, *, category: str, language: str, now: datetime) -> Person | None:
    """The most suitable free agent of a team; ``None``: nobody is, the group decides.

    Free is who is on shift, present as far as the helpdesk says, and below their capacity. Of those who speak the
    language, one with the category among the skills comes first, then who has the fewest open tickets; ties go by id.
    """
    if not names_agents(hub, team.sink) or not (team.group or team.members) or not team.on_shift(now):
        return None
    rows = staff.of(connection, team.sink)
    if not rows:
        return None
    more = staff.given(connection, team.sink, since=min(row.seen_at for row in rows))
    free = [person for row in rows if (person := _candidate(team, row, more, language=language)) is not None]
    wanted = category.casefold()
    return min(free, key=lambda one: (wanted not in one.skills, one.load, one.id), default=None)


def _candidate(team: Team, row: Row[Any], more: dict[str, int], *, language: str) -> Person | None:
    member = next((one for one in team.members if _is(one, row)), None)
    groups = {group.casefold() for group in row.groups or ()}
    if (team.members and member is None) or row.available is False:
        return None
    # A helpdesk refuses an agent who is not in the ticket's group.
    if team.group and team.group.casefold() not in groups and (groups or member is None):
        return None
    skills = {skill.casefold() for skill in (*(row.skills or ()), *(member.skills if member else ()))}
    languages = {_primary(one) for one in (member.languages if member else ()) or team.languages}
    wanted = _primary(language)
    if languages and wanted and wanted not in languages | skills:
        return None
    load = (row.open_tickets or 0) + more.get(row.vendor_id, 0) + (more.get(row.email, 0) if row.email else 0)
    limits = (member.capacity if member else None, row.capacity, team.capacity)
    capacity = next((limit for limit in limits if limit is not None), None)
    if capacity is not None and load >= capacity:
        return None
    return Person(row.vendor_id, row.name, frozenset(skills), load)


def _is(member: Member, row: Row[Any]) -> bool:
    return member.agent.casefold() in {row.vendor_id.casefold(), row.email.casefold(), row.name.casefold()} - {""}


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
