# SPDX-License-Identifier: GPL-3.0-or-later
"""Macros, views and triggers: kept, listed, changed; macros applied, views counted."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import given, listed, page, shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.tickets import PRIORITIES, STATUSES

Json = dict[str, Any]

_DEFAULTS: dict[str, Json] = {
    "macro": {"actions": [], "restriction": None},
    "view": {"conditions": {"all": [], "any": []}, "execution": None, "restriction": None, "watchable": True},
    "trigger": {"actions": [], "conditions": {"all": [], "any": []}, "category_id": None},
}
_COLUMNS = (("subject", "Subject"), ("requester", "Requester"), ("created", "Requested"), ("priority", "Priority"))


def save_rule(helpdesk: Helpdesk, kind: str, given: Json, known: Json | None) -> Json:
    """Make a rule or change it."""
    if known is None and not given.get("title"):
        raise invalid("title", "Title: cannot be blank")
    if kind != "view" and known is None and not given.get("actions"):
        raise invalid("base", "Actions: cannot be blank")
    now = helpdesk.stamp()
    rule = (
        known
        or {
            "id": helpdesk.state.next("rule", start=360111062754),
            "active": True,
            "created_at": now,
            "default": False,
            "description": None,
            "position": 9999,
            **_DEFAULTS[kind],
        }
    ) | {name: given[name] for name in ("title", "active", "description", "position", "restriction") if name in given}
    rule |= {name: given[name] for name in ("actions", "conditions", "category_id") if name in given}
    if kind == "view":
        if "all" in given or "any" in given:  # a view is written flat and read nested
            rule["conditions"] = {"all": given.get("all", []), "any": given.get("any", [])}
        columns = [{"id": name, "title": title} for name, title in _COLUMNS]
        rule["execution"] = {
            "group_by": None,
            "group_order": "desc",
            "sort_by": "created",
            "sort_order": "desc",
            "group": None,
            "sort": {"id": "created", "title": "Requested", "order": "desc"},
            "columns": columns,
            "fields": columns,
            "custom_fields": [],
        }
    rule |= {"raw_title": rule["title"], "updated_at": now}
    helpdesk.state.put(kind, rule)
    return rule


def add_rules(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    for kind, created in (("macro", 200), ("view", 200), ("trigger", 201)):
        _add_kind(app, helpdesk, kind, created)
    _add_macros(app, helpdesk)
    _add_views(app, helpdesk)


def _add_kind(app: Flask, helpdesk: Helpdesk, kind: str, created: int) -> None:
    state, plural = helpdesk.state, f"{kind}s"

    def find(number: int) -> Json:
        rule = state.get(kind, number)
        if rule is None:
            raise not_found()
        return rule

    def all_of_them() -> Json:
        active = request.args.get("active")
        return listed(helpdesk, kind, plural, **({} if active is None else {"active": active == "true"}))

    def active_ones() -> Json:
        return listed(helpdesk, kind, plural, active=True)

    def create() -> tuple[Json, int]:
        return {kind: shown(kind, save_rule(helpdesk, kind, given(kind), None))}, created

    def one(**number: int) -> Json | tuple[str, int]:
        rule = find(number[f"{kind}_id"])
        if request.method == "DELETE":
            state.remove(kind, rule["id"])
            return "", 204
        if request.method == "PUT":
            rule = save_rule(helpdesk, kind, given(kind), rule)
        return {kind: shown(kind, rule)}

    app.add_url_rule(f"/api/v2/{plural}.json", f"{plural}_list", all_of_them, methods=["GET"])
    app.add_url_rule(f"/api/v2/{plural}/active.json", f"{plural}_active", active_ones, methods=["GET"])
    app.add_url_rule(f"/api/v2/{plural}.json", f"{plural}_create", create, methods=["POST"])
    path = f"/api/v2/{plural}/<int:{kind}_id>.json"
    app.add_url_rule(path, f"{plural}_one", one, methods=["GET", "PUT", "DELETE"])


def changes_of(helpdesk: Helpdesk, macro: Json, ticket: Json, actor: Json) -> Json:
    """What a macro's actions mean for this ticket, as an update would write it."""
    changes: Json = {}
    comment: Json = {}
    for action in macro["actions"]:
        name, value = action["field"], action["value"]
        if name in ("comment_value", "comment_value_html"):
            text = value[-1] if isinstance(value, list) else value  # ["channel:all", "text"]
            comment["html_body" if name.endswith("html") else "body"] = text
        elif name == "comment_mode_is_public":
            comment["public"] = value in (True, "true")
        elif name == "current_tags":
            changes["additional_tags"] = [*changes.get("additional_tags", []), *str(value).split()]
        elif name == "remove_tags":
            changes["remove_tags"] = [*changes.get("remove_tags", []), *str(value).split()]
        elif name == "set_tags":
            changes["tags"] = str(value).split()
        elif name in ("assignee_id", "group_id"):
            changes[name] = _who(helpdesk, name, value, actor)
        elif name.startswith("custom_fields_"):
            row = {"id": int(name.rpartition("_")[2]), "value": value}
            changes.setdefault("custom_fields", []).append(row)
        elif name in ("status", "priority", "type", "subject", "custom_status_id", "brand_id", "ticket_form_id"):
            changes[name] = int(value) if name.endswith("_id") else value
    if "body" in comment or "html_body" in comment:
        changes["comment"] = {"public": True, **comment}
    return changes


def _who(helpdesk: Helpdesk, name: str, value: Any, actor: Json) -> int | None:
    if value == "current_user":
        return int(actor["id"])
    if value == "current_groups":
        memberships = helpdesk.state.children("membership", actor["id"])
        return int(memberships[0]["group_id"]) if memberships else None
    return int(value) if value else None


def apply_macro(helpdesk: Helpdesk, ticket_id: int, macro_id: int, actor: Json) -> Json:
    """What an agent does with a macro on the screen and sends: the changes, in one audit that names the macro."""
    ticket, macro = helpdesk.show(ticket_id), helpdesk.state.get("macro", macro_id)
    if macro is None:
        raise not_found()
    via = {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}}
    answer = helpdesk.update(ticket_id, changes_of(helpdesk, macro, ticket, actor), actor, via=via)
    audit = answer["audit"]
    if audit is not None:
        reference = {
            "id": helpdesk.state.next("event"),
            "type": "AgentMacroReference",
            "macro_id": str(macro["id"]),
            "macro_title": macro["title"],
            "macro_deleted": False,
        }
        audit["events"].append(reference)
        helpdesk.state.put("audit", audit, parent=ticket_id)
    return answer


def triggered(helpdesk: Helpdesk, changes: list[tuple[str, Json]]) -> list[tuple[str, str, bytes]]:
    """What the account's triggers send to webhooks after these changes: address, secret, body; once a ticket."""
    tickets = {ticket["id"]: ticket for _, ticket in changes}
    if not tickets:
        return []
    made = {ticket["id"] for kind, ticket in changes if kind == "created"}
    said = {
        ticket["id"]: ticket["event"]["comment"]["is_public"] for kind, ticket in changes if kind == "comment_added"
    }
    found = []
    for trigger in helpdesk.state.where("trigger", active=True):
        for action in trigger["actions"]:
            if action["field"] != "notification_webhook":
                continue
            hook = next(iter(helpdesk.state.by_external_id("webhook", str(action["value"][0]))), None)
            if hook is None or hook["status"] != "active":
                continue
            for number, ticket in tickets.items():
                told = ticket | {
                    "update_type": "Create" if number in made else "Change",
                    "comment_is_public": str(said.get(number, "")).lower(),
                }
                if _fits(trigger, told, {"id": 0}):
                    body = _filled(str(action["value"][1]), told)
                    found.append((hook["endpoint"], hook["secret"], body.encode()))
    return found


def _filled(template: str, ticket: Json) -> str:
    return re.sub(r"{{ *ticket\.(\w+) *}}", lambda found: str(ticket.get(found[1], "")), template)


def _add_macros(app: Flask, helpdesk: Helpdesk) -> None:
    def told(macro_id: int, ticket: Json) -> Json:
        macro = helpdesk.state.get("macro", macro_id)
        if macro is None:
            raise not_found()
        changes = changes_of(helpdesk, macro, ticket, g.actor)
        comment = changes.get("comment")
        if comment is not None:
            comment["scoped_body"] = [["channel:all", comment.get("body") or comment.get("html_body")]]
        tags = [tag for tag in ticket.get("tags", []) if tag not in changes.pop("remove_tags", [])]
        added = changes.pop("additional_tags", [])
        fields = changes.pop("custom_fields", [])
        result = changes | ({"tags": [*tags, *added]} if added else {})
        result |= {"fields": {str(row["id"]): row["value"] for row in fields}} if fields else {}
        return {"result": {"ticket": result}}

    @app.get("/api/v2/macros/<int:macro_id>/apply.json")
    def preview(macro_id: int) -> Json:
        return told(macro_id, {})

    @app.get("/api/v2/tickets/<int:ticket_id>/macros/<int:macro_id>/apply.json")
    def preview_for(ticket_id: int, macro_id: int) -> Json:
        ticket = helpdesk.show(ticket_id)
        answer = told(macro_id, ticket)
        answer["result"]["ticket"] |= {"id": ticket_id, "url": shown("ticket", ticket)["url"]}
        return answer


def _add_views(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def tickets_of(view_id: int) -> list[Json]:
        view = state.get("view", view_id)
        if view is None:
            raise not_found()
        return [row for row in state.all("ticket") if row["status"] != "deleted" and _fits(view, row, g.actor)]

    def count_of(view_id: int) -> Json:
        number = len(tickets_of(view_id))
        url = f"{request.host_url}api/v2/views/{view_id}/count.json"
        return {"view_id": view_id, "url": url, "value": number, "pretty": str(number), "fresh": True}

    @app.get("/api/v2/views/<int:view_id>/count.json")
    def count(view_id: int) -> Json:
        return {"view_count": count_of(view_id)}

    @app.get("/api/v2/views/count_many.json")
    def count_many() -> Json:
        ids = [int(part) for part in request.args.get("ids", "").split(",") if part.isdecimal()][:20]
        return {"view_counts": [count_of(number) for number in ids if state.get("view", number)]}

    @app.get("/api/v2/views/<int:view_id>/tickets.json")
    def tickets(view_id: int) -> Json:
        return page("tickets", [shown("ticket", row) for row in tickets_of(view_id)])


def _fits(view: Json, ticket: Json, actor: Json) -> bool:
    conditions = view["conditions"]
    every, some = conditions.get("all") or [], conditions.get("any") or []
    return all(_holds(one, ticket, actor) for one in every) and (
        not some or any(_holds(one, ticket, actor) for one in some)
    )


def _holds(condition: Json, ticket: Json, actor: Json) -> bool:
    name, operator, wanted = condition["field"], condition["operator"], condition.get("value")
    if name == "current_tags":
        has = bool(set(str(wanted).lower().split()) & set(ticket["tags"]))
        return has if operator == "includes" else not has
    wanted = actor["id"] if wanted == "current_user" else wanted
    value = ticket.get(name)
    if name.startswith("custom_fields_"):
        rows = {str(row["id"]): row["value"] for row in ticket["custom_fields"]}
        value = rows.get(name.rpartition("_")[2])
    if operator in ("less_than", "greater_than"):
        scale = STATUSES if name == "status" else PRIORITIES[::-1]
        if value not in scale or wanted not in scale:
            return False
        below = scale.index(value) < scale.index(wanted)
        return below if operator == "less_than" else scale.index(value) > scale.index(wanted)
    same = str(value if value is not None else "") == str(wanted if wanted is not None else "")
    return same if operator in ("is", "includes") else not same
