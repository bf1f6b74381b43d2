"""Who answers in the helpdesks, as they last said, and how much each was given since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from hub.sdk import AgentState
from hub.store import tables as t
from hub.store.side_tables import agent
from hub.store.upsert import insert_or_update
from hub.store.writer import Tx

LOOKS_BACK = timedelta(days=30)
"""Older tickets do not count where we reckon ourselves: nobody works on them, and reading all of them takes long."""


def replace(tx: Tx, connection: str, states: Iterable[AgentState], *, seen_at: datetime) -> None:
    """Make these the agents of a helpdesk; who is not among them is forgotten."""
    known = []
    for state in states:
        known.append(state.agent.id)
        values = {
            "connection": connection,
            "vendor_id": state.agent.id,
            "name": state.agent.name,
            "email": state.email,
            "groups": list(state.groups),
            "skills": list(state.skills),
            "available": state.available,
            "open_tickets": state.open_tickets,
            "capacity": state.capacity,
            "seen_at": seen_at,
        }
        insert_or_update(tx, agent, values, key=["connection", "vendor_id"])
    tx.execute(delete(agent).where(agent.c.connection == connection, agent.c.vendor_id.not_in(known)))


def find(connection: Connection, name: str, who: str) -> Row[Any] | None:
    """The agent of a helpdesk with this id or e-mail address."""
    mine = (agent.c.vendor_id == who) | (agent.c.email == who)
    return connection.execute(select(agent).where(agent.c.connection == name, mine)).first() if who else None


def of(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """The agents of a helpdesk, in a fixed order."""
    return connection.execute(select(agent).where(agent.c.connection == name).order_by(agent.c.vendor_id)).all()


def given(connection: Connection, name: str, *, since: datetime, open_only: bool = False) -> dict[str, int]:
    """How many tickets made after ``since`` each agent of a helpdesk was given by the hub. A count of tickets for the
    moment, never kept."""
    here = t.ticket.c
    query = select(here.agent, func.count()).where(here.created_at > since, here.sink == name, here.agent != "")
    if open_only:
        query = query.where(here.status.not_in(("solved", "closed")))
    return {str(who): int(number) for who, number in connection.execute(query.group_by(here.agent))}
