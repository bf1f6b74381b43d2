"""A small helpdesk in memory: the vendor that the reference sink speaks to, and a pattern for the vendors of others."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from hub.sdk import WebhookRequest
from hub.testing.vendor import HelpdeskVendor, Record, Said, reply

ORIGIN = "https://desk.example.com"
TOKEN = "reference-desk-token"  # noqa: S105 - of a helpdesk that does not exist
SECRET = "reference-desk-secret"  # noqa: S105
LONGEST_COMMENT = 4000
"""Characters of one comment; more is refused."""
KEYS_LAST = timedelta(hours=1)
"""How long a write is recognised by its key."""
PAGE = 4

Json = dict[str, Any]


class Refusal(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class ReferenceHelpdesk(HelpdeskVendor):
    """Records with comments, a feed of changes, signed webhooks and rules about them. Its JSON is plain:

    ``GET /me``; ``POST /records``, ``PATCH /records/ID`` and ``PUT /comments/ID/redact`` with ``key``;
    ``GET /records?external_id=``, ``GET /records/ID``; ``GET /changes?after=N``; ``GET``, ``POST /hooks``,
    ``DELETE /hooks/ID``.
    """

    def __init__(self) -> None:
        self.users = {"u1": {"id": "u1", "name": "Hub", "role": "agent"}, "u2": {"id": "u2", "name": "Alex"}}
        self.users["u2"]["role"] = "agent"
        self.rows: dict[str, Json] = {}
        self.feed: list[Json] = []
        self.remembered: dict[str, tuple[datetime, Json]] = {}
        self.hooks: dict[str, Json] = {"h0": {"id": "h0", "url": "https://example.org/of-somebody-else"}}
        self.outbox: list[WebhookRequest] = []
        self.token = TOKEN
        self.applies = True
        self._numbers = count(1)

    # --- what the vendor does --------------------------------------------------------------------------------------

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer one request."""
        parts = urlsplit(str(request.url))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return reply(request, 401, {"error": "unknown token"})
        body: Json = json.loads(request.body) if request.body else {}
        path = parts.path.strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            return reply(request, 200, self._answer(str(request.method), path, query, body))
        except Refusal as refusal:
            return reply(request, refusal.status, {"error": refusal.error})

    def _answer(self, method: str, path: list[str], query: dict[str, str], body: Json) -> Json:
        match method, path:
            case "GET", ["me"]:
                return {"user": self.users["u1"]}
            case "GET", ["records"]:
                return {"records": [row for row in self.rows.values() if row["external_id"] == query["external_id"]]}
            case "GET", ["records", record_id]:
                return {"record": self._record(record_id)}
            case "GET", ["changes"]:
                after = int(query["after"]) if "after" in query else len(self.feed)
                page = self.feed[after : after + PAGE]
                return {
                    "changes": page,
                    "after": min(after, len(self.feed)) + len(page),
                    "more": after + PAGE < len(self.feed),
                }
            case "GET", ["hooks"]:
                return {"hooks": list(self.hooks.values())}
            case "DELETE", ["hooks", hook_id]:
                return {"deleted": self.hooks.pop(hook_id, None) is not None}
            case _:
                return self._once(body.get("key", ""), method, path, body)

    def _once(self, key: str, method: str, path: list[str], body: Json) -> Json:
        at, known = self.remembered.get(key, (None, {}))
        if at is not None and self.now() - at < KEYS_LAST:
            return known | {"seen_before": True}
        if not self.applies:
            return {"applied": False}
        answer = self._write(method, path, body)
        if key:
            self.remembered[key] = (self.now(), answer)
        return answer

    def _write(self, method: str, path: list[str], body: Json) -> Json:
        match method, path:
            case "POST", ["records"]:
                row: Json = {"id": f"r{next(self._numbers)}", "external_id": "", "subject": "", "status": "new"}
                row |= {"priority": "normal", "tags": [], "fields": {}, "comments": []}
                return self._change(row, body, author="u1", new=True)
            case "PATCH", ["records", record_id]:
                return self._change(self._record(record_id), body, author="u1")
            case "PUT", ["comments", comment_id, "redact"]:
                row, comment = self._comment(comment_id)
                comment["text"] = ""
                self._tell("comment", row, comment)
                return {"applied": True, "record": row, "comment": comment}
            case "POST", ["hooks"]:
                hook = {"id": f"h{next(self._numbers)}", "url": body["url"], "made_by": body.get("made_by", "")}
                self.hooks[hook["id"]] = hook
                return {"applied": True, "hook": hook}
        raise Refusal(404, "no such address")

    def _record(self, record_id: str) -> Json:
        if record_id not in self.rows:
            raise Refusal(404, "no such record")
        return self.rows[record_id]

    def _comment(self, comment_id: str) -> tuple[Json, Json]:
        for row in self.rows.values():
            for comment in row["comments"]:
                if comment["id"] == comment_id:
                    return row, comment
        raise Refusal(404, "no such comment")

    def _change(self, row: Json, body: Json, *, author: str, automatic: bool = False, new: bool = False) -> Json:
        given, fields = body.get("comment"), body.get("fields", {})
        if given is not None and not given["text"].strip():
            raise Refusal(422, "a comment cannot be empty")
        if given is not None and len(given["text"]) > LONGEST_COMMENT:
            raise Refusal(422, "a comment is too long")
        if fields.get("status", "new") not in ("new", "open", "pending", "solved"):
            raise Refusal(422, "no such status")
        before = dict(row)
        row |= {
            name: fields[name] for name in ("external_id", "subject", "status", "priority", "tags") if name in fields
        }
        row["fields"] = {**row["fields"], **fields.get("fields", {})}
        row["updated_at"] = self.now().isoformat()
        self.rows[row["id"]] = row
        comment = None
        if given is not None:
            comment = {
                "id": f"c{next(self._numbers)}",
                "author": self.users.get(author, {"id": author, "name": author, "role": "system"}),
                "automatic": automatic,
                "text": given["text"],
                "public": given["public"],
                "key": body.get("key", ""),
                "created_at": self.now().isoformat(),
            }
            row["comments"] = [*row["comments"], comment]
            self._tell("comment", row, comment)
        row["keys"] = [*row.get("keys", []), body.get("key", "")]
        changed = [name for name in ("status", "priority", "tags") if row[name] != before[name]]
        if changed and not new:
            self._tell("record", row)
        return {"applied": True, "record": row, "comment": comment}

    def _tell(self, kind: str, row: Json, comment: Json | None = None) -> None:
        number = len(self.feed) + 1
        shown = {name: row[name] for name in ("id", "external_id", "status", "priority", "tags", "updated_at")}
        # A copy: the feed says what was, the record what is.
        self.feed.append(json.loads(json.dumps({"number": number, "kind": kind, "record": shown, "comment": comment})))
        body = json.dumps({"event": f"{kind}_changed", "number": number, "record": row["id"]}).encode()
        self.outbox.append(signed(body, self.now()))

    # --- what people do --------------------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        return [
            Record(
                id=row["id"],
                external_id=row["external_id"],
                subject=row["subject"],
                status=row["status"],
                priority=row["priority"],
                tags=tuple(row["tags"]),
                comments=tuple(Said(id=one["id"], text=one["text"], public=one["public"]) for one in row["comments"]),
            )
            for row in self.rows.values()
        ]

    def agent_answers(self, record_id: str, text: str, *, public: bool = True) -> str:
        """A human agent comments."""
        body = {"comment": {"text": text, "public": public}}
        return str(self._change(self._record(record_id), body, author="u2")["comment"]["id"])

    def rule_answers(self, record_id: str, text: str) -> str:
        """A rule of the helpdesk comments in public."""
        body = {"comment": {"text": text, "public": True}}
        return str(self._change(self._record(record_id), body, author="rule", automatic=True)["comment"]["id"])

    def agent_publishes(self, record_id: str, comment_id: str) -> None:
        """An agent turns a note into a public comment."""
        row, comment = self._comment(comment_id)
        comment["public"] = True
        self._tell("comment", row, comment)

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """A human agent sets a status."""
        self._change(self._record(record_id), {"fields": {"status": status}}, author="u2")

    def revoke_credentials(self) -> None:
        """The token is dead."""
        self.token = ""

    def accept_without_applying(self) -> None:
        """From now on writes are answered 200 with ``"applied": false`` and change nothing."""
        self.applies = False

    def webhooks(self) -> list[WebhookRequest]:
        """What was sent since the last call."""
        sent, self.outbox = self.outbox, []
        return sent


def signed(body: bytes, at: datetime) -> WebhookRequest:
    """A webhook as the helpdesk sends it."""
    stamp = at.isoformat()
    signature = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-desk-time": stamp, "x-desk-signature": signature}
    return WebhookRequest("POST", "/hooks/acme", headers, {}, body, at)
