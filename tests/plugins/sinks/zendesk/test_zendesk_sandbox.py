"""The sandbox itself: what it remembers, and that it ends with its parent."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from zendesk_cases import Account, comment, opened, opening, running_sandbox

from hub.sdk import Receipt


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """Accounts, tickets, keys and the export's cursor survive; ids go on where they were."""
    with running_sandbox(tmp_path) as first:
        settings = first.sandbox.connection_settings(webhook_url="http://127.0.0.1:9/x")
        whose = first.sink().check_connection().fingerprint
        receipt = first.sink().deliver([opening("sch-r1")])[0]
        cursor = first.sink().fetch_page(first.sink().first_cursor()).cursor
        before = first.sandbox.records()
    with running_sandbox(tmp_path) as second:
        again = second.sandbox.connection_settings(webhook_url="http://127.0.0.1:9/x")
        assert {k: v for k, v in again.items() if k != "base_url"} == {
            k: v for k, v in settings.items() if k != "base_url"
        }
        assert second.url != first.url
        assert second.sink().check_connection().fingerprint == whose, "another port is no other account"
        assert second.sandbox.records() == before
        assert isinstance(receipt, Receipt)
        repeated = second.sink().deliver([opening("sch-r1")])[0]
        assert isinstance(repeated, Receipt)
        assert repeated.vendor_id == receipt.vendor_id
        assert second.sink().fetch_page(cursor).events == ()
        assert isinstance(second.sink().deliver([comment("sch-r1", receipt.vendor_id, key="c")])[0], Receipt)
        second.sandbox.answer(receipt.vendor_id, "an agent's, not our own", public=True)
        assert len(second.sink().fetch_page(cursor).events) == 1


def test_an_idempotency_key_says_hit_or_miss(account: Account) -> None:
    """The header of Zendesk, the same answer for the same body, an error for another."""
    auth = (f"{account.sink().settings.email}/token", account.sandbox.connection_settings(webhook_url="")["api_token"])

    def create(text: str) -> requests.Response:
        return account.http.post(
            f"{account.url}/api/v2/tickets.json",
            json={"ticket": {"comment": {"body": text}}},
            headers={"Idempotency-Key": "one-key"},
            auth=auth,
            timeout=5,
        )

    first, second, other = create("a"), create("a"), create("b")
    assert [first.headers["x-idempotency-lookup"], second.headers["x-idempotency-lookup"]] == ["miss", "hit"]
    assert first.json() == second.json()
    assert other.status_code == 400
    assert int(first.headers["X-Rate-Limit-Remaining"]) > int(second.headers["X-Rate-Limit-Remaining"]) > 0


def test_strangers_get_nothing(account: Account) -> None:
    """Every address of the API wants credentials, also one that does not exist."""
    for path in ("tickets.json", "users/me.json", "incremental/tickets/cursor.json", "nonsense.json"):
        assert account.http.get(f"{account.url}/api/v2/{path}", timeout=5).status_code == 401


@pytest.mark.parametrize("number", [str(2**63), "9" * 90])
def test_an_id_of_many_digits_is_not_found(account: Account, number: str) -> None:
    """A number that no database takes is a record that does not exist, in addresses and in bodies."""
    auth = (f"{account.sink().settings.email}/token", account.sandbox.connection_settings(webhook_url="")["api_token"])
    for path in (f"tickets/{number}.json", f"tickets/{number}/audits.json"):
        answer = account.http.get(f"{account.url}/api/v2/{path}", auth=auth, timeout=5)
        assert (answer.status_code, answer.json()["error"]) == (404, "RecordNotFound")
    body = {"ticket": {"comment": {"body": "x", "author_id": int(number)}}}
    assert account.http.post(f"{account.url}/api/v2/tickets.json", json=body, auth=auth, timeout=5).status_code == 422


def test_the_newest_minute_can_be_withheld(account: Account) -> None:
    """With the real export's rule on, what changed just now is not told yet."""
    sink = account.sink()
    start = sink.fetch_page(sink.first_cursor()).cursor
    account.sandbox.answer(opened(sink, "sch-withheld").vendor_id, "an agent's, not our own", public=True)
    settings = f"{account.url}/_sandbox/settings"
    account.http.post(settings, json={"withhold_newest_minute": 1}, timeout=5).raise_for_status()
    assert sink.fetch_page(start).events == ()
    account.http.post(settings, json={"withhold_newest_minute": 0}, timeout=5).raise_for_status()
    assert len(sink.fetch_page(start).events) == 1


def test_what_is_refused_leaves_no_trace(account: Account) -> None:
    """A create that fails half way (unknown author) is rolled back as a whole."""
    before = len(account.sandbox.records())
    body = {"ticket": {"subject": "x", "comment": {"body": "x", "author_id": 1}}}
    auth = (f"{account.sink().settings.email}/token", account.sandbox.connection_settings(webhook_url="")["api_token"])
    answer = account.http.post(f"{account.url}/api/v2/tickets.json", json=body, auth=auth, timeout=5)
    assert answer.status_code == 422
    assert len(account.sandbox.records()) == before


def test_unknown_faults_are_refused(account: Account) -> None:
    """A misspelt fault would make a test that cannot fail."""
    body = {"effect": {"type": "explode"}}
    assert account.http.post(f"{account.url}/_sandbox/faults", json=body, timeout=5).status_code == 400
