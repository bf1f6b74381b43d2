"""Where a vendor's page sends a person back to, and what one without a login may see: public, and silent about all
that is not theirs."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from hub.flow import connect
from hub.flow.connect import ConsentOver, Outcome
from hub.store import reaching
from hub.web.running import Running
from hub.web.sessions import check_origin, logged_in
from hub.web.translation import say
from hub.web.way import to_vendor, way_of

BACK: dict[Outcome, str] = {
    "done": "back.done",
    "choose": "back.choose",
    "other_account": "back.other_account",
    "failed": "back.failed",
    "expired": "over.expired",
    "waiting": "back.asking",
    "asking": "back.asking",
}
blueprint = Blueprint("connecting", __name__, url_prefix="/connect")


@blueprint.get("/callback")
def come_back() -> Response:
    """Where the vendor's page sends the person. Needs no login: the person may be another than who started it."""
    if request.method != "GET":
        abort(405)  # a HEAD would use the state up
    arguments = request.args
    try:
        standing = connect.finish(
            Running.here().hub,
            arguments.get("state", ""),
            code=arguments.get("code", ""),
            error=arguments.get("error", ""),
            description=arguments.get("error_description", ""),
        )
    except ConsentOver as error:
        return redirect(url_for("connecting.tell_over", why=error.why), 303)
    if _console_here() and logged_in():
        session["connecting"] = standing.connection
    # On to a page without the code and the state: they are not to be kept in a history, nor sent a second time. The
    # consent's number tells how it stands, and to nobody who has not come back with its state.
    return redirect(url_for("connecting.tell", number=standing.number), 303)


@blueprint.get("/end/<number>")
def tell(number: str) -> str | tuple[str, int]:
    """How this consent ended, and nothing about the connection."""
    try:
        standing = connect.standing(Running.here().hub, number)
    except ConsentOver as error:
        return _ended(f"over.{error.why}"), 404
    return _ended(refused(standing.detail) if standing.outcome == "refused" else BACK[standing.outcome])


@blueprint.get("/over/<any(unknown, used, expired):why>")
def tell_over(why: str) -> str:
    """Why an address counts no longer."""
    return _ended(f"over.{why}")


@blueprint.get("/reach/<asked>")
def answer(asked: str) -> Response:
    """The word that only this hub knows, to whoever knows the question."""
    hub = Running.here().hub
    with hub.store.read() as read:
        word = reaching.answer(read, asked, now=hub.now())
    made = make_response(f"{word}\n" if word else "unknown\n", 200 if word else 404)
    made.content_type = "text/plain; charset=utf-8"
    return made


@blueprint.get("/link/<secret>")
def open_link(secret: str) -> str | tuple[str, int]:
    """What the person who holds the rights needs: the guide, and the way to the vendor's page."""
    try:
        name, _ = connect.linked(Running.here().hub, secret)
    except ConsentOver as error:
        return _link_over(error)
    return render_template("connect_link.html", way=way_of(name), secret=secret)


@blueprint.post("/link/<secret>")
def follow_link(secret: str) -> Response | tuple[str, int]:
    """To the vendor's page."""
    check_origin()
    try:
        name, actor = connect.linked(Running.here().hub, secret)
    except ConsentOver as error:
        return _link_over(error)
    here = redirect(url_for("connecting.open_link", secret=secret), 303)
    return to_vendor(name, f"link of {actor}", else_to=here)


def refused(detail: str) -> str:
    """The key of the words for a refusal."""
    code = detail.partition(":")[0]
    return f"refused.{code if code in connect.REFUSALS else 'other'}"


def _ended(said: str) -> str:
    name = session.get("connecting") if _console_here() and logged_in() else None
    link = url_for("connect.show", name=name) if name else ""
    good = said in ("back.done", "back.choose")
    return render_template("connect_back.html", words=say(f"connect.{said}"), good=good, link=link)


def _link_over(error: ConsentOver) -> tuple[str, int]:
    return render_template("connect_back.html", words=say(f"connect.over.{error.why}"), good=False, link=""), 410


def _console_here() -> bool:
    return "connect" in current_app.blueprints  # not so in the small app of `hub connections connect`
