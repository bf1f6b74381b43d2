"""The one seam where answers of Request Tracker become errors of ours."""

from __future__ import annotations

import html
import re
from datetime import datetime

import requests

from hub.sdk import AuthenticationFailed, ConnectorError, OutcomeUnknown, Refused, TemporaryFailure, rate_limited

GONE = "gone"
"""``detail`` of the ``Refused`` for a ticket that does not exist."""
DENIED = "denied"
"""``detail`` of the ``Refused`` for something our account has no right to."""


class UpdateConflict(TemporaryFailure):
    """Somebody changed the ticket between our read and our write (412): nothing was written."""


class OddAnswer(TemporaryFailure):
    """A 2xx whose JSON lacks what the call is for. Never read it as "nothing there"."""


def failure_of_answer(response: requests.Response, now: datetime, *, effect_possible: bool) -> ConnectorError:
    """The error for an answer other than 2xx. ``effect_possible``: the request would change something."""
    status, said = response.status_code, words_of(response)
    detail = response.text[:2000]
    if status == 429:
        return rate_limited(response, now)
    if status == 401:
        return AuthenticationFailed("Request Tracker refuses the token (401)", detail=detail)
    if status == 403 or "permission denied" in said.lower():
        return Refused(f"our RT account has no right to this: {said or 'Forbidden'}", detail=DENIED)
    if status in (409, 412):
        return UpdateConflict(f"somebody else changed the ticket ({status})", detail=detail)
    if status >= 500 or status == 408:
        # RT answers 500 also when it stumbled half-way, after a part was written.
        kind = OutcomeUnknown if effect_possible else TemporaryFailure
        return kind(f"Request Tracker has a problem ({status})", detail=detail)
    if status == 404:
        return Refused("there is no such thing in RT (404)", detail=GONE)
    if 300 <= status < 400:
        return TemporaryFailure(f"Request Tracker redirects ({status}); check url", detail=detail)
    return Refused(f"Request Tracker refuses it ({status}): {said}".removesuffix(": "), detail=detail)


def not_json(response: requests.Response, *, effect_possible: bool) -> ConnectorError:
    """The error for a 2xx that is no JSON, such as a login page of a proxy or of RT itself."""
    kind = OutcomeUnknown if effect_possible else TemporaryFailure
    page = " (a web page: does a login stand before /REST/2.0?)" if "html" in _type(response) else ""
    return kind(
        f"Request Tracker answered {response.status_code} with something other than JSON{page}",
        detail=response.text[:500],
    )


def words_of(response: requests.Response) -> str:
    """RT's own words in an error body, at most 200 characters; empty when there are none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    said = body.get("message") if isinstance(body, dict) else None
    return shortened(said) if isinstance(said, str) else ""


def shortened(said: str) -> str:
    """One line of RT's words, without markup and Perl's line numbers."""
    text = html.unescape(re.sub(r"<[^>]*>", "", said))
    return " ".join(re.sub(r" at /\S+ line \d+\.?", "", text).split())[:200]


def _type(response: requests.Response) -> str:
    return str(response.headers.get("Content-Type", "")).lower()
