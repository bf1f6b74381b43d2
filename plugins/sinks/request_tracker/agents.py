"""Who may be given tickets: the people who are AdminCc of the queues where teams work.

REST 2 tells nobody's rights, so that "who holds OwnTicket" cannot be asked for. In RT a queue's people are its AdminCc;
the command that setup prints gives the role AdminCc the right OwnTicket, and then the two are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hub.sdk import Agent, AgentState, Refused, ReportsAgents, Toolbox
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.directory import Directory
from plugins.sinks.request_tracker.errors import DENIED, GONE
from plugins.sinks.request_tracker.payloads import id_of, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

Json = dict[str, Any]


class RequestTrackerAgents(ReportsAgents):
    """The role, for the sink's class."""

    settings: RequestTrackerSettings
    toolbox: Toolbox
    _client: RequestTrackerClient
    _directory: Directory

    def agents(self) -> Sequence[AgentState]:
        """Privileged users, not disabled, who are AdminCc of the connection's queue or of a team's, by themselves or
        in a group; without those whom ``agents`` and ``not_agents`` keep from customers. ``id`` is the user name,
        ``groups`` are queues. Open are the tickets in these queues, new and stalled ones too; ``None`` when there are
        too many to count. Raises ``Refused`` when a right is missing or nobody is AdminCc: never an empty list."""
        queues = self._queues_of_teams()
        people = self._people(queues)
        privileged = set(_users(self._group(self._privileged_group())))
        names = [name for name in people if name in privileged and self._may_get_tickets(name)]
        rows = {text_of(row.get("Name")): row for row in self._client.users("Name", names)}  # no disabled users
        if not rows:
            raise Refused(f"nobody who may get tickets is AdminCc of {', '.join(queues) or self.settings.queue}")
        counted = self._open_tickets(queues)
        return [
            AgentState(
                agent=Agent(id=name, name=text_of(row.get("RealName")) or name, role="agent"),
                email=text_of(row.get("EmailAddress")),
                groups=tuple(people[name]),
                open_tickets=None if counted is None else counted[name],
            )
            for name, row in sorted(rows.items())
        ]

    def _queues_of_teams(self) -> dict[str, Json]:
        """The queues by the name they are called by in teams.toml."""
        wanted = {name.casefold(): name for name in (*self.toolbox.house.groups, self.settings.queue)}
        found: dict[str, Json] = {}
        for name in wanted.values():
            try:
                found[name] = self._client.queue(name)
            except Refused as error:
                if error.detail == DENIED:
                    raise Refused(f"our RT account has no right SeeQueue on {name!r}", detail=DENIED) from error
                if error.detail != GONE:
                    raise
                self.toolbox.log.warning("there is no queue %s, which is a team's group", name)
        return found

    def _people(self, queues: dict[str, Json]) -> dict[str, list[str]]:
        """The queues of each user."""
        groups: dict[str, Json] = {}
        people: dict[str, list[str]] = {}
        for name, queue in queues.items():
            watchers = _references(queue.get("AdminCc"))
            if not watchers:
                self.toolbox.log.warning("the queue %s has no AdminCc: nobody gets its tickets", name)
            for who in dict.fromkeys(self._members(watchers, groups, set())):
                people.setdefault(who, []).append(name)
        return people

    def _members(self, references: Sequence[Json], groups: dict[str, Json], above: set[str]) -> Iterator[str]:
        """User names, those in groups of groups too; each group is read once and may not hold itself."""
        for one in references:
            number = id_of(one)
            if one.get("type") == "user":
                yield number
            elif one.get("type") == "group" and number not in above:
                if number not in groups:
                    groups[number] = self._group(number)
                yield from self._members(_references(groups[number].get("Members")), groups, {*above, number})

    def _group(self, number: str) -> Json:
        try:
            return self._client.group(number)
        except Refused as error:
            if error.detail == DENIED:
                raise _no_see_group() from error
            raise

    def _privileged_group(self) -> str:
        """The number of RT's own group of all privileged users: a search for users does not tell which they are."""
        number = self._client.system_group("Privileged")
        if not number:  # RT leaves out of a search the groups our account may not see
            raise _no_see_group()
        return number

    def _may_get_tickets(self, name: str) -> bool:
        return name != self._directory.our_name and self._directory.role(name, privileged=True) == "agent"

    def _open_tickets(self, queues: dict[str, Json]) -> Counter[str] | None:
        owners, whole = self._client.owners_of_open([text_of(queue.get("id")) for queue in queues.values()])
        return Counter(owners) if whole else None


def _no_see_group() -> Refused:
    return Refused(
        "our RT account has no right SeeGroup for all groups: it cannot see who works in a queue", detail=DENIED
    )


def _references(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _users(group: Json) -> list[str]:
    return [id_of(one) for one in _references(group.get("Members")) if one.get("type") == "user"]
