# SPDX-License-Identifier: GPL-3.0-or-later
"""How the hub's account signs in: OAuth with tokens that rotate in the vault, or a token of the settings while those
live."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from hub.sdk import (
    Account,
    AsksConsent,
    AuthenticationFailed,
    Choice,
    ConfigurationError,
    HoldsTokens,
    Refused,
    TemporaryFailure,
    TokenState,
    Toolbox,
    failure_of_transport,
)
from plugins.sinks.zendesk.errors import failure_of_answer
from plugins.sinks.zendesk.payloads import part_of, text_of, time_of
from plugins.sinks.zendesk.settings import ZendeskSettings

if TYPE_CHECKING:
    from plugins.sinks.zendesk.client import ZendeskClient

Json = dict[str, Any]

TOKENS = "oauth"
"""The vault's name for access token, refresh token, scopes and times: one value, so that one commit holds them all."""
EVERYDAY_SCOPES = ("read", "tickets:write", "users:write", "webhooks:write", "macros:write")
SETUP_SCOPE = "write"
"""Views and ticket fields have no scope of their own at Zendesk: making them takes the one for everything.
https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/#scopes"""
API_TOKENS_END = datetime(2027, 4, 30, tzinfo=UTC)
"""https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/"""

# Without them a client gets what its account has as default: no end at all, or half an hour. A day between two
# rotations means few occasions on which the answer with the new tokens can get lost; the second is below the most
# Zendesk gives, 90 days. https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
_LIFETIMES = {"expires_in": 86_400, "refresh_token_expires_in": 7_700_000}
_NEVER = datetime.max.replace(tzinfo=UTC)
_EARLY = timedelta(seconds=90)  # longer than a call may take
_READ_AGAIN = timedelta(seconds=30)  # a person may have connected another account


class Credentials:
    """Signs calls. One per connector instance; the vault is the truth, ``_tokens`` what was last read of it."""

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox) -> None:
        self._settings = settings
        self._toolbox = toolbox
        self._tokens: Json = {}
        self._stored: str | None = None
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._fixed = _fixed_headers(settings)

    def send(self, call: Callable[[dict[str, str]], requests.Response]) -> requests.Response:
        """Make ``call`` with the headers that sign it. A 401 means that nothing was done: with OAuth the tokens are
        renewed once and the call is made again; a second 401 is for the caller.

        Raises what ``call`` raises, and before it leaves ``AuthenticationFailed`` (nobody connected, or connect again),
        ``TemporaryFailure`` and ``RateLimited`` (the tokens could not be renewed now).
        """
        headers = self.headers()
        response = call(headers)
        if response.status_code != 401:
            return response
        if self._settings.api_token is not None:
            raise AuthenticationFailed(
                "Zendesk refuses the API token (401); unused ones are switched off after 30 days, all on 2027-04-30: "
                "connect by OAuth instead (client_id)",
                detail=response.text[:2000],
                vendor_request_id=response.headers.get("X-Zendesk-Request-Id", ""),
            )
        return response if self._fixed else call(self.headers(refused=headers))

    def headers(self, *, refused: dict[str, str] | None = None) -> dict[str, str]:
        """The header that signs a call; ``refused`` is one that Zendesk no longer takes. Raises as ``send``."""
        if self._fixed:
            return self._fixed
        if not self._serves(refused):
            self._read()
        if not self._serves(refused):
            # What was read is what is stale: read anew, it may be another thread's fresh ones, and they would end.
            self._renew(self._stored)
        return _bearer(self._tokens)

    def renew(self) -> None:
        """New tokens for the present ones, in the vault before they are used. Raises as ``send``."""
        self._read()
        self._renew(self._stored)

    def exchange(self, *, redirect_url: str, code: str, verifier: str) -> None:
        """Tokens for a consent, into the vault. Raises ``ConfigurationError`` when scopes that are needed were not
        granted; nothing is kept then."""
        given = {
            "code": code,
            "redirect_uri": redirect_url,
            "code_verifier": verifier,
            "scope": " ".join(self.wanted()),
        }
        response = self._ask("authorization_code", given)
        if response.status_code >= 400 and _problem(response) == "invalid_grant":
            raise AuthenticationFailed(
                "Zendesk does not take the consent: its code lasts two minutes and works once; connect again"
            )
        tokens = self._tokens_of(response, asked=" ".join(self.wanted()))
        missing = [scope for scope in self.wanted() if not _covers(tokens["scope"], scope)]
        if missing:
            raise _not_granted(missing)
        ends = _time(tokens, "refresh_expires_at")
        self._toolbox.vault.write(TOKENS, json.dumps(tokens), expires_at=ends if ends < _NEVER else None)
        self._read()

    def wanted(self) -> tuple[str, ...]:
        """The scopes to ask for."""
        return (*EVERYDAY_SCOPES, SETUP_SCOPE) if self._settings.ask_write else EVERYDAY_SCOPES

    def check_scopes(self) -> None:
        """Raise ``ConfigurationError`` when the tokens lack a scope of every day, and name it."""
        missing = [scope for scope in EVERYDAY_SCOPES if not self.may(scope)]
        if missing:
            raise _not_granted(missing)

    def may(self, scope: str) -> bool:
        """Whether the tokens hold this scope; without OAuth the account's role decides alone. Raises as ``send``."""
        return bool(self._fixed) or _covers((self._tokens or self._read()).get("scope"), scope)

    def states(self) -> list[TokenState]:
        """Every credential as it is now; reads the vault only."""
        if self._settings.api_token is not None:
            return [TokenState(name="API token", expires_at=API_TOKENS_END)]
        if self._fixed:
            return [TokenState(name="OAuth token of the settings")]
        stored = _parsed(self._toolbox.vault.read(TOKENS))
        if not stored:
            return []
        if stored.get("ended"):
            return [TokenState(name="OAuth access", expires_at=time_of(stored.get("ended_at")))]
        return [
            TokenState(name=name, expires_at=time_of(stored.get(key)), renews_itself=bool(stored.get("refresh")))
            for name, key in (("OAuth access", "expires_at"), ("OAuth refresh", "refresh_expires_at"))
            if stored.get(key) or key == "expires_at"
        ]

    def forget(self) -> None:
        """End the tokens at Zendesk and in the vault; the vault is emptied whatever Zendesk says."""
        stored = _parsed(self._toolbox.vault.read(TOKENS))
        try:
            if stored.get("access"):
                self._revoke(stored)
        finally:
            self._toolbox.vault.forget(TOKENS)
            self._tokens, self._stored = {}, None

    def _revoke(self, stored: Json) -> None:
        try:
            signed = _bearer(stored) if self._fixed else self.headers()
        except AuthenticationFailed:
            return  # they have ended already
        shown = self._tokens_call("GET", "current", signed)
        if shown is None:
            return
        number = text_of(part_of(_json(shown), "token").get("id"))
        # By id first: DELETE .../current answers 204 and some tokens live on; but by id it may take the scope write.
        # https://support.zendesk.com/hc/en-us/community/posts/5537132288282
        deleted = self._tokens_call("DELETE", number, signed) if number else shown
        if deleted is not None and not deleted.ok:
            self._tokens_call("DELETE", "current", signed)
        if self._tokens_call("GET", "current", signed) is not None:
            raise Refused(
                "Zendesk did not end the tokens: delete them (Admin Center, Apps and integrations, APIs, OAuth clients)"
            )

    def _tokens_call(self, method: str, which: str, signed: dict[str, str]) -> requests.Response | None:
        """The answer of ``/api/v2/oauth/tokens``; ``None`` when the token is no longer one (401)."""
        url = f"{self._settings.origin}/api/v2/oauth/tokens/{which}.json"
        try:
            response = self._toolbox.http.request(method, url, headers=signed, allow_redirects=False)
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise failure_of_answer(response, self._toolbox.now(), effect_possible=False)
        return None if response.status_code == 401 else response

    def _serves(self, refused: dict[str, str] | None) -> bool:
        now, tokens = self._toolbox.now(), self._tokens
        if not tokens or _bearer(tokens) == refused or not self._read_at <= now < self._read_at + _READ_AGAIN:
            return False
        return _time(tokens, "expires_at") > now + _EARLY

    def _read(self) -> Json:
        return self._keep(self._toolbox.vault.read(TOKENS))

    def _renew(self, stale: str | None) -> None:
        self._keep(self._toolbox.vault.refresh(TOKENS, stale, lambda: self._renewed(stale or "")))

    def _keep(self, stored: str | None) -> Json:
        self._tokens, self._stored, self._read_at = {}, stored, self._toolbox.now()
        self._tokens = _alive(stored, self._toolbox.connection)
        return self._tokens

    def _renewed(self, stale: str) -> tuple[str, timedelta | None]:
        old, now = _parsed(stale), self._toolbox.now()
        if not old.get("refresh"):
            return json.dumps({"ended": "Zendesk gave no refresh token", "ended_at": now.isoformat()}), None
        response = self._ask("refresh_token", {"refresh_token": old["refresh"]})
        if response.status_code >= 400 and _problem(response) == "invalid_grant":
            # Another process may have been faster: its tokens are good.
            current = self._toolbox.vault.read(TOKENS)
            if current is not None and current != stale:
                return current, None
            # The tokens were revoked, have ended, or the answer with the new ones was lost on its way: each refresh
            # ends the tokens before. Written down, so that no later call asks with this token again.
            return json.dumps({"ended": "Zendesk no longer takes the refresh token", "ended_at": now.isoformat()}), None
        tokens = self._tokens_of(response, asked=text_of(old.get("scope")))
        ends = _time(tokens, "refresh_expires_at")
        return json.dumps(tokens), ends - now if ends < _NEVER else None

    def _ask(self, grant: str, given: dict[str, str]) -> requests.Response:
        settings = self._settings
        body: Json = {"grant_type": grant, "client_id": settings.client_id, **given, **_LIFETIMES}
        if settings.client_secret is not None:
            body["client_secret"] = settings.client_secret.get_secret_value()
        try:
            return self._toolbox.http.request(
                "POST",
                f"{settings.origin}/oauth/tokens",
                json=body,
                headers={"Accept": "application/json"},
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error

    def _tokens_of(self, response: requests.Response, *, asked: str) -> Json:
        status, now = response.status_code, self._toolbox.now()
        if not 200 <= status < 300:
            problem = _problem(response)
            if problem in ("invalid_client", "unauthorized_client"):
                raise AuthenticationFailed(
                    f"Zendesk refuses the OAuth client ({problem}): compare client_id and client_secret with Admin "
                    "Center, Apps and integrations, APIs, OAuth clients"
                )
            if 400 <= status < 500 and status not in (408, 409, 429):
                raise AuthenticationFailed(f"Zendesk gives no tokens ({status} {problem}); connect again")
            raise failure_of_answer(response, now, effect_possible=False)
        answer = _json(response)
        if not text_of(answer.get("access_token")):
            raise TemporaryFailure("Zendesk's answer holds no tokens")
        return {
            "access": text_of(answer["access_token"]),
            "refresh": text_of(answer.get("refresh_token")),
            "scope": text_of(answer.get("scope")) or asked,  # RFC 6749: not told means as asked
            "expires_at": _after(now, answer.get("expires_in")),
            "refresh_expires_at": _after(now, answer.get("refresh_token_expires_in")),
        }


class ZendeskAccess(AsksConsent, HoldsTokens):
    """The part of the connector that gets and keeps its credentials; the client signs with them."""

    settings: ZendeskSettings
    toolbox: Toolbox
    _client: ZendeskClient

    if TYPE_CHECKING:

        def check_connection(self) -> Account: ...

    @property
    def _credentials(self) -> Credentials:
        return self._client.credentials

    def consent_url(self, *, redirect_url: str, state: str, challenge: str) -> str:
        """Zendesk's page that asks for the scopes we want."""
        self._needs_client()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_url,
            "scope": " ".join(self._credentials.wanted()),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.settings.origin}/oauth/authorizations/new?{urlencode(asked)}"

    def accept_consent(self, *, redirect_url: str, code: str, verifier: str) -> Sequence[Choice]:
        """Keep the tokens; the one account of them is the person's who said yes."""
        self._needs_client()
        self._credentials.exchange(redirect_url=redirect_url, code=code, verifier=verifier)
        account = self.check_connection()
        name = " ".join(
            part for part in (account.display_name, f"<{account.handle}>" if account.handle else "") if part
        )
        return [Choice(id=account.id, name=name, url=self.settings.origin)]

    def tokens(self) -> Sequence[TokenState]:
        """The access and the refresh token, or the token of the settings."""
        return self._credentials.states()

    def renew_tokens(self) -> None:
        """Rotate both OAuth tokens; a token of the settings stays as it is."""
        if self.settings.client_id:
            self._credentials.renew()

    def forget_tokens(self) -> None:
        """Revoke the OAuth tokens, also those from before a token stood in the settings; that one is a person's to
        delete."""
        self._credentials.forget()

    def _needs_client(self) -> None:
        if not self.settings.client_id:
            raise ConfigurationError(
                "client_id is missing: register an OAuth client in Admin Center (Apps and integrations, APIs, OAuth "
                "clients) and put its identifier there instead of a token"
            )


def _fixed_headers(settings: ZendeskSettings) -> dict[str, str]:
    if settings.api_token is not None:
        pair = f"{settings.email}/token:{settings.api_token.get_secret_value()}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    if settings.oauth_token is not None:
        return {"Authorization": f"Bearer {settings.oauth_token.get_secret_value()}"}
    return {}


def _bearer(tokens: Json) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.get('access')}"}


def _alive(stored: str | None, connection: str) -> Json:
    tokens = _parsed(stored)
    if tokens.get("access"):
        return tokens
    if tokens.get("ended"):
        raise AuthenticationFailed(f"{tokens['ended']}: connect again (hub connections connect {connection})")
    raise AuthenticationFailed(f"nobody has connected it yet: hub connections connect {connection}")


def _parsed(stored: str | None) -> Json:
    try:
        value = json.loads(stored or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _json(response: requests.Response) -> Json:
    try:
        body = response.json() if response.content else {}
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _problem(response: requests.Response) -> str:
    return text_of(_json(response).get("error"))[:60]


def _time(tokens: Json, name: str) -> datetime:
    return time_of(tokens.get(name)) or _NEVER


def _after(now: datetime, seconds: Any) -> str:
    return (now + timedelta(seconds=seconds)).isoformat() if isinstance(seconds, int) and seconds > 0 else ""


def _covers(granted: Any, wanted: str) -> bool:
    """``tickets`` covers ``tickets:write``, and ``write`` covers it of everything."""
    resource, _, verb = wanted.rpartition(":")
    return bool({wanted, verb, resource or wanted} & set(text_of(granted).split()))


def _not_granted(missing: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        f"Zendesk did not grant {', '.join(missing)}: allow these scopes in the OAuth client (Admin Center, Apps and "
        "integrations, APIs, OAuth clients, Allowed scopes), then connect again"
    )
