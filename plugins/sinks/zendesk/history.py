# SPDX-License-Identifier: GPL-3.0-or-later
"""The account's past: tickets by the cursor export, each with its comments and who solved it by its audits.

The time-based export of ticket events needs fewer calls, but holds only what happened since its start: an older
ticket's first comments would be missing, and the same event comes again at the seam of two pages.
https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.sdk import Agent, Backfills, Comment, ConfigurationError, HistoryPage, PastTicket, Refused, Toolbox
from plugins.sinks.zendesk import payloads
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import GONE
from plugins.sinks.zendesk.payloads import is_id, part_of, text_of, time_of
from plugins.sinks.zendesk.settings import ZendeskSettings

PER_PAGE = 50
"""Tickets of one page: each costs a call for its audits, and the export allows ten pages a minute."""
START_AT_LEAST_AGO = timedelta(seconds=61)
STILL_COMING = timedelta(minutes=5)
"""How long before an export's end a change may not have been in it."""
_SOLVED = ("solved", "closed")

Json = dict[str, Any]


class ZendeskHistory(Backfills):
    """The role, for the sink's class."""

    settings: ZendeskSettings
    toolbox: Toolbox
    _client: ZendeskClient
    _directory: Directory

    def history_page(self, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        """Up to 50 tickets: one call for the page, one for each ticket (more for very long ones), one for the people
        nobody knows yet. Deleted tickets are left out, and those that only the system has touched."""
        now, after = self.toolbox.now(), text_of(cursor.get("cursor"))
        start = max(0, int(min(since, now - START_AT_LEAST_AGO).timestamp()))
        try:
            page = self._client.export(cursor=after, start_time=start, per_page=PER_PAGE)
        except Refused as error:
            summary = f"the ticket export cannot be read (it needs an admin): {error.summary}"
            raise ConfigurationError(summary, detail=error.detail) from error
        # The export goes by generated_timestamp, which updates of the system move too: what a person last touched
        # before `since`, or before the last run's end, has nothing new to tell.
        floor = max(since, time_of(cursor.get("read_until")) or since)
        rows = [row for row in page["tickets"] if _is_told(row, floor)]
        read = [(row, audits) for row in rows if (audits := self._audits(text_of(row["id"])))]
        self._directory.read({person for row, audits in read for person in _people(row, audits)})
        tickets = [self._past(row, audits) for row, audits in read]
        then = text_of(page.get("after_cursor")) or after
        more = page.get("end_of_stream") is False and then != after
        # Kept as it was until the end: every page of a run has the same floor.
        until = text_of(cursor.get("read_until")) if more else (now - STILL_COMING).isoformat()
        bookmark = {"cursor": then, "read_until": until} if then else {}
        return HistoryPage(tickets=tuple(tickets), cursor=bookmark, has_more=more)

    def _audits(self, ticket_id: str) -> list[Json]:
        try:
            return self._client.audits(ticket_id)[0]
        except Refused as error:
            if error.detail != GONE:
                raise
            return []  # deleted between the two calls

    def _past(self, row: Json, audits: list[Json]) -> PastTicket:
        ticket_id = text_of(row["id"])
        record = payloads.record_changed(row, self._directory.agent, self._directory.group_name)
        status = record.status or "open"
        assignee = record.assignee or Agent()
        solved = _last_solving(audits) if status in _SOLVED else None
        solver = self._directory.agent(_author(solved)) if solved else Agent()
        return PastTicket(
            record_id=ticket_id,
            external_id=record.external_id,
            subject=text_of(row.get("subject")),
            status=status,
            priority=record.priority,
            channel=text_of(part_of(row, "via").get("channel")),
            requester_id=text_of(row.get("requester_id")),
            group=record.group or "",
            assignee=assignee,
            # A rule or a customer that solves it did not do the work: then the one it was assigned to is meant.
            solver=solver if solver.role in self.settings.human_roles else assignee if status in _SOLVED else Agent(),
            tags=record.tags or (),
            fields=self._fields(row),
            created_at=time_of(row.get("created_at")) or record.changed_at,
            updated_at=record.changed_at,
            solved_at=time_of(solved.get("created_at")) if solved else None,
            comments=tuple(self._comments(ticket_id, audits, payloads.problem_of(row))),
        )

    def _comments(self, ticket_id: str, audits: Sequence[Json], problem: str) -> list[Comment]:
        """Once each, as visible as they are now; what customers wrote has an empty role."""
        seen = payloads.comments_seen(ticket_id, audits, self._directory.agent, problem=problem)
        now = {one.comment.id: one.comment for one in seen}
        return [
            one.model_copy(update={"author": one.author.model_copy(update={"role": ""})})
            if one.author.role == "end-user"
            else one
            for one in now.values()
        ]

    def _fields(self, row: Json) -> dict[str, str]:
        """The custom fields that stand for collected ones, by our names."""
        rows = row.get("custom_fields")
        values = {entry.get("id"): entry.get("value") for entry in rows if isinstance(entry, dict)} if rows else {}
        named = {name: text_of(values.get(number)) for name, number in self.settings.field_ids.items()}
        return {name: value for name, value in named.items() if value}


def _is_told(row: Any, floor: datetime) -> bool:
    if not isinstance(row, dict) or not text_of(row.get("id")) or row.get("status") == "deleted":
        return False
    # Zendesk counts whole seconds.
    return (time_of(row.get("updated_at")) or datetime.max.replace(tzinfo=UTC)) >= floor.replace(microsecond=0)


def _people(row: Json, audits: Sequence[Json]) -> set[str]:
    solvers = {_author(audit) for audit in audits if _solves(audit)}
    return payloads.people_of(row, audits) | {one for one in solvers if is_id(one) and one != "0"}


def _last_solving(audits: Sequence[Json]) -> Json | None:
    return next((audit for audit in reversed(audits) if _solves(audit)), None)


def _solves(audit: Json) -> bool:
    events = audit.get("events")
    return any(
        event.get("type") in ("Change", "Create")
        and event.get("field_name") == "status"
        and event.get("value") == "solved"
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, dict)
    )


def _author(audit: Json) -> str:
    return text_of(audit.get("author_id"))
