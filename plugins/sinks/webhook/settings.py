"""What an operator sets for a webhook sink."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, field_validator, model_validator

from hub.sdk import Field, ListenerUrl, PointerText, Secret, Settings, StandardWebhooks, TimeZone


def _set(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


Required = Annotated[PointerText, AfterValidator(_set)]


class CommentPointers(Settings):
    """Where the values of an agent's comment stand in the body, each as a JSON pointer."""

    only: dict[PointerText, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Take only bodies with one of these values at this pointer; the others are ignored",
        examples=[{"/event": ["comment_added"]}],
    )
    record_id: Required = Field(description="The record's id, as answered to open_ticket", examples=["/case/id"])
    id: Required = Field(description="The comment's id", examples=["/comment/id"])
    text: Required = Field(description="What the agent wrote", examples=["/comment/body"])
    public: Required = Field(
        description="Whether the customer may read it: true, or one of public_values", examples=["/comment/public"]
    )
    author_id: PointerText = Field("", description="The agent's id", examples=["/comment/author/id"])
    author_name: PointerText = Field("", description="The agent's name", examples=["/comment/author/name"])
    automatic: PointerText = Field("", description="true: written by a program", examples=["/comment/automatic"])
    created_at: PointerText = Field(
        "",
        description="When it was written: ISO 8601, or seconds or milliseconds since 1970; else the time it arrived",
        examples=["/comment/created_at"],
    )
    origin: PointerText = Field(
        "",
        description="The webhook-id of ours that made this comment, if the receiver keeps it",
        examples=["/comment/origin"],
    )


class WebhookSettings(Settings):
    """One helpdesk that takes tickets as signed JSON, and may post back what its agents write."""

    url: ListenerUrl = Field(description="Where tickets are posted", examples=["https://desk.acme.example/hub"])
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
    authorization: Secret | None = Field(None, description="Authorization header of the calls to these addresses")
    ping: bool = Field(True, description="Check the connection by posting a ping to url")
    id_pointer: PointerText = Field(
        "/id", description="Where the answer holds the id of what was made; empty: the webhook-id serves as the id"
    )
    permalink_pointer: PointerText = Field("/permalink", description="Where the answer holds its address")
    comment_id_pointer: PointerText = Field(
        "/comment_id", description="Where the answer to open_ticket and update_fields holds the first comment's id"
    )
    find_url: ListenerUrl = Field(
        "", description="Where the hub asks whether a delivery arrived", examples=["https://desk.acme.example/hub/find"]
    )
    idempotent_hours: float = Field(
        0, ge=0, le=720, description="How long the receiver takes a webhook-id once only; 0: it does not"
    )
    format: Literal["hub", "pointers"] = Field(
        "hub", description="What it posts back. hub: the hub's documented JSON; pointers: comments in any other"
    )
    pointers: CommentPointers | None = Field(None, description="Where the values stand, for format = pointers")
    public_values: tuple[str, ...] = Field(("public",), description="Words at the pointer public that mean it")
    time_zone: TimeZone = Field(
        "UTC", description="Time zone of times that name none (pointers)", examples=["Europe/Rome"]
    )

    @field_validator("url")
    @classmethod
    def _given(cls, value: str) -> str:
        return _set(value)

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
        return self
