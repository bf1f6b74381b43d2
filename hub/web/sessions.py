"""Who may use the console: a one-time link makes a session, a session makes a cookie, and every form proves itself."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, redirect, render_template, request, session
from werkzeug.wrappers import Response

from hub.flow.hub import Hub
from hub.store import Tx, connections, logins
from hub.web.running import Running

LINK_LASTS = timedelta(hours=24)
ACTOR = "console"

blueprint = Blueprint("sessions", __name__)
View = TypeVar("View", bound=Callable[..., Any])


def make_login_link(hub: Hub, base_url: str) -> str:
    """A link that opens the console once, within 24 hours. Only its hash is stored."""
    token = secrets.token_urlsafe(32)
    now = hub.now()
    hub.store.run(lambda tx: logins.remember(tx, "login", token, until=now + LINK_LASTS, now=now))
    return f"{base_url.rstrip('/')}/login/{token}"


def logged_in() -> bool:
    """True when the request carries a session that has not ended."""
    number = session.get("id")
    if not isinstance(number, str):
        return False
    hub = Running.here().hub
    with hub.store.read() as connection:
        return logins.counts(connection, "session", number, now=hub.now())


def csrf_token() -> str:
    """What this session's forms carry."""
    return str(session.get("csrf", ""))


def login_required(view: View) -> View:
    """Let only sessions in; a POST must also come from one of our own forms."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not logged_in():
            session.clear()
            return redirect("/login", 303)
        if request.method == "POST":
            check_origin()
            given, wanted = request.form.get("csrf", ""), csrf_token()
            if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
                abort(403, "this form is too old")
        return view(*args, **kwargs)

    return guarded  # type: ignore[return-value]


def check_origin() -> None:
    """Refuse what another site sent. Browsers say where a POST comes from; who says nothing needs the form's token."""
    origin = request.headers.get("Origin")
    public = urlsplit(Running.here().config.hub.public_url).netloc
    if origin is not None and urlsplit(origin).netloc not in (request.host, public or request.host):
        abort(403, "the request came from another site")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "the request came from another site")


@blueprint.get("/login")
def login_help() -> str | Response:
    """How to get in."""
    return redirect("/console/") if logged_in() else render_template("login.html", token="", expired=False)


@blueprint.get("/login/<token>")
def login_page(token: str) -> str | tuple[str, int]:
    """One button. The link is used up by the button only: chat programs and browsers open links to look at them."""
    hub = Running.here().hub
    with hub.store.read() as connection:
        good = logins.counts(connection, "login", token, now=hub.now())
    page = render_template("login.html", token=token if good else "", expired=not good)
    return page if good else (page, 410)


@blueprint.post("/login/<token>")
def login(token: str) -> Response | tuple[str, int]:
    """Make a session of a link that still counts."""
    check_origin()
    hub = Running.here().hub
    number = secrets.token_urlsafe(32)
    until = hub.now() + current_app.permanent_session_lifetime

    def unit(tx: Tx) -> bool:
        now = hub.now()
        if not logins.use_up(tx, "login", token, now=now):
            return False
        logins.remember(tx, "session", number, until=until, now=now)
        connections.write_audit(tx, actor=ACTOR, action="login", object_="console", now=now)
        return True

    if not hub.store.run(unit):
        return render_template("login.html", token="", expired=True), 410
    session.clear()
    session.permanent = True
    session.update(id=number, csrf=secrets.token_urlsafe(32))
    return redirect("/console/", 303)


@blueprint.post("/logout")
@login_required
def logout() -> Response:
    """End the session, here and in the database."""
    hub = Running.here().hub
    number = session["id"]
    hub.store.run(lambda tx: logins.use_up(tx, "session", number, now=hub.now()))
    session.clear()
    return redirect("/login", 303)
