"""What a permalink of the sandbox shows to anybody: the post, what it answers, and the answers under it.

``mastodon_mock``'s own pages ask for an access token first, so nobody could look at the proof of an answer there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from html import escape
from typing import Any

from mastodon_mock.db.models import Status

from hub.sdk.text import html_to_text

OPEN_TO_ALL = ("public", "unlisted")
AT_MOST = 40
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
WORDS = {
    "en": {
        "title": "Mastodon (sandbox)",
        "about": "A stand-in on this machine, for trying the hub. What is public here can be read without a login.",
        "none": "There is no public post here. It was deleted, or it is private.",
    },
    "it": {
        "title": "Mastodon (sandbox)",
        "about": "Una rete di prova su questo computer. Ciò che qui è pubblico si legge senza accesso.",
        "none": "Qui non c'è nessun post pubblico: è stato eliminato oppure è privato.",
    },
}
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 38rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
header { border-bottom: 1px solid #8886; margin-bottom: 1rem; padding-bottom: .6rem; }
h1 { font-size: 1.1rem; margin: 0; }
header p, small, time { opacity: .75; font-size: .85rem; margin: 0; }
article { border: 1px solid #8886; border-radius: 10px; padding: .7rem .9rem; margin-bottom: .7rem; }
article.this { border: 2px solid #5b5bd6; }
article.under { margin-left: 1.5rem; }
article p { white-space: pre-wrap; margin: .35rem 0; }
"""


def show(new_session: Callable[[], Any], acct: str, status_id: str, language: str) -> tuple[str, int]:
    """The page of one post and its HTTP status: 404 for what is not there, not public, or another account's."""
    words = WORDS[language]
    with new_session() as session:
        post = _public(session, status_id)
        if post is None or post.account.username != acct.partition("@")[0]:
            return _page(words, language, f"<p>{escape(words['none'])}</p>"), 404
        told = [*_before(session, post), _article(post, "this"), *_under(session, post)]
    return _page(words, language, "".join(told)), 200


def language_of(accepted: str) -> str:
    """The first of our languages a browser names."""
    tags = (part.partition(";")[0].strip().partition("-")[0].lower() for part in accepted.split(","))
    return next((tag for tag in tags if tag in WORDS), "en")


def _public(session: Any, status_id: object) -> Any:
    number = str(status_id)
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    found = session.get(Status, int(number))
    return found if found is not None and found.visibility in OPEN_TO_ALL else None


def _before(session: Any, post: Any) -> list[str]:
    told: list[str] = []
    while post.in_reply_to_id is not None and len(told) < AT_MOST:
        post = _public(session, post.in_reply_to_id)
        if post is None:
            break
        told.insert(0, _article(post, "before"))
    return told


def _under(session: Any, post: Any) -> Iterable[str]:
    told: list[str] = []
    waiting = [post.id]
    while waiting and len(told) < AT_MOST:
        answers = session.query(Status).filter_by(in_reply_to_id=waiting.pop(0)).order_by(Status.id).limit(AT_MOST)
        for answer in answers:
            if answer.visibility in OPEN_TO_ALL:
                told.append(_article(answer, "under"))
                waiting.append(answer.id)
    return told


def _article(post: Any, place: str) -> str:
    at = post.created_at if post.created_at.tzinfo else post.created_at.replace(tzinfo=UTC)
    name, handle = escape(post.account.display_name or post.account.username), escape(post.account.username)
    text = escape(html_to_text(post.content))
    when = f'<time datetime="{at.isoformat(timespec="seconds")}">{at:%Y-%m-%d %H:%M:%S} UTC</time>'
    return f'<article class="{place}"><strong>{name}</strong> <small>@{handle}</small><p>{text}</p>{when}</article>'


def _page(words: dict[str, str], language: str, inside: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(words['title'])}</title><style>{STYLE}</style></head><body><header>"
        f"<h1>{escape(words['title'])}</h1><p>{escape(words['about'])}</p></header><main>{inside}</main></body></html>"
    )
