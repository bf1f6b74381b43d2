"""The hub's documented JSON: what a system posts to us, and what we post to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hub.sdk import Delivery, MessageDeleted, MessageSeen, Reply, Unreadable, UnsupportedEvent
from plugins.sources.webhook.mapping import SourceEvents, digest, unreadable

_REF = "#/components/schemas/source." + "{model}"

RECEIVED: dict[str, TypeAdapter[Any]] = {
    "message": TypeAdapter(MessageSeen),
    "message_deleted": TypeAdapter(MessageDeleted),
}


class Answer(BaseModel):
    """What the receiver may answer to what we post, with a status of 2xx; an empty body will do as well."""

    model_config = ConfigDict(extra="allow")

    id: str | int = Field("", description="The id of what was made; else the webhook-id serves as the id")
    permalink: str = Field("", description="Its address for people")


class LookUp(Answer):
    """What the receiver answers at find_url, with 200: whether it knows the webhook-id of the query's ``key``."""

    found: bool


class Ping(BaseModel):
    """Asks whether the receiver is there and believes the signature; do nothing and answer 2xx."""

    type: Literal["ping"] = "ping"
    key: str = ""


class ReplyPosted(BaseModel):
    """An agent's answer, to be shown to the customer in the thread. ``key`` is the same for every attempt."""

    type: Literal["reply"] = "reply"
    key: str
    data: Reply


def events(body: Any, network: str, received_at: datetime) -> SourceEvents:
    """The events of one documented event or a list of them. One that cannot be read is one ``Unreadable``."""
    if isinstance(body, dict):
        kind = body.get("type")
        if isinstance(kind, str) and kind not in RECEIVED:
            raise UnsupportedEvent(f"unknown event {kind[:80]!r}; known are {', '.join(RECEIVED)}")
        return [_event(body, "", network, received_at)]
    if isinstance(body, list) and body:
        return [_event(item, f"/{index}", network, received_at) for index, item in enumerate(body)]
    raise UnsupportedEvent("the body is neither an event nor a list with events")


def _event(item: Any, place: str, network: str, received_at: datetime) -> MessageSeen | MessageDeleted | Unreadable:
    kind = item.get("type") if isinstance(item, dict) else None
    model = RECEIVED.get(kind) if isinstance(kind, str) else None
    if model is None:
        return unreadable(item, f"{place}/type must be one of {', '.join(RECEIVED)}")
    try:
        event: MessageSeen | MessageDeleted = model.validate_python(_completed(item, network, received_at))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"/{step}" for step in first["loc"])
        return unreadable(item, f"{place}{where}: {first['msg']}")
    if isinstance(event, MessageSeen) and not event.message.created_at.tzinfo:
        return unreadable(item, f"{place}/message/created_at: needs a time zone, such as Z or +02:00")
    return event


def _completed(item: dict[str, Any], network: str, received_at: datetime) -> dict[str, Any]:
    """The event with what only the hub knows: which network this is, and under which key it takes an event once."""
    if item["type"] == "message_deleted":
        key = item.get("event_key") or f"deleted:{item.get('message_id')}"
        return {**item, "event_key": key, "network": network}
    message = item.get("message")
    if not isinstance(message, dict):
        return item
    message = {"created_at": received_at, **message, "network": network}
    for name in ("author", "mentions", "participants"):
        message[name] = _of_network(message.get(name, ()), network)
    revision = str(message.get("revision") or message.get("edited_at") or "")
    if not revision:
        revision = digest(f"{message.get('text')}\0{message.get('subject', '')}")
    message["revision"] = revision
    if not message.get("thread") and not message.get("reply_to"):
        message["thread"] = {"id": message.get("id")}
    # An empty key is none: two messages under it would pass for one.
    key = item.get("event_key") or f"message:{message.get('id')}:{revision}"
    return {**item, "event_key": key, "message": message}


def _of_network(people: Any, network: str) -> Any:
    if isinstance(people, dict):
        return {**people, "network": network}
    return [_of_network(person, network) for person in people] if isinstance(people, list | tuple) else people


def reply_posted(delivery: Delivery, body: Reply) -> bytes:
    """The bytes of a :class:`ReplyPosted`. Of the hub's frozen body alone: the same at every attempt."""
    data = body.model_dump_json(exclude={"verb"})
    return f'{{"type":"reply","key":"{delivery.key}","data":{data}}}'.encode()


def openapi() -> dict[str, Any]:
    """What the hub serves as OpenAPI and JSON Schema: ``schemas`` by name; which of them a connection ``receives``;
    what it ``calls`` with and what is answered to each; what is answered when it ``asks`` for an earlier call."""
    schemas: dict[str, Any] = {}
    models: tuple[tuple[str, type[BaseModel], Literal["validation", "serialization"]], ...] = (
        ("message", MessageSeen, "validation"),
        ("message_deleted", MessageDeleted, "validation"),
        ("reply", ReplyPosted, "serialization"),
        ("ping", Ping, "serialization"),
        ("reply_answer", Answer, "validation"),
        ("reply_look_up", LookUp, "validation"),
    )
    for name, model, mode in models:
        schema = model.model_json_schema(ref_template=_REF, mode=mode)
        for part, definition in schema.pop("$defs", {}).items():
            # In what we post every field is there, so a value may have two shapes; the wider one holds for both.
            schemas.setdefault(f"source.{part}", definition)
        schemas[name] = schema
    # What _completed() fills in need not be sent.
    for name, filled_in in (
        ("message", {"event_key"}),
        ("message_deleted", {"event_key", "network"}),
        ("source.Message", {"network", "created_at"}),
        ("source.Identity", {"network"}),
    ):
        schemas[name]["required"] = [field for field in schemas[name]["required"] if field not in filled_in]
    for name in RECEIVED:
        schemas[name]["required"].append("type")
    return {
        "schemas": schemas,
        "receives": list(RECEIVED),
        "calls": {"reply": "reply_answer", "ping": "reply_answer"},
        "asks": "reply_look_up",
    }
