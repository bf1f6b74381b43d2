"""How the sink signs in: consent, rotation, and every way in which tokens end."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from pydantic import ValidationError
from zendesk_cases import Account, comment, make_sink, opened, opening, vendor_settings
from zendesk_consent import BACK, CHALLENGE, VERIFIER, allowed, client_of, connected

from hub.sdk import AuthenticationFailed, ConfigurationError, Failure, Receipt, Refused, TemporaryFailure
from hub.store import Store, migrate
from hub.store.secrets import Cipher, StoredVault
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.access import TOKENS
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.sink import ZendeskSink


@pytest.fixture
def vault() -> MemoryVault:
    """An empty vault."""
    return MemoryVault()


def watched(sink: ZendeskSink) -> list[str]:
    """The calls of a sink from now on, as ``POST /oauth/tokens``."""
    calls: list[str] = []
    send = sink.toolbox.http.request

    def request(method: str, url: str, *rest: Any, **more: Any) -> requests.Response:
        calls.append(f"{method} {urlsplit(url).path}")
        return send(method, url, *rest, **more)

    sink.toolbox.http.request = request  # type: ignore[method-assign]
    return calls


def stored(vault: MemoryVault) -> dict[str, Any]:
    """What the vault holds."""
    return dict(json.loads(vault.values[TOKENS]))


def spoiled(sink: ZendeskSink, *, answers: int) -> None:
    """The next answers of the token endpoint get lost after it did its work."""
    send, left = sink.toolbox.http.request, [answers]

    def request(method: str, url: str, *rest: Any, **more: Any) -> requests.Response:
        response = send(method, url, *rest, **more)
        if url.endswith("/oauth/tokens") and left[0]:
            left[0] -= 1
            raise requests.ReadTimeout("no answer")
        return response

    sink.toolbox.http.request = request  # type: ignore[method-assign]


def refused_first(sink: ZendeskSink, all_of_them: threading.Barrier) -> None:
    """The next call is answered 401, when that of all of them is."""
    send, first = sink.toolbox.http.request, [True]

    def request(method: str, url: str, *rest: Any, **more: Any) -> requests.Response:
        if not first:
            return send(method, url, *rest, **more)
        first.clear()
        all_of_them.wait(10)
        answer = requests.Response()
        answer.status_code = 401
        return answer

    sink.toolbox.http.request = request  # type: ignore[method-assign]


def test_the_consent_page_gets_state_challenge_and_the_least_scopes() -> None:
    """The address carries what the hub gave, PKCE by S256, and no scope that is not needed."""
    sink = make_sink({"subdomain": "acme", "client_id": "social_care_hub"})
    url = sink.consent_url(redirect_url=BACK, state="a&b=c", challenge=CHALLENGE)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://acme.zendesk.com/oauth/authorizations/new?")
    assert (asked["state"], asked["redirect_uri"], asked["response_type"]) == ("a&b=c", BACK, "code")
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (CHALLENGE, "S256")
    assert asked["scope"] == "read tickets:write users:write webhooks:write macros:write"
    wider = make_sink({"subdomain": "acme", "client_id": "social_care_hub", "ask_write": True})
    assert "macros%3Awrite+write&" in wider.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE)


def test_without_a_client_there_is_nobody_to_ask() -> None:
    """A connection by API token says what to register."""
    with pytest.raises(ConfigurationError, match="client_id is missing"):
        make_sink(vendor_settings()).consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE)


@pytest.mark.parametrize("kind", ["confidential", "public"])
def test_a_consent_connects(account: Account, vault: MemoryVault, uid: str, kind: str) -> None:
    """One value in the vault holds both tokens and their times; the account is named; tickets open."""
    sink = make_sink(client_of(account, kind), vault=vault)
    code = allowed(account, sink.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE))
    (choice,) = sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    assert choice.name == "Social Care Hub <hub@sandbox.example>"
    assert [name for name, value in vault.values.items() if "access" in value] == [TOKENS]
    assert stored(vault).keys() == {"access", "refresh", "scope", "expires_at", "refresh_expires_at"}
    opened(make_sink(client_of(account, kind), vault=vault), uid)
    access, refresh = sink.tokens()
    assert access.expires_at is not None
    assert refresh.expires_at is not None
    assert timedelta(hours=23) < access.expires_at - datetime.now(UTC) <= timedelta(days=1)
    assert timedelta(days=88) < refresh.expires_at - datetime.now(UTC) < timedelta(days=90)
    assert access.renews_itself
    assert refresh.renews_itself


def test_a_code_of_another_verifier_is_refused(account: Account, vault: MemoryVault) -> None:
    """Whoever stole the code has not the verifier; a used one is refused as well, and nothing is kept."""
    sink = make_sink(client_of(account), vault=vault)
    code = allowed(account, sink.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE))
    with pytest.raises(AuthenticationFailed, match="connect again"):
        sink.accept_consent(redirect_url=BACK, code=code, verifier="w" * 64)
    assert not vault.values
    sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    before = dict(vault.values)
    with pytest.raises(AuthenticationFailed, match="works once"):
        sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    assert vault.values == before


def test_scopes_that_were_not_granted_are_named(account: Account, vault: MemoryVault) -> None:
    """A client that may have less than we need does not connect half."""
    sink = make_sink(client_of(account), vault=vault)
    url = sink.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE)
    code = allowed(account, url.replace("users%3Awrite", "users%3Aread").replace("+macros%3Awrite", ""))
    with pytest.raises(ConfigurationError, match="did not grant users:write, macros:write"):
        sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    assert not vault.values


def test_older_tokens_that_lack_a_scope_are_told_by_the_check(account: Account, vault: MemoryVault) -> None:
    """A later version of the plugin may need more: the check says what, before a delivery fails."""
    sink = connected(account, vault)
    vault.values[TOKENS] = json.dumps(stored(vault) | {"scope": "read tickets users:write macros:write"})
    with pytest.raises(ConfigurationError, match="did not grant webhooks:write:"):
        make_sink(client_of(account), vault=vault).check_connection()
    vault.values[TOKENS] = json.dumps(stored(vault) | {"scope": "read write"})
    assert make_sink(client_of(account), vault=vault).check_connection().id
    assert sink.check_connection().id


def test_nobody_has_connected_yet(account: Account, vault: MemoryVault) -> None:
    """The message says how to; no call is made."""
    sink = make_sink(client_of(account), vault=vault)
    calls = watched(sink)
    with pytest.raises(AuthenticationFailed, match="hub connections connect acme-zendesk"):
        sink.check_connection()
    assert calls == []


def test_401_in_mid_batch_renews_once_and_repeats(account: Account, vault: MemoryVault, uid: str) -> None:
    """The tokens end between two deliveries of one batch: all arrive once, after a single refresh."""
    sink = connected(account, vault)
    record = opened(sink, uid).vendor_id
    before = stored(vault)
    account.fault("PUT", f"/api/v2/tickets/{record}.json", "unauthorized")
    calls = watched(sink)
    results = [sink.deliver([comment(uid, record, key=f"{uid}-{n}", text=f"word {n}")])[0] for n in range(3)]
    assert all(isinstance(result, Receipt) for result in results)
    assert calls.count("POST /oauth/tokens") == 1
    assert stored(vault)["access"] != before["access"]
    assert stored(vault)["refresh"] != before["refresh"]
    (row,) = [row for row in account.sandbox.records() if row.id == record]
    assert [text.text.partition("\n")[0] for text in row.comments[1:]] == ["word 0", "word 1", "word 2"]


def test_a_second_401_is_for_a_person(account: Account, vault: MemoryVault, uid: str) -> None:
    """New tokens that are refused too end in one failure, not in a loop of refreshes."""
    sink = connected(account, vault)
    account.fault("GET", "/api/v2/users/me.json", "unauthorized", count=2)
    calls = watched(sink)
    with pytest.raises(AuthenticationFailed, match="401"):
        sink.check_connection()
    assert calls.count("POST /oauth/tokens") == 1
    assert isinstance(sink.deliver([opening(uid)])[0], Receipt)


def test_tokens_about_to_end_are_renewed_before_the_call(account: Account, vault: MemoryVault) -> None:
    """No call is spent on tokens that are known to have ended."""
    moment = [datetime.now(UTC)]
    sink = connected(account, vault, now=lambda: moment[0])
    moment[0] += timedelta(days=1) - timedelta(minutes=1)
    calls = watched(sink)
    assert sink.check_connection().id
    assert calls == ["POST /oauth/tokens", "GET /api/v2/users/me.json"]


def test_a_lost_refresh_ends_in_connect_again_and_asks_no_more(account: Account, vault: MemoryVault, uid: str) -> None:
    """Zendesk rotated and we never heard: one more try finds it out, then no call is made until a person connects."""
    sink = connected(account, vault)
    spoiled(sink, answers=1)
    with pytest.raises(TemporaryFailure):
        sink.renew_tokens()
    failed = sink.deliver([opening(uid)])[0]  # the old access token ended with the rotation
    assert isinstance(failed, Failure)
    assert isinstance(failed.error, AuthenticationFailed)
    assert "connect again" in failed.error.summary
    calls = watched(sink)
    for late in (sink, make_sink(client_of(account), vault=vault)):
        with pytest.raises(AuthenticationFailed, match="connect again"):
            late.check_connection()
        with pytest.raises(AuthenticationFailed, match="connect again"):
            late.renew_tokens()
    assert calls == []
    (state,) = sink.tokens()
    assert state.expires_at is not None
    assert not state.renews_itself
    assert not [row for row in account.sandbox.records() if row.external_id == uid]
    assert isinstance(connected(account, vault).deliver([opening(uid)])[0], Receipt)
    assert sink.check_connection().id, "an instance that had given up goes on after the consent"


def test_two_senders_refresh_once(account: Account, vault: MemoryVault) -> None:
    """The second sender's 401 finds the first one's new tokens in the vault and does not end them by a refresh."""
    first = connected(account, vault)
    second = make_sink(client_of(account), vault=vault)
    assert second.check_connection().id  # has read the tokens
    first.renew_tokens()
    fresh, calls = stored(vault), watched(second)
    assert second.check_connection().id
    assert "POST /oauth/tokens" not in calls
    assert stored(vault) == fresh
    assert first.check_connection().id


def test_senders_of_one_hub_refresh_once(account: Account, sqlite_url: str) -> None:
    """Four threads meet the same 401 at once; the hub's own vault lets one of them ask."""
    migrate(sqlite_url)
    store = Store(sqlite_url)
    try:
        vault = StoredVault(store, Cipher(Fernet.generate_key()), "acme-zendesk", lambda: datetime.now(UTC))
        settings = client_of(account)
        connected(account, vault)  # type: ignore[arg-type]
        sinks = [make_sink(settings, vault=vault) for _ in range(4)]  # type: ignore[arg-type]
        assert len({sink.check_connection().id for sink in sinks}) == 1
        calls, refused = [watched(sink) for sink in sinks], threading.Barrier(4)
        for sink in sinks:
            refused_first(sink, refused)
        with ThreadPoolExecutor(4) as pool:
            assert len({one.id for one in pool.map(ZendeskSink.check_connection, sinks)}) == 1
        assert sum(one.count("POST /oauth/tokens") for one in calls) == 1
        assert vault.expires_at(TOKENS) is not None
    finally:
        store.close()


def test_another_account_is_noticed_by_those_who_send(account: Account, vault: MemoryVault) -> None:
    """A person connected another account while a sender held tokens that still work: it changes over in a minute."""
    moment = [datetime.now(UTC)]
    sender = connected(account, vault, now=lambda: moment[0])
    before = sender.check_connection()
    other = make_sink(client_of(account), vault=vault)
    url = other.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE)
    other.accept_consent(redirect_url=BACK, code=allowed(account, url, as_account="agent"), verifier=VERIFIER)
    moment[0] += timedelta(seconds=59)
    assert sender.check_connection().fingerprint != before.fingerprint


def test_another_process_that_was_faster_wins(account: Account, vault: MemoryVault) -> None:
    """The refusal of a refresh token that another process has just used is not the end: its tokens are in the vault."""
    slow = connected(account, vault)
    send, raced = slow.toolbox.http.request, []

    def request(method: str, url: str, *rest: Any, **more: Any) -> requests.Response:
        if url.endswith("/oauth/tokens") and not raced:
            raced.append(True)
            make_sink(client_of(account), vault=vault).renew_tokens()
        return send(method, url, *rest, **more)

    slow.toolbox.http.request = request  # type: ignore[method-assign]
    slow.renew_tokens()
    assert raced
    assert "ended" not in stored(vault)
    assert slow.check_connection().id


def test_a_wrong_client_secret_does_not_end_the_tokens(account: Account, vault: MemoryVault) -> None:
    """A typing error in the settings is named, and mending it is enough."""
    connected(account, vault)
    settings = client_of(account)
    with pytest.raises(AuthenticationFailed, match="client_id and client_secret"):
        make_sink(settings | {"client_secret": "wrong"}, vault=vault).renew_tokens()
    mended = make_sink(settings, vault=vault)
    mended.renew_tokens()
    assert mended.check_connection().id


def test_revoked_by_an_admin_means_connect_again(account: Account, vault: MemoryVault) -> None:
    """Tokens deleted in Admin Center."""
    sink = connected(account, vault)
    account.http.post(f"{account.url}/_sandbox/oauth/revoke", timeout=5).raise_for_status()
    with pytest.raises(AuthenticationFailed, match="connect again"):
        sink.check_connection()


def test_forgetting_revokes_by_id(account: Account, vault: MemoryVault) -> None:
    """``DELETE .../current`` may do nothing (204 all the same): the token's own address is tried first, and that the
    token is dead is seen, not believed."""
    sink = connected(account, vault)
    access, calls = stored(vault)["access"], watched(sink)
    sink.forget_tokens()
    assert TOKENS not in vault.values
    assert any(call.startswith("DELETE /api/v2/oauth/tokens/6") for call in calls)
    headers = {"Authorization": f"Bearer {access}"}
    assert account.http.get(f"{account.url}/api/v2/users/me.json", headers=headers, timeout=5).status_code == 401
    sink.forget_tokens()  # nothing is left to end


def test_a_token_that_would_not_die_is_told(account: Account, vault: MemoryVault) -> None:
    """Zendesk says 204 and keeps the token: the operator hears of it, the vault is empty all the same."""
    sink = connected(account, vault)
    account.fault("DELETE", "/api/v2/oauth/tokens/*", "status", status=204, body="")
    with pytest.raises(Refused, match="did not end the tokens: delete them"):
        sink.forget_tokens()
    assert TOKENS not in vault.values


def test_forgetting_empties_the_vault_though_nobody_answers(account: Account, vault: MemoryVault) -> None:
    """Zendesk is away: the failure is shown, the tokens are gone here all the same."""
    connected(account, vault)
    away = make_sink(client_of(account) | {"base_url": "http://127.0.0.1:9"}, vault=vault)
    with pytest.raises(TemporaryFailure):
        away.forget_tokens()
    assert TOKENS not in vault.values


def test_tokens_of_the_settings_say_when_they_end() -> None:
    """API tokens have a last day, known to everybody; the vault is not asked."""
    (token,) = make_sink(vendor_settings()).tokens()
    assert token.expires_at == datetime(2027, 4, 30, tzinfo=UTC)
    assert not token.renews_itself
    (token,) = make_sink({"subdomain": "acme", "oauth_token": "by-hand"}).tokens()
    assert token.expires_at is None
    assert not token.renews_itself
    assert make_sink({"subdomain": "acme", "client_id": "c"}).tokens() == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"client_id": "c", "oauth_token": "t"},
        {"client_id": "c", "api_token": "t", "email": "a@b.example"},
        {"api_token": "t", "email": "a@b.example", "oauth_token": "t"},
        {"api_token": "t"},
        {"oauth_token": "t", "client_secret": "s"},
    ],
)
def test_there_is_exactly_one_way_in(given: dict[str, str]) -> None:
    """None, two, or half of one is refused."""
    with pytest.raises(ValidationError):
        ZendeskSettings(subdomain="acme", **given)  # type: ignore[arg-type]


def test_tokens_from_before_a_token_of_the_settings_are_revoked_too(account: Account, vault: MemoryVault) -> None:
    """Somebody went back to an API token: what the consent had brought is ended and forgotten all the same."""
    connected(account, vault)
    access = stored(vault)["access"]
    settings = account.sandbox.connection_settings(webhook_url="")
    make_sink(settings, vault=vault).forget_tokens()
    assert TOKENS not in vault.values
    headers = {"Authorization": f"Bearer {access}"}
    assert account.http.get(f"{account.url}/api/v2/users/me.json", headers=headers, timeout=5).status_code == 401


def test_a_dead_api_token_says_what_instead(account: Account) -> None:
    """It may have died of disuse, or on its last day."""
    with pytest.raises(AuthenticationFailed, match=r"refuses the API token \(401\).*2027-04-30.*OAuth"):
        account.sink(api_token="dead").check_connection()
