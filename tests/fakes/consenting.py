"""A vendor that asks a person for consent, by a third party's OAuth server, and the connector for it.

The server is authlib's: our idea of OAuth and PKCE is held against somebody else's, not against our own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, OAuth2Error, TokenMixin, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request

from hub.sdk import (
    Account,
    AsksConsent,
    AuthenticationFailed,
    BaseUrl,
    Choice,
    ConfigurationError,
    DeliversTickets,
    Delivery,
    Failure,
    Guide,
    Guides,
    GuideStep,
    GuideText,
    HoldsTokens,
    Permission,
    Receipt,
    ReceivesWebhooks,
    Secret,
    SetsUp,
    Settings,
    SetupStep,
    Sink,
    TemporaryFailure,
    TokenState,
    WebhookRequest,
    failure_of_transport,
)

CALLBACK = "http://127.0.0.1:8765/connect/callback"


class Values:
    """Attributes from keywords."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class Client(ClientMixin):
    """The hub, as it is registered at the vendor."""

    client_id = "hub"
    client_secret = "s3cret-of-the-client"

    def __init__(self, redirect_urls: list[str]) -> None:
        self.redirect_urls = redirect_urls

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_urls[0]

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in scope.split() if one in ("read", "write"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_urls

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.client_secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


class Code(Values, AuthorizationCodeMixin):
    """A code on its way."""

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Token(Values, TokenMixin):
    """What the hub holds."""

    def check_client(self, client: Client) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_in

    def is_expired(self) -> bool:
        return self.issued_at + self.expires_in < time.time()

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return self.user

    def get_client(self) -> Client:
        return self.client


class ConsentVendor:
    """Everything at the vendor: people, codes, tokens, what was set up there."""

    def __init__(self) -> None:
        self.client = Client([CALLBACK])
        self.codes: dict[str, Code] = {}
        self.tokens: list[Token] = []
        self.accounts: list[dict[str, str]] = [{"id": "acme", "name": "Acme"}]
        self.hooks: set[str] = set()
        self.foreign_hooks = {"https://somebody.example.com/hook"}
        self.down = False
        self.app = self._make()

    def token_of(self, value: str) -> Token | None:
        """The token whose access or refresh value this is."""
        return next((one for one in self.tokens if value in (one.access_token, one.refresh_token)), None)

    def _make(self) -> Flask:
        app, vendor = Flask("consent-vendor"), self
        app.secret_key = "vendor"
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True

        class Codes(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["client_secret_post"]

            def save_authorization_code(self, code: str, request: Any) -> None:
                vendor.codes[code] = Code(
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.payload.scope,
                    user=request.user,
                    code_challenge=request.payload.data.get("code_challenge"),
                    code_challenge_method=request.payload.data.get("code_challenge_method"),
                )

            def query_authorization_code(self, code: str, client: Client) -> Code | None:
                return vendor.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                vendor.codes = {key: one for key, one in vendor.codes.items() if one is not authorization_code}

            def authenticate_user(self, authorization_code: Code) -> str:
                return authorization_code.user

        class Refreshes(grants.RefreshTokenGrant):
            TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["client_secret_post"]
            INCLUDE_NEW_REFRESH_TOKEN = True

            def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
                found = vendor.token_of(refresh_token)
                return found if found and not found.revoked else None

            def authenticate_user(self, refresh_token: Token) -> str:
                return refresh_token.user

            def revoke_old_credential(self, refresh_token: Token) -> None:
                refresh_token.revoked = True

        class Revokes(RevocationEndpoint):
            CLIENT_AUTH_METHODS: ClassVar[list[str]] = ["client_secret_post"]

            def query_token(self, token_string: str, token_type_hint: str) -> Token | None:
                return vendor.token_of(token_string)

            def revoke_token(self, token: Token, request: Any) -> None:
                token.revoked = True

        def save_token(token: dict[str, Any], request: Any) -> None:
            vendor.tokens.append(
                Token(user=request.user, client=request.client, issued_at=time.time(), revoked=False, **token)
            )

        def query_client(number: str) -> Client | None:
            return vendor.client if number == "hub" else None

        server = AuthorizationServer(app, query_client=query_client, save_token=save_token)
        server.register_grant(Codes, [CodeChallenge(required=True)])
        server.register_grant(Refreshes)
        server.register_endpoint(Revokes)

        @app.before_request
        def fall() -> tuple[str, int] | None:
            return ("down", 503) if vendor.down else None

        @app.get("/authorize")
        def ask() -> Any:
            try:
                grant = server.get_consent_grant(end_user="acme")
            except OAuth2Error as error:
                return server.handle_error_response(None, error)
            scope = grant.request.payload.scope
            return (
                '<!doctype html><html lang="en"><title>Consent vendor</title><h1>Let the hub in?</h1>'
                f"<p>It asks for: {scope}</p><form method=post><select name=user><option>acme<option>other</select>"
                "<button name=answer value=yes>Allow</button> <button name=answer value=no>Deny</button></form>"
            )

        @app.post("/authorize")
        def decide() -> Any:
            user = request.form["user"] if request.form["answer"] == "yes" else None
            return server.create_authorization_response(
                grant_user=user, grant=server.get_consent_grant(end_user="acme")
            )

        app.add_url_rule("/token", view_func=server.create_token_response, methods=["POST"], endpoint="token")

        @app.post("/revoke")
        def revoke() -> Any:
            return server.create_endpoint_response("revocation")

        def bearer() -> Token | None:
            token = vendor.token_of(request.headers.get("Authorization", "").removeprefix("Bearer "))
            return token if token and not token.revoked else None

        @app.get("/api/me")
        def me() -> Any:
            token = bearer()
            return jsonify(account=request.args.get("account") or token.user) if token else ("who?", 401)

        @app.get("/api/accounts")
        def accounts() -> Any:
            return jsonify(vendor.accounts) if bearer() else ("who?", 401)

        @app.route("/api/hooks", methods=["GET", "POST", "DELETE"])
        def hooks() -> Any:
            if not bearer():
                return "who?", 401
            if request.method == "POST":
                vendor.hooks.add(request.form["url"])
            elif request.method == "DELETE":
                vendor.hooks.discard(request.form["url"])
            return jsonify(sorted(vendor.hooks))

        return app

    def say(self, url: str, *, answer: str = "yes", user: str = "acme") -> str:
        """A person opens the page and answers; return where the browser is led."""
        page = requests.get(url, timeout=10)
        assert page.status_code == 200, page.text
        answered = requests.post(url, data={"answer": answer, "user": user}, timeout=10, allow_redirects=False)
        assert answered.status_code == 302, answered.text
        return str(answered.headers["Location"])


class ConsentSettings(Settings):
    """How the hub is registered there."""

    base_url: BaseUrl
    client_id: str
    client_secret: Secret


class ConsentDesk(Sink, DeliversTickets, ReceivesWebhooks, Guides, AsksConsent, SetsUp, HoldsTokens):
    """A helpdesk that is connected by consent. It keeps nothing: every call reads the vault."""

    name = "consent_desk"
    display_name = "Consent desk"
    Settings: ClassVar[type[Settings]] = ConsentSettings
    settings: ConsentSettings

    def guide(self, language: str, *, redirect_url: str, webhook_url: str) -> Guide:
        title = "Registra un'applicazione" if language == "it" else "Register an application"
        return Guide(
            steps=(
                GuideStep(
                    title=title,
                    text=f"At {self.settings.base_url}, confidential, for {self.settings.client_id}.",
                    url=f"{self.settings.base_url}/apps",
                    copy_text=redirect_url,
                ),
            ),
            permissions=(
                Permission(name="read", why="to see what agents answer"),
                Permission(name="write", why="to open tickets"),
            ),
            texts=(GuideText(title="Privacy", text="The hub stores the customers' words."),),
        )

    def consent_url(self, *, redirect_url: str, state: str, challenge: str) -> str:
        if not self.settings.client_id:
            raise ConfigurationError("client_id is empty")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_url,
            "scope": "read write",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.settings.base_url}/authorize?{urlencode(query)}"

    def accept_consent(self, *, redirect_url: str, code: str, verifier: str) -> Sequence[Choice]:
        form = {"grant_type": "authorization_code", "redirect_uri": redirect_url, "code": code}
        self._keep(self._form("token", {**form, "code_verifier": verifier}))
        return [Choice(id=one["id"], name=one["name"]) for one in self._get("accounts")]

    def choose(self, choice: str) -> None:
        self.toolbox.vault.write("account", choice)

    def check_connection(self) -> Account:
        account = self._get(f"me?account={self.toolbox.vault.read('account') or ''}")["account"]
        return Account(fingerprint=account, id=account, handle=account)

    def tokens(self) -> Sequence[TokenState]:
        vault = self.toolbox.vault
        if vault.read("access_token") is None:
            return []
        return [TokenState(name="access token", expires_at=vault.expires_at("access_token"), renews_itself=True)]

    def renew_tokens(self) -> None:
        present = self.toolbox.vault.read("refresh_token") or ""
        self._keep(self._form("token", {"grant_type": "refresh_token", "refresh_token": present}))

    def forget_tokens(self) -> None:
        token = self.toolbox.vault.read("refresh_token")
        if token:
            self._form("revoke", {"token": token})
        for name in ("access_token", "refresh_token", "account"):
            self.toolbox.vault.forget(name)

    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        there = bool(webhook_url) and webhook_url in self._get("hooks")
        return [
            SetupStep(title="credentials", state="done", by="person"),
            SetupStep(title="webhook", state="done" if there else "missing"),
        ]

    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        self._send("POST", "hooks", data={"url": webhook_url})
        return self.plan_setup(webhook_url)

    def remove_setup(self) -> Sequence[SetupStep]:
        for url in self._get("hooks"):
            self._send("DELETE", "hooks", data={"url": url})
        return []

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        raise TemporaryFailure("not in this test")

    def verify(self, request: WebhookRequest) -> None:
        """Signed by the path."""

    def events(self, request: WebhookRequest) -> Sequence[Any]:
        return []

    def _keep(self, answer: dict[str, Any]) -> None:
        until = self.toolbox.now() + timedelta(seconds=answer["expires_in"])
        self.toolbox.vault.write("access_token", answer["access_token"], expires_at=until)
        self.toolbox.vault.write("refresh_token", answer["refresh_token"])

    def _form(self, path: str, data: dict[str, str]) -> dict[str, Any]:
        client = {
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret.get_secret_value(),
        }
        answer = self._call("POST", f"{self.settings.base_url}/{path}", data={**data, **client})
        told: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            raise AuthenticationFailed(f"the vendor refused: {told.get('error')}")
        return told

    def _get(self, path: str) -> Any:
        return self._send("GET", path).json()

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        token = self.toolbox.vault.read("access_token")
        if token is None:
            raise AuthenticationFailed("it is not connected yet")
        headers = {"Authorization": f"Bearer {token}"}
        return self._call(method, f"{self.settings.base_url}/api/{path}", headers=headers, **options)

    def _call(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            answer = self.toolbox.http.request(method, url, **options)
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error
        if answer.status_code == 503:
            raise TemporaryFailure("the vendor is down")
        if answer.status_code == 401:
            raise AuthenticationFailed("the token is not valid")
        return answer
