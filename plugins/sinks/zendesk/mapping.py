# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings' ids held against the account's metadata: what does not fit is said before a customer's ticket fails."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.payloads import text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

Json = dict[str, Any]

_ADDRESS = ("text", "textarea")
_COLLECTED = ("text", "textarea", "regexp", "integer", "decimal", "date")
_FIELDS = "Admin Center, Objects and rules, Tickets, Fields"
_FORMS = "Admin Center, Objects and rules, Tickets, Forms"


@dataclass(frozen=True, slots=True)
class Account:
    """The account's own objects, as Zendesk tells them; what its plan does not have is empty."""

    fields: list[Json]
    forms: list[Json]
    brands: list[Json]
    statuses: list[Json]
    groups: list[Json]


def read(metadata: Metadata, settings: ZendeskSettings) -> Account:
    """Read what the settings refer to, in at most five calls."""
    names_form = bool(settings.field_ids or settings.permalink_field or settings.proof_field or settings.ticket_form_id)
    return Account(
        fields=metadata.every("ticket_fields"),
        forms=metadata.every_if_any("ticket_forms") if names_form else [],
        brands=metadata.every_if_any("brands") if settings.brand_id else [],
        statuses=metadata.every_if_any("custom_statuses") if settings.custom_statuses else [],
        groups=metadata.every("groups") if settings.assign in ("group", "agent") else [],
    )


def check(settings: ZendeskSettings, account: Account, *, groups: Collection[str] = ()) -> list[str]:
    """Every problem as ``<setting>: what is wrong; what to do``. ``groups`` are the groups (names or ids) that routing
    hands out, where the caller knows them."""
    return [
        *_brand(settings, account),
        *_form(settings, account),
        *_fields(settings, account),
        *_statuses(settings, account),
        *_types(settings, account),
        *_groups(settings, account, groups),
    ]


def form_of(settings: ZendeskSettings, forms: list[Json]) -> Json | None:
    """The form of new tickets; ``None`` where there is none."""
    wanted = settings.ticket_form_id
    if wanted is not None:
        return _by_id(forms, wanted)
    return next((form for form in forms if form.get("default") is True), None)


def _brand(settings: ZendeskSettings, account: Account) -> Iterator[str]:
    if settings.brand_id is None:
        return
    brand = _by_id(account.brands, settings.brand_id)
    if brand is None:
        yield f"brand_id: there is no brand {settings.brand_id}; {_choose(account.brands)}"
    elif brand.get("active") is False:
        yield f"brand_id: the brand {_named(brand)} is not active; activate it in Admin Center, Account, Brands"


def _form(settings: ZendeskSettings, account: Account) -> Iterator[str]:
    if settings.ticket_form_id is None:
        return
    form = _by_id(account.forms, settings.ticket_form_id)
    if form is None:
        yield f"ticket_form_id: there is no form {settings.ticket_form_id}; {_choose(account.forms)}"
        return
    if form.get("active") is False:
        yield f"ticket_form_id: the form {_named(form)} is not active; activate it in {_FORMS}"
    brands = form.get("restricted_brand_ids") or []
    if settings.brand_id is not None and form.get("in_all_brands") is False and settings.brand_id not in brands:
        yield f"ticket_form_id: the form {_named(form)} is not for the brand {settings.brand_id}; add it in {_FORMS}"


def _fields(settings: ZendeskSettings, account: Account) -> Iterator[str]:
    wanted: list[tuple[str, int, tuple[str, ...]]]
    wanted = [(f"field_ids.{name}", number, _COLLECTED) for name, number in settings.field_ids.items()]
    wanted += [
        (name, number, _ADDRESS)
        for name in ("permalink_field", "proof_field")
        if (number := getattr(settings, name)) is not None
    ]
    form = form_of(settings, account.forms)
    on_form = form.get("ticket_field_ids") if form else None
    for setting, number, kinds in wanted:
        field = _by_id(account.fields, number)
        if field is None:
            yield f"{setting}: there is no ticket field {number}; look its id up in {_FIELDS}"
            continue
        if field.get("type") not in kinds:
            yield (
                f"{setting}: the field {_named(field)} is of the type {text_of(field.get('type'))}; "
                f"it must be one of {', '.join(kinds)}"
            )
        if field.get("active") is False:
            yield f"{setting}: the field {_named(field)} is not active; activate it in {_FIELDS}"
        elif form is not None and isinstance(on_form, list) and number not in on_form:
            yield (
                f"{setting}: the field {_named(field)} is not on the form {_named(form)}, so agents do not see it; "
                f"add it in {_FORMS}"
            )


def _statuses(settings: ZendeskSettings, account: Account) -> Iterator[str]:
    for name, number in settings.custom_statuses.items():
        status = _by_id(account.statuses, number)
        if status is None:
            yield f"custom_statuses.{name}: there is no custom status {number}; {_choose(account.statuses)}"
        elif status.get("status_category") != name:
            yield (
                f"custom_statuses.{name}: {_named(status)} belongs to the category "
                f"{text_of(status.get('status_category'))}; choose one of the category {name}"
            )
        elif status.get("active") is False:
            yield f"custom_statuses.{name}: {_named(status)} is not active; activate it or choose another"


def _types(settings: ZendeskSettings, account: Account) -> Iterator[str]:
    field = next((field for field in account.fields if field.get("type") == "tickettype"), None)
    if settings.ticket_types and (field is None or field.get("active") is False):
        yield f"ticket_types: the account does not use the field Type; activate it in {_FIELDS} or drop the setting"


def _groups(settings: ZendeskSettings, account: Account, groups: Collection[str]) -> Iterator[str]:
    if settings.assign not in ("group", "agent"):
        return
    known = {text_of(group.get("name")).casefold() for group in account.groups}
    known |= {text_of(group.get("id")) for group in account.groups}
    for group in sorted(set(groups)):
        if group.casefold() not in known:
            yield f"assign: there is no group {group!r}; create it or correct teams.toml. {_choose(account.groups)}"


def _by_id(rows: list[Json], number: int) -> Json | None:
    return next((row for row in rows if row.get("id") == number), None)


def _named(row: Json) -> str:
    name = text_of(row.get("title")) or text_of(row.get("name")) or text_of(row.get("agent_label"))
    return f"{name!r} ({text_of(row.get('id'))})"


def _choose(rows: list[Json]) -> str:
    names = ", ".join(_named(row) for row in rows[:8])
    return f"there are: {names}" if names else "the account has none"
