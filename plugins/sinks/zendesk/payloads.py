# SPDX-License-Identifier: GPL-3.0-or-later
"""Zendesk's JSON -> values of the hub. Tolerant: every property may be null or missing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from hub.sdk import Agent, Attachment, Comment, CommentSeen, RecordChanged
from hub.sdk.messages import Priority, TicketStatus
from hub.sdk.text import html_to_text

KEY = "hub_key"
"""Under this name our delivery key travels in the audit's custom metadata."""

_AUTOMATIC_CHANNELS = frozenset({"rule", "system", "trigger", "automation", "merge", "admin_setting"})
_AUTOMATIC_RELATIONS = frozenset({"trigger", "automation", "merge"})
_FROM_A_PROBLEM = frozenset({"problem", "linked_problem"})
"""Relation or channel by which an incident's audit tells that its problem was solved. No recording of one is public:
taken from how a merge and a follow-up name the ticket they come from, which stands in via.source.from. What looks
otherwise stays automatic, where its channel is the system's."""
_HUMAN_ROLES = frozenset({"agent", "admin"})
"""A role the operator took off the list never comes so, see ``Directory``."""
_REDACTIONS = frozenset({"CommentRedactionEvent", "AttachmentRedactionEvent"})
_REDACTED_FILE = "redacted.txt"
"""The empty file that stands where a redacted one was."""
_STATUSES: frozenset[str] = frozenset(get_args(TicketStatus))
_PRIORITIES: frozenset[str] = frozenset(get_args(Priority))
_STATE = ("status", "custom_status_id", "priority", "tags", "assignee_id", "group_id", "type", "problem_id")

Json = dict[str, Any]


def text_of(value: Any) -> str:
    """A string for a string or number, empty for everything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def is_id(value: str) -> bool:
    """Whether this is written as an id of Zendesk: 1 to 20 digits."""
    return re.fullmatch(r"[0-9]{1,20}", value) is not None


def part_of(value: Any, name: str) -> Json:
    """The object under ``name``, or an empty one."""
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def time_of(value: Any) -> datetime | None:
    """An aware time, or ``None``."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def delivery_key_of(audit: Json) -> str:
    """The delivery key we put on the update that made this audit, else empty."""
    return text_of(part_of(part_of(audit, "metadata"), "custom").get(KEY))


def comment_events(audit: Json) -> list[Json]:
    """The comments an audit holds."""
    events = audit.get("events")
    rows = events if isinstance(events, list) else []
    return [event for event in rows if isinstance(event, dict) and event.get("type") == "Comment" and event.get("id")]


def record_changed(
    ticket: Json, agent: Callable[[str], Agent], group: Callable[[str], str], *, category: str | None = None
) -> RecordChanged:
    """A ticket's fields as they are now. ``agent`` and ``group`` look ids up; ``category`` is what its field shows,
    where there is one."""
    ticket_id = text_of(ticket.get("id"))
    status, priority = text_of(ticket.get("status")), text_of(ticket.get("priority"))
    tags = ticket.get("tags")
    version = text_of(ticket.get("updated_at"))
    state = {name: ticket[name] for name in _STATE if name in ticket}
    if category is not None:
        state["category"] = category
    return RecordChanged(
        # updated_at counts whole seconds: two changes within one second differ by their fields only.
        event_key=f"record:{ticket_id}:{version}:{_digest(state)}",
        lane=f"record:{ticket_id}",
        record_id=ticket_id,
        changed_at=time_of(ticket.get("updated_at")) or datetime.fromtimestamp(0, UTC),
        external_id=text_of(ticket.get("external_id")),
        status=status if status in _STATUSES else None,
        vendor_status=status,
        priority=priority if priority in _PRIORITIES else None,
        tags=tuple(text_of(tag) for tag in tags) if isinstance(tags, list) else None,
        assignee=agent(text_of(ticket.get("assignee_id"))),
        group=group(text_of(ticket.get("group_id"))),
        category=category,
        problem=problem_of(ticket) if "problem_id" in ticket else None,
        version=version,
        deleted=status == "deleted",
    )


def record_deleted(ticket_id: str, at: datetime, *, external_id: str = "", version: str = "") -> RecordChanged:
    """A ticket that is gone."""
    return RecordChanged(
        event_key=f"record:{ticket_id}:deleted",
        lane=f"record:{ticket_id}",
        record_id=ticket_id,
        changed_at=at,
        external_id=external_id,
        vendor_status="deleted",
        version=version,
        deleted=True,
    )


def problem_of(ticket: Json) -> str:
    """The id of the problem whose incident this ticket is, else empty."""
    return text_of(ticket.get("problem_id"))


def people_of(ticket: Json, audits: Iterable[Json]) -> set[str]:
    """Ids of the users whose role and name are needed to read these."""
    ids = {text_of(ticket.get("assignee_id"))}
    for audit in audits:
        ids |= {_author(event, audit) for event in comment_events(audit)}
    return {user_id for user_id in ids if is_id(user_id) and user_id != "0"}


def comments_seen(
    ticket_id: str, audits: Sequence[Json], agent: Callable[[str], Agent], *, problem: str = ""
) -> list[CommentSeen]:
    """Every comment of the audits (oldest first), once per visibility it had, in the order it happened: a note that
    was made public later gives a private and then a public event, also when both are read at once. A redacted comment
    is told once more, under a key of its newest redaction. ``problem`` is the one this ticket is an incident of now."""
    redactions = {comment_id: number for audit in audits for comment_id, number in _redactions(audit)}
    changes = [change for audit in audits for change in _privacy_changes(audit)]
    seen: dict[str, CommentSeen] = {}
    for audit in audits:
        for event in comment_events(audit):
            comment = _comment(event, audit, agent, problem)
            own = [public for comment_id, public in changes if comment_id == comment.id]
            # The event shows the visibility of today, or that of then: a change tells what it was before.
            history = _history(own) if own else (comment.public,)
            told = [(f"comment:{comment.id}:{'public' if public else 'private'}", public) for public in history]
            redaction = redactions.get(comment.id)
            if redaction is not None:
                told.append((f"{told[-1][0]}:redacted:{redaction}", told[-1][1]))
            for key, public in told:
                seen.setdefault(
                    key,
                    CommentSeen(
                        event_key=key,
                        lane=f"record:{ticket_id}",
                        record_id=ticket_id,
                        comment=comment.model_copy(update={"public": public, "redacted": redaction is not None}),
                    ),
                )
    return list(seen.values())


def _history(changes: Sequence[bool]) -> Sequence[bool]:
    """The visibilities to tell of a comment that changed, so that nobody publishes what its author has taken back: one
    that is internal now never was an answer, and one that is public again begins as a note."""
    return (False, True) if changes[-1] else (False,)


def merged_into(ticket: Json, comments: Sequence[CommentSeen]) -> str:
    """The id of the ticket this one was merged into, else empty. Zendesk says it in a tag and a sentence only:
    "This request was closed and merged into request #2", in the account's language."""
    tags = ticket.get("tags")
    if not isinstance(tags, list) or "closed_by_merge" not in tags or not comments:
        return ""
    number = re.search(r"#([0-9]{1,20})\b", comments[-1].comment.text)
    return number.group(1) if number else ""


def agent_of(user: Json) -> Agent:
    """A user as author."""
    return Agent(id=text_of(user.get("id")), name=text_of(user.get("name")), role=text_of(user.get("role")))


def _comment(event: Json, audit: Json, agent: Callable[[str], Agent], problem: str) -> Comment:
    own_via = part_of(event, "via")
    via = own_via or part_of(audit, "via")
    channel, relation = text_of(via.get("channel")), text_of(part_of(via, "source").get("rel"))
    author = agent(_author(event, audit))
    html = text_of(event.get("html_body"))
    copied_from = ""
    if {channel, relation} & _FROM_A_PROBLEM:
        named = text_of(part_of(part_of(via, "source"), "from").get("ticket_id")) or problem
        # Whose words were copied is known by the author alone: a rule's, or nobody's, stay automatic.
        copied_from = named if author.role in _HUMAN_ROLES else ""
        automatic = not copied_from
    else:
        automatic = channel in _AUTOMATIC_CHANNELS or relation in _AUTOMATIC_RELATIONS or author.role == "system"
    return Comment(
        id=text_of(event.get("id")),
        public=event.get("public") is True,
        author=author,
        automatic=automatic or channel.startswith("answer_bot"),
        via=f"{channel}/{relation}" if relation else channel,
        text=html_to_text(html) if html else text_of(event.get("plain_body")) or text_of(event.get("body")),
        html=html,
        created_at=time_of(audit.get("created_at")) or datetime.fromtimestamp(0, UTC),
        attachments=tuple(_attachments(event.get("attachments"))),
        # A trigger's comment stands in the audit of the update that fired it: that one is not ours.
        origin="" if automatic or copied_from else delivery_key_of(audit),
        copied_from=copied_from,
    )


def _author(event: Json, audit: Json) -> str:
    return text_of(event.get("author_id")) or text_of(audit.get("author_id"))


def _privacy_changes(audit: Json) -> list[tuple[str, bool]]:
    events = audit.get("events")
    return [
        (text_of(event.get("comment_id")), event["public"])
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, dict)
        and event.get("type") == "CommentPrivacyChange"
        and isinstance(event.get("public"), bool)
    ]


def _redactions(audit: Json) -> list[tuple[str, str]]:
    """The comments an audit's events took words or a file from, with the event's number. The comment itself shows the
    black text from then on, in the audit that made it (ticket audit events reference, "Comment redaction event")."""
    events = audit.get("events")
    return [
        (text_of(event.get("comment_id")), text_of(event.get("id")) or text_of(audit.get("id")))
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, dict) and event.get("type") in _REDACTIONS
    ]


def _attachments(rows: Any) -> Iterable[Attachment]:
    for row in rows if isinstance(rows, list) else []:
        url = text_of(row.get("content_url")) if isinstance(row, dict) else ""
        # A file that Zendesk found to be malware must not reach a customer through us; a deleted one is not there.
        if not url or row.get("malware_scan_result") == "malware_found" or row.get("deleted") is True:
            continue
        if row.get("file_name") == _REDACTED_FILE:
            continue
        mime = text_of(row.get("content_type"))
        kind = mime.partition("/")[0]
        yield Attachment(
            id=text_of(row.get("id")),
            kind=kind if kind in ("image", "video", "audio") else "file",
            url=url,
            name=text_of(row.get("file_name")),
            mime_type=mime,
            size=row["size"] if isinstance(row.get("size"), int) else None,
        )


def _digest(state: Json) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:10]
