"""Both sides have a status, a priority, a group: whose value holds where they differ, and which is newer.

``wins`` of the sink's block in hub.toml says it per field; what it does not name, the helpdesk decides. Clocks are the
helpdesk's own: an older report never overwrites a newer one, and nothing it says counts against a value of ours that is
on its way or arrived after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.flow import category, track
from hub.flow.hub import Hub
from hub.sdk import Receipt, RecordChanged
from hub.store import Row, Tx, connections, sent, staff, tickets

LAPS = 3
"""How often an hour a field of one ticket is set back. Something there that undoes it each time has then won."""
FOLLOWED = 6
"""How often an hour one ticket follows the helpdesk's category."""
LAP_WINDOW = timedelta(hours=1)

CLOCKS = 2.0
"""Seconds by which two times of one helpdesk may differ: of a record in whole seconds, of an answer by its header."""

_SETS = {"status": "status", "priority": "priority", "group": "group", "assignee": "agent", "category": "category"}
"""Field of a record -> what sets it in ``UpdateFields``."""


def newer(mirrored: dict[str, Any], seen: dict[str, Any], clock: float) -> dict[str, Any]:
    """What of ``seen`` is not older than what is known, whether or not it differs. ``mirrored`` holds a clock per field
    in ``clocks`` and the newest of all in ``at``."""
    at, clocks = mirrored.get("at", 0), _clocks(mirrored)
    # Whoever wants an older report to count again moves "at" back.
    return {name: value for name, value in seen.items() if clock >= min(at, clocks.get(name, 0))}


def _clocks(mirrored: dict[str, Any]) -> dict[str, float]:
    if "clocks" in mirrored:
        return dict(mirrored["clocks"])
    # From before there was a clock for each field.
    return dict.fromkeys((name for name in mirrored if name != "at"), mirrored.get("at", 0))


class Rules:
    """One report of one record, held against the ticket."""

    def __init__(
        self, hub: Hub, tx: Tx, row: Row[Any], ticket: Row[Any], event: RecordChanged, mirrored: dict[str, Any]
    ) -> None:
        self.hub, self.tx, self.row, self.ticket, self.event = hub, tx, row, ticket, event
        self.mirrored = mirrored
        self.now = hub.now()
        self._wins: Mapping[str, str] = {
            str(name): str(who) for name, who in hub.connected[row.connection].config.wins.items()
        }
        self._assign = getattr(hub.connected[row.connection].settings, "assign", "")
        self._problem_before = mirrored.get("problem")
        self._updates: list[tuple[dict[str, Any], datetime | None]] | None = None

    def apply(self, seen: dict[str, Any]) -> None:
        """Take over what the helpdesk may decide, put back what it may not, and write both into the timeline. Changes
        ``mirrored``."""
        clock = self.event.changed_at.timestamp()
        known = newer(self.mirrored, seen, clock)
        changed = {name: value for name, value in known.items() if self.mirrored.get(name) != value}
        changed = {name: value for name, value in changed.items() if not self._outdated(name, clock)}
        current = [name for name, value in known.items() if name in changed or self.mirrored.get(name) == value]
        self.mirrored["clocks"] = {**_clocks(self.mirrored), **dict.fromkeys(current, clock)}
        self.mirrored.update(changed, at=max(clock, self.mirrored.get("at", 0)))
        self._hold(changed)

    def _hold(self, changed: dict[str, Any]) -> None:
        tx, ticket, actor = self.tx, self.ticket, self.row.connection
        values: dict[str, Any] = {}
        put_back: dict[str, Any] = {}
        taken = ""
        told = {name: value for name, value in changed.items() if name != "problem"}
        for name, theirs in changed.items():
            ours = self._ours(name)
            if self._differs(name, ours):
                told.pop(name, None)
                wins = self._wins.get(name, "helpdesk")
                data = {"field": name, "ours": ours, "theirs": theirs, "wins": wins}
                if wins == "helpdesk":
                    tickets.add_event(tx, ticket.id, "field_taken", now=self.now, actor=actor, **data)
                elif self._has_laps_left(name):
                    tickets.add_event(tx, ticket.id, "field_put_back", now=self.now, actor=actor, **data)
                    put_back.update(self._as_update(name, ours))
                    continue
                else:
                    tickets.add_event(tx, ticket.id, "field_left", now=self.now, actor=actor, **data)
                    continue
            if name == "category":
                taken = theirs
            values.update(self._as_ticket(name))
        if values:
            tickets.change(tx, ticket.id, now=self.now, **values)
        self._follow_category(taken)
        self._follow_problem(changed)
        if told.keys() - ({"vendor_status"} if "status" in changed and "status" not in told else set()):
            tickets.add_event(tx, ticket.id, "record_changed", now=self.now, actor=self.event.record_id, **told)
        if put_back:
            cause, ticket = f"put-back:{self.row.event_key}", track.fresh(tx, ticket.id)
            track.tell_sink(self.hub, tx, ticket, cause=cause, now=self.now, by_person=False, soon=True, **put_back)

    def _follow_category(self, name: str) -> None:
        """An agent chose another category in the helpdesk's own field: as if told by command."""
        if name not in self.hub.categories or name == self.ticket.category:
            return
        if not self._has_laps_left("followed_category", FOLLOWED):
            # An agent's word passes the fuse; two rules that answer our update in turn would go on for ever.
            text = (
                f"fuse: {FOLLOWED} changes of category in an hour for one ticket ({self.ticket.code}); do rules set it?"
            )
            connections.open_alarm(self.tx, self.row.connection, "fuse", text=text, now=self.now)
            return
        actor, ticket = self.row.connection, track.fresh(self.tx, self.ticket.id)
        done = category.change(self.hub, self.tx, ticket, name, actor=actor, now=self.now)
        cause, ticket = f"category:{self.row.event_key}", track.fresh(self.tx, ticket.id)
        note = "\n\n".join(done.notes)
        track.tell_sink(
            self.hub, self.tx, ticket, cause=cause, now=self.now, by_person=True, soon=True, note=note, **done.fields
        )

    def _follow_problem(self, changed: dict[str, Any]) -> None:
        """The record became the incident of a problem, or is none any more."""
        if "problem" not in changed or changed["problem"] == (self._problem_before or ""):
            return
        kind = "problem_linked" if changed["problem"] else "problem_unlinked"
        data = {"problem": changed["problem"] or self._problem_before}
        tickets.add_event(self.tx, self.ticket.id, kind, now=self.now, actor=self.row.connection, **data)

    def _ours(self, name: str) -> Any:
        """The hub's value of a field; empty when it has none to hold against the helpdesk's."""
        if name in ("status", "priority", "category"):
            return getattr(self.ticket, name)
        if name == "tags":
            return list(self.ticket.tags or ())
        if name == "group" and self._assign in ("group", "agent"):
            team = self.hub.teams.teams.get(self.ticket.team)
            return team.group if team is not None and team.sink == self.row.connection else ""
        if name == "assignee" and self._assign == "agent":
            return self.ticket.agent
        return ""

    def _differs(self, name: str, ours: Any) -> bool:
        if not ours:
            return False
        if name == "tags":
            return self._wins.get("tags") == "hub" and bool(self._missing_tags(ours))
        if name == "assignee":
            return self._is_somebody_else(ours)
        if name == "category" and self.event.category not in self.hub.categories:
            return False  # emptied, or one that means nothing here: no opinion
        if name == "group":
            # An id in teams.toml cannot be compared with the name that is reported.
            return not str(ours).isdigit() and str(ours).casefold() != str(self.event.group).casefold()
        return bool(ours != getattr(self.event, name))

    def _is_somebody_else(self, ours: str) -> bool:
        there = self.event.assignee
        known = staff.find(self.tx.connection, self.row.connection, ours)
        if there is None or (known is None and "@" in ours):
            return False  # an address says nothing about an id
        mine = {ours, known.vendor_id, known.name} if known is not None else {ours}
        return not {there.id, there.name} & mine

    def _missing_tags(self, ours: Sequence[str]) -> list[str]:
        there = {_bare(tag) for tag in self.event.tags or ()}
        return [tag for tag in ours if _bare(tag) not in there]

    def _as_update(self, name: str, ours: Any) -> dict[str, Any]:
        return {"tags_add": tuple(self._missing_tags(ours))} if name == "tags" else {_SETS[name]: ours}

    def _as_ticket(self, name: str) -> dict[str, Any]:
        """What the ticket takes over of the helpdesk's value."""
        event = self.event
        if name == "status" and event.status != self.ticket.status:
            ended = {"solved": "solved_at", "closed": "closed_at"}.get(event.status or "")
            return {"status": event.status, **({ended: self.now} if ended else {})}
        if name == "priority":
            return {"priority": event.priority}
        if name == "assignee" and event.assignee is not None:
            # Whom the hub named counts as theirs until the helpdesk says otherwise.
            named = {"agent": event.assignee.id} if self.ticket.agent and self._differs(name, self.ticket.agent) else {}
            return {"assignees": [event.assignee.name or event.assignee.id], **named}
        if name == "group" and self._assign in ("group", "agent"):
            present = self.hub.teams.teams.get(self.ticket.team)
            if present is not None and self._is_here(present):
                return {}
            team = next((team for team in self.hub.teams.teams.values() if self._is_here(team)), None)
            return {"team": team.name} if team is not None else {}
        return {}

    def _is_here(self, team: Any) -> bool:
        return bool(
            team.group
            and team.sink == self.row.connection
            and team.group.casefold() == str(self.event.group).casefold()
        )

    def _outdated(self, name: str, clock: float) -> bool:
        """True when the hub set this field and the report may be from before that."""
        setter = _SETS.get(name)
        for body, at in self._sent_updates():
            if (setter and body.get(setter)) or (name == "vendor_status" and body.get("status")):
                # Taken for new by mistake, it is put right by the report of our own update; passed over, by nothing.
                return at is None or at.timestamp() - CLOCKS > clock
        return False

    def _sent_updates(self) -> list[tuple[dict[str, Any], datetime | None]]:
        """The newest updates first, each with the helpdesk's time of it; ``None``: it may still be on its way."""
        if self._updates is None:
            rows = sent.updates(self.tx.connection, self.ticket.id, self.row.connection)
            self._updates = [(json.loads(row.body), arrived(row)) for row in rows]
        return self._updates

    def _has_laps_left(self, name: str, most: int = LAPS) -> bool:
        laps = dict(self.mirrored.get("laps") or {})
        since = (self.now - LAP_WINDOW).timestamp()
        recent = [at for at in laps.get(name, ()) if at > since]
        if len(recent) >= most:
            return False
        self.mirrored["laps"] = {**laps, name: [*recent, self.now.timestamp()]}
        return True


def arrived(update: Row[Any]) -> datetime | None:
    """When a field update took effect, by the helpdesk's clock where it told; ``None``: it may be on its way."""
    if update.state != "done":
        return None
    receipt = Receipt.model_validate(update.receipt) if update.receipt else None
    moment: datetime | None = receipt.at if receipt is not None and receipt.at is not None else update.done_at
    return moment


def _bare(tag: str) -> str:
    """A tag without what helpdesks change in it."""
    return re.sub(r"[^a-z0-9]", "", tag.casefold())
