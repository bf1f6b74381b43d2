# SPDX-License-Identifier: GPL-3.0-or-later
"""What Zendesk does with tickets, as far as its description and recorded answers say."""

from __future__ import annotations

from typing import Any

from plugins.sinks.zendesk.sandbox.account import STAFF, Problem, invalid, not_found
from plugins.sinks.zendesk.sandbox.comments import API, Comments, is_blank
from plugins.sinks.zendesk.sandbox.furniture import BRAND_ID, FORM_ID, STATUS_IDS

Json = dict[str, Any]

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("urgent", "high", "normal", "low")
TYPES = ("problem", "incident", "question", "task")
_CHANGEABLE = (
    *("subject", "status", "priority", "type", "tags", "group_id", "assignee_id", "external_id", "requester_id"),
    *("problem_id", "due_at", "custom_status_id", "ticket_form_id", "brand_id", "organization_id"),
    *("collaborator_ids", "follower_ids", "email_cc_ids"),
)
_EVENTS = {
    "status": "status_changed",
    "custom_status_id": "custom_status_changed",
    "priority": "priority_changed",
    "type": "type_changed",
    "subject": "subject_changed",
    "group_id": "group_assignment_changed",
    "assignee_id": "agent_assignment_changed",
    "external_id": "external_id_changed",
    "requester_id": "requester_changed",
    "problem_id": "problem_link_changed",
}
"""The webhook event of a changed field."""


class Tickets(Comments):
    """Made, changed, closed, deleted."""

    def create(self, given: Json, actor: Json, *, via: Json | None = None) -> Json:
        """A new ticket with its first comment: ``{"ticket": ..., "audit": ...}``."""
        comment = given.get("comment")
        if is_blank(comment) and given.get("description"):
            comment = {"body": given["description"]}
        if not isinstance(comment, dict) or is_blank(comment):
            raise invalid("base", "Description: cannot be blank")
        ticket = self._blank(actor, via or API)
        if given.get("via_followup_source_id") is not None:
            self._follow(ticket, int(given["via_followup_source_id"]))
        if isinstance(given.get("requester"), dict):
            given = given | {"requester_id": self.save_user(given["requester"])["id"]}
        self._apply(ticket, given, {"status": None})
        said = self._comment(comment, actor)
        ticket["is_public"] = comment.get("public") is not False
        ticket["description"] = said["plain_body"]
        events = [
            {"id": self._event_id(), "type": "Create", "field_name": name, "value": _audit_value(ticket[name])}
            for name in _CHANGEABLE
            if ticket[name]
        ]
        events += [
            {"id": self._event_id(), "type": "Create", "field_name": str(number), "value": _audit_value(value)}
            for number, value in _by_id(ticket).items()
            if value
        ]
        audit = self._audit(ticket, [said, *events], given, actor, via=ticket["via"])
        self._keep(ticket)
        self._announce("created", ticket)
        return {"ticket": ticket, "audit": audit}

    def update(self, ticket_id: int, given: Json, actor: Json, *, via: Json | None = None) -> Json:
        """Change fields and/or add a comment: ``{"ticket": ..., "audit": ...}``."""
        ticket = self.show(ticket_id)
        if ticket["status"] == "closed":
            details = {"status": [{"description": "Status: closed prevents ticket update"}]}
            raise Problem(422, "RecordInvalid", "Record validation errors", details)
        if given.get("safe_update") and str(given.get("updated_stamp", "")) < ticket["updated_at"]:
            raise Problem(409, "UpdateConflict", "Safe Update prevented the update: the ticket was changed meanwhile")
        before = dict(ticket)
        self._apply(ticket, given, before)
        events: list[Json] = [
            {
                "id": self._event_id(),
                "type": "Change",
                "field_name": name,
                "value": _audit_value(ticket[name]),
                "previous_value": _audit_value(before[name]),
            }
            for name in _CHANGEABLE
            if ticket[name] != before[name]
        ]
        fields, had = _by_id(ticket), _by_id(before)
        events += [
            {
                "id": self._event_id(),
                "type": "Change",
                "field_name": str(number),
                "value": _audit_value(value),
                "previous_value": _audit_value(had.get(number)),
            }
            for number, value in fields.items()
            if value != had.get(number)
        ]
        comment = given.get("comment")
        said: Json | None = None
        if isinstance(comment, dict):
            if is_blank(comment):
                raise invalid("comment", "Comment: cannot be blank")
            said = self._comment(comment, actor)
            events.insert(0, said)
        if not events:
            return {"ticket": ticket, "audit": None}
        ticket["updated_at"] = self.stamp()
        audit = self._audit(ticket, events, given, actor, via=via)
        self._keep(ticket)
        if said is not None:
            self._announce_comment(ticket, said)
        self._announce_fields(ticket, before)
        if ticket["status"] == "solved" != before["status"]:
            self._solve_incidents(ticket, said, actor)
        return {"ticket": ticket, "audit": audit}

    def delete(self, ticket_id: int) -> None:
        """Soft deletion: gone for reads, a row of status ``deleted`` in the export."""
        ticket = self.show(ticket_id)
        ticket |= {"status_before": ticket["status"], "status": "deleted", "updated_at": self.stamp()}
        self._keep(ticket)
        self.acting = None
        self._announce("soft_deleted", ticket)

    def restore(self, ticket_id: int) -> None:
        """Undo a soft deletion."""
        ticket = self.state.get("ticket", ticket_id)
        if ticket is None or ticket["status"] != "deleted":
            raise not_found()
        ticket |= {"status": ticket.pop("status_before"), "updated_at": self.stamp()}
        self._keep(ticket)
        self.acting = None
        self._announce("undeleted", ticket)

    def trigger_comment(self, ticket_id: int, text: str, *, public: bool) -> Json:
        """A comment by a business rule of the account."""
        ticket, actor = self.show(ticket_id), {"id": -1}
        via = {"channel": "rule", "source": {"to": {}, "from": {"id": 35079792, "title": "Notify"}, "rel": "trigger"}}
        event = self._comment({"body": text, "public": public}, actor) | {"via": via}
        ticket["updated_at"] = self.stamp()
        self._audit(ticket, [event], {}, actor, via=via)
        self._keep(ticket)
        self._announce_comment(ticket, event)
        return event

    def close(self, ticket_id: int, actor: Json, *, tag: str, comment: Json, via: Json) -> Json:
        """What a merge does to its sources: a comment, a tag and the end, in one audit."""
        tags = [*self.show(ticket_id)["tags"], tag]
        return self.update(ticket_id, {"status": "closed", "tags": tags, "comment": comment}, actor, via=via)

    def _announce_fields(self, ticket: Json, before: Json) -> None:
        for name, kind in _EVENTS.items():
            if ticket[name] != before[name]:
                current, previous = (
                    str(value).upper() if name == "status" else "" if value is None else str(value)
                    for value in (ticket[name], before[name])
                )
                self._announce(kind, ticket, {"current": current, "previous": previous})
        if ticket["tags"] != before["tags"]:
            added = [tag for tag in ticket["tags"] if tag not in before["tags"]]
            removed = [tag for tag in before["tags"] if tag not in ticket["tags"]]
            self._announce("tags_changed", ticket, {"tags_added": added, "tags_removed": removed})
        had = _by_id(before)
        for number, value in _by_id(ticket).items():
            if value != had.get(number):
                field = {"id": str(number)}
                self._announce(
                    "custom_field_changed", ticket, {"current": value, "previous": had.get(number), "field": field}
                )

    def _solve_incidents(self, problem: Json, said: Json | None, actor: Json) -> None:
        if problem["type"] != "problem":
            return
        source = {"from": {"ticket_id": problem["id"], "subject": problem["subject"]}, "to": {}, "rel": "problem"}
        for incident in self.state.where("ticket", problem_id=problem["id"]):
            if incident["status"] in ("solved", "closed", "deleted"):
                continue
            given: Json = {"status": "solved"}
            if said is not None:
                given["comment"] = {name: said[name] for name in ("html_body", "public", "author_id")}
            self.update(incident["id"], given, actor, via={"channel": "system", "source": source})

    def _follow(self, ticket: Json, source_id: int) -> None:
        closed = self.state.get("ticket", source_id)
        if closed is None or closed["status"] != "closed":
            raise invalid("base", "Follow-up: the source ticket is not closed")
        from_ticket = {"ticket_id": closed["id"], "subject": closed["subject"], "channel": closed["via"]["channel"]}
        ticket["via"] = {"channel": "api", "source": {"from": from_ticket, "to": {}, "rel": "follow_up"}}
        ticket |= {"tags": list(closed["tags"]), "custom_fields": list(closed["custom_fields"])}
        closed["followup_ids"] = [*closed["followup_ids"], ticket["id"]]
        self._keep(closed)

    def _apply(self, ticket: Json, given: Json, before: Json) -> None:
        _check_choice(given, "status", STATUSES)
        _check_choice(given, "priority", PRIORITIES)
        _check_choice(given, "type", TYPES)
        for name in ("requester_id", "assignee_id"):
            if given.get(name) is not None and self.state.get("user", int(given[name])) is None:
                raise invalid(name, f"{name} does not exist")
        if given.get("group_id") is not None and self.state.get("group", int(given["group_id"])) is None:
            raise invalid("group", "Group does not exist")
        if given.get("problem_id") is not None:
            self._check_problem(ticket, given)
        for name in _CHANGEABLE:
            if name in given:
                ticket[name] = given[name]
        if given.get("assignee_email"):
            agents = self.state.where("user", email=str(given["assignee_email"]).lower())
            if not agents or agents[0]["role"] not in STAFF:
                raise invalid("assignee", "Assignee is not an agent")
            ticket["assignee_id"] = agents[0]["id"]
        if "custom_fields" in given or "fields" in given:
            self._apply_fields(ticket, given.get("custom_fields", given.get("fields")))
        wanted = [*ticket["tags"], *given.get("additional_tags", ())]
        gone = set(given.get("remove_tags", ()))
        # Tags hold no blanks, ignore case and come back sorted.
        ticket["tags"] = sorted({part.lower() for tag in wanted for part in str(tag).split() if part not in gone})
        if any(name in given for name in ("tags", "additional_tags", "remove_tags")):
            self._follow_tags(ticket, before.get("tags", ()))
        ticket["raw_subject"] = ticket["subject"]
        if ticket["assignee_id"] is not None and ticket["status"] == "new" and "status" not in given:
            ticket["status"] = "open"
        self._apply_status(ticket, given, before)

    def _apply_status(self, ticket: Json, given: Json, before: Json) -> None:
        number = given.get("custom_status_id")
        if number is not None:
            status = self.state.get("custom_status", int(number))
            if status is None or not status["active"]:
                raise invalid("custom_status_id", "Custom status is invalid")
            ticket["status"] = status["status_category"]
        elif ticket["status"] != before.get("status"):
            ticket["custom_status_id"] = STATUS_IDS["solved" if ticket["status"] == "closed" else ticket["status"]]

    def _apply_fields(self, ticket: Json, given: Any) -> None:
        rows = given if isinstance(given, list) else [{"id": int(n), "value": value} for n, value in given.items()]
        have = {row["id"]: row["value"] for row in ticket["custom_fields"]}
        for row in rows:
            number, value = int(row["id"]), row["value"]
            field = self.state.get("ticket_field", number)
            if field is None and self.state.setting("strict_fields"):
                continue  # Zendesk takes a field it does not have and forgets it
            if field is not None and field["type"] == "tagger":
                options = [option["value"] for option in field["custom_field_options"]]
                if value and value not in options:
                    raise invalid("base", f"{field['title']}: is invalid")
                ticket["tags"] = [tag for tag in ticket["tags"] if tag not in options] + ([value] if value else [])
            if field is not None and field["type"] == "checkbox" and field["tag"]:
                kept = [tag for tag in ticket["tags"] if tag != field["tag"]]
                ticket["tags"] = [*kept, field["tag"]] if value else kept
            have[number] = value
        ticket["custom_fields"] = [{"id": number, "value": value} for number, value in have.items()]

    def _follow_tags(self, ticket: Json, before: Any) -> None:
        """A dropdown shows the option whose tag the ticket has; of two the one that came later, whose tag alone stays.
        https://support.zendesk.com/hc/ja/articles/4408881943194"""
        fields = _by_id(ticket)
        for field in self.state.where("ticket_field", type="tagger"):
            options = {option["value"] for option in field["custom_field_options"]}
            there = sorted(options & set(ticket["tags"]), key=lambda tag: tag not in before)
            shown = there[-1] if there else None
            ticket["tags"] = [tag for tag in ticket["tags"] if tag == shown or tag not in options]
            if shown != fields.get(field["id"]):
                fields[field["id"]] = shown
        ticket["custom_fields"] = [{"id": number, "value": value} for number, value in fields.items()]

    def _check_problem(self, ticket: Json, given: Json) -> None:
        problem = self.state.get("ticket", int(given["problem_id"]))
        if problem is None or problem["type"] != "problem":
            raise invalid("problem_id", "Problem is not a ticket of type problem")
        if given.get("type", ticket["type"]) != "incident":
            raise invalid("problem_id", "Only an incident has a problem")
        if not problem["has_incidents"]:
            problem["has_incidents"] = True
            self._keep(problem)

    def _blank(self, actor: Json, via: Json) -> Json:
        now = self.stamp()
        # A real ticket tells every field of the account's own, also those that nobody has filled in.
        own = self.state.where("ticket_field", removable=True) if self.state.setting("list_unset_fields") else []
        unset = [{"id": row["id"], "value": False if row["type"] == "checkbox" else None} for row in own]
        return {
            "id": self.state.next("ticket"),
            "external_id": None,
            "via": via,
            "created_at": now,
            "updated_at": now,
            "type": None,
            "subject": "",
            "raw_subject": "",
            "description": "",
            "priority": None,
            "status": "new",
            "custom_status_id": STATUS_IDS["new"],
            "recipient": None,
            "requester_id": actor["id"],
            "submitter_id": actor["id"],
            "assignee_id": None,
            "organization_id": None,
            "group_id": None,
            "collaborator_ids": [],
            "follower_ids": [],
            "email_cc_ids": [],
            "forum_topic_id": None,
            "problem_id": None,
            "has_incidents": False,
            "is_public": True,
            "due_at": None,
            "tags": [],
            "custom_fields": unset,
            "satisfaction_rating": None,
            "sharing_agreement_ids": [],
            "followup_ids": [],
            "ticket_form_id": FORM_ID,
            "brand_id": BRAND_ID,
            "satisfaction_probability": None,
            "allow_channelback": False,
            "allow_attachments": True,
            "from_messaging_channel": False,
        }


def _by_id(ticket: Json) -> dict[int, Any]:
    return {row["id"]: row["value"] for row in ticket["custom_fields"]}


def _check_choice(given: Json, name: str, choices: tuple[str, ...]) -> None:
    if given.get(name) is not None and given[name] not in choices:
        raise invalid(name, f"{name} {given[name]} is not included in the list")


def _audit_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
