"""What a job refuses, loses or never tells: one effect each, and nothing is called absent that may still come."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from zendesk_bursts import MANY, Clock, calls, driven, openings, person, records_of, sink_of
from zendesk_cases import ANNA, Account, comment, fields, opened
from zendesk_sandbox_calls import done, settings

from hub.sdk import (
    Absent,
    Accepted,
    AuthenticationFailed,
    CannotTell,
    Failure,
    Found,
    OpenTicket,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    RecordClosed,
    Refused,
)
from plugins.sinks.zendesk.jobs import row_of, state_of

pytestmark = pytest.mark.usefixtures("quick_jobs")


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_running_job_is_waited_for(account: Account, clock: Clock, uid: str) -> None:
    """While it is queued or working find says Accepted, and nothing else is asked."""
    settings(account, job_delay=60)
    sink = sink_of(account, clock)
    sent = openings(uid)
    memo = next(result.memo for result in sink.deliver(sent) if isinstance(result, Accepted))
    looked = sink.find(sent[0].model_copy(update={"memo": memo}))
    assert isinstance(looked, Accepted)
    assert looked.memo == memo


def test_a_row_that_fails_gets_its_true_error_alone(account: Account, clock: Clock, uid: str) -> None:
    """One closed ticket in a job of comments: the others stand, it goes singly and is told as closed."""
    sink = sink_of(account, clock)
    ends = driven(sink, clock, openings(uid))
    records = [end.vendor_id for end in ends.values() if isinstance(end, Receipt)]
    account.sandbox.update(records[4], status="closed")
    more = [comment(uid, record, key=f"c-{uid}-{n}") for n, record in enumerate(records)]
    results = driven(sink, clock, more)
    refused = results.pop(f"c-{uid}-4")
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, RecordClosed)
    assert all(isinstance(end, Receipt) for end in results.values())


def test_trap_a_conflict_in_a_job_is_read_again(account: Account, clock: Clock, uid: str) -> None:
    """An agent changes a ticket between our read and the job: that row alone is a conflict, and is done singly."""
    sink = sink_of(account, clock)
    ends = driven(sink, clock, openings(uid))
    records = [end.vendor_id for end in ends.values() if isinstance(end, Receipt)]
    settings(account, job_delay=30)
    updates = [fields(uid, record, key=f"s-{uid}-{n}", tags_add=("ours",)) for n, record in enumerate(records)]
    sent = [
        one.model_copy(update={"memo": result.memo})
        for one, result in zip(updates, sink.deliver(updates), strict=True)
        if isinstance(result, Accepted)
    ]
    assert len(sent) == MANY
    settings(account, clock_ahead=5)
    account.sandbox.update(records[2], tags_add=("agents_own",))
    settings(account, clock_ahead=60)
    clock.pass_(60)
    results = driven(sink, clock, sent)
    assert all(isinstance(end, Receipt) for end in results.values())
    tags = account.as_agent("GET", f"/api/v2/tickets/{records[2]}.json")["ticket"]["tags"]
    assert {"ours", "agents_own"} <= set(tags)


def test_a_job_that_breaks_off_is_finished_once(account: Account, clock: Clock, uid: str) -> None:
    """What it did stands; the rest is surely absent, and is sent alone."""
    sink = sink_of(account, clock)
    people = openings(uid)
    waiting = sink.deliver(people)
    assert all(isinstance(result, Accepted) for result in waiting)
    clock.pass_(2)
    looked = [
        sink.find(one.model_copy(update={"memo": result.memo}))
        for one, result in zip(people, waiting, strict=True)
        if isinstance(result, Accepted)
    ]
    assert all(isinstance(one, Absent) for one in looked)
    settings(account, job_fails_after=5)
    results = driven(sink, clock, people)
    assert all(isinstance(end, Receipt) for end in results.values())
    assert records_of(account, people) == {1}


def test_trap_a_job_started_just_before_the_end_of_the_process(account: Account, clock: Clock, uid: str) -> None:
    """kill -9 between the job and its memo: while it runs nothing is called absent, afterwards all is found."""
    first = sink_of(account, clock)
    people = openings(uid)
    memos = [result.memo for result in first.deliver(people) if isinstance(result, Accepted)]
    clock.pass_(2)
    assert all(
        isinstance(first.find(one.model_copy(update={"memo": memo})), Absent)
        for one, memo in zip(people, memos, strict=True)
    )
    settings(account, job_delay=60)
    assert all(isinstance(result, Accepted) for result in first.deliver(people))
    second = sink_of(account, clock)
    looked = second.find(people[0])
    assert isinstance(looked, Accepted), "the job still runs"
    settings(account, clock_ahead=120)
    clock.pass_(120)
    found = second.find(people[0].model_copy(update={"memo": looked.memo}))
    assert isinstance(found, Found)
    assert all(isinstance(second.find(one), Found) for one in people)


def test_trap_a_job_that_never_ends_is_no_answer(account: Account, clock: Clock, uid: str) -> None:
    """After half an hour of waiting for the jobs of that time the hub is told that nobody can tell."""
    settings(account, job_delay=100_000)
    sink_of(account, clock).deliver(openings(uid))
    sink = sink_of(account, clock)
    unknown = openings(f"{uid}-x", 1)[0]
    looked = sink.find(unknown)
    assert isinstance(looked, Accepted)
    clock.pass_(3600)
    assert isinstance(sink.find(unknown.model_copy(update={"memo": looked.memo})), CannotTell)


def test_a_job_zendesk_has_forgotten_is_looked_up(account: Account, clock: Clock, uid: str) -> None:
    """Job statuses last an hour: the tickets themselves tell what it did."""
    sink = sink_of(account, clock)
    people = openings(uid, 4)
    ends = driven(sink, clock, people)
    assert all(isinstance(end, Receipt) for end in ends.values())
    memo = {"job": "0" * 32, "index": 0, "of": 4, "since": clock().timestamp()}
    assert isinstance(sink.find(people[0].model_copy(update={"memo": memo})), Found)
    other = openings(f"{uid}-never", 1)[0]
    assert isinstance(sink.find(other.model_copy(update={"memo": memo})), Absent)


def test_an_answer_lost_after_the_job_began_is_unknown(account: Account, clock: Clock, uid: str) -> None:
    """All of the batch are unknown, none is sent again before it was looked for, and each is there once."""
    sink = sink_of(account, clock)
    people = openings(uid)
    memos = [result.memo for result in sink.deliver(people) if isinstance(result, Accepted)]
    clock.pass_(2)
    for one, memo in zip(people, memos, strict=True):
        sink.find(one.model_copy(update={"memo": memo}))
    account.fault("POST", "/api/v2/tickets/create_many.json", "malformed")
    results = sink.deliver(people)
    assert all(isinstance(one, Failure) and isinstance(one.error, OutcomeUnknown) for one in results)
    clock.pass_(5)
    assert all(isinstance(sink.find(one), Found) for one in people)
    assert records_of(account, people) == {1}


def test_an_account_without_user_imports_gets_them_one_by_one(account: Account, clock: Clock, uid: str) -> None:
    """Zendesk switches bulk imports of users off by default: the tickets still come, still by a job."""
    settings(account, user_imports=0)
    sink = sink_of(account, clock)
    calls(account)
    ends = driven(sink, clock, openings(uid))
    assert all(isinstance(end, Receipt) for end in ends.values())
    spent = calls(account)
    assert spent["POST /api/v2/users/create_or_update_many.json"] == 1
    assert spent["POST /api/v2/users/create_or_update.json"] == MANY
    assert spent["POST /api/v2/tickets/create_many.json"] == 1


def test_credentials_that_end_in_a_batch_stop_it(account: Account, clock: Clock, uid: str) -> None:
    """A 401 at the job: every delivery failed to authenticate, after one call and not after twelve."""
    sink = sink_of(account, clock)
    calls(account)
    account.fault("POST", "/api/v2/users/create_or_update_many.json", "status", status=401, body={"error": "x"})
    results = sink.deliver(openings(uid))
    assert all(isinstance(one, Failure) and isinstance(one.error, AuthenticationFailed) for one in results)
    assert sum(calls(account).values()) == 1
    singles = openings(f"{uid}-s", 3)
    account.fault("POST", "/api/v2/tickets.json", "status", status=401, body={"error": "x"})
    told = sink.deliver(singles)
    assert all(isinstance(one, Failure) and isinstance(one.error, AuthenticationFailed) for one in told)


def test_a_wrong_key_of_the_job_as_a_whole_is_told_per_delivery(account: Account, clock: Clock, uid: str) -> None:
    """A 400 for the whole job: what is wrong with which is found out singly, at most twenty in one call."""
    sink = sink_of(account, clock)
    people = openings(uid, 24)
    memos = [result.memo for result in sink.deliver(people) if isinstance(result, Accepted)]
    clock.pass_(2)
    for one, memo in zip(people, memos, strict=True):
        sink.find(one.model_copy(update={"memo": memo}))
    account.fault("POST", "/api/v2/tickets/create_many.json", "status", status=400, body={"error": "BadRequest"})
    results = sink.deliver(people)
    assert Counter(type(one).__name__ for one in results) == {"Receipt": 20, "Failure": 4}
    assert all(isinstance(one.error, RateLimited) for one in results if isinstance(one, Failure))


def test_too_many_jobs_wait_a_moment(account: Account, clock: Clock, uid: str) -> None:
    """Thirty jobs may run: without a time Zendesk means seconds, not the hub's half a minute."""
    account.fault(
        "POST", "/api/v2/users/create_or_update_many.json", "status", status=429, body={"error": "TooManyJobs"}
    )
    results = sink_of(account, clock).deliver(openings(uid))
    waits = {
        one.error.retry_after for one in results if isinstance(one, Failure) and isinstance(one.error, RateLimited)
    }
    assert waits == {5.0}


# --- rows of a job, as Zendesk's own examples and support threads show them ----------------------------------------


@pytest.mark.parametrize(
    ("results", "index", "record", "told"),
    [
        ([{"id": 245, "index": 1}, {"id": 244, "index": 0}], 0, "", (True, "244")),
        ([{"index": 0, "error": "TicketCreateFailed", "details": "x"}], 0, "", (False, "")),
        ([{"id": 9, "index": 0}], 1, "", None),
        ([{"action": "update", "id": 244, "status": "Updated", "success": True}], 0, "244", (True, "244")),
        ([{"action": "update", "id": 245, "status": "Updated", "success": True}], 0, "244", None),
        ([{"id": 1, "status": "Created"}, {"id": 2, "status": "Updated"}], 1, "", (True, "2")),
        (
            [{"id": 1, "status": "Created"}, {"id": 1, "error": "UserUpdateError", "status": "Failed"}],
            1,
            "",
            (False, ""),
        ),
        ([{"id": 1, "status": "Created"}], 1, "", None),
        ([{"id": 244, "success": False, "status": "Failed"}, {"id": 7}], 0, "244", (False, "")),
        (None, 0, "", None),
        ({"success": True}, 0, "", None),
        (["x", None], 0, "", None),
    ],
)
def test_rows_of_a_job(results: Any, index: int, record: str, told: tuple[bool, str] | None) -> None:
    """By index, by id, by place where nothing else is told; a failed row's ``id`` may be its index; never guessed."""
    row = row_of({"results": results}, index, 2, record_id=record)
    assert (None if row is None else (row.done, row.id)) == told


def test_an_unknown_state_of_a_job_is_no_end() -> None:
    """A word Zendesk may add does not make anything absent."""
    assert [state_of(job) for job in ({"status": "completed"}, {"status": "killed"}, {"status": "resting"}, None)] == [
        "done",
        "broken",
        "running",
        "forgotten",
    ]


def test_a_row_waits_for_the_one_before_it(account: Account, clock: Clock, uid: str) -> None:
    """Two comments of one record in one batch: the job takes the first, the second waits for it and comes after."""
    sink = sink_of(account, clock)
    records = [opened(sink, f"{uid}-{n}").vendor_id for n in range(4)]
    first, second = (comment(uid, records[0], key=f"{uid}-{word}", text=word) for word in ("first", "second"))
    rest = [comment(uid, record, key=f"{uid}-{record}") for record in records[1:]]
    outcomes = sink.deliver([first, second, *rest])
    assert isinstance(outcomes[0], Accepted)
    held = outcomes[1]
    assert isinstance(held, Failure)
    assert isinstance(held.error, RateLimited)
    assert held.error.scope == "lane"
    taken = first.model_copy(update={"memo": outcomes[0].memo})
    assert all(isinstance(end, Receipt) for end in driven(sink, clock, [taken]).values())
    assert isinstance(sink.deliver([second])[0], Receipt)
    rows = account.as_agent("GET", f"/api/v2/tickets/{records[0]}/comments.json")["comments"]
    assert [row["plain_body"].splitlines()[0] for row in rows[1:]] == ["first", "second"]


def test_a_requester_of_a_job_who_was_deleted_is_made_again(account: Account, clock: Clock, uid: str) -> None:
    """The rows of a job are refused for a user we remember: each goes alone then, with the new one."""
    sink = sink_of(account, clock)
    records = [opened(sink, f"{uid}-{n}").vendor_id for n in range(5)]
    ben = person(f"ben-{uid}")
    changes = [fields(uid, record, key=f"{uid}-{n}", requester=ben) for n, record in enumerate(records)]
    assert isinstance(sink.deliver(changes[:1])[0], Receipt)
    path = f"/api/v2/tickets/{records[0]}.json"
    done(account, "DELETE", f"users/{account.as_agent('GET', path)['ticket']['requester_id']}")
    ends = driven(sink, clock, changes[1:])
    assert all(isinstance(end, Receipt) for end in ends.values())


def test_a_requester_of_a_job_is_is_not_told_twice(account: Account, clock: Clock, uid: str) -> None:
    """One customer's four tickets in one batch make one user."""
    sink = sink_of(account, clock)
    people = [
        one.model_copy(
            update={
                "body": one.body.model_copy(update={"ticket": one.body.ticket.model_copy(update={"requester": ANNA})})
            }
        )
        for one in openings(uid, 4)
        if isinstance(one.body, OpenTicket)
    ]
    ends = driven(sink, clock, people)
    assert all(isinstance(end, Receipt) for end in ends.values())


def test_one_failed_row_of_a_group_name_costs_no_ticket(account: Account, clock: Clock, uid: str) -> None:
    """A group that does not exist is left out, in a job as singly."""
    sink = sink_of(account, clock, assign="group")
    ends = driven(sink, clock, openings(uid, 4, group="no such group"))
    assert all(isinstance(end, Receipt) for end in ends.values())


def test_a_refusal_in_a_job_is_the_same_refusal_alone(account: Account, clock: Clock, uid: str) -> None:
    """An update of a record that is gone is refused as gone, the others are done."""
    sink = sink_of(account, clock)
    record = opened(sink, uid).vendor_id
    updates = [fields(uid, "987654321", key=f"g-{uid}", note="x"), fields(uid, record, key=f"n-{uid}", note="x")]
    updates += [fields(uid, opened(sink, f"{uid}-{n}").vendor_id, key=f"n-{uid}-{n}", note="x") for n in range(3)]
    ends = driven(sink, clock, updates)
    gone = ends.pop(f"g-{uid}")
    assert isinstance(gone, Failure)
    assert isinstance(gone.error, Refused)
    assert all(isinstance(end, Receipt) for end in ends.values())
