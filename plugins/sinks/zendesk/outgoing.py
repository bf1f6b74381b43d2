# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries -> Zendesk's JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hub.sdk import AddComment, Identity, OpenTicket, TicketView, UpdateFields
from plugins.sinks.zendesk.payloads import KEY, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import Choice, own_tag, tag_of
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
    """The natural key of an identity as Zendesk's external id, which has 255 characters at most: a longer one keeps its
    beginning, and a digest tells it from others that begin alike."""
    key = f"{identity.network}:{identity.id}"
    return key if len(key) <= 255 else f"{key[:190]}#{hashlib.sha256(key.encode()).hexdigest()}"


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
    choices: Sequence[Choice] = (),
) -> Json:
    """The ticket of an ``OpenTicket``, without group and agent. ``uploads`` are the tokens of its files, ``links`` the
    addresses of those that could not be copied, ``choices`` what the account's own fields get."""
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
    fields |= {choice.field: choice.value for choice in choices if choice.value}
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
    choices: Sequence[Choice] = (),
) -> Json:
    """The changes of an ``AddComment``; see ``new_ticket``."""
    changes: Json = {"comment": _comment(body, settings, author_id, uploads, links), "metadata": {KEY: key}}
    if choices:
        changes["custom_fields"] = _field_rows({choice.field: choice.value for choice in choices})
    return changes


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
        settings.language,
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


def field_changes(
    body: UpdateFields,
    settings: ZendeskSettings,
    *,
    key: str,
    current: Json | None,
    belongs: Json | None = None,
    category: Choice | None = None,
    choices: Sequence[Choice] = (),
) -> Json:
    """The changes of an ``UpdateFields``. ``belongs`` are group, agent and requester as Zendesk writes them;
    ``current`` is the ticket as just read, with it the update is a safe one. ``category`` is what the category's field
    gets, ``choices`` what others get where something is written anyway."""
    changes: Json = {"metadata": {KEY: key}, **(belongs or {})}
    if body.status is not None:
        changes |= _status(body.status, settings)
    if body.priority is not None:
        changes["priority"] = settings.priorities.get(body.priority, body.priority)
    if current is not None and (body.tags_add or body.tags_remove or body.category):
        changes["tags"] = _tags(body, settings, [text_of(tag) for tag in current.get("tags") or []])
    fields: dict[int, str | None] = {**_custom_fields(body.fields, settings)}
    published = [proof.permalink for proof in body.proofs if proof.state == "published" and proof.permalink]
    if settings.proof_field is not None and published:
        fields[settings.proof_field] = published[-1]
    note = _note(body, settings)
    if note:
        changes["comment"] = {"body": note, "public": False}
    chosen = [category] if category is not None else []
    if fields or chosen or changes.keys() - NOTHING:
        chosen += choices
    for choice in chosen:
        fields[choice.field] = choice.value
        if "tags" in changes:
            changes["tags"] = choice.among(changes["tags"])
    if fields:
        changes["custom_fields"] = _field_rows(fields)
    if current is not None:
        changes["safe_update"] = True
        changes["updated_stamp"] = text_of(current.get("updated_at"))
    return changes


def needs_reading(body: UpdateFields) -> bool:
    """Whether the update may overwrite what somebody else just changed, and so must be a safe one."""
    set_by_people_too = (body.status, body.priority, body.group, body.agent, body.category, body.requester)
    return any(set_by_people_too) or bool(body.tags_add or body.tags_remove)


def ticket_tags(body: OpenTicket, settings: ZendeskSettings) -> list[str]:
    """Our tags: what the hub knows, each under the prefix, then the ticket's own."""
    view, prefix = body.ticket, settings.tag_prefix
    named = [("", view.network), ("kind", view.kind), ("language", view.language)]
    ours = [own_tag(prefix, name, value) for name, value in named if value]
    sorted_into = _routing_tags(view.category, view, settings).values()
    return list(dict.fromkeys([prefix, *ours, *sorted_into, *(tag_of(tag) for tag in view.tags)]))


def _routing_tags(category: str, view: TicketView, settings: ZendeskSettings) -> dict[str, str]:
    """Our tags for what a request is about and who answers it, each by what all of its kind begin with."""
    team = view.team if settings.assign != "off" else ""
    named = {"category": category, "team": team}
    return {
        f"{settings.tag_prefix}_{name}_": own_tag(settings.tag_prefix, name, value)
        for name, value in named.items()
        if value
    }


def _tags(body: UpdateFields, settings: ZendeskSettings, have: Sequence[str]) -> list[str]:
    """All tags the ticket should have. A category takes the place of another; so does the team, which may follow it."""
    gone = {tag_of(tag) for tag in body.tags_remove}
    add = [tag_of(tag) for tag in body.tags_add]
    if body.category:
        ours = _routing_tags(body.category, body.ticket, settings)
        gone |= {tag for tag in have if tag.startswith(tuple(ours))} - set(ours.values())
        add += ours.values()
    return [tag for tag in dict.fromkeys([*have, *add]) if tag not in gone]


def _custom_fields(fields: dict[str, str], settings: ZendeskSettings) -> dict[int, str]:
    known: dict[int, str] = {}
    for name, value in fields.items():
        field_id = settings.field_ids.get(name, int(name) if name.isdecimal() else None)
        if field_id is not None:
            known[field_id] = value
    return known


def _field_rows(fields: Mapping[int, str | None]) -> list[Json]:
    return [{"id": field_id, "value": value} for field_id, value in fields.items()]


def _note(body: UpdateFields, settings: ZendeskSettings) -> str:
    parts = [proof_text(proof, body.ticket.network, settings.language) for proof in body.proofs]
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
