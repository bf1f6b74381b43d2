"""The fields for the deadline and for what became of the last answer: set with what is written anyway, never alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from zendesk_bursts import Clock, calls, driven, sink_of
from zendesk_cases import Account, comment, fields, opened
from zendesk_sandbox_calls import done

from hub.sdk import Delivery, Proof, Receipt

LATE = datetime(2026, 11, 25, 1, 30, tzinfo=timezone(timedelta(hours=2)))
"""At Greenwich it is the day before."""
OPTIONS = [
    {"name": "Answered", "value": "sch_answer_published"},
    {"name": "Non pubblicata", "value": "answer_no"},
    {"name": "Unknown", "value": "answer_open"},
]


def field(account: Account, kind: str, **more: Any) -> int:
    """The id of a new ticket field."""
    body = {"ticket_field": {"type": kind, "title": f"A {kind}", **more}}
    return int(done(account, "POST", "ticket_fields", body)["ticket_field"]["id"])


@pytest.fixture(scope="module")
def dropdown(account: Account) -> int:
    """A dropdown for the state, whose options are named by tag, by the Italian word and by the hub's own."""
    return field(account, "tagger", custom_field_options=OPTIONS)


def shown(account: Account, record: str, number: int) -> Any:
    """What the field shows."""
    rows = done(account, "GET", f"tickets/{record}")["ticket"]["custom_fields"]
    return next((row["value"] for row in rows if row["id"] == number), None)


def until(delivery: Delivery, at: datetime) -> Delivery:
    """The same, to be answered by then."""
    view = delivery.body.ticket.model_copy(update={"answer_by": at})  # type: ignore[union-attr]
    return delivery.model_copy(update={"body": delivery.body.model_copy(update={"ticket": view})})


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [("date", "2026-11-24", "2026-11-26"), ("text", "2026-11-24 23:30 UTC", "2026-11-26 23:30 UTC")],
)
def test_the_deadline_follows_the_customer(account: Account, uid: str, kind: str, first: str, second: str) -> None:
    """In UTC, at opening, with a comment and with a field update; a field that is no time at all stays empty."""
    number = field(account, kind)
    sink = account.sink(deadline_field=number)
    record = opened(sink, uid, view={"answer_by": LATE}).vendor_id
    assert shown(account, record, number) == first
    sink.deliver([until(comment(uid, record, key=f"{uid}-c"), LATE + timedelta(days=2))])
    assert shown(account, record, number) == second
    sink.deliver([until(fields(uid, record, key=f"{uid}-f", priority="high"), LATE)])
    assert shown(account, record, number) == first
    sink.deliver([fields(uid, record, key=f"{uid}-n", note="no deadline is known here")])
    assert shown(account, record, number) == first
    odd = account.sink(deadline_field=field(account, "checkbox"))
    assert opened(odd, f"{uid}-2", view={"answer_by": LATE}).vendor_id


def test_a_deadline_alone_is_no_write(account: Account, uid: str) -> None:
    """An update that changes nothing else sends nothing, and a comment costs the same calls as without the field."""
    sink = account.sink(deadline_field=field(account, "date"), assign="fields")
    record = opened(sink, uid, view={"answer_by": LATE}).vendor_id
    calls(account)
    assert isinstance(sink.deliver([until(fields(uid, record, key=f"{uid}-g", group="x"), LATE)])[0], Receipt)
    sink.deliver([until(comment(uid, record, key=f"{uid}-c"), LATE)])
    spent = calls(account)
    writes = {call: count for call, count in spent.items() if not call.startswith("GET")}
    assert list(writes.values()) == [1]
    assert not [call for call in spent if "ticket_fields" in call]


def proved(uid: str, record: str, *states: Any, **more: Any) -> Delivery:
    """The delivery of proofs."""
    proofs = tuple(Proof(state=state, reason="x", permalink="https://social.example/2") for state in states)
    return fields(uid, record, key=f"{uid}-{'-'.join(states)}", proofs=proofs, **more)


def test_what_became_of_the_last_answer(account: Account, uid: str, dropdown: int) -> None:
    """Matched as a category is; the last proof counts; with tags in the same update the old option's tag goes."""
    sink = account.sink(state_field=dropdown)
    record = opened(sink, uid).vendor_id
    for states, value in (
        (("published",), "sch_answer_published"),
        (("published", "refused"), "answer_no"),
        (("unknown",), "answer_open"),
    ):
        sink.deliver([proved(uid, record, *states, tags_add=("seen",))])
        ticket = done(account, "GET", f"tickets/{record}")["ticket"]
        assert shown(account, record, dropdown) == value
        assert [tag for tag in ticket["tags"] if "answer" in tag] == [value]
    sink.deliver([fields(uid, record, key=f"{uid}-n", note="no proof")])
    assert shown(account, record, dropdown) == "answer_open"


def test_in_a_text_field_and_by_a_job(account: Account, uid: str, clock: Clock, quick_jobs: None) -> None:
    """In the agents' language."""
    number = field(account, "text")
    sink = sink_of(account, clock, state_field=number, agent_language="it")
    records = [opened(sink, f"{uid}-{n}").vendor_id for n in range(4)]
    rows = [proved(f"{uid}-{n}", record, "refused") for n, record in enumerate(records)]
    assert all(isinstance(end, Receipt) for end in driven(sink, clock, rows).values())
    assert {shown(account, record, number) for record in records} == {"Non pubblicata"}
