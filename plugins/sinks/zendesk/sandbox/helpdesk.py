# SPDX-License-Identifier: GPL-3.0-or-later
"""What Zendesk does with tickets, users and groups, as far as its description and recorded answers say."""

from __future__ import annotations

import html
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plugins.sinks.zendesk.sandbox.state import State

Json = dict[str, Any]

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("urgent", "high", "normal", "low")
GROUPS = ("Support", "Billing", "Logistics", "Technical")
_CHANGEABLE = ("subject", "status", "priority", "tags", "group_id", "assignee_id", "external_id", "requester_id")


class Problem(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, error: str, description: str, details: Json | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.body: Json = {"error": error, "description": description}
        if details is not None:
            self.body["details"] = details


def invalid(field: str, description: str) -> Problem:
    """A validation error, in Zendesk's shape."""
    details = {field: [{"description": description, "error": "InvalidValue"}]}
    return Problem(422, "RecordInvalid", "Record validation errors", details)


class Helpdesk:
    """The account. Call its methods inside ``state.transaction()``; every change ends in ``changes``."""

    def __init__(self, path: Path) -> None:
        self.state = State(path)
        self.changes: list[tuple[str, Json]] = []
        with self.state.transaction():
            if not self.state.all("user"):
                self._furnish()

    def _furnish(self) -> None:
        for name in GROUPS:
            now = stamp()
            group = {"id": self.state.next("group", start=360001), "name": name, "deleted": False, "created_at": now}
            self.state.put("group", group | {"updated_at": now, "default": name == "Support", "is_public": True})
        for account, name, role in (("hub", "Social Care Hub", "admin"), ("agent", "Alex Agent", "agent")):
            user = self.save_user({"name": name, "email": f"{account}@sandbox.example", "role": role})
            self.state.set(f"token:{account}", secrets.token_hex(20))
            self.state.set(f"user:{account}", str(user["id"]))
        self.state.set("webhook:secret", secrets.token_hex(20))

    def accounts(self) -> Json:
        """E-mail, token and id of the two ready-made accounts."""
        return {
            name: {
                "email": f"{name}@sandbox.example",
                "token": self.state.setting(f"token:{name}"),
                "id": self.state.setting(f"user:{name}"),
            }
            for name in ("hub", "agent")
        }

    # --- users -----------------------------------------------------------------------------------------------------

    def save_user(self, given: Json) -> Json:
        """Create a user, or update the one with the same external id."""
        external_id = given.get("external_id")
        known = self.state.by_external_id("user", str(external_id)) if external_id else []
        if not given.get("name") and not known:
            raise invalid("name", "Name: cannot be blank")
        now = stamp()
        user = (known[0] if known else self._new_user(now)) | {
            name: given[name] for name in ("name", "email", "external_id", "role", "phone") if name in given
        }
        user["updated_at"] = now
        self.state.put("user", user)
        return user

    def _new_user(self, now: str) -> Json:
        number = self.state.next("user", start=377001)
        return {
            "id": number,
            "name": "",
            "email": None,
            "external_id": None,
            "role": "end-user",
            "active": True,
            "verified": False,
            "suspended": False,
            "created_at": now,
            "tags": [],
            "locale": "en-US",
            "organization_id": None,
        }

    # --- tickets ---------------------------------------------------------------------------------------------------

    def show(self, ticket_id: int) -> Json:
        """A live ticket."""
        ticket = self.state.get("ticket", ticket_id)
        if ticket is None or ticket["status"] == "deleted":
            raise Problem(404, "RecordNotFound", "Not found")
        return ticket

    def create(self, given: Json, actor: Json) -> Json:
        """A new ticket with its first comment: ``{"ticket": ..., "audit": ...}``."""
        comment = given.get("comment")
        if not isinstance(comment, dict) or not str(comment.get("body") or comment.get("html_body") or "").strip():
            raise invalid("base", "Description: cannot be blank")
        now = stamp()
        ticket: Json = {
            "id": self.state.next("ticket"),
            "external_id": None,
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": now,
            "updated_at": now,
            "type": None,
            "subject": "",
            "priority": None,
            "status": "new",
            "recipient": None,
            "requester_id": actor["id"],
            "submitter_id": actor["id"],
            "assignee_id": None,
            "organization_id": None,
            "group_id": None,
            "collaborator_ids": [],
            "follower_ids": [],
            "email_cc_ids": [],
            "problem_id": None,
            "has_incidents": False,
            "is_public": True,
            "due_at": None,
            "tags": [],
            "custom_fields": [],
            "followup_ids": [],
            "allow_channelback": False,
            "allow_attachments": True,
        }
        if "via_followup_source_id" in given:
            closed = self.state.get("ticket", int(given["via_followup_source_id"]))
            if closed is None or closed["status"] != "closed":
                raise invalid("base", "Follow-up: the source ticket is not closed")
            ticket["via"]["source"] = {
                "from": {"ticket_id": closed["id"], "subject": closed["subject"]},
                "rel": "follow_up",
            }
            closed["followup_ids"] = [*closed["followup_ids"], ticket["id"]]
            self._keep(closed)
        self._apply(ticket, given, actor)
        ticket["is_public"] = comment.get("public") is not False
        events = [
            {"id": self._event_id(), "type": "Create", "field_name": name, "value": _audit_value(ticket[name])}
            for name in _CHANGEABLE
            if ticket[name]
        ]
        audit = self._audit(ticket, [self._comment(comment, actor), *events], given, actor)
        self._keep(ticket)
        self.changes.append(("created", ticket))
        return {"ticket": ticket, "audit": audit}

    def update(self, ticket_id: int, given: Json, actor: Json) -> Json:
        """Change fields and/or add a comment: ``{"ticket": ..., "audit": ...}``."""
        ticket = self.show(ticket_id)
        if ticket["status"] == "closed":
            details = {"status": [{"description": "Status closed prevents ticket update"}]}
            raise Problem(422, "RecordInvalid", "Record validation errors", details)
        if given.get("safe_update") is not None and str(given.get("updated_stamp", "")) < ticket["updated_at"]:
            raise Problem(409, "UpdateConflict", "Safe Update prevented the update: the ticket was changed meanwhile")
        before = dict(ticket)
        self._apply(ticket, given, actor)
        events = [
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
        comment = given.get("comment")
        if isinstance(comment, dict):
            if not str(comment.get("body") or comment.get("html_body") or "").strip():
                raise invalid("comment", "Comment: cannot be blank")
            events.insert(0, self._comment(comment, actor))
        if not events and ticket["custom_fields"] == before["custom_fields"]:
            return {"ticket": ticket, "audit": None}
        ticket["updated_at"] = stamp()
        audit = self._audit(ticket, events, given, actor)
        self._keep(ticket)
        self.changes.append(("comment_added" if isinstance(comment, dict) else "status_changed", ticket))
        if isinstance(comment, dict) and len(events) > 1:
            self.changes.append(("status_changed", ticket))
        return {"ticket": ticket, "audit": audit}

    def delete(self, ticket_id: int) -> None:
        """Soft deletion: gone for reads, a row of status ``deleted`` in the export."""
        ticket = self.show(ticket_id)
        ticket |= {"status": "deleted", "updated_at": stamp()}
        self._keep(ticket)
        self.changes.append(("soft_deleted", ticket))

    def trigger_comment(self, ticket_id: int, text: str, *, public: bool) -> Json:
        """A comment by a business rule of the account."""
        ticket, actor = self.show(ticket_id), {"id": -1}
        via = {"channel": "rule", "source": {"to": {}, "from": {"id": 35079792, "title": "Notify"}, "rel": "trigger"}}
        event = self._comment({"body": text, "public": public}, actor) | {"via": via}
        ticket["updated_at"] = stamp()
        self._audit(ticket, [event], {}, actor, via=via)
        self._keep(ticket)
        self.changes.append(("comment_added", ticket))
        return event

    def make_public(self, ticket_id: int, comment_id: int, actor: Json) -> None:
        """What an agent may do on the screen: the comment event changes, another event tells of it."""
        ticket = self.show(ticket_id)
        for audit in self.state.children("audit", ticket_id):
            for event in audit["events"]:
                if event["id"] == comment_id and event["type"] == "Comment":
                    event["public"] = True
                    self.state.put("audit", audit, parent=ticket_id)
                    change = {
                        "id": self._event_id(),
                        "type": "CommentPrivacyChange",
                        "comment_id": comment_id,
                        "public": True,
                    }
                    ticket["updated_at"] = stamp()
                    self._audit(ticket, [change], {}, actor, via={"channel": "web", "source": {}})
                    self._keep(ticket)
                    self.changes.append(("comment_made_public", ticket))
                    return
        raise Problem(404, "RecordNotFound", "Not found")

    def redact(self, comment_id: int, ticket_id: int, html_body: str, urls: list[str], actor: Json) -> Json:
        """Blacken what stands in ``<redact>`` tags, in closed tickets too."""
        ticket = self.show(ticket_id)
        for audit in self.state.children("audit", ticket_id):
            for event in audit["events"]:
                if event["id"] == comment_id and event["type"] == "Comment":
                    black = re.sub(
                        r"<redact>(.*?)</redact>", lambda m: "▇" * len(m.group(1)), html_body, flags=re.DOTALL
                    )
                    event |= {"html_body": black, "body": _plain(black), "plain_body": _plain(black)}
                    event["attachments"] = [a for a in event["attachments"] if a.get("content_url") not in urls]
                    self.state.put("audit", audit, parent=ticket_id)
                    change = {"id": self._event_id(), "type": "CommentRedactionEvent", "comment_id": comment_id}
                    self._audit(ticket, [change], {}, actor)
                    self._keep(ticket)
                    self.changes.append(("comment_redacted", ticket))
                    return dict(event) | {"audit_id": audit["id"], "created_at": audit["created_at"]}
        raise Problem(404, "RecordNotFound", "Not found")

    def comments(self, ticket_id: int) -> list[Json]:
        """A ticket's comments, oldest first."""
        return [
            event | {"audit_id": audit["id"], "created_at": audit["created_at"], "metadata": audit["metadata"]}
            for audit in self.state.children("audit", ticket_id)
            for event in audit["events"]
            if event["type"] == "Comment"
        ]

    def _apply(self, ticket: Json, given: Json, actor: Json) -> None:
        _check_choice(given, "status", STATUSES)
        _check_choice(given, "priority", PRIORITIES)
        for name in ("requester_id", "assignee_id"):
            if given.get(name) is not None and self.state.get("user", int(given[name])) is None:
                raise invalid(name, f"{name} does not exist")
        if given.get("group_id") is not None and self.state.get("group", int(given["group_id"])) is None:
            raise invalid("group", "Group does not exist")
        for name in _CHANGEABLE:
            if name in given:
                ticket[name] = given[name]
        if given.get("assignee_email"):
            agents = [user for user in self.state.all("user") if user["email"] == given["assignee_email"]]
            if not agents or agents[0]["role"] == "end-user":
                raise invalid("assignee", "Assignee is not an agent")
            ticket["assignee_id"] = agents[0]["id"]
        # Tags hold no blanks, ignore case and come back sorted.
        ticket["tags"] = sorted({part.lower() for tag in ticket["tags"] for part in str(tag).split()})
        if "custom_fields" in given:
            have = {row["id"]: row["value"] for row in ticket["custom_fields"]}
            have |= {row["id"]: row["value"] for row in given["custom_fields"]}
            ticket["custom_fields"] = [{"id": number, "value": value} for number, value in have.items()]

    def _comment(self, given: Json, actor: Json) -> Json:
        author = int(given["author_id"] if "author_id" in given else actor["id"])
        if author != -1 and self.state.get("user", author) is None:
            raise invalid("author_id", "Author does not exist")
        text = given.get("html_body") or html.escape(str(given["body"]), quote=False).replace("\n", "<br>")
        body = f'<div class="zd-comment" dir="auto">{text}</div>'
        return {
            "id": self._event_id(),
            "type": "Comment",
            "author_id": author,
            "body": _plain(body),
            "html_body": body,
            "plain_body": _plain(body),
            "public": given.get("public") is not False,
            "attachments": [],
        }

    def _audit(self, ticket: Json, events: list[Json], given: Json, actor: Json, *, via: Json | None = None) -> Json:
        custom = given.get("metadata")
        audit = {
            "id": self._event_id(),
            "ticket_id": ticket["id"],
            "created_at": stamp(),
            "author_id": actor["id"],
            "metadata": {"system": {"client": "sandbox"}, "custom": custom if isinstance(custom, dict) else {}},
            "events": events,
            "via": via or {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        }
        self.state.put("audit", audit, parent=ticket["id"])
        return audit

    def _keep(self, ticket: Json) -> None:
        now = int(time.time())
        ticket["generated_timestamp"] = now
        self.state.put("ticket", ticket, changed_seq=self.state.next("change"), changed_at=now)

    def _event_id(self) -> int:
        return self.state.next("event", start=2127301143)


def stamp() -> str:
    """Now, as Zendesk writes it: whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_choice(given: Json, name: str, choices: tuple[str, ...]) -> None:
    if given.get(name) is not None and given[name] not in choices:
        raise invalid(name, f"{name} {given[name]} is not included in the list")


def _audit_value(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _plain(body: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", body.replace("<br>", "\n")))
