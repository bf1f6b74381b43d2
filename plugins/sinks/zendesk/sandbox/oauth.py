# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth: the token endpoint with its three grants, the page that asks, clients and tokens.

https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

from flask import Flask, g, request

from plugins.sinks.zendesk.sandbox.account import Problem, forbidden, invalid, not_found
from plugins.sinks.zendesk.sandbox.answers import given, page, shown
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

CODE_LASTS_S = 120
ACCESS_S, REFRESH_S = 1800, 2_592_000
_GRANTS = ("authorization_code", "refresh_token", "client_credentials")


class OAuthProblem(Problem):
    """An error of the token endpoint, in the shape of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, error, description)
        self.body = {"error": error, "error_description": description}


def invalid_grant() -> OAuthProblem:
    """The answer to a code or refresh token that is used, old or another client's."""
    return OAuthProblem(
        "invalid_grant",
        "The provided access grant is invalid, expired, or revoked (e.g. invalid assertion, expired authorization "
        "token, bad end-user password credentials, or mismatching authorization code and redirection URI).",
    )


class OAuth:
    """Clients, codes and tokens in the account's store."""

    def __init__(self, helpdesk: Helpdesk) -> None:
        self._helpdesk = helpdesk
        self._state = helpdesk.state

    def client(self, identifier: str) -> Json | None:
        """The client of this unique identifier."""
        return next((row for row in self._state.where("oauth_client", identifier=identifier)), None)

    def save_client(self, given: Json, owner: Json) -> Json:
        """Register a client, or change the one of the same identifier. Its secret is told once."""
        if not given.get("identifier") or not given.get("name"):
            raise invalid("identifier", "Identifier: cannot be blank")
        now, known = self._helpdesk.stamp(), self.client(given["identifier"])
        redirects: Any = given.get("redirect_uri", known["redirect_uri"] if known else [])
        client = (
            known
            or {
                "id": self._state.next("oauth_client", start=223443),
                "identifier": given["identifier"],
                "secret": secrets.token_hex(32),
                "user_id": owner["id"],
                "company": None,
                "description": None,
                "logo_url": None,
                "global": False,
                "created_at": now,
            }
        ) | {
            "name": given["name"],
            "kind": given.get("kind", known["kind"] if known else "confidential"),
            "redirect_uri": [redirects] if isinstance(redirects, str) else list(redirects),
            "updated_at": now,
        }
        self._state.put("oauth_client", client)
        return client

    def authorise(self, client: Json, redirect_uri: str, scope: str, user_id: int, challenge: str) -> str:
        """A code for this person's grant."""
        code = secrets.token_urlsafe(24)
        grant = {
            "id": self._state.next("oauth_code"),
            "external_id": code,
            "client_id": client["id"],
            "redirect_uri": redirect_uri,
            "scope": scope,
            "user_id": user_id,
            "challenge": challenge,
            "expires_s": self._helpdesk.now() + CODE_LASTS_S,
        }
        self._state.put("oauth_code", grant)
        return code

    def token(self, given: Json) -> Json:
        """The answer of the token endpoint."""
        kind = given.get("grant_type")
        if kind not in _GRANTS:
            raise OAuthProblem("unsupported_grant_type", "The authorization grant type is not supported.")
        client = self.client(str(given.get("client_id", "")))
        if client is None or not self._knows_secret(client, given):
            raise OAuthProblem(
                "invalid_client",
                "Client authentication failed due to unknown client, no client authentication included, or "
                "unsupported authentication method.",
                401,
            )
        if kind == "authorization_code":
            grant = self._code(client, given)
            return self._issue(client, grant["scope"], grant["user_id"], given)
        if kind == "refresh_token":
            old = self._refreshable(client, str(given.get("refresh_token", "")))
            scope = str(given.get("scope") or " ".join(old["scopes"]))
            if not set(scope.split()) <= set(old["scopes"]):
                raise OAuthProblem("invalid_scope", "The requested scope is invalid, unknown, or malformed.")
            self.revoke(old)
            return self._issue(client, scope, old["user_id"], given)
        if client["kind"] == "public":
            raise OAuthProblem("unauthorized_client", "A public client has no credentials of its own.")
        return self._issue(client, str(given.get("scope") or "read"), client["user_id"], given, refreshable=False)

    def revoke(self, token: Json) -> None:
        """Access and refresh token end together."""
        self._state.remove("oauth_token", token["id"])
        self._state.remove("oauth_refresh", token["id"])

    def lasting_token(self, client_id: int, scopes: list[str], user: Json) -> Json:
        """A token made by the API: it does not expire."""
        client = self._state.get("oauth_client", client_id)
        if client is None:
            raise invalid("client_id", "Client does not exist")
        return self._keep(client, scopes, user["id"], None, None)

    def _code(self, client: Json, given: Json) -> Json:
        code = str(given.get("code", ""))
        found = [row for row in self._state.by_external_id("oauth_code", code) if row["external_id"] == code]
        if not found or found[0]["client_id"] != client["id"] or found[0]["expires_s"] <= self._helpdesk.now():
            raise invalid_grant()
        grant = found[0]
        if grant["redirect_uri"] != given.get("redirect_uri"):
            raise invalid_grant()
        if grant["challenge"] or client["kind"] == "public":
            digest = hashlib.sha256(str(given.get("code_verifier", "")).encode()).digest()
            proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if not hmac.compare_digest(proof, grant["challenge"]):
                raise invalid_grant()
        self._state.remove("oauth_code", grant["id"])
        return grant

    def _refreshable(self, client: Json, value: str) -> Json:
        for row in self._state.by_external_id("oauth_refresh", value):
            if row["external_id"] == value and row["expires_s"] > self._helpdesk.now():
                token = self._state.get("oauth_token", row["id"])
                if token is not None and token["client_id"] == client["id"]:
                    return token
        raise invalid_grant()

    def _knows_secret(self, client: Json, given: Json) -> bool:
        if client["kind"] == "public":
            return True
        return hmac.compare_digest(str(given.get("client_secret", "")).encode(), client["secret"].encode())

    def _issue(self, client: Json, scope: str, user_id: int, given: Json, *, refreshable: bool = True) -> Json:
        access = self._lifetime(given, "expires_in", "access_lifetime", ACCESS_S, (300, 172_800))
        refresh = self._lifetime(given, "refresh_token_expires_in", "refresh_lifetime", REFRESH_S, (604_800, 7_776_000))
        token = self._keep(client, scope.split(), user_id, access, refresh if refreshable else None)
        answer: Json = {
            "access_token": token["external_id"],
            "token_type": "bearer",
            "scope": scope,
            "expires_in": access,
        }
        if refreshable:
            answer |= {"refresh_token": token["refresh_token"], "refresh_token_expires_in": refresh}
        return answer

    def _lifetime(self, given: Json, name: str, setting: str, default: int, bounds: tuple[int, int]) -> int:
        if self._state.setting(setting):
            return int(self._state.number(setting))
        if given.get(name) is None:
            return default
        try:
            wanted = int(given[name])
        except (TypeError, ValueError):
            wanted = 0
        if not bounds[0] <= wanted <= bounds[1]:
            raise OAuthProblem("invalid_request", f"{name} must be between {bounds[0]} and {bounds[1]} seconds.")
        return wanted

    def _keep(self, client: Json, scopes: list[str], user_id: int, access: int | None, refresh: int | None) -> Json:
        now = self._helpdesk.now()
        token = {
            "id": self._state.next("oauth_token", start=600001),
            "external_id": secrets.token_hex(32),
            "client_id": client["id"],
            "user_id": user_id,
            "scopes": scopes,
            "created_at": self._helpdesk.stamp(),
            "expires_s": None if access is None else now + access,
            "refresh_s": None if refresh is None else now + refresh,
            "refresh_token": None if refresh is None else secrets.token_hex(32),
        }
        self._state.put("oauth_token", token)
        if refresh is not None:
            row = {"id": token["id"], "external_id": token["refresh_token"], "expires_s": now + refresh}
            self._state.put("oauth_refresh", row)
        return token


def add_oauth(app: Flask, helpdesk: Helpdesk, oauth: OAuth) -> None:
    """Add the routes."""
    state = helpdesk.state

    @app.post("/oauth/tokens")
    def token() -> tuple[Json, int]:
        body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
        if not isinstance(body, dict):
            raise OAuthProblem("invalid_request", "The request is missing a required parameter.")
        return oauth.token(body), 201  # 201: as the description says

    @app.get("/api/v2/oauth/clients.json")
    def clients() -> Json:
        return page("clients", [_client(row) for row in state.all("oauth_client")])

    @app.post("/api/v2/oauth/clients.json")
    def create_client() -> tuple[Json, int]:
        return {"client": shown("oauth_client", oauth.save_client(given("client"), g.actor))}, 201

    @app.get("/api/v2/oauth/clients/<int:oauth_client_id>.json")
    def show_client(oauth_client_id: int) -> Json:
        client = state.get("oauth_client", oauth_client_id)
        if client is None:
            raise not_found()
        return {"client": _client(client)}

    @app.get("/api/v2/oauth/tokens.json")
    def tokens() -> Json:
        return page("tokens", [_token(row, helpdesk) for row in state.where("oauth_token", user_id=g.actor["id"])])

    @app.post("/api/v2/oauth/tokens.json")
    def create_token() -> tuple[Json, int]:
        wanted = given("token")
        made = oauth.lasting_token(int(wanted["client_id"]), list(wanted["scopes"]), g.actor)
        return {
            "token": _token(made, helpdesk) | {"token": made["external_id"], "full_token": made["external_id"]}
        }, 201

    @app.get("/api/v2/oauth/tokens/current.json")
    def current() -> Json:
        if g.token is None:
            raise not_found()
        return {"token": _token(g.token, helpdesk)}

    @app.delete("/api/v2/oauth/tokens/current.json")
    def revoke_current() -> tuple[str, int]:
        if g.token is None:
            raise not_found()
        oauth.revoke(g.token)
        return "", 204

    @app.route("/api/v2/oauth/tokens/<int:oauth_token_id>.json", methods=["GET", "DELETE"])
    def one(oauth_token_id: int) -> tuple[Json | str, int]:
        found = state.get("oauth_token", oauth_token_id)
        if found is None:
            raise not_found()
        if found["user_id"] != g.actor["id"] and g.actor["role"] != "admin":
            raise forbidden()
        if request.method == "DELETE":
            oauth.revoke(found)
            return "", 204
        return {"token": _token(found, helpdesk)}, 200


def _client(client: Json) -> Json:
    return shown("oauth_client", client) | {"secret": client["secret"][:10]}


def _token(token: Json, helpdesk: Helpdesk) -> Json:
    seen = {name: token[name] for name in ("id", "client_id", "user_id", "scopes", "created_at")}
    return shown("oauth_token", seen) | {
        "token": token["external_id"][:10],
        "refresh_token": token["refresh_token"] and token["refresh_token"][:10],
        "used_at": helpdesk.stamp(),
        "expires_at": _time(token["expires_s"]),
        "refresh_token_expires_at": _time(token["refresh_s"]),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
