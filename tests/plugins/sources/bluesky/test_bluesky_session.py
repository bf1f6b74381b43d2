"""One session for all threads: opened rarely, renewed once, and given up for good reasons only."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from bluesky_stage import SETTINGS, answer, news, stage
from bluesky_vendor import BlueskyVendor

from hub.sdk import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectorError,
    Failure,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    Refused,
    TemporaryFailure,
)
from hub.testing import reply
from hub.testing.rig import Rig
from plugins.sources.bluesky.source import BlueskySource

LOGIN = "com.atproto.server.createSession"
RENEW = "com.atproto.server.refreshSession"
HERS = "at://did:plc:adaadaadaadaadaadaadaada/app.bsky.feed.post/3mg3vkp2ac22a"


def test_one_login_for_all_instances() -> None:
    """Logins are counted in dozens a day: further threads and restarts use the stored session."""
    rig, vendor = stage()
    for _ in range(5):
        rig.restart()
        rig.connector.first_cursor()
    assert vendor.calls.count(LOGIN) == 1


def test_an_expired_token_is_renewed_and_the_call_repeated() -> None:
    """A dead token is a 400: the call goes through all the same, and the new tokens are stored before use."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    vendor.expire_access()
    post = vendor.customer_posts("still there?")
    events, _ = news(rig, cursor)
    assert [event.message.id for event in events] == [post]
    assert (vendor.calls.count(LOGIN), vendor.calls.count(RENEW)) == (1, 1)
    assert json.loads(rig.vault.values["session"])["access"] in vendor.access.keys() - vendor.expired


def test_another_threads_session_is_taken_over() -> None:
    """Whoever comes second with the same dead token finds the new one and renews nothing."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    first = rig.connector
    rig.restart()
    second = rig.connector
    second.fetch_page(cursor)
    vendor.expire_access()
    first.fetch_page(cursor)
    second.fetch_page(cursor)
    assert vendor.calls.count(RENEW) == 1


def test_a_token_that_dies_under_an_answer_sends_it_once() -> None:
    """The refused attempt did nothing; the repeated one is the only post."""
    rig, vendor = stage()
    rig.connector.first_cursor()
    post = vendor.customer_posts("hello")
    vendor.expire_access()
    (result,) = rig.connector.deliver([answer(post)])
    assert isinstance(result, Receipt)
    assert len(vendor.company_posts()) == 1


def test_lost_refresh_tokens_mean_a_login() -> None:
    """Rotated away by a lost answer, or withdrawn with another app password: the settings' password still holds."""
    rig, vendor = stage()
    cursor = rig.connector.first_cursor()
    vendor.expire_access()
    vendor.refresh.clear()
    rig.connector.fetch_page(cursor)
    assert vendor.calls.count(LOGIN) == 2


def test_other_credentials_do_not_use_the_stored_session() -> None:
    """A changed password or account in the settings must not go on speaking as before."""
    rig, vendor = stage()
    rig.connector.check_connection()
    vendor.passwords = {"another-password"}
    rig.settings = BlueskySource.Settings.model_validate({**SETTINGS, "app_password": "another-password"})
    rig.restart()
    rig.connector.first_cursor()
    assert vendor.calls.count(LOGIN) == 2


def test_a_wrong_password_is_tried_seldom() -> None:
    """The hub checks a paused connection again and again; the vendor would lock the account's own staff out."""
    rig, vendor = stage()
    vendor.passwords.clear()
    for _ in range(10):
        rig.restart()
        with pytest.raises(AuthenticationFailed):
            rig.connector.check_connection()
    assert vendor.calls.count(LOGIN) == 1
    rig.clock.advance(timedelta(minutes=31))
    vendor.passwords.add(str(SETTINGS["app_password"]))
    assert rig.connector.check_connection().fingerprint == vendor.brand


def test_a_mended_password_is_tried_at_once() -> None:
    """What is remembered is about the credentials that were refused."""
    rig, vendor = stage()
    vendor.passwords = {"right-password"}
    with pytest.raises(AuthenticationFailed):
        rig.connector.check_connection()
    rig.settings = BlueskySource.Settings.model_validate({**SETTINGS, "app_password": "right-password"})
    rig.restart()
    assert rig.connector.check_connection().fingerprint == vendor.brand


def test_too_many_logins_are_waited_for() -> None:
    """The 429 says until when (RateLimit-Reset); until then nothing is sent at all."""
    rig, vendor = stage()
    vendor.logins_left = 0
    with pytest.raises(RateLimited) as caught:
        rig.connector.check_connection()
    assert caught.value.retry_after == 290
    rig.clock.advance(100)
    rig.restart()
    with pytest.raises(RateLimited) as caught:
        rig.connector.check_connection()
    assert caught.value.retry_after == 190
    assert vendor.calls.count(LOGIN) == 1


class Says(BlueskyVendor):
    """The stand-in, which answers one method in its own way."""

    def __init__(self, method: str, status: int, body: Any, **headers: str) -> None:
        super().__init__()
        self.method, self.told, self.headers = method, (status, body), headers

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        if str(request.url).partition("?")[0].endswith(self.method):
            headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
            return reply(request, *self.told, headers=headers)
        return super().answer(request)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"did": "did:plc:x", "active": False, "status": "deactivated"}, AuthenticationFailed),
        (200, {"handle": "x"}, ConfigurationError),
        (401, {"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"}, AuthenticationFailed),
        (401, {"error": "AccountTakedown", "message": "Account has been taken down"}, AuthenticationFailed),
        (400, {"error": "InvalidRequest", "message": "Invalid identifier"}, AuthenticationFailed),
        (404, "<html>not here</html>", ConfigurationError),
        (501, {"error": "MethodNotImplemented"}, ConfigurationError),
        (302, "", ConfigurationError),
        (502, "<html>bad gateway</html>", TemporaryFailure),
        (200, "<html>hotel wifi</html>", TemporaryFailure),
    ],
)  # fmt: skip
def test_a_login_that_fails(status: int, body: Any, error: type[ConnectorError]) -> None:
    """Whose problem it is: the credentials', the address's, or the moment's."""
    rig, _ = stage(Says(LOGIN, status, body))
    with pytest.raises(error):
        rig.connector.check_connection()


WRITE = "com.atproto.repo.createRecord"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "InvalidRequest", "message": "grapheme too big"}, Refused),
        (400, {"error": "AccountDeactivated", "message": "x"}, AuthenticationFailed),
        (401, {"error": "AuthMissing", "message": "Authentication Required"}, AuthenticationFailed),
        (403, {"error": "Forbidden"}, Refused),
        (500, {"error": "InternalServerError"}, OutcomeUnknown),
        (502, {"error": "UpstreamFailure"}, OutcomeUnknown),
        (429, {"error": "RateLimitExceeded"}, RateLimited),
        (200, {"ok": True}, OutcomeUnknown),
    ],
)
def test_a_reply_that_fails(status: int, body: Any, error: type[ConnectorError]) -> None:
    """The name of the error decides where the status alone cannot."""
    rig, vendor = stage(Says(WRITE, status, body))
    post = vendor.customer_posts("hello")
    (result,) = rig.connector.deliver([answer(post)])
    assert isinstance(result, Failure)
    assert type(result.error) in error.__mro__ or isinstance(result.error, error), result.error


def test_both_tokens_dead_after_renewal_is_a_refused_login() -> None:
    """A server that gives out tokens it does not know itself is not asked for ever."""
    vendor = Says("app.bsky.notification.listNotifications", 400, {"error": "InvalidToken", "message": "no"})
    rig: Rig = stage(vendor)[0]
    with pytest.raises(AuthenticationFailed):
        rig.connector.first_cursor()
    assert len(rig.calls) == 4  # login, the call, renewal, the call
