# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion for good: of tickets, by a job, and of people, in two steps."""

from __future__ import annotations

from typing import Any

from flask import Flask, g

from plugins.sinks.zendesk.sandbox.account import STAFF, Problem, forbidden, not_found
from plugins.sinks.zendesk.sandbox.answers import shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.jobs import KINDS, Jobs

Json = dict[str, Any]

NOBODY = "Permanently Deleted User"


def add_erasing(app: Flask, helpdesk: Helpdesk, jobs: Jobs) -> None:
    """Add the routes."""
    state = helpdesk.state

    @app.delete("/api/v2/deleted_tickets/<int:ticket_id>.json")
    def erase_ticket(ticket_id: int) -> Json:
        if (state.get("ticket", ticket_id) or {}).get("status") != "deleted":
            raise not_found()
        return jobs.begin("ticket_destroy", [{"id": ticket_id}], g.actor)

    @app.delete("/api/v2/users/<int:user_id>.json")
    def delete_user(user_id: int) -> Json:
        user = helpdesk.user(user_id)
        if g.actor["role"] != "admin":
            raise forbidden()
        if user["role"] in STAFF:
            raise Problem(422, "RecordInvalid", "this sandbox keeps its staff")
        state.remove("user", user_id)
        state.put("deleted_user", user | {"active": False, "updated_at": helpdesk.stamp()})
        return {"user": shown("user", user | {"active": False})}

    @app.delete("/api/v2/deleted_users/<int:deleted_user_id>.json")
    def erase_user(deleted_user_id: int) -> Json:
        user = state.get("deleted_user", deleted_user_id)
        if user is None:
            raise not_found()
        user |= {"name": NOBODY, "email": None, "external_id": None}
        state.put("deleted_user", user)
        names = ("id", "name", "email", "phone", "role", "time_zone", "created_at", "updated_at", "organization_id")
        return {"deleted_user": {name: user.get(name) for name in (*names, "active", "locale", "locale_id")}}


def _destroy(helpdesk: Helpdesk, index: int, item: Json, actor: Json) -> Json:
    ticket = helpdesk.state.get("ticket", item["id"])
    if ticket is None:
        raise not_found()
    helpdesk.state.remove("ticket", item["id"])
    return {"index": index, "id": item["id"], "action": "destroy", "status": "Destroyed", "success": True}


KINDS["ticket_destroy"] = _destroy
