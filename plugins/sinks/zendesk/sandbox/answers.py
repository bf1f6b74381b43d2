# SPDX-License-Identifier: GPL-3.0-or-later
"""How Zendesk's API reads requests and writes answers: wrapped bodies, addresses in records, two paginations."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from flask import request

from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

_ADDRESSES = {
    "ticket": "tickets",
    "user": "users",
    "group": "groups",
    "membership": "group_memberships",
    "ticket_field": "ticket_fields",
    "ticket_form": "ticket_forms",
    "brand": "brands",
    "custom_status": "custom_statuses",
    "organization": "organizations",
    "macro": "macros",
    "view": "views",
    "trigger": "triggers",
    "attachment": "attachments",
    "oauth_client": "oauth/clients",
    "oauth_token": "oauth/tokens",
}
_HIDDEN = ("generated_timestamp", "status_before", "event")


def shown(kind: str, body: Json) -> Json:
    """A record as it leaves: with its address, without what only the sandbox keeps."""
    seen = {"url": f"{request.host_url}api/v2/{_ADDRESSES[kind]}/{body['id']}.json"} if kind in _ADDRESSES else {}
    seen |= body
    if kind == "ticket":
        for name in _HIDDEN:
            seen.pop(name, None)
        seen["fields"] = seen["custom_fields"]
    elif kind == "attachment":
        seen.pop("external_id", None)
        origin = request.host_url.rstrip("/")
        seen["content_url"] = seen["mapped_content_url"] = origin + seen["content_url"]
    return seen


def with_files(event: Json) -> Json:
    """An event of an audit; the addresses of its files carry the host they are asked at."""
    if event.get("attachments"):
        return event | {"attachments": [shown("attachment", row) for row in event["attachments"]]}
    return event


def shown_audit(audit: Json) -> Json:
    """An audit as it leaves."""
    return audit | {"events": [with_files(event) for event in audit["events"]]}


def changed(answer: Json) -> Json:
    """The answer to a write of a ticket."""
    audit = answer["audit"]
    return {"ticket": shown("ticket", answer["ticket"]), "audit": audit and shown_audit(audit)}


def given(name: str) -> Json:
    """The object under ``name`` in the request's body."""
    body = request.get_json(silent=True)
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise Problem(400, "BadRequest", f"Parameter {name} is required")
    return found


def id_list(value: str) -> list[int]:
    """The numbers of a comma-separated parameter, a hundred at most."""
    ids = [int(part) for part in value.split(",") if part.strip().isdecimal()]
    if len(ids) > 100:
        raise too_many()
    return ids


def too_many() -> Problem:
    """The answer to more than a hundred at once."""
    return Problem(400, "TooManyValues", "Too many values; the limit is 100")


def listed(helpdesk: Helpdesk, kind: str, name: str, **equal: object) -> Json:
    """One page of a kind of record."""
    start, size = _window()
    rows, more = helpdesk.state.page(kind, start=start, size=size, **equal)
    total = None if "page[size]" in request.args else helpdesk.state.count(kind, **equal)
    return _page(name, [shown(kind, row) for row in rows], start, size, more, total)


def page(name: str, rows: list[Json]) -> Json:
    """One page of these rows: by cursor where ``page[size]`` asks for it, by offset else."""
    start, size = _window()
    more = start + size < len(rows)
    return _page(name, rows[start : start + size], start, size, more, len(rows))


def _window() -> tuple[int, int]:
    size = min(int(request.args.get("page[size]", request.args.get("per_page", 100))), 100)
    if "page[size]" in request.args or "page[after]" in request.args:
        return decoded(request.args.get("page[after]", "")), size
    return (max(1, int(request.args.get("page", 1))) - 1) * size, size


def _page(name: str, rows: list[Json], start: int, size: int, more: bool, total: int | None) -> Json:
    if "page[size]" in request.args or "page[after]" in request.args:
        after = encoded(start + size) if more else None
        before = encoded(max(0, start - size)) if start else None
        return {
            name: rows,
            "meta": {"has_more": more, "after_cursor": after, "before_cursor": before},
            "links": {"next": _address({"page[after]": after}) if after else None, "prev": None},
        }
    number = start // size + 1
    return {
        name: rows,
        "next_page": _address({"page": number + 1}) if more else None,
        "previous_page": _address({"page": number - 1}) if start else None,
        "count": total,
    }


def _address(changes: Json) -> str:
    return f"{request.base_url}?{urlencode(request.args.to_dict() | changes)}"


def encoded(number: int) -> str:
    """An opaque cursor."""
    return base64.b64encode(json.dumps([number, "x"]).encode()).decode()


def decoded(cursor: str) -> int:
    """The number in an opaque cursor; 0 for none."""
    if not cursor:
        return 0
    try:
        return int(json.loads(base64.b64decode(cursor))[0])
    except (ValueError, TypeError, IndexError) as error:
        raise Problem(400, "InvalidCursor", "cursor is invalid") from error
