"""The past of a Request Tracker: every ticket our account sees, with what was said and who resolved it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.sdk import Agent, Backfills, Comment, ConfigurationError, HistoryPage, PastTicket, Toolbox
from plugins.sinks.request_tracker import payloads
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.directory import Directory
from plugins.sinks.request_tracker.payloads import id_of, name_of, number_of, text_of, time_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

PER_PAGE = 20
"""Tickets of one page: each costs some three calls, and one more for each person not met before."""
TIME_ZONES = timedelta(days=1)
"""RT takes a day in a query for one of our account's time zone, which REST 2 does not tell: ask for more, and look."""
STILL_COMING = timedelta(minutes=5)

Json = dict[str, Any]


class RequestTrackerHistory(Backfills):
    """The role, for the sink's class."""

    settings: RequestTrackerSettings
    toolbox: Toolbox
    _client: RequestTrackerClient
    _directory: Directory

    def history_page(self, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        """Up to 20 tickets by their numbers, which is the order they were opened in. What changes while a run has
        passed its number comes with the next run: the bookmark keeps when this one began. RT shows neither merged nor
        deleted tickets."""
        now, after = self.toolbox.now(), cursor.get("after", 0)
        floor = max(since, time_of(cursor.get("floor")) or since)
        began = time_of(cursor.get("began")) or now
        if not isinstance(after, int):
            raise ConfigurationError("this bookmark is not one of a Request Tracker connection")
        day = f"{floor.astimezone(UTC) - TIME_ZONES:%Y-%m-%d %H:%M:%S}"
        rows = self._client.changed_since(day, after=after, most=PER_PAGE)
        changed = [row for row in rows if (time_of(row.get("LastUpdated")) or now) >= floor.replace(microsecond=0)]
        tickets = tuple(self._past(row, history) for row, history in self._with_history(changed))
        if len(rows) < PER_PAGE:
            ended: Json = {"after": 0, "floor": (began - STILL_COMING).isoformat()}
            return HistoryPage(tickets=tickets, cursor=ended)
        bookmark = {
            "after": max(int(id_of(row)) for row in rows),
            "began": began.isoformat(),
            "floor": cursor.get("floor"),
        }
        return HistoryPage(tickets=tickets, cursor=bookmark, has_more=True)

    def _with_history(self, rows: Sequence[Json]) -> list[tuple[Json, list[Json]]]:
        """Each ticket with its transactions: one call for them all, unless they are too many for that."""
        if not rows:
            return []
        history, complete = self._client.history([id_of(row) for row in rows])
        if not complete:
            return [(row, self._client.history([id_of(row)])[0]) for row in rows]
        return [(row, [one for one in history if id_of(one.get("ObjectId")) == id_of(row)]) for row in rows]

    def _past(self, row: Json, history: list[Json]) -> PastTicket:
        ticket_id, our_name = id_of(row), self._directory.our_name
        said = payloads.comment_rows(history, ticket_id)
        parts = self._client.parts(ticket_id, [text_of(one["id"]) for one in said])
        owner, solving = name_of(row.get("Owner")), self._solving(row, history)
        solver = name_of(solving.get("Creator")) if solving else ""
        self._directory.read([owner, solver, *(name_of(one.get("Creator")) for one in said)])
        comments = payloads.comments_seen(ticket_id, said, parts, self.settings, self._directory.agent, our_name)
        assignee, by = self._directory.agent(owner), self._directory.agent(solver)
        created = time_of(row.get("Created")) or self.toolbox.now()
        status, priority = self._status(row), number_of(row.get("Priority"))
        tags = payloads.custom_values(row, self.settings.tags_field) if self.settings.tags_field else None
        return PastTicket(
            record_id=ticket_id,
            external_id=payloads.external_id(row, self.settings),
            subject=text_of(row.get("Subject")),
            status=status,
            priority=None if priority is None else self.settings.priority_of(priority),
            channel=comments[0].comment.via if comments else "",
            requester_id=next((name_of(one) for one in _several(row.get("Requestor"))), ""),
            group=name_of(row.get("Queue")),
            assignee=assignee,
            # A scrip that resolves it did not do the work: then its owner is meant.
            solver=by if by.role == "agent" else assignee if status in ("solved", "closed") else Agent(),
            tags=tuple(tags or ()),
            fields=self._fields(row),
            created_at=created,
            updated_at=time_of(row.get("LastUpdated")) or created,
            solved_at=time_of(solving.get("Created")) if solving else None,
            comments=tuple(_of_customer(seen.comment) for seen in comments),
        )

    def _status(self, row: Json) -> Any:
        return self.settings.status_of(text_of(row.get("Status"))) or "open"

    def _solving(self, row: Json, history: list[Json]) -> Json | None:
        """The transaction that resolved it, when it still is."""
        if self._status(row) not in ("solved", "closed"):
            return None
        for one in reversed(history):
            if one.get("Type") == "Status" and self.settings.status_of(text_of(one.get("NewValue"))) == "solved":
                return one
        return None

    def _fields(self, row: Json) -> dict[str, str]:
        values = {ours: payloads.custom_values(row, theirs) for ours, theirs in self.settings.field_names.items()}
        return {name: found[0] for name, found in values.items() if found and found[0]}


def _of_customer(comment: Comment) -> Comment:
    """What customers wrote has an empty role."""
    if comment.author.role != "end-user":
        return comment
    return comment.model_copy(update={"author": comment.author.model_copy(update={"role": ""})})


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
