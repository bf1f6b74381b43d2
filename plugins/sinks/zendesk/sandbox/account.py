# SPDX-License-Identifier: GPL-3.0-or-later
"""The account: its clock, its people and their groups. What Zendesk refuses is a ``Problem``."""

from __future__ import annotations

from typing import Any

from plugins.sinks.zendesk.sandbox.state import State

Json = dict[str, Any]

STAFF = ("agent", "admin")
_GIVEN = (
    *("name", "email", "external_id", "role", "phone", "tags", "notes", "details", "organization_id", "alias"),
    *("custom_role_id", "default_group_id", "user_fields", "locale", "suspended", "time_zone"),
)


class Problem(Exception):
    """An answer other than 2xx. ``body`` may be a text: some of Zendesk's errors are no JSON."""

    def __init__(
        self,
        status: int,
        error: str,
        description: str,
        details: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self.headers = headers or {}
        self.body: Json | str = {"error": error, "description": description}
        if details is not None:
            self.body["details"] = details


def invalid(field: str, description: str) -> Problem:
    """A validation error, in Zendesk's shape."""
    details = {field: [{"description": description, "error": "InvalidValue"}]}
    return Problem(422, "RecordInvalid", "Record validation errors", details)


def not_found() -> Problem:
    """The answer for a record that is not there."""
    return Problem(404, "RecordNotFound", "Not found")


def forbidden() -> Problem:
    """The answer to whoever may not do this."""
    problem = Problem(403, "Forbidden", "You do not have access to this page.")
    problem.body = {
        "error": {
            "title": "Forbidden",
            "message": "You do not have access to this page. Please contact the account owner of this help desk for "
            "further help.",
        }
    }
    return problem


class Account:
    """People and groups. Call its methods inside ``state.transaction()``; every change ends in ``changes``."""

    state: State
    changes: list[tuple[str, Json]]

    def now(self) -> float:
        """Seconds since the epoch by the account's clock."""
        raise NotImplementedError

    def stamp(self) -> str:
        """Now, as Zendesk writes it: whole seconds."""
        raise NotImplementedError

    def accounts(self) -> Json:
        """E-mail, token and id of the ready-made accounts and of those made by ``/_sandbox/agents``."""
        found: Json = {}
        for name in ("hub", "agent", *self.state.setting("staff").split()):
            number = self.state.setting(f"user:{name}")
            email = self.state.setting(f"email:{name}") or f"{name}@sandbox.example"
            found[name] = {"email": email, "token": self.state.setting(f"token:{name}"), "id": number}
        return found

    def user(self, number: int) -> Json:
        """A person by id."""
        user = self.state.get("user", number)
        if user is None:
            raise not_found()
        return user

    def known_user(self, given: Json) -> Json | None:
        """The person whom an external id or an e-mail address names."""
        external_id, email = given.get("external_id"), given.get("email")
        found = self.state.by_external_id("user", str(external_id)) if external_id else []
        if not found and email:
            found = self.state.where("user", email=str(email).lower())
        return found[0] if found else None

    def save_user(self, given: Json, *, known: Json | None = None) -> Json:
        """Create a user, or update the one with the same external id or e-mail address."""
        known = known or self.known_user(given)
        if not given.get("name") and not known:
            raise invalid("name", "Name: cannot be blank")
        now = self.stamp()
        user = (known or self._new_user(now)) | {name: given[name] for name in _GIVEN if name in given}
        if isinstance(user["email"], str):
            user["email"] = user["email"].lower()
        user["updated_at"] = now
        self.state.put("user", user, changed_seq=self.state.next("change"), changed_at=int(self.now()))
        if known is None or known["email"] != user["email"]:
            self._identify(user)
        for row in given.get("identities") or ():
            self.add_identity(user["id"], row)
        return user

    def _identify(self, user: Json) -> None:
        for row in self.state.children("identity", user["id"]):
            if row["type"] == "email" and row["primary"]:
                self.state.remove("identity", row["id"])
        if user["email"]:
            self.add_identity(user["id"], {"type": "email", "value": user["email"], "primary": True})

    def add_identity(self, user_id: int, given: Json) -> Json:
        """Give a person one more e-mail address, phone number or account elsewhere."""
        if not given.get("type") or not given.get("value"):
            raise invalid("value", "Value: cannot be blank")
        now, verified = self.stamp(), bool(given.get("verified"))
        identity = {
            "id": self.state.next("identity", start=360100001),
            "user_id": user_id,
            "type": given["type"],
            "value": given["value"],
            "verified": verified,
            "primary": bool(given.get("primary")),
            "created_at": now,
            "updated_at": now,
            "undeliverable_count": 0,
            "deliverable_state": "deliverable",
            "verification_method": "low" if verified else "none",
        }
        self.state.put("identity", identity, parent=user_id)
        return identity

    def join(self, user_id: int, group_id: int, *, default: bool = False) -> Json:
        """Make an agent a member of a group."""
        now = self.stamp()
        membership = {
            "id": self.state.next("membership", start=360200001),
            "user_id": user_id,
            "group_id": group_id,
            "default": default,
            "created_at": now,
            "updated_at": now,
        }
        self.state.put("membership", membership, parent=user_id)
        return membership

    def _new_user(self, now: str) -> Json:
        return {
            "id": self.state.next("user", start=377001),
            "name": "",
            "email": None,
            "created_at": now,
            "updated_at": now,
            "time_zone": "Rome",
            "iana_time_zone": "Europe/Rome",
            "phone": None,
            "shared_phone_number": None,
            "photo": None,
            "locale_id": 1,
            "locale": "en-US",
            "organization_id": None,
            "role": "end-user",
            "verified": False,
            "external_id": None,
            "tags": [],
            "alias": None,
            "active": True,
            "shared": False,
            "shared_agent": False,
            "last_login_at": None,
            "two_factor_auth_enabled": False,
            "signature": None,
            "details": None,
            "notes": None,
            "role_type": None,
            "custom_role_id": None,
            "moderator": False,
            "ticket_restriction": None,
            "only_private_comments": False,
            "restricted_agent": False,
            "suspended": False,
            "chat_only": False,
            "default_group_id": None,
            "report_csv": False,
            "user_fields": {},
        }
