"""Any JSON to the hub's events, through the pointers of the settings. Pure: no network, no clock of its own."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from hub.sdk import (
    MISSING,
    Attachment,
    Identity,
    Message,
    MessageDeleted,
    MessageSeen,
    PayloadNotUnderstood,
    Pointer,
    Thread,
    Unreadable,
    UnsupportedEvent,
    moment,
)
from hub.sdk.messages import Privacy
from plugins.sources.webhook.settings import Pointers, WebhookSettings

SourceEvents = list[MessageSeen | MessageDeleted | Unreadable]


class _Odd(ValueError):
    """One item cannot be read; the words name the pointer."""


class Mapping:
    """The pointers of one connection, compiled."""

    def __init__(self, settings: WebhookSettings, pointers: Pointers, network: str) -> None:
        self._network = network
        self._items = Pointer(pointers.items)
        self._only = [(Pointer(text), frozenset(values)) for text, values in pointers.only.items()]
        self._single = not pointers.items
        set_ = {name: value for name, value in pointers if isinstance(value, str) and value}
        self._at = {name: Pointer(text) for name, text in set_.items() if name not in ("items", "attachments")}
        self._attachments = Pointer(pointers.attachments) if pointers.attachments else None
        self._memo = [(name, Pointer(text)) for name, text in pointers.answer_with.items()]
        self._zone = UTC if settings.time_zone == "UTC" else ZoneInfo(settings.time_zone)
        self._privacy: Privacy = settings.default_privacy
        words: dict[str, Privacy] = {"public": "public", "unlisted": "unlisted", "followers": "followers"}
        self._privacies = {**words, **settings.privacy_values}
        self._deleted = frozenset(settings.deleted_values)
        self._own = frozenset(settings.own_authors)
        self._permalink = settings.permalink_format

    def events(self, body: Any, received_at: datetime) -> SourceEvents:
        """The events of a body. One item that cannot be read is one ``Unreadable``; the others stand."""
        if self._single and isinstance(body, list):
            found = [(f"/{index}", item) for index, item in enumerate(body)]
        else:
            found = self._items.each(body)
        if not found:
            if isinstance(body, list) or self._ends_in_an_empty_list(body):
                raise UnsupportedEvent("the body holds no items")
            raise PayloadNotUnderstood(f"items {self._items.text!r} finds nothing: {self._items.broken_at(body)}")
        wanted = [(place, item) for place, item in found if not self._only or self._is_wanted(item)]
        if not wanted:
            raise UnsupportedEvent("no item of the body is among those wanted (only)")
        events: SourceEvents = []
        for place, item in wanted:
            try:
                events.append(self._event(item, received_at))
            except ValueError as error:
                # A value of pydantic's own errors would be customer text.
                why = str(error) if isinstance(error, _Odd) else f"not readable ({type(error).__name__})"
                events.append(unreadable(item, f"{why}; in the item at {place or 'the top'}"))
        return events

    def _ends_in_an_empty_list(self, body: Any) -> bool:
        before, star, _ = self._items.text.partition("/*")
        return bool(star) and Pointer(before).of(body) == []

    def _is_wanted(self, item: Any) -> bool:
        return all(_word(pointer.of(item)) in values for pointer, values in self._only)

    def _event(self, item: Any, received_at: datetime) -> MessageSeen | MessageDeleted:
        text_at = self._text
        message_id = text_at(item, "id")
        if not message_id:
            raise _Odd(f"id {self._at['id'].text!r} is missing: {self._at['id'].broken_at(item)}")
        if "deleted" in self._at and self._is_deleted(self._at["deleted"].of(item)):
            return MessageDeleted(event_key=f"deleted:{message_id}", network=self._network, message_id=message_id)
        thread_id, reply_to = text_at(item, "thread_id"), text_at(item, "reply_to")
        text, subject, attachments = text_at(item, "text"), self._subject(item), self._files(item)
        if not (text or subject or attachments):
            raise _Odd(self._nothing_said(item))
        revision = text_at(item, "revision")
        if "revision" not in self._at:
            revision = digest(text + "\0" + subject)
        author_id = text_at(item, "author_id")
        return MessageSeen(
            event_key=f"message:{message_id}:{revision}",
            message=Message(
                network=self._network,
                id=message_id,
                revision=revision,
                # An empty thread id lets the hub take the thread of the message answered.
                thread=Thread(id=thread_id or ("" if reply_to else message_id), title=text_at(item, "thread_title")),
                author=self._author(item, author_id or f"author-of:{message_id}"),
                own=bool(author_id) and author_id in self._own,
                text=text,
                subject=subject,
                language=text_at(item, "language").replace("_", "-").partition("-")[0].lower(),
                created_at=self._time(item, received_at),
                privacy=self._who_reads(item),
                reply_to=reply_to,
                permalink=text_at(item, "permalink") or self._address(message_id, thread_id),
                attachments=attachments,
                answer_with={name: value for name, at in self._memo if (value := at.of(item)) is not MISSING},
            ),
        )

    def _text(self, item: Any, name: str) -> str:
        pointer = self._at.get(name)
        if pointer is None:
            return ""
        value = pointer.of(item)
        if type(value) is str:
            return value
        if value is MISSING or value is None:
            return ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise _Odd(f"{name} {pointer.text!r} is neither a text nor a number")

    def _author(self, item: Any, author_id: str) -> Identity:
        email = self._text(item, "author_email")
        return Identity(
            network=self._network,
            id=author_id,
            handle=self._text(item, "author_handle"),
            display_name=self._text(item, "author_name"),
            emails=(email,) if email else (),
        )

    def _subject(self, item: Any) -> str:
        subject, rating = self._text(item, "subject"), self._text(item, "rating")
        return " – ".join(part for part in (f"★ {rating}" if rating else "", subject) if part)

    def _files(self, item: Any) -> tuple[Attachment, ...]:
        if self._attachments is None:
            return ()
        found = [value for _, value in self._attachments.each(item)]
        values = found[0] if len(found) == 1 and isinstance(found[0], list) else found
        return tuple(Attachment(url=value) for value in values if isinstance(value, str) and value)

    def _nothing_said(self, item: Any) -> str:
        first = self._at.get("text") or self._at.get("subject") or self._at.get("rating") or self._attachments
        assert first is not None  # noqa: S101 - the settings want one of them
        return f"nothing was said: {first.text!r} is empty or missing ({first.broken_at(item)})"

    def _time(self, item: Any, received_at: datetime) -> datetime:
        pointer = self._at.get("created_at")
        value = pointer.of(item) if pointer is not None else MISSING
        if pointer is None or value is MISSING or value is None:
            return received_at
        try:
            return moment(value, self._zone)
        except (ValueError, OverflowError, OSError) as error:
            raise _Odd(f"created_at {pointer.text!r} is not a time: ISO 8601 or seconds since 1970") from error

    def _who_reads(self, item: Any) -> Privacy:
        pointer = self._at.get("privacy")
        if pointer is None:
            return self._privacy
        # What we do not know must never be answered more openly than it was meant.
        return self._privacies.get(_word(pointer.of(item)), "direct")

    def _is_deleted(self, value: Any) -> bool:
        return value is True or _word(value) in self._deleted

    def _address(self, message_id: str, thread_id: str) -> str:
        if not self._permalink:
            return ""
        return self._permalink.format(id=quote(message_id, safe=""), thread_id=quote(thread_id, safe=""))


def digest(text: str) -> str:
    """A short name for a text: the same text, the same name."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def unreadable(item: Any, reason: str) -> Unreadable:
    """One item that could not be understood, with its JSON."""
    raw = json.dumps(item, ensure_ascii=False, sort_keys=True)[:20_000]
    return Unreadable(event_key=f"item:{digest(raw)}", raw=raw, reason=reason)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
