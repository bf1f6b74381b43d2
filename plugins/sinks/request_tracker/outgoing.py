"""Deliveries -> Request Tracker's JSON."""

from __future__ import annotations

from typing import Any

from hub.sdk import AddComment, OpenTicket, UpdateFields
from hub.sdk.messages import TicketStatus
from plugins.sinks.request_tracker.files import Files
from plugins.sinks.request_tracker.payloads import custom_values, id_of, marked, name_of, number_of, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings
from plugins.sinks.request_tracker.wording import label_of, message_text, proof_text, requester_text

_CATEGORY = "category-"

Json = dict[str, Any]


def new_ticket(
    body: OpenTicket, settings: RequestTrackerSettings, *, key: str, queue: str, files: Files, category: str = ""
) -> Json:
    """The ticket of an ``OpenTicket``. It has no Requestor: the customer has no address, and RT mails requestors.
    ``category``: the value of its custom field."""
    view = body.ticket
    fields: Json = {settings.external_id_field: view.uid, **_known(view.fields, settings)}
    if settings.permalink_field and view.permalink:
        fields[settings.permalink_field] = view.permalink
    if category:
        fields[settings.category_field] = category
    if settings.tags_field:
        fields[settings.tags_field] = tags_of(body, settings)
    text = message_text(view, body.said, settings.agent_language, linked=files.linked, opening=True)
    ticket: Json = {
        "Queue": queue,
        "Subject": " ".join(view.subject.split())[:200] or view.code,
        # The subject is the ticket's own: the first message carries the key in its last line.
        "Content": f"{text}\n\n{marked('', key)}",
        "ContentType": "text/plain",
        "Priority": settings.priority_for(view.priority),
        "CustomFields": fields,
    }
    if files.attached:
        ticket["Attachments"] = files.attached
    if body.follow_up_of:
        ticket["RefersTo"] = body.follow_up_of
    return ticket


def new_message(body: AddComment, settings: RequestTrackerSettings, *, key: str, files: Files) -> Json:
    """The message of an ``AddComment``."""
    message: Json = {
        "Subject": marked(label_of(body.ticket, body.said), key),
        "Content": message_text(body.ticket, body.said, settings.agent_language, linked=files.linked),
        "ContentType": "text/plain",
    }
    if files.attached:
        message["Attachments"] = files.attached
    return message


def note_of(body: UpdateFields, settings: RequestTrackerSettings, *, key: str) -> Json | None:
    """The internal comment of an ``UpdateFields``; ``None`` when it has nothing to say."""
    said = [proof_text(proof, body.ticket.network, settings.agent_language) for proof in body.proofs]
    unmapped = [f"{name}: {value}" for name, value in body.fields.items() if name not in settings.field_names]
    said += ["\n".join(unmapped)] if unmapped else []
    said += [requester_text(body.requester, settings.agent_language)] if body.requester else []
    said += [body.note] if body.note else []
    if not said:
        return None
    return {"Subject": marked("Social Care Hub", key), "Content": "\n\n".join(said), "ContentType": "text/plain"}


def field_changes(body: UpdateFields, settings: RequestTrackerSettings, ticket: Json, *, category: str = "") -> Json:
    """What must change on the ticket as just read, in RT's words; empty when all is so already. ``category``: the value
    of its custom field. A Requestor is never set, as in :func:`new_ticket`: the note says whose ticket it is."""
    wanted: Json = {}
    word = text_of(ticket.get("Status"))
    if body.status is not None and not same_status(word, body.status, settings):
        wanted["Status"] = settings.status_for(body.status)
    if body.priority is not None:
        wanted["Priority"] = settings.priority_for(body.priority)
    if body.group and settings.assign in ("group", "agent"):
        wanted["Queue"] = body.group
    if body.agent and settings.assign == "agent":
        wanted["Owner"] = body.agent
    fields: Json = dict(_known(body.fields, settings))
    published = [proof.permalink for proof in body.proofs if proof.state == "published" and proof.permalink]
    if settings.proof_field and published:
        fields[settings.proof_field] = published[-1]
    if settings.tags_field and (body.tags_add or body.tags_remove or body.category):
        have = custom_values(ticket, settings.tags_field) or []
        if body.category:
            have = [tag for tag in have if not tag.startswith(_CATEGORY)] + [_CATEGORY + body.category]
        fields[settings.tags_field] = [
            tag for tag in dict.fromkeys([*have, *body.tags_add]) if tag not in body.tags_remove
        ]
    if category:
        fields[settings.category_field] = category
    if fields:
        wanted["CustomFields"] = fields
    return not_so(wanted, ticket, settings)


def not_so(wanted: Json, ticket: Json, settings: RequestTrackerSettings) -> Json:
    """The part of ``wanted`` that the ticket does not show."""
    left: Json = {}
    for name, value in wanted.items():
        now = ticket.get(name)
        if name == "CustomFields":
            fields = {
                field: text
                for field, text in value.items()
                # RT writes what is in a list as the list does, upper and lower case.
                if not _holds(custom_values(ticket, field), text, any_case=field == settings.category_field)
            }
            if fields:
                left[name] = fields
        elif name == "Priority":
            if number_of(now) != value:
                left[name] = value
        elif name in ("Queue", "Owner"):
            if str(value).casefold() not in (name_of(now).casefold(), id_of(now).casefold()):
                left[name] = value
        elif text_of(now).casefold() != str(value).casefold():
            left[name] = value
    return left


def same_status(word: str, status: TicketStatus, settings: RequestTrackerSettings) -> bool:
    """Whether RT's status says it already: a rejected ticket is closed, it need not become resolved."""
    return word == settings.status_for(status) or settings.status_of(word) == status


def tags_of(body: OpenTicket, settings: RequestTrackerSettings) -> list[str]:
    """Our tags: what the hub knows, then the ticket's own."""
    view = body.ticket
    known = [("", view.network), ("kind-", view.kind), (_CATEGORY, view.category), ("language-", view.language)]
    if settings.assign != "off":
        known.append(("team-", view.team))
    return list(dict.fromkeys([*(prefix + value for prefix, value in known if value), *view.tags]))


def _known(fields: dict[str, str], settings: RequestTrackerSettings) -> dict[str, str]:
    return {settings.field_names[name]: value for name, value in fields.items() if name in settings.field_names}


def _holds(values: list[str] | None, wanted: Any, *, any_case: bool) -> bool:
    if values is None:
        return False
    if any_case:
        return [value.casefold() for value in values] == [wanted.casefold()]
    return set(values) == set(wanted) if isinstance(wanted, list) else values == ([wanted] if wanted else [])
