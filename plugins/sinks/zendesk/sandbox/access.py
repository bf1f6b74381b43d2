# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls, and whether they may: API tokens, OAuth access tokens and their scopes, roles."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, jsonify, request

from plugins.sinks.zendesk.sandbox.account import forbidden
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
}
# https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/#scopes; what is not listed needs the scope
# of the whole account.
_RESOURCES = {
    "tickets": "tickets",
    "comment_redactions": "tickets",
    "deleted_tickets": "tickets",
    "problems": "tickets",
    "uploads": "tickets",
    "attachments": "tickets",
    "users": "users",
    "organizations": "organizations",
    "macros": "macros",
    "triggers": "triggers",
    "webhooks": "webhooks",
}
_FREE = re.compile(r"/api/v2/(oauth/tokens/current|job_statuses/.*)\.json")
_ADMIN = re.compile(r"/api/v2/(incremental/|webhooks|triggers|oauth/clients|custom_roles|agent_availabilities)")


@dataclass
class Caller:
    """``account`` names one of the sandbox's accounts in the count of calls; ``token`` is an OAuth token's record."""

    user: Json
    account: str
    token: Json | None = None


def caller_of(helpdesk: Helpdesk, authorization: str) -> Caller | None:
    """Whose credentials these are."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return _bearer(helpdesk, value.strip())
    if kind.lower() != "basic" or helpdesk.state.setting("api_tokens", "1") == "0":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    for account, row in helpdesk.accounts().items():
        if name == f"{row['email']}/token" and hmac.compare_digest(secret.encode(), row["token"].encode()):
            return Caller(helpdesk.user(int(row["id"])), account)
    return None


def _bearer(helpdesk: Helpdesk, value: str) -> Caller | None:
    accounts = helpdesk.accounts()
    for account, row in accounts.items():
        if hmac.compare_digest(value.encode(), row["token"].encode()):  # a token made by hand, which never expires
            return Caller(helpdesk.user(int(row["id"])), account)
    for token in helpdesk.state.by_external_id("oauth_token", value):
        if token["external_id"] == value and (token["expires_s"] is None or token["expires_s"] > helpdesk.now()):
            names = [name for name, row in accounts.items() if row["id"] == str(token["user_id"])]
            return Caller(helpdesk.user(token["user_id"]), names[0] if names else "other", token)
    return None


def add_access(app: Flask, helpdesk: Helpdesk) -> None:
    """Ask every call of the API for credentials, scope and role."""

    @app.before_request
    def who() -> tuple[Response, int] | None:
        if not request.path.startswith("/api/"):
            return None
        authorization = request.headers.get("Authorization", "")
        caller = caller_of(helpdesk, authorization)
        if caller is None:
            bearer = authorization.lower().startswith("bearer ")
            return jsonify(INVALID_TOKEN if bearer else {"error": "Couldn't authenticate you"}), 401
        g.actor, g.token, g.account = caller.user, caller.token, caller.account
        request.environ["sandbox.call"]["account"] = caller.account
        if caller.token is not None and not _may(caller.token["scopes"]):
            raise forbidden()
        if caller.user["role"] == "end-user":
            raise forbidden()
        if caller.user["role"] != "admin" and _ADMIN.match(request.path):
            raise forbidden()
        return None


def _may(scopes: list[str]) -> bool:
    if _FREE.fullmatch(request.path):
        return True
    verb = "read" if request.method in ("GET", "HEAD") else "write"
    segment = request.path.removeprefix("/api/v2/").partition("/")[0].removesuffix(".json")
    if segment == "incremental":
        segment = request.path.removeprefix("/api/v2/incremental/").partition("/")[0].removesuffix(".json")
    resource = _RESOURCES.get(segment)
    wanted = {verb} | ({f"{resource}:{verb}", resource} if resource else set())
    return bool(wanted & set(scopes))
