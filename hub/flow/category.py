"""A request turns out to be about something else: another category, and with it the team and the data it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.configuration import Team
from hub.flow import assign, collect, recognise, texts
from hub.flow.hub import Hub
from hub.store import Row, Tx, messages, people, tickets


@dataclass
class Change:
    """What follows from another category: ``fields`` of ``UpdateFields``, and ``notes`` for the agent."""

    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def change(hub: Hub, tx: Tx, ticket: Row[Any], name: str, *, actor: str, now: datetime) -> Change:
    """Give the ticket the category ``name`` (one of the hub's), read again what the customer has said already for what
    it needs, and pass the ticket to its team."""
    done = Change(fields={"category": name})
    found = _collected_anew(hub, tx, ticket, name, done, now=now)
    missing = collect.missing_fields(hub.categories[name], found)
    tickets.change(tx, ticket.id, now=now, category=name, fields=hub.encrypt_json(found), missing=missing)
    team = _team_anew(hub, tx, tickets.by_id(tx.connection, ticket.id), done, now=now)
    old = {"old": ticket.category} if ticket.category else {}
    data = {**old, "category": name, "kind": ticket.kind, "team": team.name}
    tickets.add_event(tx, ticket.id, "category_changed", now=now, actor=actor, **data)
    done.notes.append(
        texts.note("command_category_changed", hub.language, category=label(hub, name), team=team_label(hub, team))
    )
    if missing:
        fields = missing_labels(hub, tickets.by_id(tx.connection, ticket.id))
        done.notes.append(texts.note("command_missing", hub.language, fields=fields))
    return done


def label(hub: Hub, category: str) -> str:
    """What agents call a category; its name where it has no label."""
    known = hub.categories.get(category)
    return (known.label.in_language(hub.language) if known else "") or category


def team_label(hub: Hub, team: Team) -> str:
    """What agents call a team."""
    return team.label.in_language(hub.language) or team.name


def missing_labels(hub: Hub, ticket: Row[Any]) -> str:
    """The missing fields in the agents' language."""
    category = hub.categories.get(ticket.category)
    named = {one.name: one.label.in_language(hub.language) for one in category.fields} if category else {}
    return ", ".join(named.get(name) or name for name in ticket.missing or ())


def _collected_anew(hub: Hub, tx: Tx, ticket: Row[Any], name: str, done: Change, *, now: datetime) -> dict[str, str]:
    known: dict[str, str] = hub.decrypt_json(ticket.fields)
    found = known
    for message in messages.of_ticket(tx.connection, ticket.id):
        if message.direction == "inbound" and message.deleted_at is None:
            before, found = found, collect.find_fields(hub.categories[name], message.text, found)
            said = [value for key, value in found.items() if key not in before]
            if said and message.identity_id is not None:
                author = people.identity_by_id(tx.connection, message.identity_id)
                recognise.recognise(hub, tx, ticket, author, said, now=now)
    new = {key: value for key, value in found.items() if key not in known}
    if new:
        done.fields["fields"] = new
        tickets.add_event(tx, ticket.id, "fields_collected", now=now, actor="hub", names=sorted(new))
    return found


def _team_anew(hub: Hub, tx: Tx, ticket: Row[Any], done: Change, *, now: datetime) -> Team:
    """The team of the new category, with somebody who is free there. A record does not move to another helpdesk."""
    fields = {name: getattr(ticket, name) for name in ("kind", "language", "category")}
    team = assign.team_for(hub, source=ticket.connection, fields=fields)
    present = hub.teams.teams.get(ticket.team) or hub.teams.default
    if team.name == present.name:
        return present
    if team.sink != present.sink:
        values = {"team": team_label(hub, team), "sink": team.sink}
        done.notes.append(texts.note("command_other_helpdesk", hub.language, **values))
        return present
    agent = assign.agent_for(hub, tx.connection, team, fields)
    tickets.change(tx, ticket.id, now=now, team=team.name, agent=agent)
    done.fields.update(group=team.group, agent=agent)
    tickets.add_event(tx, ticket.id, "assigned", now=now, actor="hub", team=team.name, agent=agent)
    return team
