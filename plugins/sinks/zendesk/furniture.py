# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces the setup makes, as data: what each one is, when it has drifted and how a person would make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from hub.sdk import COMMANDS, CategoryName, Command, House, Words, category_tag
from hub.sdk.commands import DRAFT_TAG
from plugins.sinks.zendesk.payloads import part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import meaning_of, meanings, options_of, own_tag

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
    title: Words
    body: Json
    drift: Callable[[Json], bool]
    """Whether what is there does not do its work any more. Names, positions and who may see it are the account's."""
    by_hand: Words | None = None
    stays: Words | str = ""
    """What is left of it when the setup is taken back; empty: nothing."""
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
        if "custom_field_options" in wanted:  # one that is not told again is deleted, with its values
            there = options_of(row)
            tags = {option["value"] for option in there}
            new = [option for option in wanted["custom_field_options"] if option["value"] not in tags]
            body["custom_field_options"] = there + new
        return body


FIELDS = Words(
    en="Admin Center, Objects and rules, Tickets, Fields",
    it="Centro amministrativo, Oggetti e regole, Ticket, Campi",
)
_VIEWS = Words(
    en="Admin Center, Workspaces, Agent tools, Views",
    it="Centro amministrativo, Spazi di lavoro, Strumenti agente, Viste",
)
PLACES = {Furniture.FIELD: FIELDS, Furniture.VIEW: _VIEWS}
"""Where a person finds what takes the scope ``write``."""
_KINDS = {
    Furniture.WEBHOOK: Words(en="webhook", it="webhook"),
    Furniture.FIELD: Words(en="ticket field", it="campo dei ticket"),
    Furniture.VIEW: Words(en="view", it="vista"),
    Furniture.MACRO: Words(en="macro", it="macro"),
}


def titled(kind: Furniture, name: str, more: Words | None = None) -> Words:
    """A thing by the name it has in the account, which is in the agents' language whoever reads this."""
    what, end = _KINDS[kind], more or Words(en="", it="")
    return Words(en=f"{what.en} {name}{end.en}", it=f"{what.it} {name}{end.it}")


def furniture(settings: ZendeskSettings, house: House, webhook_url: str, connection: str) -> list[FurniturePiece]:
    """Every piece, in the order to make them; no webhook without an address."""
    pieces = [_webhook(webhook_url, connection)] if webhook_url else []
    if settings.permalink_field is None:
        pieces.append(_field(settings, "permalink_field"))
    if settings.proof_field is None:
        pieces.append(_field(settings, "proof_field"))
    if settings.category_field is None and settings.make_category_field and house.categories:
        pieces.append(_category_field(settings, house))
    pieces += [_view(settings, "to-answer"), _view(settings, "drafts")]
    for command in COMMANDS:
        if command.takes_category:
            pieces += [_category_macro(settings, command, category) for category in house.categories]
        else:
            pieces.append(_macro(settings, f"macro-{command.name}", command.title, command.description, command.tag))
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

    title = Words(
        en="webhook that tells the hub of changes, and its signing secret",
        it="webhook che avvisa l'hub delle modifiche, e il suo segreto di firma",
    )
    return FurniturePiece("webhook", Furniture.WEBHOOK.value, title, body, drift)


_FIELD_TITLES: dict[str, Words] = {
    "permalink_field": Words(en="Customer's post", it="Post del cliente"),
    "proof_field": Words(en="Published answer", it="Risposta pubblicata"),
    "category_field": Words(en="Category", it="Categoria"),
}
_FIELD_TEXTS: dict[str, Words] = {
    "permalink_field": Words(
        en="Where the customer wrote; filled in by Social Care Hub.",
        it="Dove ha scritto il cliente; lo compila Social Care Hub.",
    ),
    "proof_field": Words(
        en="Where our answer appeared; filled in by Social Care Hub.",
        it="Dove è apparsa la nostra risposta; lo compila Social Care Hub.",
    ),
    "category_field": Words(
        en="What the request is about; another choice here changes team and data in Social Care Hub too.",
        it="Di che cosa si tratta; cambiandola qui cambiano anche gruppo e dati in Social Care Hub.",
    ),
}
FIELD_STAYS = Words(en="is switched off; its values stay", it="viene disattivato; i suoi valori restano")


def _field(settings: ZendeskSettings, name: str) -> FurniturePiece:
    title = _FIELD_TITLES[name].in_language(settings.language)
    return FurniturePiece(
        key=name.replace("_", "-"),
        kind=Furniture.FIELD.value,
        title=titled(Furniture.FIELD, title),
        body={
            "type": "text",
            "title": title,
            "agent_description": _FIELD_TEXTS[name].in_language(settings.language),
            "active": True,
        },
        drift=lambda row: row.get("active") is False,
        by_hand=Words(
            en=f"{FIELDS.en}: add a text field {title}, and put its id into {name}.",
            it=f"{FIELDS.it}: aggiungi un campo di testo {title} e metti il suo id in {name}.",
        ),
        stays=FIELD_STAYS,
        marked="agent_description",
        takes_write=True,
        remember_as=name,
    )


def _category_field(settings: ZendeskSettings, house: House) -> FurniturePiece:
    """A dropdown whose options' tags are our own for the category: field and tag are then one thing at Zendesk, and no
    option of another field has them (an option's tag must be unique in the account)."""
    piece = _field(settings, "category_field")
    options = [
        {
            "name": category.label.in_language(settings.language),
            "value": own_tag(settings.tag_prefix, "category", category.name),
        }
        for category in house.categories
    ]
    ways = meanings(house.categories, settings.tag_prefix)

    def drift(row: Json) -> bool:
        there = {meaning_of(option, ways) for option in options_of(row)}
        return row.get("active") is False or not {category.name for category in house.categories} <= there

    names = ", ".join(option["name"] for option in options)
    by_hand = Words(
        en=f"{FIELDS.en}: add a dropdown with the values {names}, and put its id into category_field.",
        it=f"{FIELDS.it}: aggiungi un menu a discesa con i valori {names} e metti il suo id in category_field.",
    )
    return replace(
        piece, body=piece.body | {"type": "tagger", "custom_field_options": options}, drift=drift, by_hand=by_hand
    )


_VIEW_TEXTS: dict[str, tuple[Words, Words]] = {
    "to-answer": (
        Words(en="Social: to answer", it="Social: da rispondere"),
        Words(
            en="Customers of the networks who wait for an answer.", it="Clienti dei social che attendono una risposta."
        ),
    ),
    "drafts": (
        Words(en="Social: drafts waiting", it="Social: bozze in attesa"),
        Words(
            en="Answers that wait for the macro “Send this draft”.",
            it="Risposte che attendono la macro “Invia la bozza”.",
        ),
    ),
}


def _view(settings: ZendeskSettings, name: str) -> FurniturePiece:
    title, text = (words.in_language(settings.language) for words in _VIEW_TEXTS[name])
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
        title=titled(Furniture.VIEW, title),
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
        by_hand=Words(
            en=f"{_VIEWS.en}: add {title} with the conditions Status less than {below} and Tags contains at least "
            f"one of {tag}.",
            it=f"{_VIEWS.it}: aggiungi {title} con le condizioni Stato inferiore a {below} e Tag contiene almeno "
            f"uno di {tag}.",
        ),
        takes_write=True,
    )


def _category_macro(settings: ZendeskSettings, command: Command, category: CategoryName) -> FurniturePiece:
    title, label, tag = command.title, category.label, category_tag(category.name)
    named = Words(en=f"{title.en}::{label.en}", it=f"{title.it}::{label.it}")
    return _macro(settings, f"macro-{tag.removeprefix('sch-')}", named, command.description, tag)


def _macro(settings: ZendeskSettings, key: str, title: Words, text: Words, tag: str) -> FurniturePiece:
    actions = [{"field": "current_tags", "value": tag}]  # adds; set_tags would take the others away

    def drift(row: Json) -> bool:
        return row.get("active") is False or not _adds(row.get("actions"), tag)

    name = f"Social care::{title.in_language(settings.language)}"  # "::" makes a folder
    body: Json = {
        "title": name,
        "description": text.in_language(settings.language),
        "active": True,
        "actions": actions,
    }
    return FurniturePiece(key, Furniture.MACRO.value, titled(Furniture.MACRO, name), body, drift)


def _holds(there: Any, wanted: list[Json]) -> bool:
    rows = [row for row in there if isinstance(row, dict)] if isinstance(there, list) else []
    seen = [tuple(text_of(row.get(name)) for name in ("field", "operator", "value")) for row in rows]
    return all((row["field"], row["operator"], row["value"]) in seen for row in wanted)


def _adds(there: Any, tag: str) -> bool:
    rows = [row for row in there if isinstance(row, dict)] if isinstance(there, list) else []
    return any(row.get("field") == "current_tags" and tag in text_of(row.get("value")).split() for row in rows)
