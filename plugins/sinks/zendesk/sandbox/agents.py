# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is free and who can do what: availabilities with capacity, skills of agents.

https://developer.zendesk.com/api-reference/agent-availability/agent-availability-api/agent_availabilities/
"""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask, Response, jsonify, request

from plugins.sinks.zendesk.sandbox.account import STAFF, Problem, forbidden, invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import decoded, encoded, given
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

STATUSES = {"online": 1, "away": 2, "transfers_only": 3, "offline": 4}
OPEN = ("new", "open", "pending", "hold")


def add_agents(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    _add_availabilities(app, helpdesk)
    _add_skills(app, helpdesk)


def set_availability(helpdesk: Helpdesk, user_id: int, given: Json) -> None:
    """``status`` (online, away, transfers_only, offline) and ``max_capacity`` for e-mail."""
    if given.get("status", "online") not in STATUSES:
        raise invalid("status", f"status must be one of {', '.join(STATUSES)}")
    known = _availability(helpdesk, user_id)
    known |= {name: given[name] for name in ("status", "max_capacity") if name in given}
    known |= {"version": known["version"] + 1, "updated_at": helpdesk.stamp()}
    helpdesk.state.put("availability", known)


def _availability(helpdesk: Helpdesk, user_id: int) -> Json:
    new = {"id": user_id, "status": "offline", "max_capacity": 8, "version": 1, "updated_at": helpdesk.stamp()}
    return helpdesk.state.get("availability", user_id) or new


def _document(helpdesk: Helpdesk, user: Json) -> tuple[Json, list[Json]]:
    state, own = helpdesk.state, _availability(helpdesk, user["id"])
    name = f"agent_availabilities|{user['id']}"
    channel = f"{name}|channels|support"
    tickets = state.where("ticket", assignee_id=user["id"], status=OPEN)
    items = [{"id": f"{channel}|work_items|{ticket['id']}", "type": "work_items"} for ticket in tickets]
    status = {
        "id": STATUSES[own["status"]],
        "name": own["status"],
        "reason": "UNKNOWN",
        "updated_at": own["updated_at"],
    }
    data = {
        "id": name,
        "type": "agent_availabilities",
        "attributes": {
            "agent_id": user["id"],
            "agent_status": status,
            "group_ids": [row["group_id"] for row in state.children("membership", user["id"])],
            "skills": [{"id": value} for value in own.get("skills", [])],
            "version": own["version"],
        },
        "links": {"self": f"{request.host_url}api/v2/agent_availabilities/{user['id']}"},
        "relationships": {"channels": {"data": [{"id": channel, "type": "channels"}]}},
    }
    included: list[Json] = [
        {
            "id": channel,
            "type": "channels",
            "attributes": {
                "name": "support",
                "status": own["status"],
                "max_capacity": own["max_capacity"],
                "work_item_count": len(items),
                "updated_at": own["updated_at"],
            },
            "relationships": {"work_items": {"data": items[:100], "meta": {"has_more": len(items) > 100}}},
        }
    ]
    included += [
        item | {"attributes": {"added_at": ticket["updated_at"], "item_id": ticket["id"]}}
        for item, ticket in zip(items[:100], tickets, strict=False)
    ]
    return data, included


def _add_availabilities(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def check() -> None:
        answer = state.setting("no_availability")
        if answer == "403":
            raise forbidden()
        if answer == "404":
            problem = Problem(404, "InvalidEndpoint", "Not found")
            raise problem

    def told(body: Json) -> Response:
        answer = jsonify(body)
        answer.content_type = "application/vnd.api+json"
        return answer

    @app.get("/api/v2/agent_availabilities.json")
    def every() -> Response:
        check()
        users = state.where("user", role=STAFF)
        if groups := request.args.get("filter[group_ids]"):
            wanted = {int(part) for part in groups.split(",")}
            users = [u for u in users if wanted & {m["group_id"] for m in state.children("membership", u["id"])}]
        size, start = int(request.args.get("page[size]", 100)), decoded(request.args.get("page[after]", ""))
        pages = [_document(helpdesk, user) for user in users[start : start + size]]
        more = start + size < len(users)
        return told(
            {
                "data": [data for data, _ in pages],
                "included": [row for _, included in pages for row in included],
                "links": {"prev": None, "next": None},
                "meta": {"has_more": more, "after_cursor": encoded(start + size) if more else None},
            }
        )

    @app.get("/api/v2/agent_availabilities/<int:agent_id>.json")
    def one(agent_id: int) -> Response:
        check()
        user = helpdesk.user(agent_id)
        if user["role"] not in STAFF:
            raise not_found()
        data, included = _document(helpdesk, user)
        return told({"data": data, "included": included})


def _add_skills(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def of(kind: str, name: str) -> Json:
        found = state.by_external_id(kind, name)
        if not found:
            raise not_found()
        return found[0]

    def attribute(row: Json) -> Json:
        url = f"{request.host_url}api/v2/routing/attributes/{row['external_id']}.json"
        names = ("name", "created_at", "updated_at")
        return {"url": url, "id": row["external_id"], **{name: row[name] for name in names}}

    def value(row: Json) -> Json:
        base = f"{request.host_url}api/v2/routing/attributes/{row['attribute_id']}"
        names = ("name", "attribute_id", "created_at", "updated_at")
        told = {name: row[name] for name in names}
        return {"url": f"{base}/values/{row['external_id']}.json", "id": row["external_id"], **told}

    def make(kind: str, name: Any, **more: str) -> Json:
        if not name:
            raise invalid("name", "Name: cannot be blank")
        now = helpdesk.stamp()
        row = {"id": state.next("skill"), "external_id": str(uuid.uuid4()), "name": name, "created_at": now}
        row |= {"updated_at": now, **more}
        state.put(kind, row)
        return row

    @app.get("/api/v2/routing/attributes.json")
    def attributes() -> Json:
        rows = [attribute(row) for row in state.all("skill_attribute")]
        more = {}
        if "attribute_values" in request.args.get("include", ""):
            more["attribute_values"] = [value(row) for row in state.all("skill_value")]
        return {"attributes": rows, "count": len(rows), "next_page": None, "previous_page": None, **more}

    @app.post("/api/v2/routing/attributes.json")
    def add_attribute() -> tuple[Json, int]:
        return {"attribute": attribute(make("skill_attribute", given("attribute").get("name")))}, 201

    @app.get("/api/v2/routing/attributes/<attribute_id>/values.json")
    def values(attribute_id: str) -> Json:
        of("skill_attribute", attribute_id)
        return {"attribute_values": [value(row) for row in state.where("skill_value", attribute_id=attribute_id)]}

    @app.post("/api/v2/routing/attributes/<attribute_id>/values.json")
    def add_value(attribute_id: str) -> tuple[Json, int]:
        of("skill_attribute", attribute_id)
        made = make("skill_value", given("attribute_value").get("name"), attribute_id=attribute_id)
        return {"attribute_value": value(made)}, 201

    @app.route("/api/v2/routing/agents/<int:user_id>/instance_values.json", methods=["GET", "POST"])
    def of_agent(user_id: int) -> Json:
        helpdesk.user(user_id)
        own = _availability(helpdesk, user_id)
        if request.method == "POST":
            names = (request.get_json(silent=True) or {}).get("attribute_value_ids", [])
            own["skills"] = [of("skill_value", str(name))["external_id"] for name in names]
            own["version"] += 1
            state.put("availability", own)
        return {"attribute_values": [value(of("skill_value", name)) for name in own.get("skills", [])]}

    @app.route("/api/v2/routing/tickets/<int:ticket_id>/instance_values.json", methods=["GET", "POST"])
    def of_ticket(ticket_id: int) -> Json:
        helpdesk.show(ticket_id)
        own = state.get("ticket_skills", ticket_id) or {"id": ticket_id, "skills": []}
        if request.method == "POST":
            names = (request.get_json(silent=True) or {}).get("attribute_value_ids", [])
            own["skills"] = [of("skill_value", str(name))["external_id"] for name in names]
            state.put("ticket_skills", own)
        return {"attribute_values": [value(of("skill_value", name)) for name in own["skills"]]}
