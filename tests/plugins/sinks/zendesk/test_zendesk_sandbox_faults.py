"""Faults on demand: what is asked is done or not done, and the answer is spoilt as said."""

from __future__ import annotations

import pytest
from zendesk_cases import Account
from zendesk_sandbox_calls import call, control, done, ticket

TICKETS = "/api/v2/tickets.json"


@pytest.mark.parametrize(
    ("kind", "status", "made"),
    [("html", 502, 0), ("html_after", 502, 1), ("unauthorized", 401, 0), ("truncated", 201, 1)],
)
def test_an_answer_is_spoilt(account: Account, uid: str, kind: str, status: int, made: int) -> None:
    """HTML, half a JSON, a sudden 401: and the ticket exists or does not."""
    account.fault("POST", TICKETS, kind)
    answer = call(account, "POST", "tickets", {"ticket": {"external_id": uid, "comment": {"body": "x"}}})
    assert answer.status_code == status
    if kind != "unauthorized":
        with pytest.raises(ValueError, match=r"."):
            answer.json()
    assert len(done(account, "GET", f"tickets?external_id={uid}")["tickets"]) == made


def test_a_fault_may_wait_for_the_middle_of_a_batch(account: Account) -> None:
    """Two calls go well, the third is refused, the fourth goes well again."""
    number = ticket(account)
    fault = {
        "match": {"methods": ["PUT"], "path": "/api/v2/tickets/*"},
        "effect": {"type": "unauthorized"},
        "skip": 2,
    }
    control(account, "faults", fault)
    body = {"ticket": {"priority": "low"}}
    assert [call(account, "PUT", f"tickets/{number}", body).status_code for _ in range(4)] == [200, 200, 401, 200]


def test_nulls_where_nobody_expects_them(account: Account) -> None:
    """The fields named, in every row; or all values of the record."""
    number = ticket(account)
    account.fault("GET", "/api/v2/tickets/*/audits.json", "nulls", fields=["audits.*.events", "meta"])
    audits = done(account, "GET", f"tickets/{number}/audits")["audits"]
    assert [audit["events"] for audit in audits] == [None]
    account.fault("GET", f"/api/v2/tickets/{number}.json", "nulls")
    assert set(done(account, "GET", f"tickets/{number}")["ticket"].values()) == {None}
