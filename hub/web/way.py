"""How far a connection is on its way, and the step to the vendor's page."""

from __future__ import annotations

import logging
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import abort, flash, make_response, render_template
from werkzeug.wrappers import Response

from hub.configuration import Problem
from hub.flow import connect, guide, reach, set_up
from hub.flow.connect import Standing
from hub.sdk import AsksConsent, ConnectorError, Guide, GuideStep, HoldsTokens, ReceivesWebhooks, SetsUp, TokenState
from hub.store import connections, views
from hub.web.reasons import told
from hub.web.running import Running
from hub.web.translation import language, say

log = logging.getLogger("hub.web.connect")
_COMMAND = re.compile(r"\bhub (?:connections|config|plugins|init|run)\b")


@dataclass(frozen=True)
class Way:
    """All that the page of one connection shows."""

    name: str
    display_name: str
    settings: frozenset[str]
    running: bool
    problems: tuple[Problem, ...]
    guide: Guide | None
    redirect_url: str
    asks_consent: bool
    sets_up: bool
    takes_webhooks: bool
    public_url: str
    standing: Standing | None
    tokens: tuple[TokenState, ...]
    reached: dict[str, Any] | None
    plan: set_up.Seen | None
    webhook: str
    last_call: datetime | None
    locked_out: bool
    row: views.ConnectionView | None

    @property
    def connected(self) -> bool:
        """True when the vendor has said whose account it is, and lets us in."""
        row = self.row
        return row is not None and bool(row.fingerprint) and row.health == "ok" and not row.gone and not self.locked_out

    @property
    def for_colleague(self) -> Guide | None:
        """The guide without what only the operator of the hub can do: commands, and settings of hub.toml."""
        shown = self.guide
        if shown is None:
            return None
        return shown.model_copy(update={"steps": tuple(one for one in shown.steps if not self._is_operators(one))})

    def _is_operators(self, step: GuideStep) -> bool:
        if _COMMAND.search(f"{step.text} {step.copy_text}"):
            return True
        try:
            block = tomllib.loads(step.copy_text)
        except tomllib.TOMLDecodeError:
            return False
        return bool(block) and block.keys() <= self.settings

    @property
    def lost(self) -> bool:
        """True when it was connected once, and the hub has nothing left that the vendor lets in."""
        return self.locked_out and self.row is not None and bool(self.row.fingerprint)


def way_of(name: str) -> Way:
    """Everything about one connection, as it stands. Aborts with 404 for an unknown one."""
    running = Running.here()
    hub = running.hub
    must_know(name)
    config = hub.left_out.get(name) or hub.connected[name].config
    connector = running.catalogue.connector_of(config) if name in hub.left_out else hub.connected[name].connector
    with hub.store.read() as read:
        row = next((one for one in views.overview(read, hub.now()) if one.name == name), None)
        standing = connect.latest(hub, name)
        lets_nobody_in = locked_out(read, name, paused=row is not None and bool(row.paused))
    takes = issubclass(connector, ReceivesWebhooks)
    return Way(
        name=name,
        display_name=connector.display_name,
        settings=frozenset(connector.Settings.model_fields),
        running=name in hub.connected,
        problems=problems_of(name),
        guide=_guide(running, name),
        redirect_url=redirect_url(),
        asks_consent=issubclass(connector, AsksConsent),
        sets_up=issubclass(connector, SetsUp),
        takes_webhooks=takes,
        public_url=hub.public_url,
        standing=standing,
        tokens=_tokens(name) or (),
        reached=reach.last(hub),
        plan=set_up.last_seen(hub, name),
        webhook=f"{hub.public_url}/hooks/{name}" if takes and hub.public_url else "",
        last_call=set_up.last_call(hub, name),
        locked_out=lets_nobody_in,
        row=row,
    )


def locked_out(read: Any, name: str, *, paused: bool) -> bool:
    """True when the hub has nothing that the vendor lets in: it lives by tokens and has none, or they are refused."""
    hub = Running.here().hub
    if name in hub.connected and hub.connected[name].has(HoldsTokens) and _tokens(name) == ():
        return True
    alarmed = {one.kind for one in connections.alarms(read) if one.connection == name}
    return paused and "authentication" in alarmed


def to_vendor(name: str, actor: str, *, else_to: Response) -> Response:
    """A page that leads on to the vendor's; ``else_to`` when it cannot, which is told."""
    hub = Running.here().hub
    if name not in hub.connected:
        flash(say("connect.settings_first"), "error")
        return else_to
    try:
        started = connect.start(hub, name, redirect_url=redirect_url(), actor=actor)
    except connect.NoConsentNeeded:
        abort(404)
    except ConnectorError as error:
        flash(say("connect.cannot_ask", why=told(set_up.without_secrets(hub, name, error.summary))), "error")
        return else_to
    # A page that goes on, not a redirect: browsers hold a form's redirects against form-action, and the vendor's own
    # login may lead through any number of other addresses.
    made = make_response(render_template("connect_go.html", url=started.url, host=urlsplit(started.url).netloc))
    made.headers["Refresh"] = f"0; url={started.url}"
    return made


def must_know(name: str) -> None:
    """Abort with 404 unless this is a configured connection, whether it could start or not."""
    hub = Running.here().hub
    if name not in hub.connected and name not in hub.left_out:
        abort(404)


def origin() -> str:
    """How a browser reaches this hub."""
    config = Running.here().config.hub
    return config.public_url or own_url(config)


def redirect_url() -> str:
    """Where the vendor sends the person back to."""
    return origin() + guide.CALLBACK


def own_url(config: Any) -> str:
    """The hub's address for a browser on this machine."""
    host, port = config.address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - "everywhere" includes here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def problems_of(name: str) -> tuple[Problem, ...]:
    """Why a connection could not start; empty for one that runs."""
    running = Running.here()
    if name in running.hub.connected:
        return ()
    found = running.catalogue.check(running.config)
    return tuple(one for one in found if one.connection == name and not one.warning)


def _guide(running: Running, name: str) -> Guide | None:
    hub = running.hub
    try:
        if name in hub.connected:
            return guide.guide(hub, name, language(), redirect_url=redirect_url())
        block = hub.left_out[name]
        connector = running.catalogue.connector_of(block)
        return guide.guide_unfinished(hub, connector, block, language(), redirect_url=redirect_url())
    except Exception:
        log.exception("the guide of %s is broken", name)
        return None


def _tokens(name: str) -> tuple[TokenState, ...] | None:
    """``None`` when the connector cannot tell."""
    hub = Running.here().hub
    if name not in hub.connected or not hub.connected[name].has(HoldsTokens):
        return ()
    try:
        return tuple(guide.tokens(hub, name))
    except Exception:
        log.exception("%s cannot tell its tokens", name)
        return None
