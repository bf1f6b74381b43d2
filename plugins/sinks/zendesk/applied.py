# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an update Zendesk really did: it answers 200 also to what it leaves out, and asks its callers to compare.

https://support.zendesk.com/hc/en-us/articles/4418443326106
"""

from __future__ import annotations

from typing import Any

from hub.sdk import OutcomeUnknown, Refused
from plugins.sinks.zendesk.outgoing import NOTHING
from plugins.sinks.zendesk.payloads import comment_events, part_of

Json = dict[str, Any]

_SINGLE = ("status", "custom_status_id", "priority", "type", "problem_id", "requester_id", "group_id", "assignee_id")


def left_out(changes: Json, answer: Json, before: Json | None) -> list[str]:
    """The names of what was sent and stands as it stood ``before``. Another value than both was set by a rule of the
    account, and is no matter of ours; nor is how Zendesk writes a value."""
    ticket, old = part_of(answer, "ticket"), before or {}
    names = [
        name
        for name in _SINGLE
        if name in changes and name in ticket and name in old and ticket[name] == old[name] != changes[name]
    ]
    stand = ticket.get("tags")
    if (
        "tags" in changes
        and isinstance(stand, list)
        and _tags(stand) == _tags(old.get("tags")) != _tags(changes["tags"])
    ):
        names.append("tags")
    if isinstance(ticket.get("custom_fields"), list):
        filled = {row.get("id"): row.get("value") for row in ticket["custom_fields"] if isinstance(row, dict)}
        sent = changes.get("custom_fields", [])
        names += [
            f"field {row['id']}" for row in sent if _letters(row["value"]) and filled.get(row["id"]) in (None, "")
        ]
    return names


def check(changes: Json, answer: Json, before: Json | None) -> list[str]:
    """What was left out while the rest was done. Raises ``Refused`` when nothing at all was done, ``OutcomeUnknown``
    when the answer does not show our note. An update whose note is there is never refused: it would be sent again."""
    audit, left = part_of(answer, "audit"), left_out(changes, answer, before)
    if "comment" in changes:
        if not comment_events(audit):
            raise OutcomeUnknown("Zendesk accepted the note but answered without it")
    elif left and not _was_done(changes, audit.get("events"), left):
        raise Refused(
            f"Zendesk answered 200 and left as it was: {', '.join(left)}; our account may not change it, or its "
            "settings do not use it"
        )
    return left


def _was_done(changes: Json, events: Any, left: list[str]) -> bool:
    """Whether the update did anything. What a rule took back at once was done, and the mirror brings the account's own
    choice; what a rule did beside it was not ours."""
    if not isinstance(events, list):  # no audit told: the values alone
        return len(left) < len(changes.keys() - NOTHING - {"custom_fields"}) + len(changes.get("custom_fields", []))
    rows = [row for row in events if isinstance(row, dict) and row.get("type") == "Change"]
    return any(part_of(row, "via").get("channel") != "rule" for row in rows)


def _tags(tags: Any) -> set[str]:
    return {_letters(tag) for tag in tags} if isinstance(tags, list) else set()


def _letters(value: Any) -> str:
    return str(value).strip().casefold() if value is not None else ""
