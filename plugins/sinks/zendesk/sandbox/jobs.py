# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes of many at once: queued, done a while later, told by a job status.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import STAFF, Problem, forbidden, invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import id_list, page, too_many
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.lives import merge

Json = dict[str, Any]

JOB_LIMIT = 30
DELAY_S = 0.3
"""Before a job begins; the settings ``job_delay`` and ``job_item_seconds`` change how long it takes."""
_ERRORS = {404: "RecordNotFound", 409: "UpdateConflict", 422: "RecordInvalid", 403: "PermissionDenied"}


class Jobs:
    """The queue. ``advance`` does what is due; every call of the API begins with it, and so does a thread's beat."""

    def __init__(self, helpdesk: Helpdesk) -> None:
        self._helpdesk = helpdesk
        self._state = helpdesk.state
        self._pending: bool | None = None
        self._lock = threading.Lock()

    def begin(self, kind: str, todo: list[Json], actor: Json) -> Json:
        """Queue a job; the answer that tells its id."""
        pending = self._state.count("job", status=("queued", "working"))
        limit = int(self._state.number("job_limit", JOB_LIMIT))
        told = f"total={limit}; remaining={max(0, limit - pending - 1)}; resets=60"
        g.headers["Zendesk-RateLimit-inflight-jobs"] = told
        if pending >= limit:
            description = f"Only {limit} jobs may be queued or running at once"
            raise Problem(429, "TooManyJobs", description, headers={"Retry-After": "10"})
        job = {
            "id": self._state.next("job"),
            "external_id": secrets.token_hex(16),
            "job_type": kind,
            "status": "queued",
            "message": None,
            "progress": None,
            "total": len(todo),
            "results": None,
            "todo": todo,
            "actor_id": actor["id"],
            "began_s": self._helpdesk.now(),
        }
        self._state.put("job", job)
        self._pending = True
        return {"job_status": _told(job)}

    def is_busy(self) -> bool:
        """Whether a job may be due."""
        if self._pending is None:
            with self._state.transaction():
                self._pending = bool(self._state.count("job", status=("queued", "working")))
        return self._pending

    def advance(self) -> None:
        """Do what is due by the account's clock. Inside a transaction."""
        if self._pending is None or self._pending:
            rows = self._state.where("job", status=("queued", "working"))
            for job in rows:
                self._advance(job)
            self._pending = any(job["status"] in ("queued", "working") for job in rows)

    def _advance(self, job: Json) -> None:
        since = self._helpdesk.now() - job["began_s"] - self._state.number("job_delay", DELAY_S)
        if since < 0:
            return
        each = self._state.number("job_item_seconds")
        due = job["total"] if each <= 0 else min(job["total"], int(since / each))
        results = job["results"] or []
        fails_after = self._state.setting("job_fails_after")
        actor = self._helpdesk.user(job["actor_id"])
        job["status"] = "working"
        for index in range(len(results), due):
            if fails_after and index >= int(fails_after):
                self._state.set("job_fails_after", "")
                job |= {"status": "failed", "message": "Failed: the job was interrupted"}
                break
            results.append(self._do(job["job_type"], index, job["todo"][index], actor))
        job |= {"results": results, "progress": len(results)}
        if job["status"] == "working" and len(results) == job["total"]:
            job["status"] = "completed"
            job["message"] = f"Completed at {self._helpdesk.stamp().replace('T', ' ').replace('Z', ' +0000')}"
        self._state.put("job", job)

    def _do(self, kind: str, index: int, item: Json, actor: Json) -> Json:
        action = kind.rpartition("_")[2]
        changes = len(self._helpdesk.changes)
        try:
            with self._state.savepoint():
                return KINDS[kind](self._helpdesk, index, item, actor)
        except (Problem, KeyError, TypeError, ValueError, AttributeError) as error:
            del self._helpdesk.changes[changes:]
            status = error.status if isinstance(error, Problem) else 422
            details = _text(error) if isinstance(error, Problem) else f"unreadable: {error!r}"
            return {
                "index": index,
                "id": item.get("id"),
                "action": action,
                "status": "Failed",
                "success": False,
                "error": _ERRORS.get(status, "RecordInvalid"),
                "details": details,
            }


def _text(error: Problem) -> str:
    details = error.body.get("details") if isinstance(error.body, dict) else None
    if isinstance(details, dict):
        return "; ".join(row["description"] for rows in details.values() for row in rows)
    return str(error)


def _create(helpdesk: Helpdesk, index: int, item: Json, actor: Json) -> Json:
    return {"index": index, "id": helpdesk.create(item, actor)["ticket"]["id"]}


def _update(helpdesk: Helpdesk, index: int, item: Json, actor: Json) -> Json:
    number = int(item["id"])
    helpdesk.update(number, item, actor)
    return {"index": index, "id": number, "action": "update", "status": "Updated", "success": True}


def _merge(helpdesk: Helpdesk, index: int, item: Json, actor: Json) -> Json:
    merge(helpdesk, item, actor)
    return {"index": index, "id": item["id"], "action": "merge", "status": "Merged", "success": True}


def _save_user(helpdesk: Helpdesk, index: int, item: Json, actor: Json) -> Json:
    if item.get("role", "end-user") in STAFF and actor["role"] != "admin":
        raise forbidden()
    known = helpdesk.known_user(item)
    user = helpdesk.save_user(item, known=known)
    action, status = ("update", "Updated") if known else ("create", "Created")
    told: Json = {"index": index, "id": user["id"], "action": action, "status": status, "success": True}
    return told | ({"external_id": user["external_id"]} if user["external_id"] else {})


KINDS = {"ticket_create": _create, "ticket_update": _update, "ticket_merge": _merge, "user_save": _save_user}


def _told(job: Json) -> Json:
    seen = {"id": job["external_id"]}
    seen["url"] = f"{request.host_url}api/v2/job_statuses/{job['external_id']}.json"
    names = ("job_type", "total", "progress", "status", "message", "results")
    return seen | {name: job[name] for name in names}


def add_jobs(app: Flask, helpdesk: Helpdesk, jobs: Jobs) -> None:
    """Add the routes."""
    state = helpdesk.state

    def body(name: str) -> list[Json]:
        found = (request.get_json(silent=True) or {}).get(name)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise Problem(400, "BadRequest", f"Parameter {name} is required")
        if len(found) > 100:
            raise too_many()
        return found

    @app.post("/api/v2/tickets/create_many.json")
    def create_many() -> Json:
        return jobs.begin("ticket_create", body("tickets"), g.actor)

    @app.put("/api/v2/tickets/update_many.json")
    def update_many() -> Json:
        if "ids" not in request.args:
            todo = body("tickets")
        else:
            change = (request.get_json(silent=True) or {}).get("ticket")
            if not isinstance(change, dict):
                raise Problem(400, "BadRequest", "Parameter ticket is required")
            todo = [change | {"id": number} for number in id_list(request.args["ids"])]
        return jobs.begin("ticket_update", todo, g.actor)

    @app.post("/api/v2/users/create_or_update_many.json")
    def save_many() -> Json:
        if state.setting("user_imports") == "0":
            raise forbidden()
        return jobs.begin("user_save", body("users"), g.actor)

    @app.post("/api/v2/tickets/<int:ticket_id>/merge.json")
    def merge_into(ticket_id: int) -> Json:
        given = request.get_json(silent=True) or {}
        helpdesk.show(ticket_id)
        ids = given.get("ids")
        if not isinstance(ids, list) or not ids:
            raise invalid("ids", "ids: cannot be blank")
        return jobs.begin("ticket_merge", [given | {"id": ticket_id}], g.actor)

    @app.get("/api/v2/job_statuses.json")
    def all_jobs() -> Json:
        return page("job_statuses", [_told(job) for job in state.all("job", newest=100)])

    @app.get("/api/v2/job_statuses/show_many.json")
    def show_many() -> Json:
        names = request.args.get("ids", "").split(",")[:100]
        found = [row for name in names for row in state.by_external_id("job", name)]
        return page("job_statuses", [_told(job) for job in found])

    @app.get("/api/v2/job_statuses/<job_status_id>.json")
    def show(job_status_id: str) -> Json:
        found = state.by_external_id("job", job_status_id)
        if not found:
            raise not_found()
        return {"job_status": _told(found[0])}
