# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who in the account: agents, groups and the users that stand for customers. Remembered for a while, because
every look-up costs one of the account's calls per minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hub.sdk import Agent, Identity, Refused, TemporaryFailure
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.outgoing import external_user_id, user_for
from plugins.sinks.zendesk.payloads import agent_of, is_id, text_of
from plugins.sinks.zendesk.settings import AssignMode

_ROLES_LAST = timedelta(minutes=15)
_GROUPS_LAST = timedelta(minutes=1)
_KEEP = 20_000
_T = TypeVar("_T")
SYSTEM = Agent(id="-1", name="Zendesk", role="system")


class Directory:
    """One per connector instance."""

    def __init__(
        self, client: ZendeskClient, now: Callable[[], datetime], human_roles: Collection[str] = ("agent", "admin")
    ) -> None:
        self._client = client
        self._human_roles = human_roles
        self._now = now
        self._agents: OrderedDict[str, tuple[datetime, Agent]] = OrderedDict()
        self._customers: OrderedDict[str, int] = OrderedDict()
        self._groups: dict[str, str] = {}
        self._groups_at: datetime | None = None

    def read(self, ids: Iterable[str]) -> None:
        """Fetch the users not known or known for too long, in one call per hundred."""
        stale = self._now() - _ROLES_LAST
        missing = [i for i in ids if i not in self._agents or self._agents[i][0] < stale]
        if not missing:
            return
        found = {text_of(user.get("id")): self._person(user) for user in self._client.users(missing)}
        for user_id in missing:  # a deleted user is not in the answer: no role, so nobody who may speak
            _remember(self._agents, user_id, (self._now(), found.get(user_id, Agent(id=user_id))))

    def agent(self, user_id: str) -> Agent:
        """The user as author or assignee; empty for nobody. Call ``read`` first: this makes no call."""
        if not user_id:
            return Agent()
        if user_id.startswith("-") or user_id == "0":
            return SYSTEM
        known = self._agents.get(user_id)
        return known[1] if known else Agent(id=user_id)

    def group_name(self, group_id: str) -> str:
        """The group's name, its id when it is unknown, empty for none."""
        if not group_id:
            return ""
        if group_id not in self._groups:
            self._read_groups()
        return self._groups.get(group_id, group_id)

    def group_id(self, name: str) -> int:
        """The group of this name; ``Refused`` names it when there is none."""
        for _ in range(2):
            for group_id, known in self._groups.items():
                if known.casefold() == name.casefold():
                    return int(group_id)
            self._read_groups()
        raise Refused(f"there is no group {name!r} in Zendesk; create it or correct teams.toml", detail="unknown group")

    def assignment(self, mode: AssignMode, group: str, agent: str = "") -> dict[str, Any]:
        """The changes that give a ticket to a group and an agent, as far as ``mode`` allows."""
        changes: dict[str, Any] = {}
        if group and mode in ("group", "agent"):
            changes["group_id"] = int(group) if is_id(group) else self.group_id(group)
        if agent and mode == "agent":
            if is_id(agent):
                changes["assignee_id"] = int(agent)
            elif "@" in agent:
                return {**changes, "assignee_email": agent}
            else:
                raise Refused(f"the agent {agent!r} must be a Zendesk id or an e-mail address")
        return changes

    def customer(self, identity: Identity) -> int:
        """The id of the end user for this identity, made if need be."""
        key = external_user_id(identity)
        user_id = self._customers.get(key)
        if user_id is None:
            user: dict[str, Any] = self._client.save_user(user_for(identity))
            user_id = user.get("id")
            if not isinstance(user_id, int):
                raise TemporaryFailure("Zendesk answered without the user's id")
            _remember(self._customers, key, user_id)
        return user_id

    def known(self, identity: Identity) -> bool:
        """Whether the id of this identity's user is at hand, without a call."""
        return external_user_id(identity) in self._customers

    def learn(self, external_id: str, user_id: int) -> None:
        """Remember the user that a job made."""
        _remember(self._customers, external_id, user_id)

    def learn_people(self, users: Iterable[dict[str, Any]]) -> None:
        """Remember users that came with another answer."""
        for user in users:
            _remember(self._agents, text_of(user.get("id")), (self._now(), self._person(user)))

    def renewed(self, identity: Identity) -> bool:
        """Ask for a remembered user again, who may have been merged or deleted in Zendesk: whether it is another now.
        Makes no call for one that is not remembered."""
        before = self._customers.pop(external_user_id(identity), None)
        return before is not None and self.customer(identity) != before

    def _person(self, user: dict[str, Any]) -> Agent:
        person = agent_of(user)
        if person.role in self._human_roles or person.role == "end-user":
            return person
        # A role the operator took off the list must not pass as one that speaks to customers.
        return person.model_copy(update={"role": f"other:{person.role}"})

    def _read_groups(self) -> None:
        if self._groups_at is not None and self._now() - self._groups_at < _GROUPS_LAST:
            return
        self._groups = {text_of(group.get("id")): text_of(group.get("name")) for group in self._client.groups()}
        self._groups_at = self._now()


def _remember(cache: OrderedDict[str, _T], key: str, value: _T) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _KEEP:
        cache.popitem(last=False)
