"""A Mastodon server in memory: one company account, its customers, and what they can say to each other.

Held against the API description of the real server in ``test_mastodon_network.py``.
"""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from hub.sdk import ReplyLimits
from hub.sdk.text import length
from hub.testing import NetworkVendor, Said, reply

TOKEN = "mastodon-test-token"
DOMAIN = "mastodon.example"
BASE_URL = "https://mastodon.example"
MAX_CHARACTERS = 500
OWN = "1"
CREDENTIALS = {
    "source": {
        "note": "",
        "fields": [],
        "privacy": "public",
        "sensitive": False,
        "language": "en",
        "follow_requests_count": 0,
        "hide_collections": None,
        "discoverable": None,
        "indexable": False,
        "attribution_domains": [],
        "quote_policy": "public",
    },
    "role": {"id": "-99", "name": "", "color": "", "permissions": "0", "highlighted": False},
}
"""What an account sees of itself only."""
_MENTION = re.compile(r"(?<![\w/=])@(\w+)(?:@[\w.]+)?")
MEDIA = {
    "supported_mime_types": ["image/jpeg", "image/png", "image/gif", "video/mp4"],
    "image_size_limit": 1_000_000,
    "image_matrix_limit": 33_177_600,
    "video_size_limit": 4_000_000,
    "video_frame_rate_limit": 120,
    "video_matrix_limit": 8_294_400,
}
_COUNTED = ReplyLimits(max_length=MAX_CHARACTERS, url_length=23)


class NotFound(Exception):
    """404."""


class MastodonNetwork(NetworkVendor):
    """Answers what the connector asks, newest first as the real one does. ``statuses`` is kept in order of age."""

    def __init__(self) -> None:
        self.token = TOKEN
        self.statuses: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, str] = {}
        self.notifications: list[dict[str, Any]] = []
        self._by_key: dict[str, str] = {}
        self._accounts: dict[str, dict[str, Any]] = {}
        self._last_id = 1000
        self.media: dict[str, dict[str, Any]] = {}
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.working = False
        """The server is slow: what is uploaded is not ready until :meth:`finish`."""
        self._account("acme")

    # --- the API -----------------------------------------------------------------------------------------------------

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Route one request."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return reply(request, 401, {"error": "The access token is invalid"})
        url = urlsplit(request.url or "")
        try:
            if url.path == "/api/v2/media" and request.method == "POST":
                return self._upload(request)
            body = json.loads(request.body or b"{}")
            return self._route(request, url.path.removeprefix("/api/"), parse_qs(url.query), body)
        except NotFound:
            return reply(request, 404, {"error": "Record not found"})

    def _route(
        self, request: requests.PreparedRequest, path: str, query: dict[str, list[str]], body: dict[str, Any]
    ) -> requests.Response:
        match (request.method, *path.split("/")):
            case ("GET", "v1", "accounts", "verify_credentials"):
                return reply(request, 200, {**self._account("acme"), **CREDENTIALS})
            case ("GET", "v2", "instance"):
                statuses = {"max_characters": MAX_CHARACTERS, "characters_reserved_per_url": 23}
                limits = {"statuses": {**statuses, "max_media_attachments": 4}, "media_attachments": MEDIA}
                told = {"domain": DOMAIN, "version": "4.5.0", "configuration": limits}
                return reply(request, 200, told)
            case ("GET", "v1", "notifications"):
                return reply(request, 200, page(self.notifications, query))
            case ("GET", "v1", "conversations"):
                return reply(
                    request, 200, page(self._conversations(), query, key=lambda talk: talk["last_status"]["id"])
                )
            case ("GET", "v1", "accounts", "1", "statuses"):
                return reply(request, 200, page([post for post in self._all() if post["account"]["id"] == OWN], query))
            case ("GET", "v1", "statuses"):
                return reply(request, 200, [self.statuses[one] for one in query["id[]"] if one in self.statuses])
            case ("POST", "v1", "statuses"):
                return self._publish(request, body)
            case ("GET", "v1", "statuses", status_id):
                return reply(request, 200, self._status(status_id))
            case ("GET", "v1", "media", media_id):
                media = self.media.get(media_id)
                if media is None or media["used"]:
                    raise NotFound
                return reply(request, 200, media["shown"]) if media["shown"]["url"] else reply(request, 206, b"")
            case ("PUT", "v1", "statuses", status_id):
                self._edit(status_id, body["status"])
                self._status(status_id)["media_attachments"] = self._attached(body.get("media_ids", []))
                return reply(request, 200, self._status(status_id))
            case ("DELETE", "v1", "statuses", status_id):
                return reply(request, 200, self._delete(status_id))
            case ("GET", "v1", "statuses", status_id, "source"):
                self._status(status_id)
                return reply(request, 200, {"id": status_id, "text": self.sources[status_id], "spoiler_text": ""})
            case ("GET", "v1", "statuses", status_id, "context"):
                return reply(request, 200, {"ancestors": self._ancestors(self._status(status_id)), "descendants": []})
        raise NotFound

    def _publish(self, request: requests.PreparedRequest, body: dict[str, Any]) -> requests.Response:
        key = request.headers.get("Idempotency-Key", "")
        if key in self._by_key:
            return reply(request, 200, self._status(self._by_key[key]))
        text = body["status"]
        if length(re.sub(r"(@\w+)@[\w.]+", r"\1", text), _COUNTED) > MAX_CHARACTERS:
            return reply(request, 422, {"error": "Validation failed: Text character limit of 500 exceeded"})
        wanted = body.get("media_ids", [])
        if any(not self.media[one]["shown"]["url"] for one in wanted if one in self.media):
            return reply(request, 422, {"error": "Cannot attach files that have not finished processing"})
        status = self._say("acme", text, body.get("in_reply_to_id") or "", body["visibility"])
        status["media_attachments"] = self._attached(wanted)
        if key:
            self._by_key[key] = status["id"]
        return reply(request, 200, status)

    def _upload(self, request: requests.PreparedRequest) -> requests.Response:
        assert isinstance(request.body, bytes)
        assert int(request.headers["Content-Length"]) == len(request.body)
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        parts = {part.get_param("name", header="content-disposition"): part for part in _parts(head + request.body)}
        file = parts["file"]
        media_id, said = self._next_id(), parts.get("description")
        content = bytes(file.get_payload(decode=True))
        self.files[media_id] = (str(file.get_filename()), file.get_content_type(), content)
        shown = {
            "id": media_id,
            "type": file.get_content_maintype(),
            "url": None if self.working else f"{BASE_URL}/media/{media_id}",
            "preview_url": None if self.working else f"{BASE_URL}/media/{media_id}",
            "remote_url": None,
            "description": bytes(said.get_payload(decode=True)).decode() if said else None,
            "blurhash": None,
            "meta": {},
        }
        self.media[media_id] = {"shown": shown, "used": False}
        return reply(request, 202 if self.working else 200, shown)

    def finish(self) -> None:
        """What was uploaded is ready."""
        self.working = False
        for media_id, media in self.media.items():
            media["shown"].update(url=f"{BASE_URL}/media/{media_id}", preview_url=f"{BASE_URL}/media/{media_id}")

    def _attached(self, ids: list[str]) -> list[dict[str, Any]]:
        # A server passes over what it does not know.
        known = [self.media[one] for one in ids if one in self.media]
        for media in known:
            media["used"] = True
        return [media["shown"] for media in known]

    # --- the state ---------------------------------------------------------------------------------------------------

    def _all(self) -> list[dict[str, Any]]:
        return list(self.statuses.values())

    def _status(self, status_id: str) -> dict[str, Any]:
        if status_id not in self.statuses:
            raise NotFound
        return self.statuses[status_id]

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _account(self, name: str) -> dict[str, Any]:
        if name not in self._accounts:
            address, picture = f"{BASE_URL}/@{name}", f"{BASE_URL}/missing.png"
            born = datetime(2026, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT00:00:00.000Z")
            self._accounts[name] = {
                "id": str(len(self._accounts) + 1),
                "username": name,
                "acct": name,
                "display_name": name.title(),
                "url": address,
                "uri": f"{BASE_URL}/users/{name}",
                "note": "",
                "created_at": born,
                "avatar": picture,
                "avatar_static": picture,
                "header": picture,
                "header_static": picture,
                "locked": False,
                "bot": False,
                "group": False,
                "discoverable": None,
                "noindex": False,
                "followers_count": 0,
                "following_count": 0,
                "statuses_count": 0,
                "last_status_at": None,
                "emojis": [],
                "fields": [],
                "roles": [],
                "indexable": False,
                "hide_collections": None,
            }
        return self._accounts[name]

    def _say(self, author: str, text: str, reply_to: str, visibility: str) -> dict[str, Any]:
        answered = self._status(reply_to) if reply_to else None
        number = self._next_id()
        names = dict.fromkeys(found[1] for found in _MENTION.finditer(text) if found[1] in self._accounts)
        mentions = [{key: self._account(name)[key] for key in ("id", "username", "acct", "url")} for name in names]
        counts = dict.fromkeys(("reblogs_count", "favourites_count", "replies_count", "quotes_count"), 0)
        flags = dict.fromkeys(("favourited", "reblogged", "muted", "bookmarked", "sensitive"), False)
        self.sources[number] = text
        self.statuses[number] = {
            "id": number,
            "created_at": self._stamp(),
            "edited_at": None,
            "content": as_html(text),
            "in_reply_to_id": reply_to or None,
            "in_reply_to_account_id": answered and answered["account"]["id"],
            "visibility": visibility,
            "language": "en",
            "spoiler_text": "",
            "account": self._account(author),
            "uri": f"{BASE_URL}/users/{author}/statuses/{number}",
            "url": f"{BASE_URL}/@{author}/{number}",
            "media_attachments": [],
            "mentions": mentions,
            "tags": [],
            "emojis": [],
            "reblog": None,
            "card": None,
            "poll": None,
            "quote": None,
            "application": None,
            "filtered": [],
            **counts,
            **flags,
        }
        if author != "acme" and "acme" in names:
            told = {
                "id": self._next_id(),
                "type": "mention",
                "created_at": self._stamp(),
                "group_key": f"ungrouped-{number}",
            }
            self.notifications.append({**told, "account": self._account(author), "status": self.statuses[number]})
        return self.statuses[number]

    def _edit(self, status_id: str, text: str) -> None:
        self._status(status_id).update(content=as_html(text), edited_at=self._stamp())
        self.sources[status_id] = text

    def _delete(self, status_id: str) -> dict[str, Any]:
        gone = self._status(status_id)
        del self.statuses[status_id]
        self.notifications = [item for item in self.notifications if item["status"]["id"] != status_id]
        return {**gone, "text": self.sources[status_id]}

    def _ancestors(self, status: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while status["in_reply_to_id"] in self.statuses:
            status = self.statuses[status["in_reply_to_id"]]
            found.insert(0, status)
        return found

    def _conversations(self) -> list[dict[str, Any]]:
        talks: dict[str, dict[str, Any]] = {}
        for status in self._all():
            if status["visibility"] == "direct":
                root = (self._ancestors(status) or [status])[0]["id"]
                others = [status["account"]] if status["account"]["id"] != OWN else []
                talks[root] = {"id": root, "unread": True, "accounts": others, "last_status": status}
        return sorted(talks.values(), key=lambda talk: int(talk["last_status"]["id"]))

    # --- the hands ---------------------------------------------------------------------------------------------------

    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        """Apps put the addressee first and keep the visibility of what is answered."""
        self._account(author)
        visibility = "direct" if private else self.statuses[reply_to]["visibility"] if reply_to else "public"
        return str(self._say(author, f"@acme {text}", reply_to, visibility)["id"])

    def customer_edits(self, post_id: str, text: str) -> None:
        """The mention stays."""
        self._edit(post_id, f"@acme {text}")

    def customer_deletes(self, post_id: str) -> None:
        """The post is gone, and its notification with it."""
        self._delete(post_id)

    def company_posts(self) -> list[Said]:
        """The company's statuses, as written."""
        return [
            Said(post["id"], self.sources[post["id"]], post["in_reply_to_id"] or "", post["visibility"] != "direct")
            for post in self._all()
            if post["account"]["id"] == OWN
        ]

    def revoke_credentials(self) -> None:
        """The token is regenerated."""
        self.token = "another"


def _parts(raw: bytes) -> list[Any]:
    parts = message_from_bytes(raw).get_payload()
    assert isinstance(parts, list)
    return parts


def page(items: list[Any], query: dict[str, list[str]], key: Any = lambda item: item["id"]) -> list[Any]:
    """Newest first; with ``min_id`` the page just above it, with ``max_id`` the one just below."""
    limit = int(query.get("limit", ["20"])[0])
    if "min_id" in query:
        newer = [item for item in items if int(key(item)) > int(query["min_id"][0])]
        return newer[:limit][::-1]
    if "max_id" in query:
        items = [item for item in items if int(key(item)) < int(query["max_id"][0])]
    return items[-limit:][::-1]


def as_html(text: str) -> str:
    """As Mastodon renders plain text: escaped, lines as ``<br />``, mentions as links."""

    def link(name: re.Match[str]) -> str:
        address = f"{BASE_URL}/@{name[1]}"
        shown = f'<a href="{address}" class="u-url mention">@<span>{name[1]}</span></a>'
        return f'<span class="h-card" translate="no">{shown}</span>'

    paragraphs = [line.replace("\n", "<br />") for line in html.escape(text, quote=False).split("\n\n")]
    return _MENTION.sub(link, "".join(f"<p>{line}</p>" for line in paragraphs))
