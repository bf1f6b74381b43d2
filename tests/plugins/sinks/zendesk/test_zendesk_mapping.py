"""The settings' ids against the account: every problem names the setting and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from zendesk_cases import HOUSE
from zendesk_cases import Account as Sandbox

from hub.sdk import House, SetupStep, in_language
from plugins.sinks.zendesk.mapping import Account, check
from plugins.sinks.zendesk.sandbox.furniture import (
    BRAND_ID,
    CALLBACK_FIELD_ID,
    COURIER_STATUS_ID,
    FORM_ID,
    ORDER_FIELD_ID,
    REASON_FIELD_ID,
)
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.sink import ZendeskSink


def field(number: int, kind: str = "text", **more: Any) -> dict[str, Any]:
    """A ticket field."""
    return {"id": number, "type": kind, "title": f"Field {number}", "active": True, **more}


ACCOUNT = Account(
    fields=[
        field(1),
        field(2, "tagger"),
        field(3, active=False),
        field(4),
        field(5, "integer"),
        field(9, "tickettype"),
    ],
    forms=[
        {"id": 20, "name": "Usual", "active": True, "default": True, "ticket_field_ids": [1, 2, 3, 5]},
        {
            "id": 21,
            "name": "Social",
            "active": True,
            "default": False,
            "ticket_field_ids": [1, 4],
            "in_all_brands": False,
            "restricted_brand_ids": [31],
        },
        {"id": 22, "name": "Old", "active": False, "default": False, "ticket_field_ids": [1]},
    ],
    brands=[{"id": 30, "name": "Acme", "active": True}, {"id": 31, "name": "Acme Pro", "active": False}],
    statuses=[
        {"id": 40, "agent_label": "Waiting for courier", "status_category": "hold", "active": True},
        {"id": 41, "agent_label": "Old wait", "status_category": "pending", "active": False},
    ],
    groups=[{"id": 50, "name": "Support"}],
)


def problems(account: Account = ACCOUNT, house: House | None = None, **settings: Any) -> list[str]:
    """What the check says to these settings; both languages name the setting."""
    found = check(ZendeskSettings(subdomain="acme", client_id="c", **settings), account, house or House())
    assert all(one.told.it.startswith(f"{one.setting}: ") and one.told.it != one.told.en for one in found)
    return [one.told.en for one in found]


def test_settings_that_fit_have_no_problem() -> None:
    """Fields of fitting types on the form, brand, statuses, types and groups that exist."""
    assert problems() == []
    fitting = {
        "field_ids": {"order": 1, "amount": 5},
        "permalink_field": 1,
        "brand_id": 30,
        "ticket_form_id": 20,
        "custom_statuses": {"hold": 40},
        "ticket_types": {"question": "question"},
        "assign": "group",
    }
    assert problems(house=House(groups=("support", "50")), **fitting) == []


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"field_ids": {"order": 7}}, "field_ids.order", "there is no ticket field 7"),
        ({"field_ids": {"order": 2}}, "field_ids.order", "of the type tagger; it must be one of text"),
        ({"field_ids": {"order": 3}}, "field_ids.order", "is not active; activate it"),
        ({"field_ids": {"order": 4}}, "field_ids.order", 'not on the form "Usual" (20), so agents do not see it; add'),
        ({"field_ids": {"order": 9}}, "field_ids.order", "of the type tickettype"),
        ({"permalink_field": 5}, "permalink_field", "of the type integer; it must be one of text, textarea"),
        ({"proof_field": 7}, "proof_field", "there is no ticket field 7"),
        ({"category_field": 7}, "category_field", "there is no ticket field 7"),
        ({"category_field": 5}, "category_field", "of the type integer; it must be one of tagger, text"),
        ({"deadline_field": 2}, "deadline_field", "of the type tagger; it must be one of date, text"),
        ({"deadline_field": 4}, "deadline_field", 'not on the form "Usual" (20), so agents do not see it; add'),
        ({"state_field": 5}, "state_field", "of the type integer; it must be one of tagger, text"),
        ({"state_field": 2}, "state_field", "no value for: Published, Not published, Not known. Add values of these"),
        ({"ticket_form_id": 29}, "ticket_form_id", 'there is no form 29; there are: "Usual" (20), "Social" (21)'),
        ({"ticket_form_id": 22}, "ticket_form_id", '"Old" (22) is not active'),
        ({"ticket_form_id": 21, "brand_id": 30}, "ticket_form_id", "is not for the brand 30; add it"),
        ({"brand_id": 39}, "brand_id", 'there is no brand 39; there are: "Acme" (30)'),
        ({"brand_id": 31}, "brand_id", '"Acme Pro" (31) is not active'),
        ({"custom_statuses": {"pending": 49}}, "custom_statuses.pending", "no custom status 49"),
        ({"custom_statuses": {"pending": 40}}, "custom_statuses.pending", "belongs to the category hold"),
        ({"custom_statuses": {"pending": 41}}, "custom_statuses.pending", "is not active"),
    ],
)
def test_what_does_not_fit_is_told(settings: dict[str, Any], setting: str, words: str) -> None:
    """The setting first, then what is wrong and what to do."""
    told = problems(**settings)
    assert told[0].startswith(f"{setting}: ")
    assert words in told[0]


def test_a_field_on_the_chosen_form_is_fine() -> None:
    """The form of the settings counts, not the default one; an account without forms has no such problem."""
    assert problems(field_ids={"order": 4}, ticket_form_id=21) == []
    assert problems(replace(ACCOUNT, forms=[]), field_ids={"order": 4}) == []


def test_a_group_that_does_not_exist_is_told() -> None:
    """Only where the group is set at all."""
    (told,) = problems(house=House(groups=("Support", "Billing")), assign="group")
    assert told.startswith('assign: there is no group "Billing"; create it or correct teams.toml')
    assert problems(house=House(groups=("Billing",)), assign="fields") == []


def test_a_category_without_a_value_in_the_field_is_told() -> None:
    """By tag, by our own tag or by what people read, in either language: what none of them names is lacking."""
    options = [{"name": "Consegna", "value": "reason_1"}, {"name": "Else", "value": "other"}]
    account = replace(ACCOUNT, fields=[field(2, "tagger", custom_field_options=options)])
    (told,) = problems(account, HOUSE, category_field=2)
    assert told.startswith('category_field: the field "Field 2" (2) has no value for: VAT invoice. Add')
    options.append({"name": "x", "value": "sch_category_vat_invoice"})
    assert problems(account, HOUSE, category_field=2) == []


def test_types_need_the_field() -> None:
    """An account may have switched Type off."""
    without = replace(ACCOUNT, fields=[field(1), field(9, "tickettype", active=False)])
    (told,) = problems(without, ticket_types={"complaint": "problem"})
    assert told.startswith("ticket_types: ")


def settings_steps(sink: ZendeskSink) -> list[SetupStep]:
    """The steps of a plan that tell of settings."""
    return [step for step in sink.plan_setup("") if in_language(step.title, "en").startswith("setting")]


def test_an_account_s_plan_tells_what_does_not_fit(account: Sandbox) -> None:
    """Through the API: good settings give no step, bad ones one step of a person each."""
    good = account.sink(
        house=House(groups=("Support",)),
        assign="group",
        field_ids={"order": ORDER_FIELD_ID},
        brand_id=BRAND_ID,
        ticket_form_id=FORM_ID,
        custom_statuses={"hold": COURIER_STATUS_ID},
        ticket_types={"question": "question"},
    )
    assert settings_steps(good) == []
    bad = account.sink(
        house=House(groups=("Nobody",)),
        assign="group",
        field_ids={"reason": REASON_FIELD_ID, "callback": CALLBACK_FIELD_ID, "gone": 1},
        brand_id=2,
        ticket_form_id=3,
        custom_statuses={"solved": COURIER_STATUS_ID},
    )
    steps = settings_steps(bad)
    assert {(step.state, step.by) for step in steps} == {("missing", "person")}
    assert [in_language(step.title, "en").split()[1] for step in steps] == [
        "brand_id",
        "ticket_form_id",
        "field_ids.reason",
        "field_ids.callback",
        "field_ids.gone",
        "custom_statuses.solved",
        "assign",
    ]
