"""How values look on a page: times, links that may be followed, JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, request
from markupsafe import Markup

from hub.configuration import Problem
from hub.sdk import Words, in_language
from hub.web.reasons import told, why
from hub.web.running import Running
from hub.web.sessions import csrf_token
from hub.web.translation import label, language, say

UNITS = (("d", 86400, 2), ("h", 3600, 1), ("min", 60, 1))
"""Each with its seconds, and how many there must be to speak of it: "in 1 d" could be 47 hours."""


def moment(value: datetime | None) -> Markup | str:
    """A point in time as a ``<time>``; the browser turns it to the reader's own zone."""
    if value is None:
        return say("word.never")
    shown = value.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), shown)


def ago(value: datetime | None) -> Markup | str:
    """How long ago something was, or how long it still takes; the exact time in its title."""
    if value is None:
        return say("word.never")
    seconds = int((Running.here().hub.now() - value).total_seconds())
    number, unit = abs(seconds), "s"
    for name, size, least in UNITS:
        if abs(seconds) >= size * least:
            number, unit = abs(seconds) // size, name
            break
    how_long = f"{number} {say(f'unit.{unit}')}"
    words = say("time.ago", time=how_long) if seconds >= 0 else say("time.in", time=how_long)
    exact = value.isoformat(timespec="seconds")
    return Markup('<time class="ago" datetime="{}" title="{}">{}</time>').format(exact, exact, words)


def here(text: str | Words) -> str:
    """A plugin's text in the reader's language, where it has both."""
    return in_language(text, language())


def problem(one: Problem) -> str:
    """What is wrong in a file, in the reader's language where the hub says it."""
    place = f"{one.file}: {one.path}" if one.path else one.file
    example = f", {say('problem.example', example=one.example)}" if one.example else ""
    return f"{place}: {why(one.message)}{example}"


def web_url(value: str) -> str:
    """The address when it is one of the web: a vendor's word must not become a script."""
    return value if value.startswith(("https://", "http://")) else ""


def field_label(name: str) -> str:
    """What the operator calls a collected field, in the reader's language."""
    fields = (field for category in Running.here().config.categories.values() for field in category.fields)
    labels = (field.label.in_language(language()) for field in fields if field.name == name)
    return next(filter(None, labels), name.replace("_", " "))


def category_label(name: str) -> str:
    """What the operator calls a category, in the reader's language."""
    known = Running.here().config.categories.get(name)
    return (known.label.in_language(language()) if known else "") or name


def team_label(name: str) -> str:
    """What the operator calls a team, in the reader's language."""
    known = Running.here().config.teams.teams.get(name)
    return (known.label.in_language(language()) if known else "") or name


def who(actor: str) -> str:
    """Who did something, where the hub knows no name."""
    place = actor.removeprefix("somebody in ")
    if place != actor:
        return say("who.somebody", place=place)
    return label("who", actor) if actor in ("agent", "console") else actor


def pretty(value: Any) -> str:
    """A JSON value for reading."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def here_with(**changes: Any) -> str:
    """This page's address with some of its parameters changed; ``None`` drops one."""
    kept = {**request.args.to_dict(), **changes}
    query = urlencode({name: value for name, value in kept.items() if value not in (None, "")})
    return f"{request.path}?{query}" if query else request.path


def install(app: Flask) -> None:
    """Give the templates these."""
    app.jinja_env.filters.update(
        moment=moment,
        ago=ago,
        here=here,
        web_url=web_url,
        pretty=pretty,
        problem=problem,
        told=told,
        why=why,
        field_label=field_label,
        category_label=category_label,
        team_label=team_label,
        who=who,
    )
    app.jinja_env.globals.update(here_with=here_with, csrf_token=csrf_token)
