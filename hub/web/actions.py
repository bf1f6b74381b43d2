"""What a person does in the console. Every action is a form, goes through the flow, and is audited there."""

from __future__ import annotations

import logging
from typing import cast

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub.flow import control, parked, redact
from hub.sdk import ConnectorError
from hub.store import views
from hub.web.reasons import told
from hub.web.running import Running
from hub.web.sessions import ACTOR, login_required
from hub.web.translation import label, say

log = logging.getLogger("hub.web.actions")

blueprint = Blueprint("actions", __name__, url_prefix="/console")


def _reason() -> str:
    return request.form.get("reason", "").strip()[:500]


def _to_connection(name: str) -> Response:
    return redirect(url_for("console.connection", name=name), 303)


@blueprint.post("/connections/<name>/mode")
@login_required
def set_mode(name: str) -> Response:
    """Observe, draft or live. Live asks for a second yes."""
    mode = request.form.get("mode", "")
    if mode == "live" and request.form.get("sure") != "yes":
        flash(say("connection.live_needs_yes"), "error")
        return _to_connection(name)
    try:
        changed = control.set_mode(Running.here().hub, name, mode, actor=ACTOR)
    except control.UnknownConnection:
        abort(404)
    except control.ModeNotPossible:
        flash(say("connection.mode_not_possible"), "error")
        return _to_connection(name)
    except ValueError:
        abort(400)
    flash(say("flash.mode" if changed else "flash.unchanged", mode=label("mode", mode)), "done")
    return _to_connection(name)


@blueprint.post("/connections/<name>/<any(pause, resume):what>")
@login_required
def pause_or_resume(name: str, what: str) -> Response:
    """Stop a connection, or let it go on."""
    hub = Running.here().hub
    try:
        if what == "pause":
            changed = control.pause(hub, name, actor=ACTOR, reason=_reason())
        else:
            changed = control.resume(hub, name, actor=ACTOR)
    except control.UnknownConnection:
        abort(404)
    flash(say(f"flash.{what}" if changed else "flash.unchanged"), "done")
    return _to_connection(name)


@blueprint.post("/connections/<name>/check")
@login_required
def check(name: str) -> Response:
    """Ask the vendor whose account it is, now."""
    check_and_tell(name)
    return _to_connection(name)


def check_and_tell(name: str) -> None:
    """Ask the vendor and put what came of it before the reader; 404 for a connection that does not exist."""
    try:
        account = control.check_now(Running.here().hub, name, actor=ACTOR)
    except control.UnknownConnection:
        abort(404)
    except ConnectorError as error:
        flash(say("flash.check_failed", why=told(error.summary)), "error")
    except Exception:
        log.exception("checking %s failed unexpectedly", name)
        flash(say("flash.check_broke"), "error")
    else:
        flash(say("flash.checked", account=account.handle or account.fingerprint), "done")


@blueprint.post("/talking")
@login_required
def talking() -> Response:
    """Halt or resume everything towards customers."""
    hub = Running.here().hub
    wanted = request.form.get("talk")
    if wanted not in ("stop", "again"):
        abort(400)
    act = control.stop_talking if wanted == "stop" else control.talk_again
    changed = act(hub, actor=ACTOR, reason=_reason())
    flash(say(f"flash.talk_{wanted}" if changed else "flash.unchanged"), "done")
    return redirect(url_for("console.overview"), 303)


@blueprint.post("/<any(inbox, outbox):door>/<int(max=9223372036854775807):number>/<any(retry, discard):what>")
@login_required
def go_on(door: str, number: int, what: str) -> Response:
    """Try a parked thing again, or give it up for a reason."""
    hub = Running.here().hub
    at = cast("views.Door", door)
    here = redirect(url_for("console.item", door=door, number=number), 303)
    settles = request.form.get("settles") == "yes"
    reason = say("item.settled") if settles else _reason()
    if what == "discard" and not reason:
        flash(say("item.reason_needed"), "error")
        return here
    try:
        if what == "retry":
            publish = request.form.get("publish") == "yes"
            parked.retry(hub, at, number, actor=ACTOR, publish_draft=publish)
        else:
            parked.discard(hub, at, number, actor=ACTOR, reason=reason)
    except parked.DraftWaits:
        flash(say("flash.draft_waits"), "error")
        return here
    except parked.NotParked:
        flash(say("flash.not_parked"), "error")
        return here
    flash(say("flash.settled" if what == "discard" and settles else f"flash.{what}"), "done")
    return here


@blueprint.post("/tickets/<code>/messages/<int(max=9223372036854775807):number>/redact")
@login_required
def redact_message(code: str, number: int) -> Response:
    """Forget a message's words for good, for a reason."""
    here = redirect(url_for("console.ticket", code=code), 303)
    if not _reason():
        flash(say("item.reason_needed"), "error")
        return here
    try:
        done = redact.redact(Running.here().hub, code, number, actor=ACTOR, reason=_reason())
    except redact.NoSuchMessage:
        abort(404)
    by_hand, published = ", ".join(done.by_hand), ", ".join(done.published)
    there = len(done.there)
    told = [
        say("flash.redacted"),
        say("flash.redacted_there_one" if there == 1 else "flash.redacted_there", number=there) if there else "",
        say("flash.redacted_by_hand", comments=by_hand) if by_hand else "",
        say("flash.redacted_title") if done.title else "",
        say("flash.redacted_published", where=published) if published else "",
        say("flash.redacted_going_out") if done.going_out else "",
    ]
    flash(" ".join(filter(None, told)), "done")
    return here
