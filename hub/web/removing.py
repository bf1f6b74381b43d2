"""Removing a connection in the console: what would be done, and, with its name typed again, doing it."""

from __future__ import annotations

import logging

from flask import Blueprint, abort, flash, request

from hub.flow import disconnect
from hub.store import connections
from hub.web.console import page
from hub.web.running import Running
from hub.web.sessions import ACTOR, login_required
from hub.web.translation import language, say

log = logging.getLogger("hub.web.removing")

blueprint = Blueprint("removing", __name__, url_prefix="/console/connections/<name>/remove")


@blueprint.get("")
@login_required
def plan(name: str) -> str:
    """What removing would do now: the vendor is asked, and nothing is changed."""
    _must_know(name)
    return _show(name, disconnect.plan_removal(Running.here().hub, name), removed=False)


@blueprint.post("")
@login_required
def remove(name: str) -> str | tuple[str, int]:
    """Do it, for who has typed the connection's name."""
    _must_know(name)
    if request.form.get("confirm", "").strip() != name:
        flash(say("remove.not_the_name"), "error")
        return plan(name), 400
    return _show(name, disconnect.remove(Running.here().hub, name, actor=ACTOR), removed=True)


def _must_know(name: str) -> None:
    with Running.here().hub.store.read() as read:
        if name not in connections.names(read):
            abort(404)


def _show(name: str, removal: disconnect.Removal, *, removed: bool) -> str:
    running, told = Running.here(), removal.in_language(language())
    in_file = name in running.config.connections
    with running.hub.store.read() as read:
        return page("console/remove.html", read, name=name, told=told, removed=removed, in_file=in_file)
