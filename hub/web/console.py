"""The console's pages: what the hub does, to look at. What changes something is in ``actions``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template, request

from hub.flow import radar, retry
from hub.sdk import ReceivesWebhooks
from hub.store import connections, views
from hub.store.tables import DELIVERY_STATES, INBOX_STATES
from hub.web.running import Running
from hub.web.sessions import login_required
from hub.web.way import locked_out, problems_of

PAGE = 50
STATES = {"inbox": INBOX_STATES, "outbox": DELIVERY_STATES}

blueprint = Blueprint("console", __name__, url_prefix="/console")


def page(template: str, read: Any, **values: Any) -> str:
    """A page of the console with what all of them show: the alarms, the hub's voice, what is parked."""
    # ``read`` is the store's snapshot; its type is SQLAlchemy's, which only the store may name.
    hub = Running.here().hub
    shown = views.overview(read, hub.now())
    return render_template(
        template,
        connections=shown,
        alarms=views.alarms(read),
        silent=bool(connections.read_switch(read, connections.STOP_TALKING)),
        parked_count=sum(one.parked for one in shown),
        **values,
    )


@blueprint.get("/")
@login_required
def overview() -> str:
    """Every connection at a glance."""
    running = Running.here()
    with running.hub.store.read() as read:
        standings = radar.standings(running.hub)
        return page("console/overview.html", read, started_at=running.started_at, standings=standings)


@blueprint.get("/connections/<name>")
@login_required
def connection(name: str) -> str:
    """One connection with its switches."""
    running = Running.here()
    hub = running.hub
    with hub.store.read() as read:
        one = next((one for one in views.overview(read, hub.now()) if one.name == name), None)
        if one is None:
            abort(404)
        connected = hub.connected.get(name)
        return page(
            "console/connection.html",
            read,
            one=one,
            connected=connected,
            connect_again=one.paused == retry.REMOVED or locked_out(read, name, paused=bool(one.paused)),
            standing=radar.standings(hub, [name]).get(name),
            today=hub.now().date(),
            public_url=running.config.hub.public_url,
            webhook=_webhook(running, name) if connected and connected.has(ReceivesWebhooks) else "",
            stopped=views.parked(read, 20, name=name),
            problems=problems_of(name),
        )


@blueprint.get("/<any(inbox, outbox):door>")
@login_required
def door(door: str) -> str:
    """What came in, or what goes out, newest first."""
    state = request.args.get("state", "")
    name = request.args.get("connection", "")
    before = _number(request.args.get("before"))
    rows = views.inbox_rows if door == "inbox" else views.outbox_rows
    with Running.here().hub.store.read() as read:
        found: list[Any] = list(rows(read, state=state, name=name, before=before, limit=PAGE + 1))
        return page(
            "console/door.html",
            read,
            door=door,
            rows=found[:PAGE],
            next_before=found[PAGE - 1].id if len(found) > PAGE else None,
            before=before,
            states=STATES[door],
            state=state,
            name=name,
        )


@blueprint.get("/<any(inbox, outbox):door>/<int:number>")
@login_required
def item(door: str, number: int) -> str:
    """One event or delivery with everything, and, when it is parked, the ways on."""
    with Running.here().hub.store.read() as read:
        one = views.parked_one(read, door, number)
        if one is None:
            abort(404)
        return page("console/item.html", read, one=one)


@blueprint.get("/parked")
@login_required
def parked() -> str:
    """What stopped and waits for a person."""
    with Running.here().hub.store.read() as read:
        return page("console/parked.html", read, rows=views.parked(read))


@blueprint.get("/tickets")
@login_required
def tickets() -> str:
    """Tickets, newest first, or those that match a search."""
    search = request.args.get("q", "").strip()[:100]
    before = _number(request.args.get("before"))
    with Running.here().hub.store.read() as read:
        found = views.ticket_rows(read, search=search, before=before, limit=PAGE + 1)
        return page(
            "console/tickets.html",
            read,
            rows=found[:PAGE],
            next_before=found[PAGE - 1].id if len(found) > PAGE else None,
            before=before,
            search=search,
        )


@blueprint.get("/tickets/<code>")
@login_required
def ticket(code: str) -> str:
    """One ticket: what was said on both sides, and what the hub did about it."""
    hub = Running.here().hub
    with hub.store.read() as read:
        one = views.ticket(read, code, hub.decrypt_json)
        if one is None:
            abort(404)
        # Both are said in time order; what was said at the moment of an event comes first.
        said: list[tuple[Any, int, Any]] = [(message.created_at, 0, message) for message in one.messages]
        done: list[tuple[Any, int, Any]] = [(event.at, 1, event) for event in one.events]
        story = [entry for _, _, entry in sorted(said + done, key=lambda item: item[:2])]
        return page("console/ticket.html", read, one=one, story=story)


@blueprint.get("/audit")
@login_required
def audit() -> str:
    """What people did."""
    with Running.here().hub.store.read() as read:
        return page("console/audit.html", read, rows=views.audit_rows(read))


def _webhook(running: Running, name: str) -> str:
    """Where the vendor must call, as far as the hub knows how the world reaches it."""
    return f"{running.config.hub.public_url or 'http://' + running.config.hub.listen}/hooks/{name}"


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 18 else None
