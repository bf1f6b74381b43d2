"""OAuth at the sandbox: a page that asks, tokens that rotate and expire, scopes that hold."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from zendesk_cases import Account, running_sandbox

BACK = "http://127.0.0.1:9/callback"
VERIFIER = "a-verifier-of-forty-three-characters-or-more-1234"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def control(account: Account, path: str, body: dict[str, Any]) -> Any:
    """A call of ``/_sandbox``."""
    response = account.http.post(f"{account.url}/_sandbox/{path}", json=body, timeout=5)
    response.raise_for_status()
    return response.json()


@pytest.fixture
def client(account: Account) -> dict[str, Any]:
    """A confidential client."""
    return dict(control(account, "oauth/client", {"redirect_uri": BACK}))


def decide(account: Account, client: dict[str, Any], decision: str, **more: str) -> dict[str, str]:
    """Open the page, press a button; what comes back in the address."""
    asked = {
        "response_type": "code",
        "client_id": client["identifier"],
        "redirect_uri": BACK,
        "scope": "tickets:read users:read",
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    page = account.http.get(f"{account.url}/oauth/authorizations/new", params=asked, timeout=5)
    assert page.status_code == 200
    assert client["identifier"] in page.text
    assert "Social Care Hub (admin)" in page.text
    hub = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["hub"]["id"]
    form = asked | {"decision": decision, "user_id": hub}
    answer = account.http.post(f"{account.url}/oauth/authorizations", data=form, allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def token(account: Account, client: dict[str, Any], **body: Any) -> requests.Response:
    """A call of the token endpoint."""
    own = {"client_id": client["identifier"], "client_secret": client["secret"]}
    return account.http.post(f"{account.url}/oauth/tokens", json=own | body, timeout=5)


def granted(account: Account, client: dict[str, Any], **more: str) -> dict[str, Any]:
    """The answer to a good code."""
    code = decide(account, client, "allow", **more)["code"]
    answer = token(
        account, client, grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=VERIFIER
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def get(account: Account, access: str, path: str, method: str = "GET", **more: Any) -> requests.Response:
    """A call with an access token."""
    headers = {"Authorization": f"Bearer {access}"}
    return account.http.request(method, f"{account.url}/api/v2/{path}", headers=headers, timeout=5, **more)


def test_a_code_gives_tokens_once(account: Account, client: dict[str, Any]) -> None:
    """The state comes back; a code of the right verifier gives both tokens, and is refused the second time."""
    back = decide(account, client, "allow")
    assert back["state"] == "s-1"
    grant = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "expires_in": 600,
    }
    for wrong in ({"code_verifier": "another"}, {"redirect_uri": "http://127.0.0.1:9/other"}, {"expires_in": 10}):
        assert token(account, client, **grant | wrong).status_code == 400
    first = token(account, client, **grant)
    assert first.json().keys() >= {"access_token", "refresh_token", "expires_in", "refresh_token_expires_in", "scope"}
    assert first.json()["expires_in"] == 600
    second = token(account, client, **grant)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


def test_a_code_that_waits_is_refused(account: Account, client: dict[str, Any]) -> None:
    """A code lasts two minutes by the account's clock."""
    code = decide(account, client, "allow")["code"]
    control(account, "settings", {"clock_ahead": 121})
    try:
        answer = token(
            account, client, grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=VERIFIER
        )
    finally:
        control(account, "settings", {"clock_ahead": 0})
    assert answer.json()["error"] == "invalid_grant"


def test_deny_says_so(account: Account, client: dict[str, Any]) -> None:
    """The button Deny gives no code."""
    back = decide(account, client, "deny")
    assert (back["error"], back["state"]) == ("access_denied", "s-1")
    assert "code" not in back


def test_a_refresh_ends_both_old_tokens(account: Account, client: dict[str, Any]) -> None:
    """Rotation: after a refresh the old access token is 401 and the old refresh token invalid_grant."""
    old = granted(account, client)
    assert get(account, old["access_token"], "users/me").status_code == 200
    form = {
        "client_id": client["identifier"],
        "client_secret": client["secret"],
        "grant_type": "refresh_token",
        "refresh_token": old["refresh_token"],
    }
    answer = account.http.post(f"{account.url}/oauth/tokens", data=form, timeout=5)  # a form is taken as well
    new = answer.json()
    refused = get(account, old["access_token"], "users/me")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert get(account, new["access_token"], "users/me").status_code == 200
    again = token(account, client, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert token(account, client, grant_type="refresh_token", refresh_token=new["refresh_token"]).ok


def test_tokens_expire_by_the_accounts_clock(account: Account, client: dict[str, Any]) -> None:
    """An access token that is over is 401 and may be refreshed; lifetimes can be shortened."""
    control(account, "settings", {"access_lifetime": 5})
    try:
        short = granted(account, client)
        assert short["expires_in"] == 5
        control(account, "settings", {"clock_ahead": 6})
        assert get(account, short["access_token"], "users/me").status_code == 401
        assert token(account, client, grant_type="refresh_token", refresh_token=short["refresh_token"]).ok
    finally:
        control(account, "settings", {"access_lifetime": 0, "clock_ahead": 0})


def test_scopes_hold(account: Account, client: dict[str, Any]) -> None:
    """tickets:read reads tickets, writes none, and opens no other resource."""
    access = granted(account, client, scope="tickets:read")["access_token"]
    assert get(account, access, "tickets").status_code == 200
    body = {"ticket": {"comment": {"body": "x"}}}
    for answer in (get(account, access, "tickets", "POST", json=body), get(account, access, "users")):
        assert answer.status_code == 403
        assert answer.json()["error"]["title"] == "Forbidden"
    current = get(account, access, "oauth/tokens/current").json()["token"]
    assert current["scopes"] == ["tickets:read"]
    assert access.startswith(current["token"])
    assert access != current["token"]


def test_a_deleted_token_is_over(account: Account, client: dict[str, Any]) -> None:
    """Revoking the current token ends it and its refresh token."""
    tokens = granted(account, client)
    assert get(account, tokens["access_token"], "oauth/tokens/current", "DELETE").status_code == 204
    assert get(account, tokens["access_token"], "users/me").status_code == 401
    assert not token(account, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).ok


def test_client_credentials_act_as_the_clients_owner(account: Account, client: dict[str, Any]) -> None:
    """No person is asked and no refresh token is given; a wrong secret is invalid_client."""
    answer = token(account, client, grant_type="client_credentials", scope="read write")
    assert "refresh_token" not in answer.json()
    me = get(account, answer.json()["access_token"], "users/me").json()["user"]
    assert me["email"] == "hub@sandbox.example"
    wrong = token(account, client | {"secret": "no"}, grant_type="client_credentials")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_api_tokens_can_be_switched_off(account: Account) -> None:
    """As after 2027-04-30: Basic authentication with an API token is refused."""
    control(account, "settings", {"api_tokens": 0})
    try:
        row = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["hub"]
        auth = (f"{row['email']}/token", row["token"])
        answer = account.http.get(f"{account.url}/api/v2/users/me.json", auth=auth, timeout=5)
        assert answer.status_code == 401
    finally:
        control(account, "settings", {"api_tokens": ""})


def test_tokens_survive_a_restart(tmp_path: Path) -> None:
    """Client, access and refresh token are as good at the second server."""
    with running_sandbox(tmp_path) as first:
        client = control(first, "oauth/client", {"redirect_uri": BACK})
        tokens = granted(first, client)
    with running_sandbox(tmp_path) as second:
        assert get(second, tokens["access_token"], "users/me").status_code == 200
        assert token(second, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).ok
