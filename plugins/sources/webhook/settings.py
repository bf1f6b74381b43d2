"""What an operator sets for a webhook source."""

from __future__ import annotations

import re
from string import Formatter
from typing import Literal, Self

from pydantic import field_validator, model_validator

from hub.sdk import Field, ListenerUrl, PointerText, Secret, Settings, StandardWebhooks, TimeZone, listener_url
from hub.sdk.messages import Privacy


class Pointers(Settings):
    """Where the values of a message stand, each as a JSON pointer. All but ``items`` start at the item."""

    items: PointerText = Field(
        "", description="The messages in the body; * stands for every element", examples=["/entry/*/changes/*/value"]
    )
    only: dict[PointerText, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Take only items with one of these values at this pointer; the others are ignored",
        examples=[{"/item": ["comment", "post"]}],
    )
    id: PointerText = Field(description="The message's id; the only one that must be set", examples=["/comment_id"])
    text: PointerText = Field("", description="What the customer wrote", examples=["/message"])
    subject: PointerText = Field("", description="Title", examples=["/title"])
    rating: PointerText = Field("", description="Stars of a review; shown before the title", examples=["/stars"])
    author_id: PointerText = Field(
        "", description="The author's id; without one every message has an author of its own", examples=["/from/id"]
    )
    author_name: PointerText = Field("", description="The author's name as agents see it", examples=["/from/name"])
    author_handle: PointerText = Field("", description="The author's user name", examples=["/from/login"])
    author_email: PointerText = Field("", description="The author's e-mail address", examples=["/from/email"])
    created_at: PointerText = Field(
        "",
        description="When it was written: ISO 8601, or seconds or milliseconds since 1970; else the time it arrived",
        examples=["/created_time"],
    )
    revision: PointerText = Field(
        "", description="Changes with every edit; without one an edit is seen by its text", examples=["/edited_time"]
    )
    thread_id: PointerText = Field("", description="The discussion it belongs to", examples=["/post_id"])
    thread_title: PointerText = Field("", description="The discussion's title", examples=["/topic/title"])
    reply_to: PointerText = Field("", description="Id of the message it answers", examples=["/parent_id"])
    permalink: PointerText = Field("", description="Address of the message", examples=["/permalink_url"])
    language: PointerText = Field("", description="Language code", examples=["/lang"])
    privacy: PointerText = Field(
        "",
        description="Who can read it: a value of privacy_values; every unknown value counts as direct",
        examples=["/visibility"],
    )
    attachments: PointerText = Field(
        "", description="Addresses of pictures and files; * stands for every element", examples=["/photos/*/url"]
    )
    deleted: PointerText = Field(
        "", description="The message was deleted: true, or one of deleted_values", examples=["/verb"]
    )
    answer_with: dict[str, PointerText] = Field(
        default_factory=dict,
        description="Values that come back with the answer, by name",
        examples=[{"case": "/internal/case_id"}],
    )

    @field_validator("id")
    @classmethod
    def _set(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _something_said(self) -> Self:
        if not (self.text or self.subject or self.rating or self.attachments):
            raise ValueError("give at least one of text, subject, rating and attachments")
        return self


class WebhookSettings(Settings):
    """One system that posts what customers wrote, as the hub's own JSON or as any other."""

    signature: Literal["standard", "x_hub"] = Field(
        "standard", description="standard: Standard Webhooks; x_hub: X-Hub-Signature-256, which has no time in it"
    )
    secrets: tuple[Secret, ...] = Field(
        min_length=1,
        max_length=2,
        description="Shared secrets (standard: whsec_ and base64); two while one replaces the other, the new one first",
        examples=[[{"env": "ACME_SECRET"}]],
    )
    tolerance_s: float = Field(300, ge=1, le=3600, description="How old a signed time may be, in seconds (standard)")
    network: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9._-]*)?$",
        description="Name of the network in keys and for agents; empty: the connection's name. Never change it later",
        examples=["acme-forum"],
    )
    format: Literal["hub", "pointers"] = Field("hub", description="hub: the hub's documented JSON; pointers: any other")
    pointers: Pointers | None = Field(None, description="Where the values stand, for format = pointers")
    time_zone: TimeZone = Field(
        "UTC", description="Time zone of times that name none (pointers)", examples=["Europe/Rome"]
    )
    default_privacy: Privacy = Field("public", description="Privacy of messages without a pointer to it (pointers)")
    privacy_values: dict[str, Privacy] = Field(
        default_factory=dict,
        description="Their words for public, unlisted, followers and direct (pointers)",
        examples=[{"private": "direct"}],
    )
    deleted_values: tuple[str, ...] = Field(
        ("deleted", "remove", "removed"), description="Words at the pointer deleted that mean it (pointers)"
    )
    own_authors: tuple[str, ...] = Field(
        (), description="Author ids that are the company itself (pointers)", examples=[["staff"]]
    )
    permalink_format: str = Field(
        "",
        description="Address of a message without a permalink, from {id} and {thread_id} (pointers)",
        examples=["https://forum.acme.example/t/{thread_id}#{id}"],
    )
    reply_url: ListenerUrl = Field(
        "", description="Where answers are posted; empty: it takes none", examples=["https://forum.acme.example/hub"]
    )
    find_url: ListenerUrl = Field(
        "",
        description="Where the hub asks whether an answer arrived",
        examples=["https://forum.acme.example/hub/find"],
    )
    authorization: Secret | None = Field(None, description="Authorization header of the calls to these addresses")
    ping: bool = Field(True, description="Check the connection by posting a ping to reply_url")
    idempotent_hours: float = Field(
        0, ge=0, le=720, description="How long the receiver takes a webhook-id once only; 0: it does not"
    )
    max_length: int = Field(0, ge=0, description="Longest answer in characters; 0: no limit", examples=[2000])

    @field_validator("permalink_format")
    @classmethod
    def _only_known_names(cls, value: str) -> str:
        if {name for _, name, _, _ in Formatter().parse(value) if name is not None} - {"id", "thread_id"}:
            raise ValueError("may only name {id} and {thread_id}")
        return listener_url(re.sub(r"[{}]", "", value)) and value

    @field_validator("secrets")
    @classmethod
    def _not_empty(cls, value: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if not all(secret.get_secret_value() for secret in value):
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.signature == "standard":
            try:
                StandardWebhooks([secret.get_secret_value() for secret in self.secrets])
            except ValueError as error:
                raise ValueError(f"secrets: each {error}; or set signature = x_hub") from None
        if (self.format == "pointers") != (self.pointers is not None):
            raise ValueError("the table pointers belongs to format = pointers, and to that only")
        if self.find_url and not self.reply_url:
            raise ValueError("find_url is of no use without reply_url")
        return self
