"""Calls of the sandbox as the hub's account, as its agent, and of what only a sandbox has."""

from __future__ import annotations

import time
from typing import Any

import requests
from zendesk_cases import Account

Json = dict[str, Any]


def call(
    account: Account, method: str, path: str, body: Any = None, *, who: str = "hub", **more: Any
) -> requests.Response:
    """A call of ``/api/v2``."""
    row = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()[who]
    auth = (f"{row['email']}/token", row["token"])
    return account.http.request(method, f"{account.url}/api/v2/{path}", json=body, auth=auth, timeout=5, **more)


def done(account: Account, method: str, path: str, body: Any = None, **more: Any) -> Json:
    """The same, which must succeed."""
    answer = call(account, method, path, body, **more)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    return dict(answer.json()) if answer.content else {}


def control(account: Account, path: str, body: Json, method: str = "POST") -> Json:
    """A call of ``/_sandbox``, which must succeed."""
    answer = account.http.request(method, f"{account.url}/_sandbox/{path}", json=body, timeout=5)
    assert answer.ok, f"{path}: {answer.status_code} {answer.text[:300]}"
    return dict(answer.json())


def settings(account: Account, **values: float | str) -> None:
    """Set settings."""
    control(account, "settings", values)


def ticket(account: Account, **fields: Any) -> int:
    """The id of a new ticket."""
    body = {"ticket": {"subject": "No parcel", "comment": {"body": "Where is it?"}, **fields}}
    return int(done(account, "POST", "tickets", body)["ticket"]["id"])


def finished(account: Account, job: Json) -> Json:
    """A job's status once it is over."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status: Json = done(account, "GET", f"job_statuses/{job.get('job_status', job)['id']}")["job_status"]
        if status["status"] in ("completed", "failed"):
            return status
        settings(account, clock_ahead=2)
    raise AssertionError("the job does not end")
