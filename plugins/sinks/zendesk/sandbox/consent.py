# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on which a person of the account lets an application in, or does not."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request

from plugins.sinks.zendesk.sandbox.account import STAFF
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.oauth import OAuth

_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Zendesk sandbox: allow access?</title>
<main><h1>{client} wants to use this account</h1><p>It asks for: <strong>{scope}</strong>. It will act in your name.</p>
<form method="post" action="/oauth/authorizations">{hidden}
<p><label>You are <select name="user_id">{people}</select></label></p>
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form></main>"""


def add_consent(app: Flask, helpdesk: Helpdesk, oauth: OAuth) -> None:
    """Add the routes."""

    @app.get("/oauth/authorizations/new")
    def ask() -> Response | tuple[str, int]:
        refusal = _refusal(oauth, request.args.to_dict())
        if refusal is not None:
            return refusal
        client = oauth.client(request.args["client_id"]) or {}
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(request.args.get(name, ""))}">' for name in _ASKED
        )
        people = "".join(
            f'<option value="{user["id"]}">{html.escape(user["name"])} ({user["role"]})</option>'
            for user in helpdesk.state.where("user", role=STAFF)
        )
        name, scope = html.escape(client["name"]), html.escape(request.args.get("scope", ""))
        return Response(_PAGE.format(client=name, scope=scope, hidden=hidden, people=people))

    @app.post("/oauth/authorizations")
    def decide() -> Response | tuple[str, int]:
        asked = request.form.to_dict()
        refusal = _refusal(oauth, asked)
        if refusal is not None:
            return refusal
        back = {"state": asked["state"]} if asked.get("state") else {}
        user = helpdesk.user(int(asked["user_id"]))
        if asked.get("decision") != "allow" or user["role"] not in STAFF:
            description = "The end-user or authorization server denied the request."
            return _back(asked, {"error": "access_denied", "error_description": description, **back})
        client = oauth.client(asked["client_id"]) or {}
        code = oauth.authorise(
            client, asked["redirect_uri"], asked["scope"], user["id"], asked.get("code_challenge", "")
        )
        return _back(asked, {"code": code, **back})


def _refusal(oauth: OAuth, asked: dict[str, str]) -> Response | tuple[str, int] | None:
    client = oauth.client(asked.get("client_id", ""))
    if client is None:
        return "<!doctype html><h1>Invalid Authorization Request</h1><p>No such client</p>", 400
    if asked.get("redirect_uri") not in client["redirect_uri"]:
        return "<!doctype html><h1>Invalid Authorization Request</h1><p>Invalid redirect_uri</p>", 400
    problem = ""
    if asked.get("response_type") != "code":
        problem = "unsupported_response_type"
    elif not asked.get("scope", "").split():
        problem = "invalid_scope"
    elif not _is_proof_asked(client, asked):
        problem = "invalid_request"
    if not problem:
        return None
    return _back(asked, {"error": problem, **({"state": asked["state"]} if asked.get("state") else {})})


def _back(asked: dict[str, str], answer: dict[str, str]) -> Response:
    address = asked["redirect_uri"]
    return Response(status=302, headers={"Location": f"{address}{'&' if '?' in address else '?'}{urlencode(answer)}"})


def _is_proof_asked(client: dict[str, Any], asked: dict[str, str]) -> bool:
    if not asked.get("code_challenge"):
        return bool(client["kind"] != "public")
    return asked.get("code_challenge_method") == "S256"
