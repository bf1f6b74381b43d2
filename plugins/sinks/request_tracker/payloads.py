"""Request Tracker's JSON -> values of the hub. Tolerant: every property may be null or missing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hub.sdk import Agent, Attachment, Comment, CommentSeen, RecordChanged
from hub.sdk.text import html_to_text
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

SYSTEM_USER = "RT_System"
NOBODY = "Nobody"
UID_PREFIX = "sch-"
"""External ids of our tickets start with it; other tickets are none of our business."""

_MARK = re.compile(r"\[sch:([0-9A-Za-z-]{1,80})\]")
_COMMENTS = frozenset({"Create", "Correspond", "Comment"})
_EPOCH = datetime.fromtimestamp(0, UTC)

Json = dict[str, Any]


def marked(label: str, key: str) -> str:
    """The subject of a transaction of ours. RT writes it in one go with the transaction; a transaction custom field
    is written after its scrips ran, so it may be missing after a lost answer."""
    return f"{' '.join(label.split())[:80]} [sch:{key}]".strip()


def delivery_key_of(transaction: Json, our_name: str, text: str = "") -> str:
    """The delivery key in the subject of a transaction that our account made, else empty. ``text``: its first
    message's, where a new ticket carries the key."""
    found = _MARK.search(text_of(transaction.get("Data")))
    if transaction.get("Type") == "Create":
        found = _MARK.fullmatch(text.strip().rpartition("\n")[2])
    return found.group(1) if found and name_of(transaction.get("Creator")) == our_name else ""


def text_of(value: Any) -> str:
    """A string for a string or number, empty for everything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def number_of(value: Any) -> int | None:
    """A whole number, also one written as a string."""
    text = text_of(value)
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None


def id_of(value: Any) -> str:
    """The id in a reference such as ``{"type": "ticket", "id": "9"}``."""
    return text_of(value.get("id")) if isinstance(value, dict) else text_of(value)


def name_of(value: Any) -> str:
    """The name in a reference to a user or queue: ``Name`` where asked for; users carry it as their id."""
    if not isinstance(value, dict):
        return ""
    return text_of(value.get("Name")) or text_of(value.get("id"))


def time_of(value: Any) -> datetime | None:
    """An aware time, or ``None``; RT's "never" is 1970."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def custom_values(ticket: Json, name: str) -> list[str] | None:
    """The values of a custom field; ``None`` when the ticket does not show it."""
    fields = ticket.get("CustomFields")
    for field in fields if isinstance(fields, list) else []:
        if isinstance(field, dict) and text_of(field.get("name")).casefold() == name.casefold():
            values = field.get("values")
            return [text_of(value) for value in values] if isinstance(values, list) else []
    return None


def external_id(ticket: Json, settings: RequestTrackerSettings) -> str:
    """The hub's id on a ticket, else empty."""
    return "".join((custom_values(ticket, settings.external_id_field) or [])[:1])


def record_changed(
    ticket: Json, newest: str, settings: RequestTrackerSettings, assignee: Agent, category: str | None = None
) -> RecordChanged:
    """A ticket's fields as they are now. ``newest`` is its newest transaction, read before the ticket."""
    ticket_id, word = text_of(ticket.get("id")), text_of(ticket.get("Status"))
    priority = number_of(ticket.get("Priority"))
    tags = custom_values(ticket, settings.tags_field) if settings.tags_field else None
    state = [word, priority, tags, assignee.id, name_of(ticket.get("Queue"))]
    state += [] if category is None else [category]
    return RecordChanged(
        event_key=f"record:{ticket_id}:{newest}:{_digest(state)}",
        lane=f"record:{ticket_id}",
        record_id=ticket_id,
        changed_at=time_of(ticket.get("LastUpdated")) or _EPOCH,
        external_id=external_id(ticket, settings),
        status=None if word == "deleted" else settings.status_of(word),
        vendor_status=word,
        priority=None if priority is None else settings.priority_of(priority),
        tags=None if tags is None else tuple(tags),
        assignee=assignee,
        group=name_of(ticket.get("Queue")),
        category=category,
        version=newest,
        deleted=word == "deleted",
    )


def record_gone(ticket_id: str, at: datetime, *, merged_into: str = "") -> RecordChanged:
    """A ticket that was merged into another, or is not there any more."""
    what = f"merged:{merged_into}" if merged_into else "deleted"
    return RecordChanged(
        event_key=f"record:{ticket_id}:{what}",
        lane=f"record:{ticket_id}",
        record_id=ticket_id,
        changed_at=at,
        vendor_status=what.partition(":")[0],
        deleted=not merged_into,
        merged_into=merged_into,
    )


def comment_rows(history: Iterable[Json], ticket_id: str) -> list[Json]:
    """The transactions that said something on this very ticket."""
    return [row for row in history if row.get("Type") in _COMMENTS and text_of(row.get("ObjectId")) == ticket_id]


def comments_seen(
    ticket_id: str,
    rows: Sequence[Json],
    parts: tuple[list[Json], list[Json]],
    settings: RequestTrackerSettings,
    author: Callable[[str], Agent],
    our_name: str,
) -> list[CommentSeen]:
    """A comment per transaction of ``rows``; ``parts`` is what the client gave for them, ``author`` finds a person."""
    seen: list[CommentSeen] = []
    for row in rows:
        number = text_of(row.get("id"))
        meta = [part for part in parts[0] if id_of(part.get("TransactionId")) == number]
        texts = [part for part in parts[1] if id_of(part.get("TransactionId")) == number]
        comment = _comment(row, meta, texts, settings, author, our_name)
        seen.append(
            CommentSeen(event_key=f"comment:{number}", lane=f"record:{ticket_id}", record_id=ticket_id, comment=comment)
        )
    return seen


def _comment(
    row: Json,
    meta: list[Json],
    texts: list[Json],
    settings: RequestTrackerSettings,
    author: Callable[[str], Agent],
    our_name: str,
) -> Comment:
    number, name = text_of(row.get("id")), name_of(row.get("Creator"))
    headers = _headers(text_of(meta[0].get("Headers"))) if meta else {}
    door = headers.get("x-rt-interface", "")
    html = next((text_of(part.get("Content")) for part in texts if part.get("ContentType") == "text/html"), "")
    plain = next((text_of(part.get("Content")) for part in texts if part.get("ContentType") != "text/html"), "")
    text = plain.strip() or html_to_text(html)
    own = name == our_name
    by_mail = door == "Email" and (not settings.answers_by_mail or _mailed_by_a_program(headers))
    return Comment(
        id=number,
        public=row.get("Type") != "Comment",
        author=author(name),
        automatic=name == SYSTEM_USER or own or by_mail,
        via="hub" if own else "mail" if door == "Email" else door,
        text=text,
        html=html,
        created_at=time_of(row.get("Created")) or _EPOCH,
        attachments=tuple(_files(meta, number, settings.url)),
        origin=delivery_key_of(row, our_name, text),
    )


def _files(meta: Iterable[Json], transaction: str, url: str) -> Iterable[Attachment]:
    for part in meta:
        name = text_of(part.get("Filename"))
        if not name:
            continue
        part_id, mime = text_of(part.get("id")), text_of(part.get("ContentType"))
        kind = mime.partition("/")[0]
        yield Attachment(
            id=part_id,
            kind=kind if kind in ("image", "video", "audio") else "file",
            url=f"{url}/Ticket/Attachment/{transaction}/{part_id}/{quote(name, safe='')}",
            name=name,
            mime_type=mime,
            size=number_of(part.get("ContentLength")),
        )


def _headers(raw: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in raw.splitlines() if line[:1] not in (" ", "\t"))
    return {name.strip().lower(): value.strip() for name, found, value in pairs if found}


def _mailed_by_a_program(headers: dict[str, str]) -> bool:
    # RFC 3834, and what older programs say.
    return (
        headers.get("auto-submitted", "no").lower() != "no"
        or headers.get("precedence", "").lower() in ("bulk", "junk", "list", "auto_reply")
        or "x-autoreply" in headers
        or "x-auto-response-suppress" in headers
    )


def _digest(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:10]
