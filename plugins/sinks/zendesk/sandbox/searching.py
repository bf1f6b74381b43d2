# SPDX-License-Identifier: GPL-3.0-or-later
"""Search: a small part of Zendesk's query language, over what is old enough to be found.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

from flask import Flask, request

from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.answers import decoded, encoded, page, shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.tickets import PRIORITIES, STATUSES

Json = dict[str, Any]

KINDS = ("ticket", "user", "group", "organization")
_NAMES = {
    "requester": "requester_id",
    "assignee": "assignee_id",
    "group": "group_id",
    "tags": "tags",
    "created": "created_at",
}
_NAMES |= {
    "updated": "updated_at",
    "ticket_type": "type",
    "organization": "organization_id",
    "submitter": "submitter_id",
}


def add_search(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""

    @app.get("/api/v2/search.json")
    def search() -> Json:
        rows = [shown(kind, row) | {"result_type": kind} for kind, row in _found(helpdesk, "")]
        if int(request.args.get("page", 1)) * int(request.args.get("per_page", 100)) > 1000:
            raise Problem(
                422, "invalid", "Invalid search: Requested response size was greater than Search Response Limits"
            )
        return page("results", rows) | {"facets": None}

    @app.get("/api/v2/search/count.json")
    def count() -> Json:
        return {"count": len(_found(helpdesk, ""))}

    @app.get("/api/v2/search/export.json")
    def export() -> Json:
        kind = request.args.get("filter[type]", "")
        if kind not in KINDS:
            raise Problem(422, "invalid", "Invalid filter[type]")
        rows = _found(helpdesk, kind)
        start, size = decoded(request.args.get("page[after]", "")), min(int(request.args.get("page[size]", 100)), 1000)
        more = start + size < len(rows)
        results = [shown(kind, row) | {"result_type": kind} for _, row in rows[start : start + size]]
        after = encoded(start + size)
        return {
            "results": results,
            "facets": None,
            "meta": {"has_more": more, "after_cursor": after, "before_cursor": None},
            "links": {"next": f"{request.base_url}?page[after]={after}" if more else None, "prev": None},
        }


def _found(helpdesk: Helpdesk, kind: str) -> list[tuple[str, Json]]:
    try:
        words = shlex.split(request.args.get("query", ""))
    except ValueError as error:
        raise Problem(422, "invalid", "Invalid search: unbalanced quotes") from error
    terms = [_term(word) for word in words]
    kinds = [kind] if kind else [value for _, name, _, value in terms if name == "type"] or list(KINDS)
    terms = [term for term in terms if term[1] != "type"]
    # The real index is behind by a minute or more; ``search_lag`` tells by how many seconds.
    newest = helpdesk.now() - helpdesk.state.number("search_lag")
    return [
        (one, row)
        for one in kinds
        if one in KINDS
        for row in helpdesk.state.all(one)
        if row.get("status") != "deleted"
        and datetime.fromisoformat(row["updated_at"]).timestamp() <= newest
        and all(_holds(helpdesk, row, term) for term in terms)
    ]


def _term(word: str) -> tuple[bool, str, str, str]:
    negated, word = word.startswith("-"), word.removeprefix("-")
    for operator in (">=", "<=", ":", ">", "<"):
        name, found, value = word.partition(operator)
        if found and name.replace("_", "").isalnum():
            return negated, name, operator, value
    return negated, "", ":", word


def _holds(helpdesk: Helpdesk, row: Json, term: tuple[bool, str, str, str]) -> bool:
    negated, name, operator, wanted = term
    if not name:
        texts = (row.get(part) for part in ("subject", "description", "name", "email"))
        return (wanted.lower() in " ".join(text or "" for text in texts).lower()) is not negated
    if name.startswith("custom_field_"):
        fields = {str(one["id"]): one["value"] for one in row.get("custom_fields", ())}
        value: Any = fields.get(name.rpartition("_")[2])
    else:
        value = row.get(_NAMES.get(name, name))
    if name in ("assignee", "requester", "group") and not wanted.isdecimal() and wanted != "none":
        wanted = _number(helpdesk, "group" if name == "group" else "user", wanted)
    return _compares(name, value, operator, wanted) is not negated


def _number(helpdesk: Helpdesk, kind: str, name: str) -> str:
    for row in helpdesk.state.all(kind):
        if name.lower() in (str(row.get("name", "")).lower(), str(row.get("email", "")).lower()):
            return str(row["id"])
    return "0"


def _compares(name: str, value: Any, operator: str, wanted: str) -> bool:
    if wanted == "none" and operator == ":":
        return value in (None, "", [])
    if isinstance(value, list):
        return wanted.lower() in value
    if operator == ":":
        return str(value if value is not None else "").lower() == wanted.lower()
    if value is None:
        return False
    scale = STATUSES if name == "status" else PRIORITIES[::-1] if name == "priority" else None
    if scale is not None:
        if wanted not in scale:
            return False
        left: Any = scale.index(value)
        right: Any = scale.index(wanted)
    else:
        left, right = str(value), wanted
    return bool({">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[operator])
