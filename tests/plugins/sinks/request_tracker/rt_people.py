"""Who is who in the Request Tracker in memory, in which group, and what its custom fields take."""

from __future__ import annotations

from typing import Any

ORIGIN = "https://rt.example.com"
HUB, AGENT = "social-hub", "alice"

Json = dict[str, Any]


class People:
    """Users, groups, watchers of queues, custom fields. Our account sees groups and the values of lists unless
    ``sees_groups`` or ``sees_fields`` says otherwise."""

    queues: dict[str, Json]

    def __init__(self) -> None:
        self.users: dict[str, Json] = {
            "RT_System": {"id": 1, "Privileged": 0, "RealName": "The RT System itself"},
            "Nobody": {"id": 6, "Privileged": 0, "RealName": "Nobody in particular"},
            HUB: {"id": 27, "Privileged": 1, "RealName": "Social Care Hub", "Created": "2026-01-01T00:00:00Z"},
            AGENT: {"id": 29, "Privileged": 1, "RealName": "Alice Agent", "EmailAddress": "alice@example.com"},
            "bob@example.com": {"id": 30, "Privileged": 0, "RealName": ""},
        }
        self.groups: dict[int, Json] = {4: {"Name": "Privileged", "Domain": "SystemInternal", "Members": []}}
        self.only_owners: dict[str, str] = {}
        """Of a queue; elsewhere every privileged user may own tickets."""
        self.sees_groups = self.sees_fields = True
        self.fields: list[Json] = []

    def hire(self, name: str, *, queue: str = "", group: int = 0, **user: Any) -> None:
        """A user as AdminCc of a queue, or in a group."""
        self.users.setdefault(name, {"id": 50 + len(self.users), "Privileged": 1, "RealName": name.title(), **user})
        if queue:
            self.queues[queue].setdefault("AdminCc", []).append(ref("user", name))
        if group:
            new = {"Name": f"group {group}", "Domain": "UserDefined", "Members": []}
            self.groups.setdefault(group, new)["Members"].append(ref("user", name))

    def _may_own(self, name: str, queue: str) -> bool:
        return bool(self.users[name]["Privileged"]) and self.only_owners.get(queue, name) == name

    def _user(self, name: str) -> Json | None:
        users = ((key, row) for key, row in self.users.items() if name.casefold() in (key.casefold(), str(row["id"])))
        row = next(({"Name": key, **row} for key, row in users), None)
        if row is not None:
            row.pop("Disabled", None)
            if row["Name"] != HUB:  # of others RT shows a summary only
                del row["id"]
        return row

    def _search_users(self, limits: list[Json]) -> list[Json]:
        rows = [{"EmailAddress": "", "Name": name, **row} for name, row in self.users.items()]
        for field in {limit["field"] for limit in limits}:
            wanted = {limit["value"].casefold() for limit in limits if limit["field"] == field}
            rows = [row for row in rows if row[field].casefold() in wanted]
        shown = [row for row in rows if not row.get("Disabled")]
        return [{"type": "user", **row, "id": row["Name"]} for row in shown]

    def _search_groups(self, limits: list[Json]) -> list[Json]:
        rows = [{"type": "group", "id": str(number), **row} for number, row in self.groups.items()]
        return [row for row in rows if self.sees_groups and all(row[one["field"]] == one["value"] for one in limits)]

    def _group(self, number: str) -> tuple[int, Any, dict[str, str]]:
        row = self.groups.get(int(number))
        if row is None:
            return 404, {"message": "Not Found"}, {}
        if not self.sees_groups:
            return 403, {"message": "Forbidden"}, {}
        members = row["Members"]
        if row["Name"] == "Privileged":  # the disabled ones too
            members = [ref("user", name) for name, user in self.users.items() if user["Privileged"]]
        return 200, {**row, "id": int(number), "Members": members, "Disabled": "0"}, {}

    def _fields_of(self, queue_id: int) -> list[Json]:
        return [row for row in self.fields if not row["Disabled"] and row["Queue"] in (0, queue_id)]

    def _new_field(self, body: Json) -> Json:
        row = {"Description": "", "LookupType": "RT::Queue-RT::Ticket", "Type": "Freeform", **body, "Disabled": False}
        row |= {"Values": []} if row["Type"] == "Select" else {}
        row |= {"id": len(self.fields) + 2, "Queue": int(body["Queue"])}
        self.fields.append(row)
        return row

    def _taken(self, name: str, value: Any) -> list[str] | None:
        """What a custom field makes of a value; ``None`` for one its list does not offer."""
        values = value if isinstance(value, list) else [value] if value else []
        field = next(row for row in self.fields if row["Name"] == name)
        if field["Type"] != "Select":
            return values
        offered = {one.casefold(): one for one in field["Values"]}
        return None if any(one.casefold() not in offered for one in values) else [offered[v.casefold()] for v in values]

    def _login(self, value: str) -> str | None:
        """An owner is named by user name or number, by nothing else."""
        return next((name for name, row in self.users.items() if value.casefold() in (name, str(row["id"]))), None)


def ref(kind: str, number: Any) -> Json:
    return {"type": kind, "id": str(number), "_url": f"{ORIGIN}/REST/2.0/{kind}/{number}"}
