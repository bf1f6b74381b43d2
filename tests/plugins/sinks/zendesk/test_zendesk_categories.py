"""The category in a field of the account's own: set, swapped and read, by tag and by what people call it."""

from __future__ import annotations

from typing import Any

import pytest
from zendesk_bursts import Clock, calls
from zendesk_cases import HOUSE, Account, fields, opened, read, vendor_settings
from zendesk_sandbox_calls import control, done

from hub.sdk import Agent, UpdateFields
from plugins.sinks.zendesk.outgoing import field_changes
from plugins.sinks.zendesk.payloads import record_changed
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import Choice

OPTIONS = [
    {"name": "Consegna", "value": "reason_parcel"},
    {"name": "vat-invoice", "value": "reason_vat"},
    {"name": "Fairs", "value": "reason_fairs"},
]


@pytest.fixture(scope="module")
def dropdown(account: Account) -> int:
    """A field that somebody made long ago, with words of his own."""
    field = {"type": "tagger", "title": "Reason of contact", "custom_field_options": OPTIONS}
    return int(done(account, "POST", "ticket_fields", {"ticket_field": field})["ticket_field"]["id"])


def reads(account: Account) -> int:
    """How often the hub read the account's fields since these were counted anew."""
    return sum(count for call, count in calls(account).items() if "ticket_fields" in call)


def state(account: Account, record: str, field: int) -> tuple[Any, list[str]]:
    """The field's value, and the tags that tell of category, team and reason."""
    made = done(account, "GET", f"tickets/{record}")["ticket"]
    value = next((row["value"] for row in made["custom_fields"] if row["id"] == field), None)
    return value, [tag for tag in made["tags"] if "_category_" in tag or "_team_" in tag or "reason" in tag]


def test_set_at_opening_and_swapped_with_its_tags(account: Account, uid: str, dropdown: int) -> None:
    """The field follows the hub's category; the old option's tag, our old category's and team's go, an agent's own tag
    stays; a category without an option empties the field. The field is read once."""
    reads(account)
    sink = account.sink(house=HOUSE, category_field=dropdown)
    record = opened(sink, uid, view={"category": "delivery", "team": "parcels"}).vendor_id
    assert state(account, record, dropdown) == (
        "reason_parcel",
        ["reason_parcel", "sch_category_delivery", "sch_team_parcels"],
    )
    done(account, "PUT", f"tickets/{record}", {"ticket": {"additional_tags": ["my_category_x"]}}, who="agent")
    change = fields(uid, record, key=f"{uid}-c", category="vat_invoice", tags_remove=("sch-category-vat_invoice",))
    body = change.body.model_copy(update={"ticket": change.body.ticket.model_copy(update={"team": "accounts"})})
    sink.deliver([change.model_copy(update={"body": body})])
    assert state(account, record, dropdown) == (
        "reason_vat",
        ["my_category_x", "reason_vat", "sch_category_vat_invoice", "sch_team_accounts"],
    )
    assert read(sink, record)[0].category == "vat_invoice"
    assert reads(account) == 1
    sink.deliver([fields(uid, record, key=f"{uid}-n", category="garden")])
    assert state(account, record, dropdown) == (
        None,
        ["my_category_x", "sch_category_garden", "sch_team_accounts"],
    )


def test_the_old_options_tag_is_not_sent_again() -> None:
    """Nobody promises which one Zendesk believes when the tags name one option and the field another."""
    body = fields("sch-1", "7", key="k", category="vat_invoice").body
    assert isinstance(body, UpdateFields)
    choice = Choice(1, "reason_vat", frozenset({"reason_parcel", "reason_vat"}))
    current = {"tags": ["kept", "reason_parcel", "sch_category_delivery"], "updated_at": "2026-11-22T10:00:00Z"}
    settings = ZendeskSettings(**vendor_settings())
    sent = field_changes(body, settings, key="k", current=current, category=choice)
    assert sent["tags"] == ["kept", "sch_category_vat_invoice", "reason_vat"]


def test_another_category_in_the_same_second_is_another_event() -> None:
    """A text field changes no tag, and Zendesk counts whole seconds."""
    row = {"id": 7, "updated_at": "2026-11-22T10:00:00Z"}
    keys = [record_changed(row, lambda user: Agent(), str, category=one).event_key for one in ("a", "b", "", None)]
    assert len(set(keys)) == 4


def test_many_at_once(account: Account, uid: str, dropdown: int, quick_jobs: None) -> None:
    """The same by a job."""
    sink = account.sink(house=HOUSE, category_field=dropdown)
    records = [opened(sink, f"{uid}-{n}", view={"category": "delivery"}).vendor_id for n in range(4)]
    sink.deliver(
        [fields(f"{uid}-{n}", one, key=f"{uid}-c{n}", category="vat_invoice") for n, one in enumerate(records)]
    )
    control(account, "settings", {"clock_ahead": 1})
    done(account, "GET", "job_statuses")
    told = ("reason_vat", ["reason_vat", "sch_category_vat_invoice"])
    assert [state(account, record, dropdown) for record in records] == [told] * 4


def test_what_an_agent_chooses_comes_back(account: Account, uid: str, dropdown: int) -> None:
    """As the hub's name of it; one that means nothing to the hub, or none, is empty. Without the setting nothing is
    reported."""
    sink = account.sink(house=HOUSE, category_field=dropdown)
    record = opened(sink, uid).vendor_id
    seen = []
    for value in ("reason_parcel", "reason_vat", "reason_fairs", None):
        rows = [{"id": dropdown, "value": value}]
        done(account, "PUT", f"tickets/{record}", {"ticket": {"custom_fields": rows}}, who="agent")
        seen.append(read(sink, record)[0])
    assert [one.category for one in seen] == ["delivery", "vat_invoice", "", ""]
    assert read(account.sink(house=HOUSE), record)[0].category is None


def test_a_text_field_holds_what_agents_call_it(account: Account, uid: str) -> None:
    """In their language; typed in either, in other letters, it is understood."""
    field = {"type": "text", "title": "Category"}
    number = int(done(account, "POST", "ticket_fields", {"ticket_field": field})["ticket_field"]["id"])
    sink = account.sink(house=HOUSE.model_copy(update={"language": "it"}), category_field=number)
    record = opened(sink, uid, view={"category": "vat_invoice"}).vendor_id
    assert state(account, record, number)[0] == "Fattura IVA"
    for typed in ("vat invoice", " FATTURA iva", "vat_invoice"):
        done(account, "PUT", f"tickets/{record}", {"ticket": {"custom_fields": [{"id": number, "value": typed}]}})
        assert read(sink, record)[0].category == "vat_invoice"


def test_a_new_option_is_found_and_a_lost_field_stops_nothing(account: Account, uid: str, clock: Clock) -> None:
    """The field is read again when it lacks a category, at most once a minute; where it is gone tickets open all the
    same."""
    field = {"type": "tagger", "title": "Later", "custom_field_options": [{"name": "Delivery", "value": "later_d"}]}
    number = int(done(account, "POST", "ticket_fields", {"ticket_field": field})["ticket_field"]["id"])
    sink = account.sink(house=HOUSE, category_field=number, now=clock)
    record = opened(sink, uid, view={"category": "vat_invoice"}).vendor_id
    assert state(account, record, number)[0] is None
    more = [*field["custom_field_options"], {"name": "VAT invoice", "value": "later_v"}]  # type: ignore[misc]
    done(account, "PUT", f"ticket_fields/{number}", {"ticket_field": {"custom_field_options": more}})
    clock.pass_(61)
    sink.deliver([fields(uid, record, key=f"{uid}-c", category="vat_invoice")])
    assert state(account, record, number)[0] == "later_v"
    done(account, "DELETE", f"ticket_fields/{number}")
    gone = account.sink(house=HOUSE, category_field=number)
    assert opened(gone, f"{uid}-2", view={"category": "delivery"}).vendor_id
