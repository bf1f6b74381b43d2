# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new account holds: groups, staff, ticket fields, a form, a brand, statuses, a view and two macros."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

GROUPS = ("Support", "Billing", "Logistics", "Technical")
BRAND_ID = 360002256672
FORM_ID = 360000389592
STATUS_IDS = {"new": 1001, "open": 1002, "pending": 1003, "hold": 1004, "solved": 1005}
"""The default custom status of each category; ``closed`` tickets keep the one of ``solved``."""
COURIER_STATUS_ID = 1006
_LABELS = {"new": "New", "open": "Open", "pending": "Pending", "hold": "On-hold", "solved": "Solved"}
ORDER_FIELD_ID, REASON_FIELD_ID, CALLBACK_FIELD_ID = 360005657120, 360005657121, 360005657122
_SYSTEM_FIELDS = (
    ("subject", "Subject"),
    ("description", "Description"),
    ("status", "Status"),
    ("tickettype", "Type"),
    ("priority", "Priority"),
    ("group", "Group"),
    ("assignee", "Assignee"),
)
_CHOICES = {
    "status": ("open", "pending", "hold", "solved"),
    "tickettype": ("question", "incident", "problem", "task"),
    "priority": ("low", "normal", "high", "urgent"),
}
_REASONS = (("Late parcel", "reason_late"), ("Damaged", "reason_damaged"), ("Wrong item", "reason_wrong"))


def furnish(helpdesk: Helpdesk) -> None:
    """Fill an empty account."""
    state, now = helpdesk.state, helpdesk.stamp()
    groups = []
    for name in GROUPS:
        group: Json = {
            "id": state.next("group", start=360001),
            "is_public": True,
            "name": name,
            "description": "",
            "default": name == "Support",
            "deleted": False,
            "created_at": now,
            "updated_at": now,
        }
        state.put("group", group)
        groups.append(group)
    for account, name, role in (("hub", "Social Care Hub", "admin"), ("agent", "Alex Agent", "agent")):
        user = helpdesk.save_user({"name": name, "email": f"{account}@sandbox.example", "role": role})
        state.set(f"token:{account}", secrets.token_hex(20))
        state.set(f"user:{account}", str(user["id"]))
        for group in groups:
            helpdesk.join(user["id"], group["id"])
    state.set("webhook:secret", secrets.token_hex(20))
    _fields(helpdesk, now)
    _statuses(helpdesk, now)
    state.put(
        "brand",
        {
            "id": BRAND_ID,
            "name": "Sandbox",
            "brand_url": "",
            "subdomain": "sandbox",
            "host_mapping": None,
            "has_help_center": False,
            "help_center_state": "disabled",
            "active": True,
            "default": True,
            "is_deleted": False,
            "logo": None,
            "ticket_form_ids": [FORM_ID],
            "signature_template": "{{agent.signature}}",
            "created_at": now,
            "updated_at": now,
        },
    )
    state.put(
        "custom_role",
        {
            "id": 360000001,
            "name": "Light agent",
            "description": "Comments in private",
            "role_type": 1,
            "team_member_count": 0,
            "configuration": {"light_agent": True, "ticket_comment_access": "none", "ticket_editing": False},
            "created_at": now,
            "updated_at": now,
        },
    )
    _rules(helpdesk)


def _fields(helpdesk: Helpdesk, now: str) -> None:
    state = helpdesk.state
    ids = []
    for number, (kind, title) in enumerate(_SYSTEM_FIELDS):
        ids.append(360011737434 + number)
        row = field(ids[-1], kind, title, now, position=number, removable=False)
        if kind in _CHOICES:
            choices = [{"name": choice.capitalize(), "value": choice} for choice in _CHOICES[kind]]
            row |= {"system_field_options": choices, "sub_type_id": 0}
        state.put("ticket_field", row)
    custom = (
        field(ORDER_FIELD_ID, "text", "Order number", now, position=20),
        field(REASON_FIELD_ID, "tagger", "Reason", now, position=21)
        | {
            "custom_field_options": [
                {"id": 360009000 + n, "name": name, "raw_name": name, "value": value, "default": False}
                for n, (name, value) in enumerate(_REASONS)
            ]
        },
        field(CALLBACK_FIELD_ID, "checkbox", "Call back", now, position=22) | {"tag": "call_back"},
    )
    for row in custom:
        ids.append(row["id"])
        state.put("ticket_field", row)
    state.put(
        "ticket_form",
        {
            "id": FORM_ID,
            "name": "Default Ticket Form",
            "raw_name": "Default Ticket Form",
            "display_name": "Default Ticket Form",
            "raw_display_name": "Default Ticket Form",
            "end_user_visible": True,
            "position": 1,
            "ticket_field_ids": ids,
            "active": True,
            "default": True,
            "in_all_brands": True,
            "restricted_brand_ids": [],
            "agent_conditions": [],
            "end_user_conditions": [],
            "created_at": now,
            "updated_at": now,
        },
    )


def field(number: int, kind: str, title: str, now: str, *, position: int, removable: bool = True) -> Json:
    """A ticket field as Zendesk describes it."""
    return {
        "id": number,
        "type": kind,
        "title": title,
        "raw_title": title,
        "description": "",
        "raw_description": "",
        "position": position,
        "active": True,
        "required": False,
        "collapsed_for_agents": False,
        "regexp_for_validation": None,
        "title_in_portal": title,
        "raw_title_in_portal": title,
        "visible_in_portal": not removable,
        "editable_in_portal": not removable,
        "required_in_portal": False,
        "tag": None,
        "created_at": now,
        "updated_at": now,
        "removable": removable,
        "agent_description": None,
    }


def _statuses(helpdesk: Helpdesk, now: str) -> None:
    rows = [(STATUS_IDS[name], name, label, True) for name, label in _LABELS.items()]
    for number, category, label, default in [*rows, (COURIER_STATUS_ID, "hold", "Waiting for the courier", False)]:
        status = {
            "id": number,
            "status_category": category,
            "agent_label": label,
            "raw_agent_label": label,
            "end_user_label": label,
            "raw_end_user_label": label,
            "description": "",
            "raw_description": "",
            "end_user_description": "",
            "raw_end_user_description": "",
            "active": True,
            "default": default,
            "created_at": now,
            "updated_at": now,
        }
        helpdesk.state.put("custom_status", status)


def _rules(helpdesk: Helpdesk) -> None:
    from plugins.sinks.zendesk.sandbox.rules import save_rule

    unsolved = {"field": "status", "operator": "less_than", "value": "solved"}
    save_rule(helpdesk, "view", {"title": "Your unsolved tickets", "all": [unsolved]}, None)
    close = [
        {"field": "status", "value": "solved"},
        {"field": "comment_value", "value": "Thank you for your patience."},
    ]
    save_rule(helpdesk, "macro", {"title": "Close with thanks", "actions": close}, None)
    take = [{"field": "assignee_id", "value": "current_user"}, {"field": "current_tags", "value": "taken"}]
    save_rule(helpdesk, "macro", {"title": "Take it!", "actions": take}, None)
