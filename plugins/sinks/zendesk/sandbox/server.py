# SPDX-License-Identifier: GPL-3.0-or-later
"""The Support API over HTTP, as much of it as a hub and an agent need."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from flask import Flask, Response, g, jsonify, request
from werkzeug.test import run_wsgi_app

from plugins.sinks.zendesk.sandbox.control import add_control
from plugins.sinks.zendesk.sandbox.faults import Faults, applied
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk, Problem
from plugins.sinks.zendesk.sandbox.webhook import WebhookSender

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Json = dict[str, Any]

KEYS_LAST_S = 2 * 3600
"""How long a create is recognised by its Idempotency-Key."""
RATE_LIMIT = 2500


def create_app(database: Path, *, description: str = "") -> Flask:
    """The server. ``description`` is the vendor's OpenAPI file to check every request and answer against."""
    app = Flask("zendesk-sandbox")
    helpdesk, faults = Helpdesk(database), Faults()
    _add_api(app, helpdesk)
    add_control(app, helpdesk, faults)
    if description:
        from plugins.sinks.zendesk.sandbox.description import check_against

        check_against(app, Path(description))
    app.wsgi_app = Gate(app.wsgi_app, helpdesk, faults)  # type: ignore[method-assign]
    return app


class Gate:
    """Round every call: faults, one transaction, rate limit headers, webhooks after the commit."""

    def __init__(self, app: WSGIApplication, helpdesk: Helpdesk, faults: Faults) -> None:
        self._app = app
        self._helpdesk = helpdesk
        self._faults = faults
        self._sender = WebhookSender()
        self._minute = self._calls = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if not path.startswith("/api/"):
            return self._call(environ)(environ, start_response)
        fault = self._faults.take(method, path)
        if fault is not None:
            return applied(fault, lambda: self._call(environ))(environ, start_response)
        minute, self._calls = int(time.time() // 60), self._calls + 1
        if minute != self._minute:
            self._minute, self._calls = minute, 1
        limit = int(self._helpdesk.state.setting("rate_limit") or 0)
        if limit and self._calls > limit:
            text = json.dumps({"error": "APIRateLimitExceeded", "description": "Too many requests in this minute"})
            answer = Response(text, 429, {"Retry-After": str(60 - int(time.time() % 60))}, "application/json")
        else:
            answer = self._call(environ)
        answer.headers["X-Rate-Limit"] = str(limit or RATE_LIMIT)
        answer.headers["X-Rate-Limit-Remaining"] = str(max(0, (limit or RATE_LIMIT) - self._calls))
        return answer(environ, start_response)

    def _call(self, environ: WSGIEnvironment) -> Response:
        changes: list[tuple[str, Json]] = []
        state = self._helpdesk.state
        try:
            with state.transaction():
                self._helpdesk.changes = changes
                response = Response(*run_wsgi_app(self._app, environ, buffered=True))
                if response.status_code >= 400:
                    raise _Undo(response)
                url, secret = state.setting("webhook:url"), state.setting("webhook:secret")
        except _Undo as undo:
            return undo.response
        for kind, ticket in changes if url else ():
            self._sender.send(url, secret, kind, ticket)
        return response


class _Undo(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _add_api(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.errorhandler(Problem)
    def problem(error: Problem) -> tuple[Response, int]:
        return jsonify(error.body), error.status

    @app.before_request
    def who() -> tuple[Response, int] | None:
        if not request.path.startswith("/api/"):
            return None
        actor = _actor(helpdesk)
        if actor is None:
            return jsonify({"error": "Couldn't authenticate you"}), 401
        g.actor = actor
        return None

    @app.get("/api/v2/users/me.json")
    def me() -> Json:
        return {"user": g.actor}

    @app.post("/api/v2/users/create_or_update.json")
    def create_or_update() -> tuple[Json, int]:
        given = _given("user")
        is_known = bool(given.get("external_id") and state.by_external_id("user", str(given["external_id"])))
        return {"user": helpdesk.save_user(given)}, 200 if is_known else 201

    @app.get("/api/v2/users/show_many.json")
    def show_many() -> Json:
        ids = [int(part) for part in request.args.get("ids", "").split(",") if part.isdecimal()]
        return {"users": [user for number in ids if (user := state.get("user", number))]}

    @app.get("/api/v2/groups.json")
    def groups() -> Json:
        return _page("groups", state.all("group"))

    @app.get("/api/v2/tickets.json")
    def tickets() -> Json:
        external_id = request.args.get("external_id")
        rows = state.all("ticket") if external_id is None else state.by_external_id("ticket", external_id)
        return _page("tickets", [row for row in rows if row["status"] != "deleted"])

    @app.post("/api/v2/tickets.json")
    def create_ticket() -> tuple[Json, int, dict[str, str]]:
        key = request.headers.get("Idempotency-Key", "")[:255]
        digest = hashlib.sha256(request.get_data()).hexdigest()
        if key:
            known = state.remembered_answer(key, not_before=time.time() - KEYS_LAST_S)
            if known is not None:
                if known[0] != digest:
                    raise Problem(400, "IdempotentRequestError", "Idempotency-Key was used with another body")
                return known[1], 201, {"x-idempotency-lookup": "hit"}
        answer = helpdesk.create(_given("ticket"), g.actor)
        if key:
            state.remember_answer(key, digest, answer, time.time())
        location = f"{request.host_url}api/v2/tickets/{answer['ticket']['id']}.json"
        return answer, 201, {"Location": location, **({"x-idempotency-lookup": "miss"} if key else {})}

    @app.get("/api/v2/tickets/<int:ticket_id>.json")
    def show_ticket(ticket_id: int) -> Json:
        return {"ticket": helpdesk.show(ticket_id)}

    @app.put("/api/v2/tickets/<int:ticket_id>.json")
    def update_ticket(ticket_id: int) -> Json:
        return helpdesk.update(ticket_id, _given("ticket"), g.actor)

    @app.delete("/api/v2/tickets/<int:ticket_id>.json")
    def delete_ticket(ticket_id: int) -> tuple[str, int]:
        helpdesk.delete(ticket_id)
        return "", 204

    @app.get("/api/v2/tickets/<int:ticket_id>/audits.json")
    def audits(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        return _page("audits", state.children("audit", ticket_id))

    @app.get("/api/v2/tickets/<int:ticket_id>/comments.json")
    def comments(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        return _page("comments", helpdesk.comments(ticket_id))

    @app.put("/api/v2/comment_redactions/<int:ticket_comment_id>.json")
    def redact(ticket_comment_id: int) -> Json:
        body = request.get_json()
        urls = body.get("external_attachment_urls", [])
        return {"comment": helpdesk.redact(ticket_comment_id, int(body["ticket_id"]), body["html_body"], urls, g.actor)}

    @app.get("/api/v2/incremental/tickets/cursor.json")
    def export() -> Json:
        return _export(helpdesk)

    @app.get("/agent/tickets/<int:ticket_id>")
    def page(ticket_id: int) -> str:
        ticket = helpdesk.show(ticket_id)
        rows = "".join(
            f"<h4>{'public' if comment['public'] else 'internal'}</h4>{comment['html_body']}<hr>"
            for comment in helpdesk.comments(ticket_id)
        )
        title = html.escape(f"#{ticket_id} {ticket['subject']} ({ticket['status']})")
        return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{rows}"


def _actor(helpdesk: Helpdesk) -> Json | None:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    for account in helpdesk.accounts().values():
        given = request.authorization
        basic = given is not None and (given.username, given.password) == (
            f"{account['email']}/token",
            account["token"],
        )
        if basic or bearer == account["token"]:
            return helpdesk.state.get("user", int(account["id"]))
    return None


def _given(name: str) -> Json:
    body = request.get_json(silent=True)
    given = body.get(name) if isinstance(body, dict) else None
    if not isinstance(given, dict):
        raise Problem(400, "BadRequest", f"Parameter {name} is required")
    return given


def _page(name: str, rows: list[Json]) -> Json:
    size = min(int(request.args.get("page[size]", 100)), 100)
    start = _decoded(request.args.get("page[after]", ""))
    page, more = rows[start : start + size], start + size < len(rows)
    return {
        name: page,
        "meta": {"has_more": more, "after_cursor": _encoded(start + size) if more else None, "before_cursor": None},
        "links": {"next": None, "prev": None},
    }


def _export(helpdesk: Helpdesk) -> Json:
    now = int(time.time())
    cursor, start = request.args.get("cursor", ""), request.args.get("start_time", "")
    if not cursor and not start.isdecimal():
        raise Problem(400, "InvalidValue", "start_time or cursor is required")
    if not cursor and int(start) > now - 60:
        raise Problem(400, "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 60 seconds")
    limit = min(int(request.args.get("per_page", 1000)), 1000)
    # The real export holds back the newest minute; in a trial that is a minute of waiting, so it is off by default.
    until = now - 60 if helpdesk.state.setting("withhold_newest_minute") else now
    after = _decoded(unquote(cursor)) if cursor else 0
    rows = helpdesk.state.changed(
        "ticket", after_seq=after, since=0 if cursor else int(start), until=until, limit=limit + 1
    )
    page = rows[:limit]
    last = page[-1][0] if page else after
    return {
        "tickets": [ticket for _, ticket in page],
        "after_cursor": _encoded(last),
        "after_url": None,
        "before_cursor": None,
        "before_url": None,
        "end_of_stream": len(rows) <= limit,
    }


def _encoded(number: int) -> str:
    return base64.b64encode(json.dumps([number, "x"]).encode()).decode()


def _decoded(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(json.loads(base64.b64decode(cursor))[0])
    except (ValueError, TypeError, IndexError) as error:
        raise Problem(400, "InvalidCursor", "cursor is invalid") from error
