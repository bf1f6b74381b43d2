"""What a helpdesk tells about the past and about its people: values and roles of the sink side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from hub.sdk.messages import Agent, Comment, Priority, Text, TicketStatus, Value


class PastTicket(Value):
    """One finished or running request as the helpdesk has it: what routers learn from.

    ``solver`` is who solved it, where told; ``comments`` are in order, the customer's own with an empty role.
    """

    record_id: Text
    external_id: str = ""
    subject: Text = ""
    status: TicketStatus
    priority: Priority | None = None
    channel: str = ""
    requester_id: Text = ""
    group: Text = ""
    assignee: Agent = Agent()
    solver: Agent = Agent()
    tags: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    solved_at: datetime | None = None
    comments: tuple[Comment, ...] = ()


class HistoryPage(Value):
    """One page of the past; the hub stores tickets and ``cursor`` in one transaction."""

    tickets: tuple[PastTicket, ...]
    cursor: dict[str, Any]
    has_more: bool = False
    total: int | None = None
    """How many tickets there are in all, where the vendor says so: for the progress bar."""


class Backfills(ABC):
    """Reads the past, page by page, within the vendor's limits; posts nothing."""

    @abstractmethod
    def history_page(self, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        """The tickets changed since ``since``, oldest first, from ``cursor`` on (empty: from the beginning).

        Called by ``hub backfill``, again at once while ``has_more``. One page: a few calls whose number has a bound.
        Return a ``HistoryPage``; the same ticket may come again, the newer one holds. May raise our errors: the hub
        waits or stops and goes on from the same cursor. Since plugin API 1.
        """


class AgentState(Value):
    """One person who answers. ``None`` means "not reported": then the hub reckons by itself."""

    agent: Agent
    email: str = ""
    groups: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    available: bool | None = None
    open_tickets: int | None = None
    capacity: int | None = None


class ReportsAgents(ABC):
    """Tells who answers in the helpdesk: groups, skills, who is there, how much each has."""

    @abstractmethod
    def agents(self) -> Sequence[AgentState]:
        """Every agent who may get tickets, as of now.

        Called every few minutes while ``assign`` is ``agent``. A few calls, whatever the number of agents. Return
        them. May raise our errors (``Refused`` for a right that is missing: it pauses nothing); the hub then goes on
        with what it knew. Since plugin API 1.
        """
