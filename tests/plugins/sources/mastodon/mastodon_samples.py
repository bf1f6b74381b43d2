"""Small Mastodon bodies, written for these tests in the shape of the REST API."""

from __future__ import annotations

from typing import Any

from plugins.sources.mastodon.payloads import OwnAccount

OWN = OwnAccount(id="7", username="acme", domain="mastodon.example")

OWN_MENTION = {"id": "7", "username": "acme", "acct": "acme", "url": "https://mastodon.example/@acme"}


def account(account_id: str = "42", acct: str = "lucia@elsewhere.example", **fields: Any) -> dict[str, Any]:
    username = acct.partition("@")[0]
    return {
        "id": account_id,
        "username": username,
        "acct": acct,
        "display_name": "Lucia",
        "bot": False,
        "url": f"https://elsewhere.example/@{username}",
        **fields,
    }


def status(status_id: str = "100", content: str = "<p>hello</p>", **fields: Any) -> dict[str, Any]:
    return {
        "id": status_id,
        "created_at": "2026-05-01T10:00:00.000Z",
        "edited_at": None,
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "spoiler_text": "",
        "visibility": "public",
        "language": "it",
        "url": f"https://elsewhere.example/@lucia/{status_id}",
        "uri": f"https://elsewhere.example/users/lucia/statuses/{status_id}",
        "content": content,
        "account": account(),
        "media_attachments": [],
        "mentions": [OWN_MENTION],
        "quote": None,
        **fields,
    }


def mention_html(username: str, server: str = "mastodon.example") -> str:
    """A mention as a real server writes it."""
    return (
        f'<span class="h-card" translate="no"><a href="https://{server}/@{username}" class="u-url mention">'
        f"@<span>{username}</span></a></span>"
    )
