# SPDX-License-Identifier: GPL-3.0-or-later
"""Comments as events of a ticket's audits: written, hidden, published, blackened."""

from __future__ import annotations

import html
import re
from typing import Any

from plugins.sinks.zendesk.sandbox.account import Account, invalid, not_found

Json = dict[str, Any]

API: Json = {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}


class Comments(Account):
    """What is said in tickets."""

    acting: int | None = None
    """Who made the last audit: the actor of the events told after it."""

    def show(self, ticket_id: int) -> Json:
        """A live ticket."""
        ticket = self.state.get("ticket", ticket_id)
        if ticket is None or ticket["status"] == "deleted":
            raise not_found()
        return ticket

    def comments(self, ticket_id: int) -> list[Json]:
        """A ticket's comments, oldest first."""
        return [
            event
            | {
                "audit_id": audit["id"],
                "created_at": audit["created_at"],
                "via": event.get("via") or audit["via"],
                "metadata": audit["metadata"],
            }
            for audit in self.state.children("audit", ticket_id)
            for event in audit["events"]
            if event["type"] == "Comment"
        ]

    def make_public(self, ticket_id: int, comment_id: int, actor: Json) -> None:
        """What an agent may do on the screen: the comment event changes, another event tells of it."""
        self._set_privacy(ticket_id, comment_id, actor, public=True)

    def make_private(self, ticket_id: int, comment_id: int, actor: Json) -> None:
        """What an agent and the API may do."""
        self._set_privacy(ticket_id, comment_id, actor, public=False)

    def _set_privacy(self, ticket_id: int, comment_id: int, actor: Json, *, public: bool) -> None:
        ticket = self.show(ticket_id)
        audit, event = self._comment_event(ticket_id, comment_id)
        event["public"] = public
        self.state.put("audit", audit, parent=ticket_id)
        change = {
            "id": self._event_id(),
            "type": "CommentPrivacyChange",
            "comment_id": comment_id,
            "public": public,
        }
        ticket["updated_at"] = self.stamp()
        self._audit(ticket, [change], {}, actor, via={"channel": "web", "source": {}})
        self._keep(ticket)
        self._announce(
            "comment_made_public" if public else "comment_made_private", ticket, {"comment": {"id": str(comment_id)}}
        )

    def redact(self, comment_id: int, ticket_id: int, html_body: str | None, urls: list[str], actor: Json) -> Json:
        """Blacken what stands in ``<redact>`` tags, in closed tickets too; ``None`` leaves the text as it is."""
        ticket = self.show(ticket_id)
        audit, event = self._comment_event(ticket_id, comment_id)
        if html_body is not None:
            black = re.sub(r"<redact>(.*?)</redact>", lambda m: "▇" * len(m.group(1)), html_body, flags=re.DOTALL)
            event |= {"html_body": black, "body": plain(black), "plain_body": plain(black)}
        event["attachments"] = [a for a in event["attachments"] if not _named(a, urls)]
        self.state.put("audit", audit, parent=ticket_id)
        change = {"id": self._event_id(), "type": "CommentRedactionEvent", "comment_id": comment_id}
        self._audit(ticket, [change], {}, actor)
        self._keep(ticket)
        self._announce("comment_redacted", ticket, {"comment": {"id": str(comment_id)}})
        return dict(event) | {"audit_id": audit["id"], "created_at": audit["created_at"]}

    def redact_attachment(self, ticket_id: int, comment_id: int, attachment_id: int, actor: Json) -> Json:
        """Replace a file by an empty one of the name ``redacted.txt``."""
        ticket = self.show(ticket_id)
        audit, event = self._comment_event(ticket_id, comment_id)
        for attachment in event["attachments"]:
            if attachment["id"] == attachment_id:
                attachment |= {"file_name": "redacted.txt", "content_type": "text/plain", "size": 0}
                stored = (self.state.get("attachment", attachment_id) or attachment) | attachment
                self.state.put("attachment", stored, parent=comment_id)
                self.state.drop_bytes(attachment_id)
                self.state.put("audit", audit, parent=ticket_id)
                change = {
                    "id": self._event_id(),
                    "type": "AttachmentRedactionEvent",
                    "attachment_id": attachment_id,
                    "comment_id": comment_id,
                }
                self._audit(ticket, [change], {}, actor)
                self._keep(ticket)
                self._announce("attachment_redacted_from_comment", ticket, {"attachment": {"id": str(attachment_id)}})
                return dict(attachment)
        raise not_found()

    def _comment_event(self, ticket_id: int, comment_id: int) -> tuple[Json, Json]:
        for audit in self.state.children("audit", ticket_id):
            for event in audit["events"]:
                if event["id"] == comment_id and event["type"] == "Comment":
                    return audit, event
        raise not_found()

    def _comment(self, given: Json, actor: Json) -> Json:
        author = int(given["author_id"] if given.get("author_id") is not None else actor["id"])
        if author != -1 and self.state.get("user", author) is None:
            raise invalid("author_id", "Author does not exist")
        text = given.get("html_body") or html.escape(str(given.get("body") or ""), quote=False).replace("\n", "<br>")
        body = f'<div class="zd-comment" dir="auto">{text}</div>'
        number = self._event_id()
        return {
            "id": number,
            "type": "Comment",
            "author_id": author,
            "body": plain(body),
            "html_body": body,
            "plain_body": plain(body),
            "public": given.get("public") is not False,
            "attachments": self._attached(given.get("uploads") or [], number),
            "audit_id": None,
        }

    def _attached(self, tokens: Any, comment_id: int) -> list[Json]:
        attachments = []
        for token in tokens if isinstance(tokens, list) else [tokens]:
            found = [row for row in self.state.by_external_id("upload", str(token)) if row["external_id"] == token]
            if not found or found[0]["expires_at"] <= self.now():
                raise invalid("base", f"Upload token {token} is invalid or expired")
            for attachment in self.state.children("attachment", found[0]["id"]):
                self.state.put("attachment", attachment, parent=comment_id)
                attachments.append({name: value for name, value in attachment.items() if name != "external_id"})
            self.state.remove("upload", found[0]["id"])
        return attachments

    def _audit(self, ticket: Json, events: list[Json], given: Json, actor: Json, *, via: Json | None = None) -> Json:
        custom = given.get("metadata")
        audit = {
            "id": self._event_id(),
            "ticket_id": ticket["id"],
            "created_at": self.stamp(),
            "author_id": actor["id"],
            "metadata": {
                "system": {
                    "client": "sandbox",
                    "ip_address": "127.0.0.1",
                    "location": "",
                    "latitude": 0,
                    "longitude": 0,
                },
                "custom": custom if isinstance(custom, dict) else {},
            },
            "events": events,
            "via": via or API,
        }
        self.acting = actor["id"]
        for event in events:
            if event["type"] == "Comment":
                event["audit_id"] = audit["id"]
        self.state.put(
            "audit", audit, parent=ticket["id"], changed_seq=self.state.next("change"), changed_at=int(self.now())
        )
        return audit

    def _keep(self, ticket: Json) -> None:
        now = int(self.now())
        ticket["generated_timestamp"] = now
        self.state.put("ticket", ticket, changed_seq=self.state.next("change"), changed_at=now)

    def _event_id(self) -> int:
        return self.state.next("event", start=2127301143)

    def _announce(self, kind: str, ticket: Json, event: Json | None = None) -> None:
        self.changes.append((kind, ticket | {"event": event or {}, "acting": self.acting}))

    def _announce_comment(self, ticket: Json, comment: Json) -> None:
        author = self.state.get("user", comment["author_id"]) or {"name": "System", "role": "system"}
        told = {
            "id": str(comment["id"]),
            "body": comment["body"],
            "is_public": comment["public"],
            "author": {
                "id": str(comment["author_id"]),
                "name": author["name"],
                "is_staff": author["role"] != "end-user",
            },
        }
        self._announce("comment_added", ticket, {"comment": told})


def _named(attachment: Json, urls: list[str]) -> bool:
    return any(url.endswith(attachment["content_url"]) for url in urls)


def is_blank(comment: Any) -> bool:
    """Whether a comment says nothing and brings no file."""
    if not isinstance(comment, dict):
        return True
    return not str(comment.get("body") or comment.get("html_body") or "").strip() and not comment.get("uploads")


def plain(body: str) -> str:
    """HTML as text."""
    return html.unescape(re.sub(r"<[^>]+>", "", body.replace("<br>", "\n")))
