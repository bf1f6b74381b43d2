# SPDX-License-Identifier: GPL-3.0-or-later
"""The one seam where answers of Zendesk become errors of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import requests

from hub.sdk import (
    AuthenticationFailed,
    ConnectorError,
    OutcomeUnknown,
    RecordClosed,
    Refused,
    TemporaryFailure,
    rate_limited,
)

JOBS_TAKE = 5.0
"""Seconds after which one of thirty running jobs has ended."""
GONE = "gone"
"""``detail`` of the ``Refused`` for a record that does not exist (any more)."""


class UpdateConflict(TemporaryFailure):
    """Somebody changed the ticket between our read and our write (409): nothing was written."""


class Forbidden(Refused):
    """Our account may not do this (403)."""


class OddAnswer(TemporaryFailure):
    """A 2xx whose JSON lacks what the call is for. Never read it as "nothing there": that would send again what
    arrived, and drop what an agent wrote."""


def failure_of_answer(
    response: requests.Response,
    now: datetime,
    *,
    effect_possible: bool,
    scope: Literal["lane", "connection"] = "connection",
) -> ConnectorError:
    """The error for an answer other than 2xx. ``effect_possible``: the request would change something for good;
    ``scope`` is whom a 429 concerns."""
    status, request_id = response.status_code, response.headers.get("X-Zendesk-Request-Id", "")
    problem = _problem(response)
    code = _code(problem)
    detail = response.text[:2000]
    if status == 429:
        limited = rate_limited(response, now, scope=scope)
        if limited.retry_after is None and code == "TooManyJobs":  # 30 may run at once; they take seconds
            limited.retry_after = JOBS_TAKE
        limited.vendor_request_id = request_id
        return limited
    if status == 401:
        return AuthenticationFailed(
            "Zendesk refuses the credentials (401)", detail=detail, vendor_request_id=request_id
        )
    # A key that was used before with another body means that a record was made: look for it, do not park.
    if "dempoten" in detail:
        return OutcomeUnknown("Zendesk knows our key already", detail=detail, vendor_request_id=request_id)
    if status == 409:
        return UpdateConflict(f"somebody else changed the ticket ({code or 409})", detail=detail)
    if status >= 500 or status == 408:
        # Zendesk's edge answers 502 to 504 also when the application went on: after a write nobody knows.
        unsure = OutcomeUnknown if effect_possible else TemporaryFailure
        return unsure(f"Zendesk has a problem ({status})", detail=detail, vendor_request_id=request_id)
    if status == 404:
        return Refused("the record is gone (404)", detail=GONE, vendor_request_id=request_id)
    if _is_closed(problem):
        return RecordClosed("the record is closed", detail=detail, vendor_request_id=request_id)
    if 300 <= status < 400:
        return TemporaryFailure(f"Zendesk redirects ({status}); check subdomain or base_url", detail=detail)
    kind = Forbidden if status == 403 else Refused
    return kind(
        f"Zendesk refuses it ({status} {code}{_places(problem)})".replace(" )", ")"),
        detail=detail,
        vendor_request_id=request_id,
    )


def not_json(response: requests.Response, *, effect_possible: bool) -> ConnectorError:
    """The error for a 2xx whose body cannot be read: the effect is there, its id is not."""
    kind = OutcomeUnknown if effect_possible else TemporaryFailure
    return kind(
        f"Zendesk answered {response.status_code} with something other than JSON",
        detail=response.text[:500],
        vendor_request_id=response.headers.get("X-Zendesk-Request-Id", ""),
    )


def told_by(error: ConnectorError) -> str:
    """What Zendesk itself says about a refusal, in its words; empty when it says nothing. Only for calls that hold
    nothing of a customer's: elsewhere it may quote him."""
    try:
        sentences = dict.fromkeys(_sentences(json.loads(error.detail)))
    except (ValueError, RecursionError):
        return ""
    return "; ".join(sentences)[:300]


def _sentences(part: Any) -> Iterator[str]:
    for name, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if isinstance(value, str):
            if name in ("title", "message", "description", "detail") and value.strip():
                yield " ".join(value.split())
        else:
            yield from _sentences(value)


def _problem(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _code(problem: dict[str, Any]) -> str:
    error = problem.get("error")
    if isinstance(error, dict):  # some endpoints nest it: {"error": {"title": ..., "message": ...}}
        error = error.get("title")
    return str(error)[:60] if error else ""


def _places(problem: dict[str, Any]) -> str:
    """Which fields a 422 is about: their names, never the words about them, which may hold the customer's."""
    details = problem.get("details")
    names = [name for name in details if re.fullmatch(r"[a-z_0-9]{1,40}", name)] if isinstance(details, dict) else []
    named = [name for name in names if name != "base"]
    return f": {', '.join(named[:5])}" if named else ""


def _is_closed(problem: dict[str, Any]) -> bool:
    # The sentence stands under details.status: "Status closed prevents ticket update".
    # https://github.com/Speedygeek/ZendeskApi_v2/issues/59
    details = problem.get("details")
    status = details.get("status") if isinstance(details, dict) else None
    return any("closed" in str(entry).lower() for entry in status) if isinstance(status, list) else False
