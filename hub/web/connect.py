"""Connecting a connection in the console: the whole way on one page, and what a person does there."""

from __future__ import annotations

import logging
from typing import cast

from flask import Blueprint, Flask, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub.flow import connect, reach, set_up
from hub.flow.connect import ConsentOver, Standing
from hub.sdk import SetsUp
from hub.web.actions import check_and_tell
from hub.web.callback import refused
from hub.web.console import page
from hub.web.reasons import told
from hub.web.running import Running
from hub.web.sessions import ACTOR, login_required
from hub.web.translation import say
from hub.web.way import must_know, origin, to_vendor, way_of

log = logging.getLogger("hub.web.connect")

blueprint = Blueprint("connect", __name__, url_prefix="/console/connections/<name>/connect")


@blueprint.get("")
@login_required
def show(name: str) -> str:
    """The whole way, step by step, each with its state."""
    return _show(name)


@blueprint.post("/reach")
@login_required
def test_address(name: str) -> Response:
    """Call the hub by its public address."""
    must_know(name)
    found = reach.reach(Running.here().hub)
    flash(say("connect.reach_works") if found.works else say("connect.reach_fails"), "done" if found.works else "error")
    return _back(name, "reach")


@blueprint.post("/consent")
@login_required
def ask(name: str) -> Response:
    """Send the person to the vendor's page."""
    must_know(name)
    return to_vendor(name, ACTOR, else_to=_back(name, "consent"))


@blueprint.post("/choose")
@login_required
def choose(name: str) -> Response:
    """Keep to one of the accounts the consent covers."""
    hub = Running.here().hub
    try:
        standing = connect.choose(hub, _shown_standing(name).number, request.form.get("choice", ""))
    except KeyError:
        flash(say("connect.choose_one"), "error")
    except ConsentOver as error:
        flash(say(f"connect.over.{error.why}"), "error")
    else:
        _tell(standing)
    return _back(name, "consent")


@blueprint.post("/accept")
@login_required
def accept(name: str) -> Response:
    """Take the other account after all; the connection is paused then."""
    if request.form.get("sure") != "yes":
        flash(say("connect.other_needs_yes"), "error")
        return _back(name, "consent")
    try:
        standing = connect.accept_other(Running.here().hub, _shown_standing(name).number, actor=ACTOR)
    except ConsentOver as error:
        flash(say(f"connect.over.{error.why}"), "error")
        return _back(name, "consent")
    if standing.outcome != "done":
        _tell(standing)
        return _back(name, "consent")
    flash(say("connect.other_taken"), "error")
    return redirect(url_for("console.connection", name=name), 303)


@blueprint.post("/link")
@login_required
def make_link(name: str) -> str:
    """A link for the person who holds the rights; shown this once."""
    must_know(name)
    secret = connect.make_link(Running.here().hub, name, actor=ACTOR)
    return _show(name, link=origin() + url_for("connecting.open_link", secret=secret))


@blueprint.post("/setup")
@login_required
def prepare(name: str) -> Response:
    """Look at the vendor's side, or do the hub's missing steps there."""
    hub = Running.here().hub
    if name not in hub.connected or not hub.connected[name].has(SetsUp):
        abort(404)
    act = request.form.get("act")
    if act not in ("plan", "apply"):
        abort(400)
    try:
        set_up.set_up(hub, name, cast("set_up.Act", act))
    except set_up.SetupFailed as error:
        flash(say("connect.setup_failed", why=told(str(error))), "error")
    except Exception:
        log.exception("setting up %s failed unexpectedly", name)
        flash(say("flash.check_broke"), "error")
    return _back(name, "setup")


@blueprint.post("/check")
@login_required
def prove(name: str) -> Response:
    """One real round trip."""
    check_and_tell(name)
    return _back(name, "check")


def refusal(detail: str) -> str:
    """Why the vendor's page said no, in the reader's words."""
    return say(f"connect.{refused(detail)}")


def detail(standing: Standing) -> str:
    """Who it is, or in the reader's words what went wrong."""
    return told(standing.detail) if standing.outcome == "failed" else standing.detail


def unconnected() -> list[str]:
    """The configured connections that could not start, by name."""
    return sorted(Running.here().hub.left_out)


def install(app: Flask) -> None:
    """Give the templates these."""
    app.jinja_env.globals.update(refusal=refusal, detail=detail, unconnected=unconnected)


def _show(name: str, link: str = "") -> str:
    way = way_of(name)
    with Running.here().hub.store.read() as read:
        return page("console/connect.html", read, way=way, link=link, now=Running.here().hub.now())


def _standing(name: str) -> Standing:
    standing = connect.latest(Running.here().hub, name)
    if standing is None:
        abort(404)
    return standing


def _shown_standing(name: str) -> Standing:
    """The newest consent, which the form must have been about: whoever holds a link may have come back meanwhile, with
    another account than the one the person read. Raises :class:`ConsentOver`."""
    standing = _standing(name)
    if request.form.get("consent") != standing.number:
        raise ConsentOver("used")
    return standing


def _tell(standing: Standing) -> None:
    good = standing.outcome == "done"
    flash(say(f"connect.now.{standing.outcome}", detail=detail(standing)), "done" if good else "error")


def _back(name: str, place: str) -> Response:
    return redirect(url_for("connect.show", name=name, _anchor=place), 303)
