# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries -> Zendesk's JSON."""

from __future__ import annotations

import re
from typing import Any

from hub.sdk import AddComment, Identity, OpenTicket, UpdateFields
from plugins.sinks.zendesk.payloads import KEY, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.wording import comment_text, proof_text

Json = dict[str, Any]


def user_for(identity: Identity) -> Json:
    """The end user that stands for a customer's account. It has no address: nothing is ever mailed to it."""
    return {
        "name": identity.label[:250],
        "external_id": external_user_id(identity),
        "role": "end-user",
        "skip_verify_email": True,
    }


def external_user_id(identity: Identity) -> str:
    """The natural key of an identity as Zendesk's external id."""
    return f"{identity.network}:{identity.id}"[:255]


def new_ticket(
    body: OpenTicket, settings: ZendeskSettings, *, key: str, requester_id: int, author_id: int | None
) -> Json:
    """The ticket of an ``OpenTicket``, without group and agent."""
    view = body.ticket
    comment: Json = {
        "body": comment_text(view, body.said, settings.agent_language, opening=True),
        "public": body.public,
    }
    if author_id is not None:
        comment["author_id"] = author_id
    ticket: Json = {
        "subject": view.subject[:150] or view.code,
        "external_id": view.uid,
        "requester_id": requester_id,
        "comment": comment,
        "status": "new",
        "priority": view.priority,
        "tags": ticket_tags(body, settings),
        "metadata": {KEY: key},
    }
    fields = {**_custom_fields(view.fields, settings)}
    if settings.permalink_field is not None and view.permalink:
        fields[settings.permalink_field] = view.permalink
    if fields:
        ticket["custom_fields"] = _field_rows(fields)
    if body.follow_up_of:
        ticket["via_followup_source_id"] = int(body.follow_up_of)
    return ticket


def new_comment(body: AddComment, settings: ZendeskSettings, *, key: str, author_id: int | None) -> Json:
    """The changes of an ``AddComment``."""
    comment: Json = {
        "body": comment_text(body.ticket, body.said, settings.agent_language, opening=False),
        "public": body.public,
    }
    if author_id is not None:
        comment["author_id"] = author_id
    return {"comment": comment, "metadata": {KEY: key}}


def field_changes(body: UpdateFields, settings: ZendeskSettings, *, key: str, current: Json | None) -> Json:
    """The changes of an ``UpdateFields``, without group and agent. ``current`` is the ticket as just read; with it
    the update is a safe one."""
    changes: Json = {"metadata": {KEY: key}}
    if body.status is not None:
        changes["status"] = body.status
    if body.priority is not None:
        changes["priority"] = body.priority
    if current is not None and (body.tags_add or body.tags_remove):
        have = [text_of(tag) for tag in current.get("tags") or []]
        gone = {tag_of(tag) for tag in body.tags_remove}
        add = [tag_of(tag) for tag in body.tags_add]
        changes["tags"] = [tag for tag in dict.fromkeys([*have, *add]) if tag not in gone]
    fields = _custom_fields(body.fields, settings)
    published = [proof.permalink for proof in body.proofs if proof.state == "published" and proof.permalink]
    if settings.proof_field is not None and published:
        fields[settings.proof_field] = published[-1]
    if fields:
        changes["custom_fields"] = _field_rows(fields)
    note = _note(body, settings)
    if note:
        changes["comment"] = {"body": note, "public": False}
    if current is not None:
        changes["safe_update"] = True
        changes["updated_stamp"] = text_of(current.get("updated_at"))
    return changes


def needs_reading(body: UpdateFields) -> bool:
    """Whether the update may overwrite what somebody else just changed, and so must be a safe one."""
    return bool(body.status or body.priority or body.tags_add or body.tags_remove or body.group or body.agent)


def ticket_tags(body: OpenTicket, settings: ZendeskSettings) -> list[str]:
    """Our tags: what the hub knows, each under the prefix, then the ticket's own."""
    view, prefix = body.ticket, settings.tag_prefix
    named = [("", view.network), ("kind", view.kind), ("category", view.category), ("language", view.language)]
    if settings.assign != "off":
        named.append(("team", view.team))
    ours = [tag_of("_".join(part for part in (prefix, name, value) if part)) for name, value in named if value]
    return list(dict.fromkeys([prefix, *ours, *(tag_of(tag) for tag in view.tags)]))


def tag_of(text: str) -> str:
    """A tag as Zendesk keeps it: lower case, no blanks or punctuation but ``_ - / :``."""
    return re.sub(r"[^\w/:-]+", "_", text.lower()).strip("_")


def _custom_fields(fields: dict[str, str], settings: ZendeskSettings) -> dict[int, str]:
    known: dict[int, str] = {}
    for name, value in fields.items():
        field_id = settings.field_ids.get(name, int(name) if name.isdecimal() else None)
        if field_id is not None:
            known[field_id] = value
    return known


def _field_rows(fields: dict[int, str]) -> list[Json]:
    return [{"id": field_id, "value": value} for field_id, value in fields.items()]


def _note(body: UpdateFields, settings: ZendeskSettings) -> str:
    parts = [proof_text(proof, body.ticket.network, settings.agent_language) for proof in body.proofs]
    unmapped = [
        f"{name}: {value}"
        for name, value in body.fields.items()
        if name not in settings.field_ids and not name.isdecimal()
    ]
    if unmapped:
        parts.append("\n".join(unmapped))
    if body.note:
        parts.append(body.note)
    return "\n\n".join(parts)
