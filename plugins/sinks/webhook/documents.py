"""The hub's documented JSON: what we post to a helpdesk, and what it posts back."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hub.sdk import (
    AddComment,
    CommentSeen,
    Delivery,
    OpenTicket,
    RecordChanged,
    Unreadable,
    UnsupportedEvent,
    UpdateFields,
)

SinkEvents = list[CommentSeen | RecordChanged | Unreadable]

_REF = "#/components/schemas/sink." + "{model}"

RECEIVED: dict[str, TypeAdapter[Any]] = {"comment": TypeAdapter(CommentSeen), "record": TypeAdapter(RecordChanged)}


class Answer(BaseModel):
    """What the receiver may answer to what we post, with a status of 2xx; an empty body will do as well."""

    model_config = ConfigDict(extra="allow")

    id: str | int = Field("", description="The id of what was made; else the webhook-id serves as the id")
    permalink: str = Field("", description="Its address for people")
    comment_id: str | int = Field("", description="The first comment's id, of an opened ticket or an update")


class LookUp(Answer):
    """What the receiver answers at find_url, with 200: whether it knows the webhook-id of the query's ``key``."""

    found: bool


class Ping(BaseModel):
    """Asks whether the receiver is there and believes the signature; do nothing and answer 2xx."""

    type: Literal["ping"] = "ping"
    key: str = ""


class OpenTicketPosted(BaseModel):
    """Make a record of a customer's request. ``key`` is the same for every attempt."""

    type: Literal["open_ticket"] = "open_ticket"
    key: str
    data: OpenTicket


class AddCommentPosted(BaseModel):
    """Add a comment, public or internal, to a record."""

    type: Literal["add_comment"] = "add_comment"
    key: str
    data: AddComment


class UpdateFieldsPosted(BaseModel):
    """Set fields of a record; empty ones and ``null`` stay as they are."""

    type: Literal["update_fields"] = "update_fields"
    key: str
    data: UpdateFields


def posted(delivery: Delivery, body: OpenTicket | AddComment | UpdateFields) -> bytes:
    """The bytes to post. Of the hub's frozen body alone: the same at every attempt."""
    return f'{{"type":"{body.verb}","key":"{delivery.key}","data":{body.model_dump_json()}}}'.encode()


def events(body: Any) -> SinkEvents:
    """The events of one documented event or a list of them. One that cannot be read is one ``Unreadable``."""
    if isinstance(body, dict):
        kind = body.get("type")
        if isinstance(kind, str) and kind not in RECEIVED:
            raise UnsupportedEvent(f"unknown event {kind[:80]!r}; known are {', '.join(RECEIVED)}")
        return [_event(body, "")]
    if isinstance(body, list) and body:
        return [_event(item, f"/{index}") for index, item in enumerate(body)]
    raise UnsupportedEvent("the body is neither an event nor a list with events")


def _event(item: Any, place: str) -> CommentSeen | RecordChanged | Unreadable:
    kind = item.get("type") if isinstance(item, dict) else None
    model = RECEIVED.get(kind) if isinstance(kind, str) else None
    if model is None:
        return unreadable(item, f"{place}/type must be one of {', '.join(RECEIVED)}")
    # An empty key is none: two events under it would pass for one.
    key = item.get("event_key") or f"{kind}:{item.get('record_id')}:{digest(item)}"
    lane = f"record:{item.get('record_id')}"
    try:
        event: CommentSeen | RecordChanged = model.validate_python({"lane": lane, **item, "event_key": key})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"/{step}" for step in first["loc"])
        return unreadable(item, f"{place}{where}: {first['msg']}")
    if not _time_of(event).tzinfo:
        where = "/comment/created_at" if isinstance(event, CommentSeen) else "/changed_at"
        return unreadable(item, f"{place}{where}: needs a time zone, such as Z or +02:00")
    return event


def _time_of(event: CommentSeen | RecordChanged) -> datetime:
    return event.comment.created_at if isinstance(event, CommentSeen) else event.changed_at


def digest(item: Any) -> str:
    """A short name for a JSON value: the same value, the same name."""
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:16]


def unreadable(item: Any, reason: str) -> Unreadable:
    """One item that could not be understood, with its JSON."""
    raw = json.dumps(item, ensure_ascii=False, sort_keys=True)[:20_000]
    return Unreadable(event_key=f"item:{digest(item)}", raw=raw, reason=reason)


def openapi() -> dict[str, Any]:
    """What the hub serves as OpenAPI and JSON Schema: ``schemas`` by name; which of them a connection ``receives``;
    what it ``calls`` with and what is answered to each; what is answered when it ``asks`` for an earlier call."""
    schemas: dict[str, Any] = {}
    models: tuple[tuple[str, type[BaseModel], Literal["validation", "serialization"]], ...] = (
        ("comment", CommentSeen, "validation"),
        ("record", RecordChanged, "validation"),
        ("open_ticket", OpenTicketPosted, "serialization"),
        ("add_comment", AddCommentPosted, "serialization"),
        ("update_fields", UpdateFieldsPosted, "serialization"),
        ("ping", Ping, "serialization"),
        ("ticket_answer", Answer, "validation"),
        ("ticket_look_up", LookUp, "validation"),
    )
    for name, model, mode in models:
        schema = model.model_json_schema(ref_template=_REF, mode=mode)
        for part, definition in schema.pop("$defs", {}).items():
            # In what we post every field is there, so a value may have two shapes; the wider one holds for both.
            schemas.setdefault(f"sink.{part}", definition)
        schemas[name] = schema
    for name in RECEIVED:  # _event() makes the key when there is none
        schemas[name]["required"] = ["type", *(field for field in schemas[name]["required"] if field != "event_key")]
    return {
        "schemas": schemas,
        "receives": list(RECEIVED),
        "calls": {
            "open_ticket": "ticket_answer",
            "add_comment": "ticket_answer",
            "update_fields": "ticket_answer",
            "ping": "ticket_answer",
        },
        "asks": "ticket_look_up",
    }
