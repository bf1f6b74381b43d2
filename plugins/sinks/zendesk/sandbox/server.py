# SPDX-License-Identifier: GPL-3.0-or-later
"""The Support API over HTTP, as much of it as a hub and an agent need."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException
from werkzeug.test import run_wsgi_app

from plugins.sinks.zendesk.sandbox.access import add_access, caller_of
from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.agents import add_agents
from plugins.sinks.zendesk.sandbox.attachments import add_attachments
from plugins.sinks.zendesk.sandbox.consent import add_consent
from plugins.sinks.zendesk.sandbox.control import add_control
from plugins.sinks.zendesk.sandbox.erasing import add_erasing
from plugins.sinks.zendesk.sandbox.exports import add_exports
from plugins.sinks.zendesk.sandbox.faults import Faults, applied
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.jobs import Jobs, add_jobs
from plugins.sinks.zendesk.sandbox.limits import Calls, Limits, add_limits
from plugins.sinks.zendesk.sandbox.metadata import add_metadata
from plugins.sinks.zendesk.sandbox.oauth import OAuth, add_oauth
from plugins.sinks.zendesk.sandbox.people import add_people
from plugins.sinks.zendesk.sandbox.rules import add_rules, triggered
from plugins.sinks.zendesk.sandbox.searching import add_search
from plugins.sinks.zendesk.sandbox.tickets_api import add_tickets
from plugins.sinks.zendesk.sandbox.webhook import WebhookSender
from plugins.sinks.zendesk.sandbox.webhooks_api import add_webhooks

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Json = dict[str, Any]


def create_app(database: Path, *, description: str = "") -> Flask:
    """The server. ``description`` is the vendor's OpenAPI file to check every request and answer against."""
    app = _App("zendesk-sandbox")
    helpdesk, faults, calls, sender = Helpdesk(database), Faults(), Calls(), WebhookSender()
    oauth, jobs = OAuth(helpdesk), Jobs(helpdesk)
    _add_errors(app)
    add_access(app, helpdesk)
    add_limits(app, helpdesk, Limits())
    for add in (add_people, add_tickets, add_attachments, add_exports, add_metadata, add_rules, add_webhooks):
        add(app, helpdesk)
    add_agents(app, helpdesk)
    add_search(app, helpdesk)
    add_jobs(app, helpdesk, jobs)
    add_erasing(app, helpdesk, jobs)
    add_oauth(app, helpdesk, oauth)
    add_consent(app, helpdesk, oauth)
    _add_screen(app, helpdesk)
    add_control(app, helpdesk, faults, calls, oauth, sender)
    if description:
        from plugins.sinks.zendesk.sandbox.description import check_against

        check_against(app, Path(description))
    app.wsgi_app = Gate(app, helpdesk, faults, calls, jobs, sender)  # type: ignore[method-assign]
    return app


class _App(Flask):
    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *rest: Any, **more: Any
    ) -> None:
        """Two resources may both have a ``show``."""
        if endpoint is None and view_func is not None:
            endpoint = f"{view_func.__module__}-{view_func.__qualname__}".replace(".", "-")
        super().add_url_rule(rule, endpoint, view_func, *rest, **more)


class Gate:
    """Round every call: faults, one transaction, the count of calls, webhooks after the commit."""

    def __init__(
        self, app: Flask, helpdesk: Helpdesk, faults: Faults, calls: Calls, jobs: Jobs, sender: WebhookSender
    ) -> None:
        self._app: WSGIApplication = app.wsgi_app
        self._routes = app.url_map.bind("sandbox")
        self._helpdesk = helpdesk
        self._faults = faults
        self._calls = calls
        self._jobs = jobs
        self._sender = sender

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if not path.startswith("/api/"):
            return self._call(environ)(environ, start_response)
        # Zendesk takes every address with and without its ending; webhooks are the only ones told without.
        path = path.removesuffix(".json") + ("" if path.startswith("/api/v2/webhooks") else ".json")
        environ["PATH_INFO"] = path
        environ["sandbox.call"] = call = {"account": ""}
        fault = self._faults.take(method, path)
        if fault is None:
            answer = self._call(environ)
        else:
            if caller := caller_of(self._helpdesk, environ.get("HTTP_AUTHORIZATION", "")):
                call["account"] = caller.account
            answer = applied(fault, lambda: self._call(environ))
        called = f"{method} {self._template(path, method)}"
        self._calls.note(call["account"] or "stranger", called, answer.status_code, time.time())
        return answer(environ, start_response)

    def _template(self, path: str, method: str) -> str:
        try:
            rule, _ = self._routes.match(path, method, return_rule=True)
        except HTTPException:
            return "(no such address)"
        return str(rule)

    def beat(self) -> None:
        """Do the jobs that are due, also while nobody calls."""
        if self._jobs.is_busy():
            with self._changing():
                self._jobs.advance()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        changes: list[tuple[str, Json]] = []
        with self._helpdesk.state.transaction():
            self._helpdesk.changes = changes
            yield
            targets = self._helpdesk.listeners() if changes else []
            calls = triggered(self._helpdesk, changes)
        for kind, ticket in changes:
            for url, secret, wants in targets:
                if wants(kind):
                    self._sender.send(url, secret, kind, ticket)
        for url, secret, body in calls:
            self._sender.send_body(url, secret, body)

    def _call(self, environ: WSGIEnvironment) -> Response:
        environ.setdefault("sandbox.call", {"account": ""})
        self.beat()
        try:
            with self._changing():
                response = Response(*run_wsgi_app(self._app, environ, buffered=True))
                if response.status_code >= 400:
                    raise _Undo(response)
        except _Undo as undo:
            return undo.response
        return response


class _Undo(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _add_errors(app: Flask) -> None:
    @app.errorhandler(Problem)
    def problem(error: Problem) -> Response:
        response = jsonify(error.body) if isinstance(error.body, dict) else Response(error.body, mimetype="text/plain")
        response.status_code = error.status
        response.headers.update(error.headers)
        return response

    @app.errorhandler(404)
    def no_such_address(_error: HTTPException) -> tuple[Json, int]:
        return {"error": {"title": "Invalid endpoint", "message": "Not found"}}, 404


def _add_screen(app: Flask, helpdesk: Helpdesk) -> None:
    @app.get("/agent/tickets/<int:ticket_id>")
    def screen(ticket_id: int) -> str:
        ticket = helpdesk.show(ticket_id)
        rows = "".join(
            f"<h4>{'public' if comment['public'] else 'internal'}</h4>{comment['html_body']}<hr>"
            for comment in helpdesk.comments(ticket_id)
        )
        title = html.escape(f"#{ticket_id} {ticket['subject']} ({ticket['status']})")
        return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{rows}"
