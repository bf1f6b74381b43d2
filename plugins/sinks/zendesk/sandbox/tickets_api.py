# SPDX-License-Identifier: GPL-3.0-or-later
"""``/api/v2/tickets`` and what hangs below it."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import Problem, invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import (
    changed,
    given,
    id_list,
    listed,
    page,
    shown,
    shown_audit,
    with_files,
)
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

KEYS_LAST_S = 2 * 3600
"""How long a create is recognised by its Idempotency-Key."""
LIVE = ("new", "open", "pending", "hold", "solved", "closed")


def add_tickets(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    state = helpdesk.state

    @app.get("/api/v2/tickets.json")
    def tickets() -> Json:
        external_id = request.args.get("external_id")
        if external_id is None:
            return listed(helpdesk, "ticket", "tickets", status=LIVE)
        rows = state.by_external_id("ticket", external_id)
        return page("tickets", [shown("ticket", row) for row in rows if row["status"] != "deleted"])

    @app.get("/api/v2/tickets/count.json")
    def count() -> Json:
        return {"count": {"value": state.count("ticket", status=LIVE), "refreshed_at": helpdesk.stamp()}}

    @app.get("/api/v2/tickets/show_many.json")
    def show_many() -> Json:
        found = (state.get("ticket", number) for number in id_list(request.args.get("ids", "")))
        return page("tickets", [shown("ticket", row) for row in found if row and row["status"] != "deleted"])

    @app.post("/api/v2/tickets.json")
    def create_ticket() -> tuple[Json, int, dict[str, str]]:
        key, now = request.headers.get("Idempotency-Key", "")[:255], helpdesk.now()
        digest = hashlib.sha256(request.get_data()).hexdigest()
        if key:
            known = state.remembered_answer(key, not_before=now - KEYS_LAST_S)
            if known is not None:
                if known[0] != digest:
                    raise Problem(400, "IdempotentRequestError", "Idempotency-Key was used with another body")
                return known[1], 201, {"x-idempotency-lookup": "hit"}
        answer = changed(helpdesk.create(given("ticket"), g.actor))
        if key:
            state.remember_answer(key, digest, answer, now)
        return answer, 201, {"Location": answer["ticket"]["url"], **({"x-idempotency-lookup": "miss"} if key else {})}

    @app.get("/api/v2/tickets/<int:ticket_id>.json")
    def show_ticket(ticket_id: int) -> Json:
        ticket = helpdesk.show(ticket_id)
        answer: Json = {"ticket": shown("ticket", ticket)}
        if "users" in request.args.get("include", "").split(","):
            people = (state.get("user", n) for n in sorted({ticket["requester_id"], ticket["submitter_id"]}))
            answer["users"] = [shown("user", user) for user in people if user]
        return answer

    @app.put("/api/v2/tickets/<int:ticket_id>.json")
    def update_ticket(ticket_id: int) -> Json:
        return changed(helpdesk.update(ticket_id, given("ticket"), g.actor))

    @app.delete("/api/v2/tickets/<int:ticket_id>.json")
    def delete_ticket(ticket_id: int) -> tuple[str, int]:
        helpdesk.delete(ticket_id)
        return "", 204

    _add_deleted(app, helpdesk)
    _add_below(app, helpdesk)


def _add_deleted(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.get("/api/v2/deleted_tickets.json")
    def deleted() -> Json:
        rows = [
            {
                "id": ticket["id"],
                "subject": ticket["subject"],
                "description": ticket["description"],
                "actor": {"id": ticket["submitter_id"], "name": ""},
                "deleted_at": ticket["updated_at"],
                "previous_state": ticket["status_before"],
            }
            for ticket in state.where("ticket", status="deleted")
        ]
        return page("deleted_tickets", rows)

    @app.put("/api/v2/deleted_tickets/<int:ticket_id>/restore.json")
    def restore(ticket_id: int) -> Json:
        helpdesk.restore(ticket_id)
        return {}


def _add_below(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.get("/api/v2/tickets/<int:ticket_id>/audits.json")
    def audits(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        return page("audits", [shown_audit(audit) for audit in state.children("audit", ticket_id)])

    @app.get("/api/v2/tickets/<int:ticket_id>/audits/<int:ticket_audit_id>.json")
    def audit(ticket_id: int, ticket_audit_id: int) -> Json:
        found = state.get("audit", ticket_audit_id)
        if found is None or found["ticket_id"] != ticket_id:
            raise not_found()
        return {"audit": shown_audit(found)}

    @app.get("/api/v2/tickets/<int:ticket_id>/comments.json")
    def comments(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        rows = [with_files(comment) for comment in helpdesk.comments(ticket_id)]
        answer = page("comments", rows[::-1] if request.args.get("sort_order") == "desc" else rows)
        if "users" in request.args.get("include", "").split(","):
            numbers = sorted({row["author_id"] for row in answer["comments"]})
            answer["users"] = [shown("user", user) for n in numbers if (user := state.get("user", n))]
        return answer

    @app.put("/api/v2/tickets/<int:ticket_id>/comments/<int:ticket_comment_id>/make_private.json")
    def make_private(ticket_id: int, ticket_comment_id: int) -> Json:
        helpdesk.make_private(ticket_id, ticket_comment_id, g.actor)
        return {}

    @app.put("/api/v2/comment_redactions/<int:ticket_comment_id>.json")
    def redact(ticket_comment_id: int) -> Json:
        comment = helpdesk.redact(ticket_comment_id, *_redaction(request.get_json(silent=True)), g.actor)
        return {"comment": with_files(comment)}

    @app.get("/api/v2/tickets/<int:ticket_id>/incidents.json")
    def incidents(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        return listed(helpdesk, "ticket", "tickets", problem_id=ticket_id, status=LIVE)

    @app.get("/api/v2/problems.json")
    def problems() -> Json:
        return listed(helpdesk, "ticket", "tickets", type="problem", status=LIVE)

    @app.route("/api/v2/tickets/<int:ticket_id>/tags.json", methods=["GET", "POST", "PUT", "DELETE"])
    def tags(ticket_id: int) -> tuple[Json, int]:
        if request.method == "GET":
            return {"tags": helpdesk.show(ticket_id)["tags"]}, 200
        body = request.get_json()
        names = {"POST": "tags", "PUT": "additional_tags", "DELETE": "remove_tags"}
        helpdesk.update(ticket_id, {names[request.method]: body["tags"]}, g.actor)
        return {"tags": helpdesk.show(ticket_id)["tags"]}, 201 if request.method == "POST" else 200


def _redaction(body: Any) -> tuple[int, str | None, list[str]]:
    """The ticket, the marked text and the addresses of files. The published description names the types and what is
    required, but no error; that one with nothing to redact is refused is our reading."""
    if not isinstance(body, dict):
        raise Problem(400, "InvalidRequest", "The request body must be a JSON object")
    number, html_body = body.get("ticket_id"), body.get("html_body")
    urls = body.get("external_attachment_urls")
    if not isinstance(number, int) or isinstance(number, bool):
        raise invalid("ticket_id", "Ticket: must be an integer")
    if html_body is not None and not isinstance(html_body, str):
        raise invalid("html_body", "Html body: must be a string")
    if urls is not None and not (isinstance(urls, list) and all(isinstance(url, str) for url in urls)):
        raise invalid("external_attachment_urls", "External attachment urls: must be an array of strings")
    if html_body is None and not urls:
        raise invalid("html_body", "Html body: cannot be blank")
    return number, html_body, urls or []
