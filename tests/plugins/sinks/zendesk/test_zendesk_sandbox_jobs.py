"""Writes of many at once: jobs that wait, work, half fail, and survive a restart."""

from __future__ import annotations

from pathlib import Path

from zendesk_cases import Account, running_sandbox
from zendesk_sandbox_calls import call, done, finished, settings, ticket


def test_a_job_is_queued_and_told_item_by_item(account: Account) -> None:
    """A good ticket and one without comment: one id, one error with its index; nothing exists before the job ran."""
    settings(account, job_delay=60)
    before = done(account, "GET", "tickets/count")["count"]["value"]
    good = {"subject": "a", "comment": {"body": "x"}}
    job = done(account, "POST", "tickets/create_many", {"tickets": [good, {"subject": "b"}]})
    assert job["job_status"]["status"] == "queued"
    assert job["job_status"]["results"] is None
    assert done(account, "GET", "tickets/count")["count"]["value"] == before
    settings(account, job_delay="")
    status = finished(account, job)
    settings(account, clock_ahead=0)
    assert (status["status"], status["total"], status["progress"]) == ("completed", 2, 2)
    made, failed = status["results"]
    assert done(account, "GET", f"tickets/{made['id']}")["ticket"]["subject"] == "a"
    assert (failed["index"], failed["success"], failed["error"]) == (1, False, "RecordInvalid")
    assert done(account, "GET", "tickets/count")["count"]["value"] == before + 1
    told = done(account, "GET", f"job_statuses/show_many?ids={job['job_status']['id']}")["job_statuses"]
    assert [row["status"] for row in told] == ["completed"]


def test_both_forms_of_update_many(account: Account) -> None:
    """One change of several ids; several changes, of which an unsafe one is a conflict and does nothing."""
    first, second = ticket(account), ticket(account)
    change = {"ticket": {"additional_tags": ["late"], "status": "open"}}
    job = done(account, "PUT", f"tickets/update_many?ids={first},{second},999999", change)
    results = finished(account, job)["results"]
    assert [row["success"] for row in results] == [True, True, False]
    assert results[2]["error"] == "RecordNotFound"
    rows = done(account, "GET", f"tickets/show_many?ids={first},{second}")["tickets"]
    assert [(row["tags"], row["status"]) for row in rows] == [(["late"], "open")] * 2
    late = {"id": first, "priority": "low", "safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}
    safe = {"id": second, "priority": "low", "safe_update": True, "updated_stamp": rows[1]["updated_at"]}
    results = finished(account, done(account, "PUT", "tickets/update_many", {"tickets": [late, safe]}))["results"]
    settings(account, clock_ahead=0)
    assert [(row["success"], row.get("error")) for row in results] == [(False, "UpdateConflict"), (True, None)]
    rows = done(account, "GET", f"tickets/show_many?ids={first},{second}")["tickets"]
    assert [row["priority"] for row in rows] == [None, "low"]


def test_a_job_takes_its_time_and_may_break_off(account: Account) -> None:
    """Progress grows with the clock; a job that fails keeps what it did."""
    ids = ",".join(str(ticket(account)) for _ in range(4))
    settings(account, job_item_seconds=100, job_delay=0)
    job = done(account, "PUT", f"tickets/update_many?ids={ids}", {"ticket": {"priority": "low"}})
    path = f"job_statuses/{job['job_status']['id']}"
    settings(account, clock_ahead=250)
    status = done(account, "GET", path)["job_status"]
    assert (status["status"], status["progress"]) == ("working", 2)
    settings(account, job_fails_after=3, clock_ahead=500)
    status = done(account, "GET", path)["job_status"]
    settings(account, job_item_seconds=0, job_delay="", clock_ahead=0)
    assert (status["status"], len(status["results"])) == ("failed", 3)
    rows = done(account, "GET", f"tickets/show_many?ids={ids}")["tickets"]
    assert [row["priority"] for row in rows] == ["low", "low", "low", None]


def test_more_than_a_hundred_and_more_than_thirty_jobs(account: Account) -> None:
    """101 at once are too many values; beyond the job limit is a 429 that names it."""
    many = call(account, "POST", "tickets/create_many", {"tickets": [{}] * 101})
    assert (many.status_code, many.json()["error"]) == (400, "TooManyValues")
    settings(account, job_limit=1, job_delay=60)
    change = {"ticket": {"priority": "low"}}
    number = ticket(account)
    job = done(account, "PUT", f"tickets/update_many?ids={number}", change)
    refused = call(account, "PUT", f"tickets/update_many?ids={number}", change)
    settings(account, job_limit="", job_delay="")
    assert (refused.status_code, refused.json()["error"]) == (429, "TooManyJobs")
    assert refused.headers["Retry-After"]
    assert refused.headers["Zendesk-RateLimit-inflight-jobs"].startswith("total=1; remaining=0")
    finished(account, job)
    settings(account, clock_ahead=0)


def test_users_of_many_at_once(account: Account) -> None:
    """New and known ones, by external id; the second time they are updated."""
    users = {"users": [{"name": "Anna", "external_id": "many:1"}, {"external_id": "many:2"}]}
    results = finished(account, done(account, "POST", "users/create_or_update_many", users))["results"]
    assert [row["success"] for row in results] == [True, False]
    again = finished(account, done(account, "POST", "users/create_or_update_many", {"users": users["users"][:1]}))
    settings(account, clock_ahead=0)
    assert again["results"][0]["id"] == results[0]["id"]
    assert again["results"][0]["status"] == "Updated"


def test_a_queued_job_survives_a_restart_and_needs_no_call(tmp_path: Path) -> None:
    """The second server does what the first was asked, by its own beat."""
    with running_sandbox(tmp_path) as first:
        settings(first, job_delay=3600)
        job = done(first, "POST", "tickets/create_many", {"tickets": [{"comment": {"body": "late"}}]})
    with running_sandbox(tmp_path) as second:
        assert done(second, "GET", "tickets/count")["count"]["value"] == 0
        settings(second, clock_ahead=3601)
        assert finished(second, job)["results"][0]["id"] == 1
