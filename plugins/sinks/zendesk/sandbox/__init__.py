# SPDX-License-Identifier: GPL-3.0-or-later
"""A Zendesk to try things on: a server on this machine and the hands of its agent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import requests

from hub.sdk.sandboxes import HelpdeskSandbox, SandboxComment, SandboxRecord


class ZendeskSandbox(HelpdeskSandbox):
    """Starts the server and plays its agent, through the same API an agent's client would use."""

    name: ClassVar[str] = "zendesk"
    display_name: ClassVar[str] = "Zendesk"
    requires: ClassVar[tuple[str, ...]] = ("zenpy", "flask", "waitress")
    extra: ClassVar[str] = "zendesk"

    _accounts: dict[str, dict[str, str]] | None = None

    @classmethod
    def command(cls, port: int, state: Path) -> list[str]:
        """``-m plugins.sinks.zendesk.sandbox``; ends when its standard input is closed."""
        return ["-m", "plugins.sinks.zendesk.sandbox", "--port", str(port), "--state", str(state)]

    def is_ready(self) -> bool:
        """True when the server answers."""
        try:
            return self.http.get(f"{self.base_url}/_sandbox/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def connection_settings(self, *, webhook_url: str) -> dict[str, Any]:
        """Point the webhook at the hub and return the settings of the hub's own account."""
        hub = self._account("hub")
        secret = self._sandbox("POST", "webhook", {"url": webhook_url})["secret"]
        return {
            "base_url": self.base_url,
            "email": hub["email"],
            "api_token": hub["token"],
            "webhook_secrets": [secret],
            "assign": "group",
            "poll_every": 6.0,
        }

    def records(self, *, limit: int = 40) -> list[SandboxRecord]:
        """The newest tickets with their comments, newest first."""
        return [_record(row) for row in self._sandbox("GET", f"records?limit={limit}")["records"]]

    def answer(self, record_id: str, text: str, *, public: bool, automatic: bool = False) -> str:
        """Comment as the agent by the public API, or as a trigger of the account."""
        if automatic:
            body = {"text": text, "public": public}
            return str(self._sandbox("POST", f"tickets/{record_id}/trigger", body)["comment_id"])
        audit = self._update(record_id, {"comment": {"body": text, "public": public}})["audit"]
        return str(next(event["id"] for event in audit["events"] if event["type"] == "Comment"))

    def make_public(self, record_id: str, comment_id: str) -> None:
        """Turn a note into a public comment; the real API can only do the opposite, the agents' screen can do this."""
        self._sandbox("POST", f"tickets/{record_id}/comments/{comment_id}/make_public", {})

    def update(self, record_id: str, *, status: str = "", tags_add: tuple[str, ...] = ()) -> None:
        """Change fields as the agent."""
        changes: dict[str, Any] = {"status": status} if status else {}
        if tags_add:
            ticket = self._call("GET", f"/api/v2/tickets/{record_id}.json")["ticket"]
            changes["tags"] = [*ticket["tags"], *tags_add]
        self._update(record_id, changes)

    def apply_macro(self, record_id: str, title: str) -> str:
        """Do as the agent what the macro of this title says; return the comment's id, empty where it makes none."""
        answer = self._sandbox("POST", "agent/apply_macro", {"ticket_id": int(record_id), "title": title})
        return str(answer["comment_id"] or "")

    def merge(self, record_id: str, into: str) -> None:
        """Merge a record into another, as the agent on the screen."""
        self._sandbox("POST", "agent/merge", {"target": int(into), "sources": [int(record_id)]})

    def _update(self, record_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self._call("PUT", f"/api/v2/tickets/{record_id}.json", {"ticket": changes})

    def _account(self, name: str) -> dict[str, str]:
        if self._accounts is None:
            self._accounts = self._sandbox("GET", "accounts")
        return self._accounts[name]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        agent = self._account("agent")
        auth = (f"{agent['email']}/token", agent["token"])
        response = self.http.request(method, self.base_url + path, json=body, auth=auth, timeout=10)
        response.raise_for_status()
        return dict(response.json())

    def _sandbox(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self.http.request(method, f"{self.base_url}/_sandbox/{path}", json=body, timeout=10)
        response.raise_for_status()
        return dict(response.json())


def _record(row: dict[str, Any]) -> SandboxRecord:
    return SandboxRecord(
        id=str(row["id"]),
        subject=row["subject"],
        status=row["status"],
        requester=row["requester"],
        created_at=datetime.fromisoformat(row["created_at"]),
        external_id=row["external_id"] or "",
        priority=row["priority"] or "",
        tags=tuple(row["tags"]),
        group=row["group"],
        comments=tuple(
            SandboxComment(
                id=str(comment["id"]),
                author=comment["author"],
                text=comment["text"],
                public=comment["public"],
                created_at=datetime.fromisoformat(comment["created_at"]),
                role=comment["role"],
            )
            for comment in row["comments"]
        ),
    )


SANDBOX = ZendeskSandbox
