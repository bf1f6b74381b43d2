# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: uploaded under a token, fetched from an address of their own.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, request

from plugins.sinks.zendesk.sandbox.access import caller_of
from plugins.sinks.zendesk.sandbox.account import Problem, invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

TOKEN_LASTS_S = 3600
LARGEST = 50 * 1024 * 1024


def add_attachments(app: Flask, helpdesk: Helpdesk) -> None:
    """Add the routes."""
    state = helpdesk.state

    def upload_of(token: str) -> Json:
        found = [row for row in state.by_external_id("upload", token) if row["external_id"] == token]
        if not found or found[0]["expires_at"] <= helpdesk.now():
            raise not_found()
        return found[0]

    @app.post("/api/v2/uploads.json")
    def upload() -> tuple[Json, int]:
        name, body = request.args.get("filename", ""), request.get_data()
        if not name:
            raise Problem(400, "BadRequest", "Parameter filename is required")
        if not body:
            raise invalid("base", "Attachment: cannot be empty")
        if len(body) > state.number("upload_limit", LARGEST):
            raise Problem(413, "AttachmentTooLarge", "The file is larger than the account allows")
        token = request.args.get("token", "")
        row: Json = upload_of(token) if token else {"id": state.next("event"), "external_id": secrets.token_urlsafe(16)}
        row["expires_at"] = helpdesk.now() + TOKEN_LASTS_S
        state.put("upload", row)
        secret = secrets.token_urlsafe(16)
        attachment: Json = {
            "id": state.next("attachment", start=498483),
            "external_id": secret,
            "file_name": name,
            "content_url": f"/attachments/token/{secret}/?name={quote(name)}",
            "mapped_content_url": "",
            "content_type": request.headers.get("Content-Type", "application/binary"),
            "size": len(body),
            "width": None,
            "height": None,
            "inline": False,
            "deleted": False,
            "malware_access_override": False,
            "malware_scan_result": "malware_not_found",
            "thumbnails": [],
        }
        state.put("attachment", attachment, parent=row["id"])
        state.keep_bytes(attachment["id"], body)
        files = [shown("attachment", one) for one in state.children("attachment", row["id"])]
        return {"upload": {"token": row["external_id"], "attachment": files[-1], "attachments": files}}, 201

    @app.delete("/api/v2/uploads/<token>.json")
    def drop(token: str) -> tuple[str, int]:
        row = upload_of(token)
        for attachment in state.children("attachment", row["id"]):
            state.remove("attachment", attachment["id"])
            state.drop_bytes(attachment["id"])
        state.remove("upload", row["id"])
        return "", 204

    @app.get("/api/v2/attachments/<int:attachment_id>.json")
    def show(attachment_id: int) -> Json:
        found = state.get("attachment", attachment_id)
        if found is None:
            raise not_found()
        return {"attachment": shown("attachment", found)}

    @app.put("/api/v2/tickets/<int:ticket_id>/comments/<int:comment_id>/attachments/<int:attachment_id>/redact.json")
    def redact(ticket_id: int, comment_id: int, attachment_id: int) -> Json:
        return {
            "attachment": shown("attachment", helpdesk.redact_attachment(ticket_id, comment_id, attachment_id, g.actor))
        }

    def stored(token: str) -> Json:
        found = [row for row in state.by_external_id("attachment", token) if row["external_id"] == token]
        if not found:
            raise not_found()
        return found[0]

    @app.get("/attachments/token/<token>/")
    def address(token: str) -> Response:
        stored(token)
        caller = caller_of(helpdesk, request.headers.get("Authorization", ""))
        if caller is None and state.setting("private_attachments"):
            return Response(status=302, headers={"Location": f"{request.host_url}access/unauthenticated"})
        # The real one redirects to a host for files, which must not be shown the credentials.
        return Response(status=302, headers={"Location": f"{request.host_url}files/{token}"})

    @app.get("/access/unauthenticated")
    def sign_in() -> str:
        return "<!doctype html><title>Sign in</title><h1>Sign in to the Zendesk sandbox</h1>"

    @app.get("/files/<token>")
    def file(token: str) -> Response:
        attachment = stored(token)
        body = state.bytes_of(attachment["id"]) or b""
        answer = Response(body, content_type=attachment["content_type"])
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(attachment['file_name'])}"
        return answer
