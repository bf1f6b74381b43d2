# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces the setup makes, as data: what each one is, when it has drifted and how a person would make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from hub.sdk.commands import COMMANDS, DRAFT_TAG, category_tag
from plugins.sinks.zendesk.payloads import part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

Json = dict[str, Any]

EVENTS = tuple(
    f"zen:event-type:ticket.{name}"
    for name in (
        *("comment_added", "comment_made_private", "comment_redacted", "status_changed", "custom_status_changed"),
        *("priority_changed", "tags_changed", "agent_assignment_changed", "group_assignment_changed"),
        *("custom_field_changed", "requester_changed", "problem_link_changed", "merged", "soft_deleted"),
        *("permanently_deleted", "undeleted"),
    )
)
"""Every change the connector reports; ``created`` is not among them: our tickets are ours.
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/"""
_COLUMNS = ["status", "subject", "requester", "priority", "assignee", "created"]


class Furniture(Enum):
    """The kinds, under their names in the API."""

    WEBHOOK = "webhooks"
    FIELD = "ticket_fields"
    VIEW = "views"
    MACRO = "macros"


@dataclass(frozen=True, slots=True)
class FurniturePiece:
    """One thing that should be in the account. ``body`` is what the API takes; the mark goes into ``marked``."""

    key: str
    kind: str
    title: str
    body: Json
    drift: Callable[[Json], bool]
    """Whether what is there does not do its work any more. Names, positions and who may see it are the account's."""
    by_hand: str = ""
    marked: str = "description"
    takes_write: bool = False
    remember_as: str = ""

    @property
    def one(self) -> str:
        """The name of a single one in bodies."""
        return self.kind.removesuffix("s")

    def mended(self, row: Json, wanted: Json) -> Json:
        """What to write over ``row``: its name and what people added stay."""
        body = {name: value for name, value in wanted.items() if name not in ("title", "name", "type", self.marked)}
        if self.kind == Furniture.MACRO.value:
            present = [action for action in row.get("actions") or [] if isinstance(action, dict)]
            body["actions"] = present + [action for action in wanted["actions"] if action not in present]
        return body


def furniture(settings: ZendeskSettings, webhook_url: str, connection: str) -> list[FurniturePiece]:
    """Every piece, in the order to make them; no webhook without an address."""
    pieces = [_webhook(webhook_url, connection)] if webhook_url else []
    if settings.permalink_field is None:
        pieces.append(_field(settings, "permalink_field"))
    if settings.proof_field is None:
        pieces.append(_field(settings, "proof_field"))
    pieces += [_view(settings, "to-answer"), _view(settings, "drafts")]
    for command in COMMANDS:
        title = command.title.in_language(settings.agent_language)
        text = command.description.in_language(settings.agent_language)
        if not command.takes_category:
            pieces.append(_macro(f"macro-{command.name}", title, text, command.tag))
            continue
        for category in settings.categories:
            tag = category_tag(category)
            pieces.append(_macro(f"macro-{tag.removeprefix('sch-')}", f"{title}::{category}", text, tag))
    return pieces


def _webhook(url: str, connection: str) -> FurniturePiece:
    body: Json = {
        "name": f"Social Care Hub: {connection}",
        "description": "Tells the hub what agents do in its tickets.",
        "endpoint": url,
        "http_method": "POST",
        "request_format": "json",
        "status": "active",
        "subscriptions": list(EVENTS),
    }
    same = ("endpoint", "http_method", "request_format", "status")

    def drift(row: Json) -> bool:
        events = row.get("subscriptions")
        lacking = not isinstance(events, list) or not set(EVENTS) <= set(events)
        return lacking or any(row.get(name) != body[name] for name in same)

    title = "webhook that tells the hub of changes, and its signing secret"
    return FurniturePiece("webhook", Furniture.WEBHOOK.value, title, body, drift)


_FIELD_TITLES: dict[str, dict[Literal["it", "en"], str]] = {
    "permalink_field": {"en": "Customer's post", "it": "Post del cliente"},
    "proof_field": {"en": "Published answer", "it": "Risposta pubblicata"},
}
_FIELD_TEXTS: dict[str, dict[Literal["it", "en"], str]] = {
    "permalink_field": {
        "en": "Where the customer wrote; filled in by Social Care Hub.",
        "it": "Dove ha scritto il cliente; lo compila Social Care Hub.",
    },
    "proof_field": {
        "en": "Where our answer appeared; filled in by Social Care Hub.",
        "it": "Dove è apparsa la nostra risposta; lo compila Social Care Hub.",
    },
}


def _field(settings: ZendeskSettings, name: str) -> FurniturePiece:
    title, text = _FIELD_TITLES[name][settings.agent_language], _FIELD_TEXTS[name][settings.agent_language]
    return FurniturePiece(
        key=name.replace("_", "-"),
        kind=Furniture.FIELD.value,
        title=f"ticket field {title}",
        body={"type": "text", "title": title, "agent_description": text, "active": True},
        drift=lambda row: row.get("active") is False,
        by_hand=f"Admin Center, Objects and rules, Tickets, Fields: add a text field {title}, and put its id into "
        f"{name}.",
        marked="agent_description",
        takes_write=True,
        remember_as=name,
    )


_VIEW_TEXTS: dict[str, dict[Literal["it", "en"], tuple[str, str]]] = {
    "to-answer": {
        "en": ("Social: to answer", "Customers of the networks who wait for an answer."),
        "it": ("Social: da rispondere", "Clienti dei social che attendono una risposta."),
    },
    "drafts": {
        "en": ("Social: drafts waiting", "Answers that wait for the macro “Send this draft”."),
        "it": ("Social: bozze in attesa", "Risposte che attendono la macro “Invia la bozza”."),
    },
}


def _view(settings: ZendeskSettings, name: str) -> FurniturePiece:
    title, text = _VIEW_TEXTS[name][settings.agent_language]
    below, tag = ("pending", settings.tag_prefix) if name == "to-answer" else ("solved", DRAFT_TAG)
    conditions = [
        {"field": "status", "operator": "less_than", "value": below},
        {"field": "current_tags", "operator": "includes", "value": tag},
    ]

    def drift(row: Json) -> bool:
        there = part_of(row, "conditions").get("all")
        return row.get("active") is False or not _holds(there, conditions)

    return FurniturePiece(
        key=f"view-{name}",
        kind=Furniture.VIEW.value,
        title=f"view {title}",
        # Flat to write, nested to read: https://developer.zendesk.com/api-reference/ticketing/business-rules/views/
        body={
            "title": title,
            "description": text,
            "active": True,
            "all": conditions,
            "any": [],
            "output": {"columns": _COLUMNS, "sort_by": "created", "sort_order": "asc"},
        },
        drift=drift,
        by_hand=f"Admin Center, Workspaces, Agent tools, Views: add {title} with the conditions Status less than "
        f"{below} and Tags contains at least one of {tag}.",
        takes_write=True,
    )


def _macro(key: str, title: str, text: str, tag: str) -> FurniturePiece:
    actions = [{"field": "current_tags", "value": tag}]  # adds; set_tags would take the others away

    def drift(row: Json) -> bool:
        return row.get("active") is False or not _adds(row.get("actions"), tag)

    name = f"Social care::{title}"  # "::" makes a folder
    body: Json = {"title": name, "description": text, "active": True, "actions": actions}
    return FurniturePiece(key, Furniture.MACRO.value, f"macro {name}", body, drift)


def _holds(there: Any, wanted: list[Json]) -> bool:
    rows = [row for row in there if isinstance(row, dict)] if isinstance(there, list) else []
    seen = [tuple(text_of(row.get(name)) for name in ("field", "operator", "value")) for row in rows]
    return all((row["field"], row["operator"], row["value"]) in seen for row in wanted)


def _adds(there: Any, tag: str) -> bool:
    rows = [row for row in there if isinstance(row, dict)] if isinstance(there, list) else []
    return any(row.get("field") == "current_tags" and tag in text_of(row.get("value")).split() for row in rows)
