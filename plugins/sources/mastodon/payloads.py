"""Mastodon's JSON to the hub's values. Pure: no network, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hub.sdk import Attachment, Identity, Message, MessageDeleted, MessageSeen, Quote, Thread, Unreadable
from hub.sdk.messages import Privacy
from hub.sdk.text import html_to_text

NETWORK = "mastodon"

PRIVACY: dict[str, Privacy] = {"public": "public", "unlisted": "unlisted", "private": "followers", "direct": "direct"}
VISIBILITY: dict[Privacy, str] = {privacy: visibility for visibility, privacy in PRIVACY.items()}

_MEDIA: dict[str, Literal["image", "video", "audio", "file"]] = {
    "image": "image",
    "gifv": "video",
    "video": "video",
    "audio": "audio",
}

# Mastodon 4.5 puts "RE: <link>" before the text of a quoting post, for software that does not know quotes.
_QUOTE_INLINE = re.compile(r'<p class="quote-inline">.*?</p>', re.DOTALL)
_LEADING_MENTION = re.compile(r"@([\w.-]*\w)(?:@([\w.:-]*\w))?[,:;.!?]*(?:\s+|$)")

SourceEvents = tuple[MessageSeen | MessageDeleted | Unreadable, ...]


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The company's account. ``domain`` is the one in handles, which may differ from the host of the API."""

    id: str
    username: str
    domain: str

    @property
    def handle(self) -> str:
        """``user@domain``, also for accounts of this server."""
        return f"{self.username}@{self.domain}"


def identity(account: dict[str, Any], own: OwnAccount) -> Identity:
    """An account as the hub's identity. Its id is the full handle in lower case: Mastodon's own account ids are
    small numbers that mean somebody else on another server, and handles are never given away again."""
    handle = full_handle(account["acct"], own)
    return Identity(
        network=NETWORK,
        id=handle.lower(),
        handle=handle,
        display_name=account.get("display_name") or account.get("username") or "",
        profile_url=account.get("url") or "",
        kind="bot" if account.get("bot") else "person",
    )


def full_handle(acct: str, own: OwnAccount) -> str:
    """``acct`` with its domain: Mastodon leaves it out for accounts of the same server."""
    return acct if "@" in acct else f"{acct}@{own.domain}"


def message(status: dict[str, Any], own: OwnAccount) -> Message:
    """A status as the hub's message. The thread of a reply is left open: only its context tells the root."""
    author = status["account"]
    reply_to = status.get("in_reply_to_id") or ""
    permalink = status.get("url") or status.get("uri") or ""
    mentions = tuple(identity(mention, own) for mention in status.get("mentions") or ())
    edited_at = status.get("edited_at")
    html = status.get("content") or ""
    return Message(
        network=NETWORK,
        id=status["id"],
        revision=edited_at or "",
        thread=Thread() if reply_to else Thread(id=status["id"], permalink=permalink),
        author=identity(author, own),
        own=author["id"] == own.id,
        text=_text(html, mentions, own),
        html=html,
        subject=status.get("spoiler_text") or "",
        language=status.get("language") or "",
        created_at=moment(status["created_at"]),
        edited_at=moment(edited_at) if edited_at else None,
        # An unknown visibility (forks have some) counts as the narrowest.
        privacy=PRIVACY.get(status["visibility"], "direct"),
        reply_to=reply_to,
        parent=reply_to,
        root="" if reply_to else status["id"],
        permalink=permalink,
        attachments=tuple(_attachment(media, permalink) for media in status.get("media_attachments") or ()),
        mentions=mentions,
        context=_quoted(status, own),
        # How this server itself addresses the author: shorter than the handle, and right whatever its domain is.
        answer_with={"acct": author["acct"]},
    )


def seen(status: dict[str, Any], own: OwnAccount) -> MessageSeen:
    """The event of a status. Its key is the same whichever list brought the status."""
    now = message(status, own)
    return MessageSeen(event_key=f"status:{now.id}:{now.revision}", message=now)


def deleted(status_id: str) -> MessageDeleted:
    """The event of a status that is gone."""
    return MessageDeleted(event_key=f"deleted:{status_id}", network=NETWORK, message_id=status_id)


def quotes(statuses: Iterable[dict[str, Any]], own: OwnAccount) -> tuple[Quote, ...]:
    """Earlier posts as an agent should see them."""
    return tuple(
        Quote(
            author=earlier.author.label,
            text=earlier.text,
            created_at=earlier.created_at,
            permalink=earlier.permalink,
            own=earlier.own,
        )
        for earlier in (message(status, own) for status in statuses)
    )


def moment(value: str) -> datetime:
    """An aware UTC time."""
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


# --- what each list of the API brings ------------------------------------------------------------------------------


def notification(item: dict[str, Any], own: OwnAccount) -> SourceEvents:
    """The events of one notification; none when its post was deleted before we came."""

    def read() -> SourceEvents:
        return NOTIFICATIONS[item["type"]](item["status"], own) if item["status"] else ()

    return _guarded("notification", item, read)


def conversation(item: dict[str, Any], own: OwnAccount) -> SourceEvents:
    """The newest post of one private conversation, unless it is ours (the own timeline brings that)."""

    def read() -> SourceEvents:
        status = item["last_status"]
        if status is None or status["account"]["id"] == own.id:
            return ()
        return (seen(status, own),)

    return _guarded("conversation", item, read)


def own_status(item: dict[str, Any], own: OwnAccount) -> SourceEvents:
    """What our account said in somebody's conversation; its other posts are none of the hub's business."""

    def read() -> SourceEvents:
        others = any(mention["id"] != own.id for mention in item.get("mentions") or ())
        to_somebody = others or item.get("in_reply_to_account_id") not in {None, own.id}
        return (seen(item, own),) if item.get("in_reply_to_id") and to_somebody else ()

    return _guarded("status", item, read)


def watched_status(item: dict[str, Any], own: OwnAccount) -> SourceEvents:
    """A post read again."""
    return _guarded("status", item, lambda: (seen(item, own),))


def _addressed(status: dict[str, Any], own: OwnAccount) -> SourceEvents:
    return (seen(status, own),)


def _edited(status: dict[str, Any], own: OwnAccount) -> SourceEvents:
    # "update" tells edits of posts we boosted, too: those that never addressed us are no customer's request.
    to_us = status.get("in_reply_to_account_id") == own.id
    if to_us or any(mention["id"] == own.id for mention in status.get("mentions") or ()):
        return (seen(status, own),)
    return ()


NOTIFICATIONS: dict[str, Callable[[dict[str, Any], OwnAccount], SourceEvents]] = {
    "mention": _addressed,
    "quote": _addressed,
    "update": _edited,
}
"""The notifications we ask for. A quote (Mastodon 4.5) of our post speaks to us without a mention."""


def _guarded(kind: str, item: dict[str, Any], read: Callable[[], SourceEvents]) -> SourceEvents:
    """One item that cannot be read is parked with its text; the rest of the page goes on."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raw = json.dumps(item, ensure_ascii=False)
        reason = f"this {kind} has an unknown shape ({type(error).__name__})"
        known_by = item.get("id") or hashlib.sha256(raw.encode()).hexdigest()[:32]
        return (Unreadable(event_key=f"unreadable:{kind}:{known_by}", raw=raw, reason=reason),)


def _text(html: str, mentions: Sequence[Identity], own: OwnAccount) -> str:
    """Plain text without our own name at its head. Other people's names stay: they are part of what was said."""
    text = html_to_text(_QUOTE_INLINE.sub("", html))
    # Mastodon shows "@acme" for acme@elsewhere as well; with such a namesake the short form proves nothing.
    namesake = any(
        other.id != own.handle.lower() and other.id.partition("@")[0] == own.username.lower() for other in mentions
    )
    kept, rest = "", text
    while found := _LEADING_MENTION.match(rest):
        username, domain = found[1].lower(), (found[2] or "").lower()
        ours = username == own.username.lower() and (domain == own.domain.lower() or (not domain and not namesake))
        kept += "" if ours else found[0]
        rest = rest[found.end() :]
    return (kept + rest).strip() or text


def _attachment(media: dict[str, Any], permalink: str) -> Attachment:
    # A remote medium that the server did not fetch has no address of its own yet.
    url = media.get("url") or media.get("remote_url") or media.get("preview_url") or permalink
    return Attachment(
        id=media["id"],
        kind=_MEDIA.get(media.get("type", ""), "file"),
        url=url,
        alt_text=media.get("description") or "",
    )


def _quoted(status: dict[str, Any], own: OwnAccount) -> tuple[Quote, ...]:
    quoted = (status.get("quote") or {}).get("quoted_status")
    return quotes([quoted], own) if quoted else ()
