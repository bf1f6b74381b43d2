# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries -> Zendesk's JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from hub.sdk import AddComment, Identity, OpenTicket, TicketView, UpdateFields
from plugins.sinks.zendesk.payloads import KEY, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.wording import comment_text, proof_text

Json = dict[str, Any]

NOTHING = frozenset({"metadata", "safe_update", "updated_stamp"})
"""Keys of an update that changes nothing."""


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


def stands_for(identity: Identity, view: TicketView, settings: ZendeskSettings) -> Identity:
    """Whom Zendesk knows as the author: the customer, or, for praise and the like, one user for the whole network, so
    that the account does not fill with people who asked for nothing."""
    if not view.kind or view.kind in settings.contact_kinds:
        return identity
    return Identity(network=identity.network, id="*", display_name=f"{identity.network.capitalize()} (everybody)")


def new_ticket(
    body: OpenTicket,
    settings: ZendeskSettings,
    *,
    key: str,
    requester_id: int,
    author_id: int | None,
    uploads: Sequence[str] = (),
    links: Collection[str] = (),
) -> Json:
    """The ticket of an ``OpenTicket``, without group and agent. ``uploads`` are the tokens of its files, ``links`` the
    addresses of those that could not be copied."""
    view = body.ticket
    comment = _comment(body, settings, author_id, uploads, links)
    ticket: Json = {
        "subject": view.subject[:150] or view.code,
        "external_id": view.uid,
        "requester_id": requester_id,
        "comment": comment,
        **_status("new", settings),
        "priority": settings.priorities.get(view.priority, view.priority),
        "tags": ticket_tags(body, settings),
        "metadata": {KEY: key},
    }
    fields = {**_custom_fields(view.fields, settings)}
    if settings.permalink_field is not None and view.permalink:
        fields[settings.permalink_field] = view.permalink
    if fields:
        ticket["custom_fields"] = _field_rows(fields)
    for name, value in (
        ("brand_id", settings.brand_id),
        ("ticket_form_id", settings.ticket_form_id),
        ("type", next((kind for name, kind in settings.ticket_types.items() if name == view.kind), None)),
    ):
        if value is not None:
            ticket[name] = value
    if body.follow_up_of:
        ticket["via_followup_source_id"] = int(body.follow_up_of)
    return ticket


def new_comment(
    body: AddComment,
    settings: ZendeskSettings,
    *,
    key: str,
    author_id: int | None,
    uploads: Sequence[str] = (),
    links: Collection[str] = (),
) -> Json:
    """The changes of an ``AddComment``; see ``new_ticket``."""
    return {"comment": _comment(body, settings, author_id, uploads, links), "metadata": {KEY: key}}


def _comment(
    body: OpenTicket | AddComment,
    settings: ZendeskSettings,
    author_id: int | None,
    uploads: Sequence[str],
    links: Collection[str],
) -> Json:
    said, view = body.said, body.ticket
    shared = said.author is not None and stands_for(said.author, view, settings) is not said.author
    text = comment_text(
        view,
        said,
        settings.agent_language,
        opening=isinstance(body, OpenTicket),
        links=links,
        author=said.author.label if said.author is not None and shared and not said.by_company else "",
    )
    comment: Json = {"body": text, "public": body.public}
    if author_id is not None:
        comment["author_id"] = author_id
    if uploads:
        comment["uploads"] = list(uploads)
    return comment


def _status(status: str, settings: ZendeskSettings) -> Json:
    """A custom status belongs to one of Zendesk's own, which follows it."""
    custom = next((number for name, number in settings.custom_statuses.items() if name == status), None)
    return {"status": status} if custom is None else {"custom_status_id": custom}


def field_changes(body: UpdateFields, settings: ZendeskSettings, *, key: str, current: Json | None) -> Json:
    """The changes of an ``UpdateFields``, without group and agent. ``current`` is the ticket as just read; with it
    the update is a safe one."""
    changes: Json = {"metadata": {KEY: key}}
    if body.status is not None:
        changes |= _status(body.status, settings)
    if body.priority is not None:
        changes["priority"] = settings.priorities.get(body.priority, body.priority)
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
