"""The trial's page: a small network on the left, the hub in the middle, a small helpdesk on the right."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from hub.configuration import TRIAL_PREFIX, HubConfig, shipped
from hub.flow import control
from hub.flow.compose import SEND_DRAFT_TAG
from hub.flow.hub import Hub
from hub.sdk.messages import storable
from hub.trial.drivers import Drivers, SandboxRefused
from hub.trial.scene import NothingToShow, Scene
from hub.web.sessions import logged_in
from hub.web.translation import LANGUAGES, language

ACTOR = "trial page"
MAX_TEXT = 5_000
ACTS_AT_ONCE = 3
"""How many of the web's threads may wait for a slow sandbox; the others are for webhooks."""
RETRY_AFTER = 2

Json = dict[str, Any]


class Wrong(Exception):
    """A request the page itself never sends; the message says what is wrong with it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def make_trial(hub: Hub, config: HubConfig, drivers: Drivers, *, needs_login: bool) -> Blueprint:
    """The blueprint with the page at ``/`` and its interface below ``/trial``.

    ``needs_login``: only for who is logged in to the console. It is off where nobody but this machine can call.
    """
    source = TRIAL_PREFIX + config.trial.source
    scene = Scene(hub, drivers, source)
    acting = threading.BoundedSemaphore(ACTS_AT_ONCE)
    page = Blueprint(
        "trial", __name__, template_folder="templates", static_folder="static", static_url_path="/trial/static"
    )
    page.before_request(_only_this_page)
    if needs_login:
        page.before_request(_only_logged_in)
    page.register_error_handler(Wrong, _tell)
    page.register_error_handler(
        NothingToShow, lambda _: _tell(Wrong("nothing to show yet: ask again in a moment", 503))
    )
    page.register_error_handler(SandboxRefused, lambda error: (jsonify(error=str(error)), 502))

    @page.get("/")
    def index() -> str:
        texts = {**translations(language()), **_configured_names(config, language())}
        network, helpdesk = (_stand_in(name) for name in drivers.names)
        return render_template(
            "trial/index.html",
            t=texts,
            languages=LANGUAGES,
            network=network,
            helpdesk=helpdesk,
            source=source,
            limit=MAX_TEXT,
            example_toml=_example_connections(),
        )

    @page.get("/trial/api/scene")
    def look() -> Response:
        shown = scene.now()
        answer = Response(shown.body, mimetype="application/json")
        answer.set_etag(shown.etag)
        answer.headers["Cache-Control"] = "no-cache"
        return answer.make_conditional(request)  # type: ignore[return-value]

    @page.get("/trial/api/about")
    def about() -> Json:
        return {"waiting": scene.waiting(), "limit": scene.longest_post()}

    def act(do: Callable[[Json], Json | None]) -> Response:
        body = _body()
        if not acting.acquire(blocking=False):
            raise Wrong("the sandbox is busy: try again in a moment", 503)
        try:
            done = do(body)
        finally:
            acting.release()
        scene.stale()
        return jsonify(done or {})

    @page.post("/trial/api/post")
    def post() -> Response:
        return act(
            lambda body: {
                "id": drivers.on_network(
                    lambda network: network.post(
                        _word(body, "author"),
                        _text(body),
                        reply_to=_id(body, "reply_to", needed=False),
                        private=body.get("private") is True,
                    )
                )
            }
        )

    @page.post("/trial/api/edit")
    def edit() -> Response:
        return act(
            lambda body: drivers.on_network(
                lambda network: network.edit(_word(body, "author"), _id(body, "post"), _text(body))
            )
        )

    @page.post("/trial/api/delete")
    def delete() -> Response:
        return act(
            lambda body: drivers.on_network(lambda network: network.delete(_word(body, "author"), _id(body, "post")))
        )

    @page.post("/trial/api/answer")
    def answer() -> Response:
        return act(
            lambda body: {
                "id": drivers.on_helpdesk(
                    lambda helpdesk: helpdesk.answer(
                        _id(body, "record"),
                        _text(body),
                        public=body.get("public") is True,
                        automatic=body.get("automatic") is True,
                    )
                )
            }
        )

    @page.post("/trial/api/make-public")
    def make_public() -> Response:
        return act(
            lambda body: drivers.on_helpdesk(
                lambda helpdesk: helpdesk.make_public(_id(body, "record"), _id(body, "comment"))
            )
        )

    @page.post("/trial/api/update")
    def update() -> Response:
        def do(body: Json) -> Json:
            status = _choice(body, "status", ("", "open", "pending", "solved"))
            tag, record = _choice(body, "tag", ("", SEND_DRAFT_TAG)), _id(body, "record")
            waits = scene.has_draft(record) if tag else None
            drivers.on_helpdesk(
                lambda helpdesk: helpdesk.update(record, status=status, tags_add=tuple(filter(None, (tag,))))
            )
            return {} if waits is None else {"waits": waits}

        return act(do)

    @page.post("/trial/api/mode")
    def mode() -> Response:
        def do(body: Json) -> None:
            control.set_mode(hub, source, _choice(body, "mode", ("observe", "draft", "live")), actor=ACTOR)

        return act(do)

    return page


def _tell(error: Wrong) -> tuple[Response, int]:
    answer = jsonify(error=str(error))
    if error.status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer, error.status


def _only_this_page() -> None:
    """Only this page's own scripts may look and act, and act only in JSON, which another site's form cannot send. A
    program on this machine (curl, ``hub replay``) sends neither header."""
    if request.method in ("GET", "HEAD"):
        # "none": typed into the address bar.
        called_by = request.headers.get("Sec-Fetch-Site", "none")
        if request.path.startswith("/trial/api/") and called_by not in ("same-origin", "none"):
            raise Wrong("only from the trial page itself", 403)
        return
    if request.mimetype != "application/json":
        raise Wrong("only application/json", 415)
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Wrong("only from the trial page itself", 403)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Wrong("only from the trial page itself", 403)


def _only_logged_in() -> AnyResponse | None:
    # ``hub replay`` has no session; how much waits is no secret.
    if request.endpoint in ("trial.static", "trial.about") or logged_in():
        return None
    if request.path.startswith("/trial/"):
        raise Wrong("log in to the console first: hub login-link", 401)
    return redirect("/login", 303)


def _body() -> Json:
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        raise Wrong("this JSON is nested too deeply") from None
    if not isinstance(body, dict):
        raise Wrong("a JSON object is needed")
    return body


def _word(body: Json, name: str) -> str:
    value = storable(body.get(name))
    if not isinstance(value, str) or not value.strip() or len(value) > 60:
        raise Wrong(f"{name} must be a text of 1 to 60 characters")
    return value.strip()


def _id(body: Json, name: str, *, needed: bool = True) -> str:
    value = body.get(name, "")
    # Ids end up in paths of the sandboxes' interfaces.
    if not isinstance(value, str) or not (value.isalnum() or (not value and not needed)) or len(value) > 100:
        raise Wrong(f"{name} must be an id")
    return value


def _text(body: Json) -> str:
    value = storable(body.get("text"))
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise Wrong(f"text must have 1 to {MAX_TEXT} characters")
    return value.strip()


def _choice(body: Json, name: str, choices: tuple[str, ...]) -> str:
    value = body.get(name, "")
    if value not in choices:
        raise Wrong(f"{name} must be one of {', '.join(filter(None, choices))}")
    return str(value)


@cache
def translations(language: str) -> dict[str, str]:
    """Every text of the page."""
    file = Path(__file__).parent / "translations" / f"{language}.json"
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _stand_in(name: str) -> str:
    """Nobody shall take a stand-in for the real service."""
    return name if "sandbox" in name.lower() else f"{name} (sandbox)"


def _configured_names(config: HubConfig, language: str) -> dict[str, str]:
    """What the operator calls categories and teams."""
    labels = {f"category.{name}": category.label for name, category in config.categories.items()}
    labels |= {f"team.{name}": team.label for name, team in config.teams.teams.items()}
    named = {key: label.in_language(language) for key, label in labels.items()}
    return {key: text for key, text in named.items() if text}


@cache
def _example_connections() -> str:
    """The real pair as the shipped hub.toml shows it, ready to paste."""
    lines: list[str] = []
    for line in shipped()["hub.toml"].splitlines():
        if line.startswith("# [connections."):
            lines += ["", line]
        elif lines and line.startswith("# ") and " = " in line:
            lines.append(line)
        elif lines and line != "#":
            break
    return "\n".join(line.removeprefix("# ") for line in lines).strip()
