"""Texts of the screens, in English and Italian: one JSON file per language, the same keys in each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask import Flask, Response, g, request

LANGUAGES = ("en", "it")
COOKIE = "lang"
FOLDER = Path(__file__).parent / "translations"


@cache
def texts(language: str) -> Mapping[str, str]:
    """Key -> text of one language."""
    found: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def say(key: str, /, **values: object) -> str:
    """The text of ``key`` in the reader's language. A key that does not exist raises ``KeyError``."""
    text = texts(language())[key]
    return text.format(**values) if values else text


def label(group: str, name: str) -> str:
    """The reader's word for one of our fixed words (a state, a verb); the word itself when it is not one of ours."""
    return texts(language()).get(f"{group}.{name}", name.replace("_", " "))


def language() -> str:
    """The reader's language: asked for, chosen before, or preferred by the browser."""
    if "language" not in g:
        wanted = request.args.get("lang") or request.cookies.get(COOKIE) or ""
        if wanted not in LANGUAGES:
            # Not best_match(): for "it-CH, en;q=0.5" it finds English, the only exact one.
            preferred = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
            wanted = next((tag for tag in preferred if tag in LANGUAGES), g.get("default_language", LANGUAGES[0]))
        g.language = wanted
    return str(g.language)


def install(app: Flask, *, default: str) -> None:
    """Give the templates their words, and keep the reader's choice in a cookie."""

    def set_default() -> None:
        g.default_language = default

    def keep_choice(response: Response) -> Response:
        if request.args.get("lang") in LANGUAGES:
            secure = bool(app.config["SESSION_COOKIE_SECURE"])
            response.set_cookie(
                COOKIE, language(), max_age=365 * 86400, samesite="Lax", httponly=True, secure=secure, path="/"
            )
        return response

    app.before_request(set_default)
    app.after_request(keep_choice)
    app.jinja_env.globals.update(t=say, label=label, language=language, LANGUAGES=LANGUAGES)
