# SPDX-License-Identifier: GPL-3.0-or-later
"""``/api/v2/webhooks``: who is told of which events, under which secret.

https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.answers import given, page
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

_TOLD = (
    *("id", "name", "description", "endpoint", "http_method", "request_format", "status", "subscriptions"),
    *("authentication", "custom_headers", "created_at", "created_by", "updated_at", "updated_by"),
)
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def add_webhooks(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    state = helpdesk.state

    def find(webhook_id: str) -> Json:
        found = state.by_external_id("webhook", webhook_id)
        if not found:
            problem = Problem(404, "", "")
            problem.body = {"errors": [{"code": "WebhookNotFound", "title": "Webhook not found"}]}
            raise problem
        return found[0]

    def save(known: Json, wanted: Json) -> Json:
        known |= {name: wanted[name] for name in _TOLD[1:10] if name in wanted}
        lacking = [
            name for name in ("name", "endpoint", "http_method", "request_format", "status") if not known.get(name)
        ]
        if lacking:
            problem = Problem(400, "", "")
            details = [{"code": "InvalidValue", "title": f"{name} is required"} for name in lacking]
            problem.body = {"errors": details}
            raise problem
        known |= {"updated_at": helpdesk.stamp(), "updated_by": str(g.actor["id"])}
        state.put("webhook", known)
        return {"webhook": _told(known)}

    @app.get("/api/v2/webhooks")
    def every() -> Json:
        rows = state.all("webhook")
        if wanted := request.args.get("filter[name_contains]"):
            rows = [row for row in rows if wanted in row["name"]]
        found = page("webhooks", [_told(row) for row in rows])
        return {"webhooks": found["webhooks"], "meta": found.get("meta", {"has_more": False})}

    @app.post("/api/v2/webhooks")
    def create() -> tuple[Json, int]:
        now, actor = helpdesk.stamp(), str(g.actor["id"])
        new = {
            "id": state.next("webhook"),
            "external_id": "01" + "".join(secrets.choice(_ALPHABET) for _ in range(24)),
            "subscriptions": [],
            "secret": secrets.token_urlsafe(48),
            "created_at": now,
            "created_by": actor,
        }
        return save(new, given("webhook")), 201

    @app.route("/api/v2/webhooks/<webhook_id>", methods=["GET", "PUT", "PATCH", "DELETE"])
    def one(webhook_id: str) -> tuple[Json | str, int]:
        found = find(webhook_id)
        if request.method == "GET":
            return {"webhook": _told(found)}, 200
        if request.method == "DELETE":
            state.remove("webhook", found["id"])
        else:
            save(found, given("webhook"))
        return "", 204

    @app.get("/api/v2/webhooks/<webhook_id>/signing_secret")
    def secret(webhook_id: str) -> Json:
        return {"signing_secret": {"algorithm": "SHA256", "secret": find(webhook_id)["secret"]}}

    @app.post("/api/v2/webhooks/<webhook_id>/signing_secret")
    def new_secret(webhook_id: str) -> tuple[Json, int]:
        found = find(webhook_id)
        found["secret"] = secrets.token_urlsafe(48)
        state.put("webhook", found)
        return {"signing_secret": {"algorithm": "SHA256", "secret": found["secret"]}}, 201


def _told(row: Json) -> Json:
    told = {name: row[name] for name in _TOLD if row.get(name) is not None} | {"id": row["external_id"]}
    if "authentication" in told:  # the credentials are never told again
        told["authentication"] = {k: v for k, v in told["authentication"].items() if k != "data"}
    return told
