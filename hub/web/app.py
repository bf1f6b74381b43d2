"""The Flask application: who may call it under which name, what every answer carries, and what hangs where."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import string
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from hub.catalogue import Catalogue
from hub.configuration import HubConfig, secret_key
from hub.flow import reach
from hub.flow.hub import Hub
from hub.flow.receive import MAX_BODY
from hub.store import StoreBusy, connections, reaching
from hub.web import (
    actions,
    callback,
    certificates,
    connect,
    console,
    hooks,
    removing,
    schemas,
    sessions,
    showing,
    translation,
)
from hub.web.running import Running

log = logging.getLogger("hub.web")

SESSION_LASTS = timedelta(hours=12)
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?", re.IGNORECASE)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(
    hub: Hub,
    config: HubConfig,
    catalogue: Catalogue,
    *,
    blueprints: Iterable[Blueprint] = (),
    started_at: datetime | None = None,
) -> Flask:
    """The web of one hub. A blueprint that claims ``/`` has it; otherwise ``/`` leads to the console."""
    app, is_ours = _make(hub, config, catalogue, started_at)
    for blueprint in (
        hooks.blueprint,
        schemas.blueprint,
        sessions.blueprint,
        console.blueprint,
        actions.blueprint,
        certificates.blueprint,
        connect.blueprint,
        removing.blueprint,
        callback.blueprint,
        *blueprints,
    ):
        app.register_blueprint(blueprint)
    if not any(rule.rule == "/" for rule in app.url_map.iter_rules()):
        app.add_url_rule("/", endpoint="home", view_func=lambda: redirect("/console/"))
    short_cut = hooks.ShortCut(app.wsgi_app, hub, is_ours=is_ours, headers=HEADERS)
    return _wrapped(app, short_cut, config)


def create_connecting_app(hub: Hub, config: HubConfig, catalogue: Catalogue) -> Flask:
    """Only the public pages a person comes back to from a vendor: what answers while no hub runs."""
    app, _ = _make(hub, config, catalogue, None)
    app.register_blueprint(callback.blueprint)
    return _wrapped(app, app.wsgi_app, config)


def _make(
    hub: Hub, config: HubConfig, catalogue: Catalogue, started_at: datetime | None
) -> tuple[Flask, Callable[[str], bool]]:
    app = Flask("hub.web")
    app.config.update(
        SECRET_KEY=hmac.new(secret_key(config), b"hub.web session cookie", hashlib.sha256).digest(),
        # One more than the hub takes: of a body without a length Werkzeug keeps only so much and says nothing; receive
        # then sees that it was too large.
        MAX_CONTENT_LENGTH=MAX_BODY + 1,
        SESSION_COOKIE_NAME="hub_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.hub.public_url.startswith("https://"),
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
    )
    app.extensions["hub"] = Running(hub, config, catalogue, started_at or hub.now())
    translation.install(app, default=config.hub.language)
    showing.install(app)
    connect.install(app)
    is_ours = _host_check(allowed_hosts(config))
    app.before_request(lambda: _check_host(is_ours))
    app.after_request(_add_headers)
    app.register_error_handler(Exception, _show_error)
    app.add_url_rule("/healthz", view_func=healthz)
    return app, is_ours


def _wrapped(app: Flask, wsgi_app: Any, config: HubConfig) -> Flask:
    app.wsgi_app = _with_ascii_query(wsgi_app)  # type: ignore[method-assign]
    if config.hub.trusted_proxies:
        app.wsgi_app = _behind(app.wsgi_app, config.hub.trusted_proxies)  # type: ignore[method-assign]
    return app


def allowed_hosts(config: HubConfig) -> list[str]:
    """The names under which the hub may be called."""
    if config.hub.allowed_hosts:
        return [*config.hub.allowed_hosts]
    host, _ = config.hub.address
    public = urlsplit(config.hub.public_url).hostname
    return [name for name in (host, "localhost", "127.0.0.1", "::1", public) if name]


def _host_check(allowed: Sequence[str]) -> Callable[[str], bool]:
    names = {name.strip("[]").lower() for name in allowed}

    def is_ours(host: str) -> bool:
        # Not Werkzeug's host_is_trusted(): it cannot be told an IPv6 address.
        called = HOST.fullmatch(host)
        return called is not None and called[1].strip("[]").lower() in names

    return is_ours


def _check_host(is_ours: Callable[[str], bool]) -> Response | None:
    # A load balancer asks for /healthz by address; it shows nothing.
    if request.path == "/healthz" or is_ours(request.host):
        return None
    if not request.path.startswith(reach.PATH):
        abort(400, "this host name is not in allowed_hosts")
    # The hub asks itself under its public name, and must learn what is wrong.
    return Response(reaching.NOT_OUR_NAME + "\n", 400, content_type="text/plain; charset=utf-8")


def _with_ascii_query(app: Any) -> Any:
    """Quote raw bytes in a query: reading it would raise otherwise (Werkzeug 3.1, found by fuzzing)."""

    def quoted(environ: Any, start_response: Any) -> Any:
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():
            environ["QUERY_STRING"] = quote(query.encode("latin-1", "replace"), safe=string.punctuation)
        return app(environ, start_response)

    return quoted


def _behind(app: Any, networks: Sequence[str]) -> Any:
    """Believe X-Forwarded-* when, and only when, the peer is one of ours."""
    trusted = [ipaddress.ip_network(network, strict=False) for network in networks]
    forwarded = ProxyFix(app, x_for=1, x_proto=1, x_host=1)

    def choose(environ: Any, start_response: Any) -> Any:
        try:
            peer = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:
            return app(environ, start_response)
        known = any(peer in network for network in trusted)
        return (forwarded if known else app)(environ, start_response)

    return choose


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _show_error(error: Exception) -> AnyResponse | tuple[str, int]:
    if isinstance(error, StoreBusy):
        error = ServiceUnavailable()
    if isinstance(error, HTTPException):
        if error.response is not None or (error.code or 500) < 400:
            return error.get_response()
        code = error.code or 500
    else:
        log.error("a page failed: %s %s", request.method, request.endpoint, exc_info=error)
        code = 500
    if request.path.startswith("/hooks/"):
        return f"{code}\n", code
    return render_template("error.html", code=code), code


def healthz() -> AnyResponse | tuple[AnyResponse, int]:
    """200 while the database answers, else 503. Needs no login and shows nothing."""
    running: Running = Running.here()
    try:
        with running.hub.store.read() as connection:
            connections.read_switch(connection, "stop-talking")
    except Exception:  # whatever it is, the hub cannot work
        log.exception("the store does not answer")
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok")
