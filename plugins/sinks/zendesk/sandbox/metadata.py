# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account is made of: ticket fields, forms, brands, statuses, roles, organisations."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from plugins.sinks.zendesk.sandbox.account import invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import given, listed, page, shown
from plugins.sinks.zendesk.sandbox.furniture import field
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

_READ = (
    ("ticket_form", "ticket_forms"),
    ("brand", "brands"),
    ("custom_role", "custom_roles"),
    ("organization", "organizations"),
)
_FIELD_TYPES = (
    *("text", "textarea", "checkbox", "date", "integer", "decimal", "regexp", "partialcreditcard", "multiselect"),
    *("tagger", "lookup"),
)
_CATEGORIES = ("new", "open", "pending", "hold", "solved")


def add_metadata(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    for kind, plural in _READ:
        _add_reading(app, helpdesk, kind, plural)
    _add_forms(app, helpdesk)
    _add_fields(app, helpdesk)
    _add_statuses(app, helpdesk)
    _add_organizations(app, helpdesk)

    @app.get("/api/v2/account/settings.json")
    def settings() -> Json:
        features = {"ticket_forms": True, "customer_satisfaction": False, "sandbox": True, "business_hours": False}
        tickets = {"tagging": True, "comments_public_by_default": True, "private_attachments": False}
        tickets["private_attachments"] = bool(helpdesk.state.setting("private_attachments"))
        return {"settings": {"active_features": features, "tickets": tickets}}


def _add_reading(app: Flask, helpdesk: Helpdesk, kind: str, plural: str) -> None:
    def every() -> Json:
        return listed(helpdesk, kind, plural)

    def one(**number: int) -> Json:
        found = helpdesk.state.get(kind, number[f"{kind}_id"])
        if found is None:
            raise not_found()
        return {kind: shown(kind, found)}

    app.add_url_rule(f"/api/v2/{plural}.json", f"{plural}_list", every, methods=["GET"])
    app.add_url_rule(f"/api/v2/{plural}/<int:{kind}_id>.json", f"{plural}_one", one, methods=["GET"])


def _add_forms(app: Flask, helpdesk: Helpdesk) -> None:
    @app.put("/api/v2/ticket_forms/<int:ticket_form_id>.json")
    def change_form(ticket_form_id: int) -> Json:
        found = helpdesk.state.get("ticket_form", ticket_form_id)
        if found is None:
            raise not_found()
        wanted = given("ticket_form")
        found |= {name: wanted[name] for name in ("ticket_field_ids", "active") if name in wanted}
        found |= {"updated_at": helpdesk.stamp()}
        helpdesk.state.put("ticket_form", found)
        return {"ticket_form": shown("ticket_form", found)}


def _add_fields(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def options(rows: Any) -> list[Json]:
        return [
            {
                "id": row.get("id") or state.next("option", start=360010000),
                "name": row["name"],
                "raw_name": row["name"],
                "value": row["value"],
                "default": False,
            }
            for row in rows
        ]

    def check_tags(rows: Any, own: int) -> None:
        wanted = [row["value"] for row in rows]
        others = [row for row in state.all("ticket_field") if row["id"] != own]
        taken = {option["value"] for row in others for option in row.get("custom_field_options", [])}
        taken |= {row["tag"] for row in others}
        for value in wanted:
            if value in taken or wanted.count(value) > 1:
                raise invalid("base", f"Field options: the tag {value} is used more than once")

    def save(known: Json) -> Json:
        wanted = given("ticket_field")
        names = ("title", "description", "active", "required", "agent_description", "regexp_for_validation", "position")
        known |= {name: wanted[name] for name in names if name in wanted}
        known |= {"raw_title": known["title"], "raw_description": known["description"], "updated_at": helpdesk.stamp()}
        if "custom_field_options" in wanted:
            check_tags(wanted["custom_field_options"], known["id"])
            known["custom_field_options"] = options(wanted["custom_field_options"])
        if "tag" in wanted and known["type"] == "checkbox":
            known["tag"] = wanted["tag"]
        state.put("ticket_field", known)
        return {"ticket_field": shown("ticket_field", known)}

    @app.get("/api/v2/ticket_fields.json")
    def fields() -> Json:
        return listed(helpdesk, "ticket_field", "ticket_fields")

    @app.post("/api/v2/ticket_fields.json")
    def create() -> tuple[Json, int]:
        wanted = given("ticket_field")
        if wanted.get("type") not in _FIELD_TYPES:
            raise invalid("type", "Type: is not valid")
        if not wanted.get("title"):
            raise invalid("title", "Title: cannot be blank")
        if wanted["type"] in ("tagger", "multiselect") and not wanted.get("custom_field_options"):
            raise invalid("custom_field_options", "A dropdown needs options")
        number = state.next("ticket_field", start=360005700001)
        return save(field(number, wanted["type"], wanted["title"], helpdesk.stamp(), position=9999)), 201

    @app.route("/api/v2/ticket_fields/<int:ticket_field_id>.json", methods=["GET", "PUT", "DELETE"])
    def one(ticket_field_id: int) -> Json | tuple[str, int]:
        found = state.get("ticket_field", ticket_field_id)
        if found is None:
            raise not_found()
        if request.method == "PUT":
            return save(found)
        if request.method == "DELETE":
            if not found["removable"]:
                raise invalid("base", "A system field cannot be deleted")
            state.remove("ticket_field", ticket_field_id)
            return "", 204
        return {"ticket_field": shown("ticket_field", found)}

    @app.get("/api/v2/ticket_fields/<int:ticket_field_id>/options.json")
    def list_options(ticket_field_id: int) -> Json:
        found = state.get("ticket_field", ticket_field_id)
        if found is None:
            raise not_found()
        return page("custom_field_options", found.get("custom_field_options", []))


def _add_statuses(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.get("/api/v2/custom_statuses.json")
    def statuses() -> Json:
        categories = request.args.get("status_categories")
        rows = state.where("custom_status", **({"status_category": tuple(categories.split(","))} if categories else {}))
        for name in ("active", "default"):
            if name in request.args:
                rows = [row for row in rows if row[name] is (request.args[name] == "true")]
        return {"custom_statuses": [shown("custom_status", row) for row in rows]}

    @app.post("/api/v2/custom_statuses.json")
    def create() -> tuple[Json, int]:
        wanted = given("custom_status")
        if wanted.get("status_category") not in _CATEGORIES or not wanted.get("agent_label"):
            raise invalid("status_category", "Status category and agent label are required")
        now, label = helpdesk.stamp(), wanted["agent_label"]
        status = {
            "id": state.next("custom_status", start=2001),
            "status_category": wanted["status_category"],
            "agent_label": label,
            "raw_agent_label": label,
            "end_user_label": wanted.get("end_user_label", label),
            "raw_end_user_label": wanted.get("end_user_label", label),
            "description": wanted.get("description", ""),
            "raw_description": wanted.get("description", ""),
            "end_user_description": wanted.get("end_user_description", ""),
            "raw_end_user_description": wanted.get("end_user_description", ""),
            "active": wanted.get("active", True),
            "default": False,
            "created_at": now,
            "updated_at": now,
        }
        state.put("custom_status", status)
        return {"custom_status": shown("custom_status", status)}, 201

    @app.route("/api/v2/custom_statuses/<int:custom_status_id>.json", methods=["GET", "PUT"])
    def one(custom_status_id: int) -> Json:
        found = state.get("custom_status", custom_status_id)
        if found is None:
            raise not_found()
        if request.method == "PUT":
            names = ("agent_label", "end_user_label", "description", "end_user_description", "active")
            wanted = given("custom_status")
            found |= {name: wanted[name] for name in names if name in wanted} | {"updated_at": helpdesk.stamp()}
            state.put("custom_status", found)
        return {"custom_status": shown("custom_status", found)}


def _add_organizations(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.post("/api/v2/organizations.json")
    def create() -> tuple[Json, int]:
        wanted = given("organization")
        if not wanted.get("name"):
            raise invalid("name", "Name: cannot be blank")
        now = helpdesk.stamp()
        organization = {
            "id": state.next("organization", start=360363695492),
            "name": wanted["name"],
            "shared_tickets": False,
            "shared_comments": False,
            "external_id": wanted.get("external_id"),
            "created_at": now,
            "updated_at": now,
            "domain_names": wanted.get("domain_names", []),
            "details": wanted.get("details", ""),
            "notes": wanted.get("notes", ""),
            "group_id": wanted.get("group_id"),
            "tags": wanted.get("tags", []),
            "organization_fields": wanted.get("organization_fields", {}),
        }
        state.put("organization", organization)
        return {"organization": shown("organization", organization)}, 201
