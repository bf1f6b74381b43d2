# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a sandbox has: accounts, faults, settings, the account's own rules. Under ``/_sandbox``."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from plugins.sinks.zendesk.sandbox.faults import Faults
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]


def add_control(app: Flask, helpdesk: Helpdesk, faults: Faults) -> None:
    """Add the routes."""
    state = helpdesk.state

    @app.get("/_sandbox/ready")
    def ready() -> Json:
        return {"ready": True}

    @app.get("/_sandbox/accounts")
    def accounts() -> Json:
        return helpdesk.accounts()

    @app.post("/_sandbox/webhook")
    def webhook() -> Json:
        state.set("webhook:url", str(request.get_json()["url"]))
        return {"secret": state.setting("webhook:secret")}

    @app.post("/_sandbox/settings")
    def settings() -> Json:
        """``rate_limit`` (calls a minute, 0: none) and ``withhold_newest_minute`` (the export's real rule)."""
        given = request.get_json()
        for name in ("rate_limit", "withhold_newest_minute"):
            if name in given:
                state.set(name, str(int(given[name]) or ""))
        return {}

    @app.post("/_sandbox/faults")
    def add_fault() -> Json | tuple[Json, int]:
        try:
            faults.add(request.get_json())
        except (KeyError, ValueError) as error:
            return {"error": str(error)}, 400
        return {}

    @app.delete("/_sandbox/faults")
    def clear_faults() -> Json:
        faults.clear()
        return {}

    @app.post("/_sandbox/tickets/<int:ticket_id>/trigger")
    def trigger(ticket_id: int) -> Json:
        given = request.get_json()
        event = helpdesk.trigger_comment(ticket_id, str(given["text"]), public=bool(given["public"]))
        return {"comment_id": event["id"]}

    @app.post("/_sandbox/tickets/<int:ticket_id>/comments/<int:comment_id>/make_public")
    def make_public(ticket_id: int, comment_id: int) -> Json:
        agent = state.get("user", int(state.setting("user:agent"))) or {}
        helpdesk.make_public(ticket_id, comment_id, agent)
        return {}

    @app.get("/_sandbox/records")
    def records() -> Json:
        limit = int(request.args.get("limit", 40))
        people = _Names(helpdesk)
        return {"records": [_record(ticket, helpdesk, people) for ticket in state.all("ticket", newest=limit)]}


class _Names:
    def __init__(self, helpdesk: Helpdesk) -> None:
        self._state = helpdesk.state
        self._users: dict[int, Json] = {-1: {"name": "Zendesk", "role": "system"}}

    def user(self, number: int) -> Json:
        if number not in self._users:
            self._users[number] = self._state.get("user", number) or {"name": "?", "role": ""}
        return self._users[number]


def _record(ticket: Json, helpdesk: Helpdesk, people: _Names) -> Json:
    group = helpdesk.state.get("group", ticket["group_id"]) if ticket["group_id"] else None
    comments = [
        {
            "id": comment["id"],
            "author": people.user(comment["author_id"])["name"],
            "role": people.user(comment["author_id"])["role"],
            "text": comment["plain_body"],
            "public": comment["public"],
            "created_at": comment["created_at"],
        }
        for comment in helpdesk.comments(ticket["id"])
    ]
    return {
        **{name: ticket[name] for name in ("id", "subject", "status", "created_at", "external_id", "priority", "tags")},
        "requester": people.user(ticket["requester_id"])["name"],
        "group": group["name"] if group else "",
        "comments": comments,
    }
