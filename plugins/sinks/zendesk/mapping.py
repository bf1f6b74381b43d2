# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings' ids held against the account's metadata: what does not fit is said before a customer's ticket fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.sdk import CategoryName, House, Words
from plugins.sinks.zendesk.answer_fields import DEADLINE_TYPES, STATE_KIND, STATES
from plugins.sinks.zendesk.furniture import FIELDS
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.payloads import text_of
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import FIELD_TYPES, meaning_of, meanings, options_of

Json = dict[str, Any]

_ADDRESS = ("text", "textarea")
_COLLECTED = ("text", "textarea", "regexp", "integer", "decimal", "date")
_OWN_FIELDS = {
    "permalink_field": _ADDRESS,
    "proof_field": _ADDRESS,
    "category_field": FIELD_TYPES,
    "deadline_field": DEADLINE_TYPES,
    "state_field": FIELD_TYPES,
}
"""The settings that name a ticket field, and the types it may have."""
_FORMS = Words(
    en="Admin Center, Objects and rules, Tickets, Forms",
    it="Centro amministrativo, Oggetti e regole, Ticket, Moduli",
)
_NOBODY = House()


@dataclass(frozen=True, slots=True)
class Account:
    """The account's own objects, as Zendesk tells them; what its plan does not have is empty."""

    fields: list[Json]
    forms: list[Json]
    brands: list[Json]
    statuses: list[Json]
    groups: list[Json]


@dataclass(frozen=True, slots=True)
class Misfit:
    """One setting that does not fit the account: what is wrong and what to do."""

    setting: str
    told: Words


def read(metadata: Metadata, settings: ZendeskSettings) -> Account:
    """Read what the settings refer to, in at most five calls."""
    own = any(getattr(settings, name) is not None for name in _OWN_FIELDS)
    names_form = bool(settings.field_ids or settings.ticket_form_id or own)
    return Account(
        fields=metadata.every("ticket_fields"),
        forms=metadata.every_if_any("ticket_forms") if names_form else [],
        brands=metadata.every_if_any("brands") if settings.brand_id else [],
        statuses=metadata.every_if_any("custom_statuses") if settings.custom_statuses else [],
        groups=metadata.every("groups") if settings.assign in ("group", "agent") else [],
    )


def check(settings: ZendeskSettings, account: Account, house: House = _NOBODY) -> list[Misfit]:
    """Every problem. ``house`` tells the groups (names or ids) that routing hands out, and the categories."""
    return [
        *_brand(settings, account),
        *_form(settings, account),
        *_fields(settings, account),
        *_options(settings, account, "category_field", house.categories, "category"),
        *_options(settings, account, "state_field", STATES, STATE_KIND),
        *_statuses(settings, account),
        *_types(settings, account),
        *_groups(settings, account, house),
    ]


def form_of(settings: ZendeskSettings, forms: list[Json]) -> Json | None:
    """The form of new tickets; ``None`` where there is none."""
    wanted = settings.ticket_form_id
    if wanted is not None:
        return _by_id(forms, wanted)
    return next((form for form in forms if form.get("default") is True), None)


def _brand(settings: ZendeskSettings, account: Account) -> Iterator[Misfit]:
    number = settings.brand_id
    if number is None:
        return
    brand, rows = _by_id(account.brands, number), _choose(account.brands)
    if brand is None:
        yield _misfit("brand_id", f"there is no brand {number}; {rows.en}", f"non c'è il brand {number}; {rows.it}")
    elif brand.get("active") is False:
        yield _misfit(
            "brand_id",
            f"the brand {_named(brand)} is not active; activate it in Admin Center, Account, Brands",
            f"il brand {_named(brand)} non è attivo; attivalo in Centro amministrativo, Account, Brand",
        )


def _form(settings: ZendeskSettings, account: Account) -> Iterator[Misfit]:
    number = settings.ticket_form_id
    if number is None:
        return
    form, rows = _by_id(account.forms, number), _choose(account.forms)
    if form is None:
        yield _misfit(
            "ticket_form_id", f"there is no form {number}; {rows.en}", f"non c'è il modulo {number}; {rows.it}"
        )
        return
    if form.get("active") is False:
        yield _misfit(
            "ticket_form_id",
            f"the form {_named(form)} is not active; activate it in {_FORMS.en}",
            f"il modulo {_named(form)} non è attivo; attivalo in {_FORMS.it}",
        )
    brands, brand = form.get("restricted_brand_ids") or [], settings.brand_id
    if brand is not None and form.get("in_all_brands") is False and brand not in brands:
        yield _misfit(
            "ticket_form_id",
            f"the form {_named(form)} is not for the brand {brand}; add it in {_FORMS.en}",
            f"il modulo {_named(form)} non vale per il brand {brand}; aggiungilo in {_FORMS.it}",
        )


def _fields(settings: ZendeskSettings, account: Account) -> Iterator[Misfit]:
    wanted: list[tuple[str, int, tuple[str, ...]]]
    wanted = [(f"field_ids.{name}", number, _COLLECTED) for name, number in settings.field_ids.items()]
    wanted += [
        (name, number, kinds) for name, kinds in _OWN_FIELDS.items() if (number := getattr(settings, name)) is not None
    ]
    form = form_of(settings, account.forms)
    on_form = form.get("ticket_field_ids") if form else None
    for setting, number, kinds in wanted:
        field = _by_id(account.fields, number)
        if field is None:
            yield _misfit(
                setting,
                f"there is no ticket field {number}; look its id up in {FIELDS.en}",
                f"non c'è il campo dei ticket {number}; cerca il suo id in {FIELDS.it}",
            )
            continue
        if field.get("type") not in kinds:
            kind, fitting = text_of(field.get("type")), ", ".join(kinds)
            yield _misfit(
                setting,
                f"the field {_named(field)} is of the type {kind}; it must be one of {fitting}",
                f"il campo {_named(field)} è del tipo {kind}; deve essere uno di {fitting}",
            )
        if field.get("active") is False:
            yield _misfit(
                setting,
                f"the field {_named(field)} is not active; activate it in {FIELDS.en}",
                f"il campo {_named(field)} non è attivo; attivalo in {FIELDS.it}",
            )
        elif form is not None and isinstance(on_form, list) and number not in on_form:
            yield _misfit(
                setting,
                f"the field {_named(field)} is not on the form {_named(form)}, so agents do not see it; "
                f"add it in {_FORMS.en}",
                f"il campo {_named(field)} non è nel modulo {_named(form)}, quindi gli agenti non lo vedono; "
                f"aggiungilo in {_FORMS.it}",
            )


def _options(
    settings: ZendeskSettings, account: Account, setting: str, named: tuple[CategoryName, ...], kind: str
) -> Iterator[Misfit]:
    number = getattr(settings, setting)
    field = _by_id(account.fields, number) if number is not None else None
    if field is None or field.get("type") != "tagger":
        return
    ways = meanings(named, settings.tag_prefix, kind)
    there = {meaning_of(option, ways) for option in options_of(field)}
    lacking = [one.label for one in named if one.name not in there]
    if lacking:
        en, it = (", ".join(getattr(label, language) for label in lacking) for language in ("en", "it"))
        yield _misfit(
            setting,
            f"the field {_named(field)} has no value for: {en}. Add values of these names in {FIELDS.en}",
            f"nel campo {_named(field)} mancano i valori per: {it}. Aggiungi valori con questi nomi in {FIELDS.it}",
        )


def _statuses(settings: ZendeskSettings, account: Account) -> Iterator[Misfit]:
    for name, number in settings.custom_statuses.items():
        setting, status, rows = f"custom_statuses.{name}", _by_id(account.statuses, number), _choose(account.statuses)
        if status is None:
            yield _misfit(
                setting,
                f"there is no custom status {number}; {rows.en}",
                f"non c'è lo stato personalizzato {number}; {rows.it}",
            )
        elif status.get("status_category") != name:
            category = text_of(status.get("status_category"))
            yield _misfit(
                setting,
                f"{_named(status)} belongs to the category {category}; choose one of the category {name}",
                f"{_named(status)} è della categoria {category}; scegline uno della categoria {name}",
            )
        elif status.get("active") is False:
            yield _misfit(
                setting,
                f"{_named(status)} is not active; activate it or choose another",
                f"{_named(status)} non è attivo; attivalo o scegline un altro",
            )


def _types(settings: ZendeskSettings, account: Account) -> Iterator[Misfit]:
    field = next((field for field in account.fields if field.get("type") == "tickettype"), None)
    if settings.ticket_types and (field is None or field.get("active") is False):
        yield _misfit(
            "ticket_types",
            f"the account does not use the field Type; activate it in {FIELDS.en} or drop the setting",
            f"l'account non usa il campo Tipo; attivalo in {FIELDS.it} o togli l'impostazione",
        )


def _groups(settings: ZendeskSettings, account: Account, house: House) -> Iterator[Misfit]:
    if settings.assign not in ("group", "agent"):
        return
    known = {text_of(group.get("name")).casefold() for group in account.groups}
    known |= {text_of(group.get("id")) for group in account.groups}
    rows = _choose(account.groups)
    for group in sorted(set(house.groups)):
        if group.casefold() not in known:
            yield _misfit(
                "assign",
                f'there is no group "{group}"; create it or correct teams.toml. {rows.en}',
                f'non c\'è il gruppo "{group}"; crealo o correggi teams.toml. {rows.it}',
            )


def _misfit(setting: str, en: str, it: str) -> Misfit:
    return Misfit(setting, Words(en=f"{setting}: {en}", it=f"{setting}: {it}"))


def _by_id(rows: list[Json], number: int) -> Json | None:
    return next((row for row in rows if row.get("id") == number), None)


def _named(row: Json) -> str:
    name = text_of(row.get("title")) or text_of(row.get("name")) or text_of(row.get("agent_label"))
    return f'"{name}" ({text_of(row.get("id"))})'


def _choose(rows: list[Json]) -> Words:
    names = ", ".join(_named(row) for row in rows[:8])
    if not names:
        return Words(en="the account has none", it="l'account non ne ha")
    return Words(en=f"there are: {names}", it=f"ci sono: {names}")
