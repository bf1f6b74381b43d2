# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers in the account: groups, skills, who is there and how much each has, in a few calls for all together.

Availabilities come with omnichannel routing only, and only an admin may read them; elsewhere open tickets are counted
by the search export, whose index is a minute or more behind.
https://developer.zendesk.com/api-reference/agent-availability/agent-availability-api/agent_availabilities/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from hub.sdk import AgentState, Refused, ReportsAgents, Toolbox
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import OddAnswer
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.payloads import agent_of, part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

MAX_PAGES = 10
"""Of a hundred agents, of a thousand open tickets. An account with more of them gets no count."""
MEMBERSHIP_PAGES = 50
OPEN_AND_ASSIGNED = "status<solved -assignee:none"
_NOTES_ONLY = {1: "light agent", 2: "chat agent", 3: "contributor"}
"""``role_type`` of agents who add internal notes at most. 0 is a custom role, 4 an admin, 5 a billing admin; null: no
such roles in the account. https://developer.zendesk.com/api-reference/ticketing/users/users/ and
https://support.zendesk.com/hc/en-us/articles/4408832171034"""

Json = dict[str, Any]


@dataclass(slots=True)
class Availability:
    """What omnichannel routing knows of one agent."""

    available: bool | None = None
    open_tickets: int | None = None
    capacity: int | None = None
    skills: list[str] = field(default_factory=list)


class ZendeskAgents(ReportsAgents):
    """The role, for the sink's class."""

    settings: ZendeskSettings
    toolbox: Toolbox
    _client: ZendeskClient
    _directory: Directory

    def agents(self) -> Sequence[AgentState]:
        """Active agents of the human roles but light, chat-only and our own. ``groups`` has names and ids, because
        teams.toml may have either. Skills come from the availabilities alone."""
        calls = Metadata(self.settings, self.toolbox, self._client.credentials)
        roles = {"role[]": list(self.settings.human_roles)}
        users, whole = _pages(calls, "users", "users", roles, most=MAX_PAGES)
        if not whole:
            self.toolbox.log.warning("the account has more than %d agents: the rest gets no tickets", len(users))
        own = text_of(self._client.me().get("id"))
        people = [user for user in users if text_of(user.get("id")) != own and _may_get_tickets(user)]
        groups = self._groups(calls)
        there = _availabilities(calls)
        counted = None
        if any(text_of(user.get("id")) not in there or _untold(there[text_of(user["id"])]) for user in people):
            counted = _open_tickets(calls)
        skills = _skill_names(calls) if any(one.skills for one in there.values()) else {}
        states = []
        for user in people:
            agent, known = agent_of(user), there.get(text_of(user.get("id")), Availability())
            reckoned = None if counted is None else counted[agent.id]
            states.append(
                AgentState(
                    agent=agent,
                    email=text_of(user.get("email")),
                    groups=tuple(groups.get(agent.id, ())),
                    skills=tuple(skills[one] for one in known.skills if one in skills),
                    available=known.available,
                    open_tickets=reckoned if known.open_tickets is None else known.open_tickets,
                    capacity=known.capacity,
                )
            )
        return states

    def _groups(self, calls: Metadata) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        rows, _ = _pages(calls, "group_memberships", "group_memberships", {}, most=MEMBERSHIP_PAGES)
        for row in rows:
            group_id = text_of(row.get("group_id"))
            names = dict.fromkeys((self._directory.group_name(group_id), group_id))
            found.setdefault(text_of(row.get("user_id")), []).extend(name for name in names if name)
        return found


def notes_only(user: Json) -> str:
    """What an agent is called who cannot comment in public; empty for one who can."""
    kind = user.get("role_type")
    if user.get("chat_only") is True:
        return _NOTES_ONLY[2]
    if isinstance(kind, int) and kind in _NOTES_ONLY:
        return _NOTES_ONLY[kind]
    return "agent for internal notes only" if user.get("only_private_comments") is True else ""


def _may_get_tickets(user: Json) -> bool:
    return user.get("suspended") is not True and user.get("active") is not False and not notes_only(user)


def _untold(known: Availability) -> bool:
    return known.open_tickets is None


def _availabilities(calls: Metadata) -> dict[str, Availability]:
    """By the agent's id; empty where the account does not have them, or our account may not see them."""
    data: list[Json] = []
    channels: dict[str, Json] = {}
    params: Json = {"page[size]": 100}
    for _ in range(MAX_PAGES):
        try:
            page = calls.call("GET", f"agent_availabilities?{urlencode(params)}")
        except Refused:
            return {}
        rows = page.get("data")
        if not isinstance(rows, list):
            raise OddAnswer("Zendesk answered without readable agent availabilities")
        data += [row for row in rows if isinstance(row, dict)]
        included = page.get("included")
        for row in included if isinstance(included, list) else ():
            if isinstance(row, dict) and row.get("type") == "channels":
                channels[text_of(row.get("id"))] = part_of(row, "attributes")
        after = text_of(part_of(page, "meta").get("after_cursor"))
        if part_of(page, "meta").get("has_more") is not True or not after:
            break
        params["page[after]"] = after
    return {text_of(part_of(row, "attributes").get("agent_id")): _availability(row, channels) for row in data}


def _availability(row: Json, channels: dict[str, Json]) -> Availability:
    attributes = part_of(row, "attributes")
    mine = part_of(part_of(row, "relationships"), "channels").get("data")
    ids = [text_of(one.get("id")) for one in mine if isinstance(one, dict)] if isinstance(mine, list) else []
    support = next((channels[one] for one in ids if channels.get(one, {}).get("name") == "support"), {})
    # Away, offline and transfers_only take no new ticket.
    status = text_of(support.get("status")) or text_of(part_of(attributes, "agent_status").get("name"))
    skills = attributes.get("skills")
    return Availability(
        available=status.casefold() == "online" if status else None,
        open_tickets=_count(support.get("work_item_count")),
        capacity=_count(support.get("max_capacity")),
        skills=[text_of(one.get("id")) for one in skills if isinstance(one, dict)] if isinstance(skills, list) else [],
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _skill_names(calls: Metadata) -> dict[str, str]:
    try:
        answer = calls.call("GET", "routing/attributes?include=attribute_values")
    except Refused:
        return {}
    rows = answer.get("attribute_values")
    values = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {text_of(row.get("id")): name for row in values if (name := text_of(row.get("name")))}


def _open_tickets(calls: Metadata) -> Counter[str] | None:
    """Open tickets per assignee; ``None`` when there are too many to count, or we may not search."""
    params = {"query": OPEN_AND_ASSIGNED, "filter[type]": "ticket"}
    try:
        rows, whole = _pages(calls, "search/export", "results", params, most=MAX_PAGES, size=1000)
    except Refused:
        return None
    return Counter(text_of(row.get("assignee_id")) for row in rows) if whole else None


def _pages(
    calls: Metadata, path: str, name: str, params: Json, *, most: int, size: int = 100
) -> tuple[list[Json], bool]:
    """The rows of at most ``most`` pages, and whether these are all."""
    rows: list[Json] = []
    wanted: Json = {**params, "page[size]": size}
    for _ in range(most):
        page = calls.call("GET", f"{path}?{urlencode(wanted, doseq=True)}")
        found = page.get(name)
        if not isinstance(found, list):
            raise OddAnswer(f"Zendesk answered without readable {name}")
        rows += [row for row in found if isinstance(row, dict)]
        meta = part_of(page, "meta")
        if meta.get("has_more") is not True:
            return rows, True
        wanted["page[after]"] = text_of(meta.get("after_cursor"))
    return rows, False
