"""The sandbox's limits answer as Zendesk's do, and every call is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from zendesk_cases import Account
from zendesk_sandbox_calls import call, control, done, settings, ticket


@pytest.fixture
def free(account: Account) -> Iterator[Account]:
    """The account, whose limits and clock are as before afterwards."""
    yield account
    names = ("rate_limit", "endpoint_limits", "update_limit", "ticket_update_limit", "export_limit", "clock_ahead")
    settings(account, **dict.fromkeys(names, 0))


def test_the_accounts_limit_counts_agent_and_hub_together(free: Account) -> None:
    """What an agent's program calls is missing to the hub; the answer is a 429 with Retry-After, and no JSON."""
    settings(free, rate_limit=1)  # whatever was called in this minute is one at least
    call(free, "GET", "users/me", who="agent")
    refused = call(free, "GET", "users/me")
    settings(free, rate_limit=0)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-Rate-Limit"] == "1"
    assert refused.headers["Ratelimit-Remaining"] == refused.headers["X-Rate-Limit-Remaining"] == "0"
    assert refused.text == "Number of allowed API requests per minute exceeded"


def test_updates_of_one_ticket_by_one_user_are_limited(free: Account) -> None:
    """Another ticket and another user go on; after the window so does this one."""
    first, second = ticket(free), ticket(free)
    settings(free, ticket_update_limit=2)
    body = {"ticket": {"priority": "high"}}
    assert [call(free, "PUT", f"tickets/{first}", body).status_code for _ in range(3)] == [200, 200, 429]
    assert call(free, "PUT", f"tickets/{second}", body).status_code == 200
    assert call(free, "PUT", f"tickets/{first}", body, who="agent").status_code == 200
    settings(free, clock_ahead=601)
    assert call(free, "PUT", f"tickets/{first}", body).status_code == 200


def test_zendesks_own_numbers_come_with_one_setting(free: Account) -> None:
    """100 updates a minute for the account, 10 exports; the headers of the endpoints tell what is left."""
    settings(free, endpoint_limits=1, clock_ahead=3600)
    number = ticket(free)
    updated = call(free, "PUT", f"tickets/{number}", {"ticket": {"status": "open"}})
    assert updated.headers["Zendesk-RateLimit-tickets-update"].startswith("total=100; remaining=99; resets=")
    answers = [call(free, "GET", "incremental/tickets/cursor?start_time=1") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].headers["Zendesk-RateLimit-incremental-exports"].startswith("total=10; remaining=9;")
    assert answers[-1].json() == {
        "error": "APIRateLimitExceeded",
        "description": "Number of allowed incremental export API requests per minute exceeded",
    }


def test_calls_are_counted_by_account_address_and_status(free: Account) -> None:
    """The hub's and the agent's calls apart, 429 counted, also those of faults."""
    number = ticket(free)
    control(free, "calls", {}, "DELETE")
    done(free, "GET", f"tickets/{number}")
    done(free, "GET", f"tickets/{number}.json", who="agent")
    assert call(free, "GET", "tickets/999999").status_code == 404
    free.fault("PUT", "/api/v2/tickets/*", "ratelimit")
    assert call(free, "PUT", f"tickets/{number}", {"ticket": {}}).status_code == 429
    free.http.get(f"{free.url}/api/v2/users/me", timeout=5)
    told = control(free, "calls", {}, "GET")
    template = "/api/v2/tickets/<int:ticket_id>.json"
    assert told["accounts"]["hub"]["calls"] == {f"GET {template}": {"200": 1, "404": 1}, f"PUT {template}": {"429": 1}}
    assert told["accounts"]["agent"]["calls"] == {f"GET {template}": {"200": 1}}
    assert told["accounts"]["stranger"]["total"] == 1
    assert (told["total"], told["throttled"]) == (5, 1)


def test_a_misspelt_setting_is_refused(account: Account) -> None:
    """A setting that does nothing would make a test that cannot fail."""
    answer = account.http.post(f"{account.url}/_sandbox/settings", json={"rate_limits": 1}, timeout=5)
    assert answer.status_code == 400
    assert "rate_limits" in answer.json()["error"]
