"""A helpdesk's own JSON to the hub's comment, through the pointers of the settings. Pure: no network, no clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.sdk import MISSING, Agent, Comment, CommentSeen, PayloadNotUnderstood, Pointer, UnsupportedEvent, moment
from plugins.sinks.webhook.documents import digest
from plugins.sinks.webhook.settings import CommentPointers, WebhookSettings


class CommentMapping:
    """The pointers of one connection, compiled."""

    def __init__(self, settings: WebhookSettings, pointers: CommentPointers) -> None:
        self._only = [(Pointer(text), frozenset(values)) for text, values in pointers.only.items()]
        self._at = {name: Pointer(text) for name, text in pointers if isinstance(text, str)}
        self._public = frozenset(settings.public_values)
        self._zone = ZoneInfo(settings.time_zone)

    def event(self, body: Any, received_at: datetime) -> CommentSeen:
        """The comment of a body."""
        if any(pointer.text_of(body) not in values for pointer, values in self._only):
            raise UnsupportedEvent("the body is not among those wanted (only)")
        values = {name: pointer.text_of(body) for name, pointer in self._at.items()}
        for name in ("record_id", "id", "text"):
            if not values[name]:
                raise PayloadNotUnderstood(f"{name} {self._at[name].text!r} is missing or is neither text nor number")
        public = self._at["public"].of(body)
        if public is None or public is MISSING:
            raise PayloadNotUnderstood(f"public {self._at['public'].text!r} is missing")
        is_public = public is True or (isinstance(public, str) and public in self._public)
        return CommentSeen(
            event_key=f"comment:{values['id']}:{is_public}:{digest(values['text'])}",
            lane=f"record:{values['record_id']}",
            record_id=values["record_id"],
            comment=Comment(
                id=values["id"],
                public=is_public,
                # Whoever holds the secret speaks for the helpdesk; programs are told apart by the pointer automatic.
                author=Agent(id=values["author_id"], name=values["author_name"], role="agent"),
                automatic=self._is_automatic(body),
                via="webhook",
                text=values["text"],
                created_at=self._time(body, received_at),
                origin=values["origin"],
            ),
        )

    def _is_automatic(self, body: Any) -> bool:
        pointer = self._at["automatic"]
        return bool(pointer.text) and pointer.of(body) not in (MISSING, None, False, 0, "", "false")

    def _time(self, body: Any, received_at: datetime) -> datetime:
        pointer = self._at["created_at"]
        value = pointer.text_of(body)
        if not value:
            return received_at
        try:
            return moment(value, self._zone)
        except (ValueError, OverflowError, OSError) as error:
            summary = f"created_at {pointer.text!r} is not a time: ISO 8601 or seconds since 1970"
            raise PayloadNotUnderstood(summary) from error
