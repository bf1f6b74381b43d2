# SPDX-License-Identifier: GPL-3.0-or-later
"""``/api/v2/users``, their identities, groups and memberships."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import STAFF, not_found
from plugins.sinks.zendesk.sandbox.answers import given, id_list, listed, page, shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]


def add_people(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    _add_users(app, helpdesk)
    _add_identities(app, helpdesk)
    _add_groups(app, helpdesk)


def _add_users(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.get("/api/v2/users/me.json")
    def me() -> Json:
        return {"user": shown("user", g.actor)}

    @app.get("/api/v2/users.json")
    def users() -> Json:
        roles = request.args.getlist("role[]") or request.args.getlist("role")
        external_id = request.args.get("external_id")
        if external_id is not None:
            return page("users", [shown("user", user) for user in state.by_external_id("user", external_id)])
        equal: Json = {"role": tuple(roles)} if roles else {}
        if request.args.get("permission_set"):
            equal["custom_role_id"] = int(request.args["permission_set"])
        return listed(helpdesk, "user", "users", **equal)

    @app.post("/api/v2/users.json")
    def create() -> tuple[Json, int]:
        return {"user": shown("user", helpdesk.save_user(given("user")))}, 201

    @app.post("/api/v2/users/create_or_update.json")
    def create_or_update() -> tuple[Json, int]:
        wanted = given("user")
        known = helpdesk.known_user(wanted)
        return {"user": shown("user", helpdesk.save_user(wanted, known=known))}, 200 if known else 201

    @app.get("/api/v2/users/show_many.json")
    def show_many() -> Json:
        if "external_ids" in request.args:
            names = request.args["external_ids"].split(",")[:100]
            found = [user for name in names for user in state.by_external_id("user", name)]
        else:
            ids = id_list(request.args.get("ids", ""))
            found = [user for number in ids if (user := state.get("user", number))]
        return page("users", [shown("user", user) for user in found])

    @app.get("/api/v2/users/search.json")
    def search() -> Json:
        external_id, query = request.args.get("external_id"), request.args.get("query", "")
        if external_id is not None:
            found = state.by_external_id("user", external_id)
        else:
            words = [word.partition(":") for word in query.lower().split()]
            found = [user for user in state.all("user") if all(_fits(user, word) for word in words)]
        return page("users", [shown("user", user) for user in found])

    @app.get("/api/v2/users/<int:user_id>.json")
    def show(user_id: int) -> Json:
        return {"user": shown("user", helpdesk.user(user_id))}

    @app.put("/api/v2/users/<int:user_id>.json")
    def update(user_id: int) -> Json:
        return {"user": shown("user", helpdesk.save_user(given("user"), known=helpdesk.user(user_id)))}

    @app.get("/api/v2/users/<int:user_id>/related.json")
    def related(user_id: int) -> Json:
        helpdesk.user(user_id)
        open_ones = ("new", "open", "pending", "hold", "solved", "closed")
        return {
            "user_related": {
                "assigned_tickets": state.count("ticket", assignee_id=user_id, status=open_ones),
                "requested_tickets": state.count("ticket", requester_id=user_id, status=open_ones),
                "ccd_tickets": 0,
                "organization_subscriptions": 0,
            }
        }


def _fits(user: Json, word: tuple[str, str, str]) -> bool:
    name, colon, value = word
    if colon and name in ("email", "external_id", "role", "name"):
        return str(user[name] or "").lower() == value
    if name == "type":
        return value == "user"
    return name in f"{user['name']} {user['email'] or ''}".lower()


def _add_identities(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def out(identity: Json) -> Json:
        address = f"{request.host_url}api/v2/users/{identity['user_id']}/identities/{identity['id']}.json"
        return {"url": address} | identity

    @app.get("/api/v2/users/<int:user_id>/identities.json")
    def identities(user_id: int) -> Json:
        helpdesk.user(user_id)
        return page("identities", [out(row) for row in state.children("identity", user_id)])

    @app.post("/api/v2/users/<int:user_id>/identities.json")
    def add(user_id: int) -> tuple[Json, int]:
        helpdesk.user(user_id)
        return {"identity": out(helpdesk.add_identity(user_id, given("identity")))}, 201

    @app.route("/api/v2/users/<int:user_id>/identities/<int:user_identity_id>.json", methods=["GET", "DELETE"])
    def one(user_id: int, user_identity_id: int) -> tuple[Json | str, int]:
        identity = state.get("identity", user_identity_id)
        if identity is None or identity["user_id"] != user_id:
            raise not_found()
        if request.method == "DELETE":
            state.remove("identity", user_identity_id)
            return "", 204
        return {"identity": out(identity)}, 200


def _add_groups(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    @app.get("/api/v2/groups.json")
    def groups() -> Json:
        return listed(helpdesk, "group", "groups")

    @app.get("/api/v2/groups/assignable.json")
    def assignable() -> Json:
        return listed(helpdesk, "group", "groups", deleted=False)

    @app.get("/api/v2/groups/<int:group_id>.json")
    def group(group_id: int) -> Json:
        found = state.get("group", group_id)
        if found is None:
            raise not_found()
        return {"group": shown("group", found)}

    @app.get("/api/v2/groups/<int:group_id>/users.json")
    def members(group_id: int) -> Json:
        numbers = sorted({row["user_id"] for row in state.where("membership", group_id=group_id)})
        return page("users", [shown("user", user) for n in numbers if (user := state.get("user", n))])

    @app.get("/api/v2/group_memberships.json")
    def memberships() -> Json:
        return listed(helpdesk, "membership", "group_memberships")

    @app.get("/api/v2/users/<int:user_id>/group_memberships.json")
    def of_user(user_id: int) -> Json:
        helpdesk.user(user_id)
        return listed(helpdesk, "membership", "group_memberships", user_id=user_id)

    @app.get("/api/v2/groups/<int:group_id>/memberships.json")
    def of_group(group_id: int) -> Json:
        return listed(helpdesk, "membership", "group_memberships", group_id=group_id)

    @app.post("/api/v2/group_memberships.json")
    def join() -> tuple[Json, int]:
        wanted = given("group_membership")
        if helpdesk.user(int(wanted["user_id"]))["role"] not in STAFF:
            raise not_found()
        made = helpdesk.join(int(wanted["user_id"]), int(wanted["group_id"]), default=bool(wanted.get("default")))
        return {"group_membership": shown("membership", made)}, 201
