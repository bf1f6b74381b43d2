"""Held against what nobody here wrote: the vendor's published description and bodies recorded by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from zendesk_cases import (
    ANNA,
    DATA,
    DESCRIPTION,
    RECORDED,
    Account,
    comment,
    fields,
    opening,
    running_sandbox,
)

from hub.sdk import Agent, CommentSeen, Delivery, Hint, Proof, Receipt, RecordChanged, RedactComment
from plugins.sinks.zendesk import payloads

KNOWN_DEVIATIONS = {
    # The description calls start_time required; Zendesk's guide to incremental exports says that following requests
    # carry the cursor only, and zenpy refuses to send both.
    ("request", "/api/v2/incremental/tickets/cursor.json", "start_time"),
    # It describes custom_fields of a write as whole field definitions (key, title, type); its own examples and
    # recorded requests hold id and value only.
    ("request", "/api/v2/tickets.json", "custom_fields"),
    ("request", "/api/v2/tickets/<int:ticket_id>.json", "custom_fields"),
}


def unlisted(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deviations that are not on the list above."""
    return [
        row
        for row in found
        if not any(
            row["kind"] == kind and row["rule"] == rule and words in row["error"]
            for kind, rule, words in KNOWN_DEVIATIONS
        )
    ]


@pytest.fixture
def described(tmp_path: Path) -> Any:
    """A sandbox that checks every request and answer against the description."""
    if not DESCRIPTION.exists():
        pytest.skip(f"the vendor's description is not at {DATA}")
    with running_sandbox(tmp_path, description=DESCRIPTION) as account:
        yield account


@pytest.mark.data
def test_everything_said_conforms_to_the_description(described: Account) -> None:
    """A whole life of tickets: no request of the sink and no answer of the sandbox deviates unlisted."""
    sink = described.sink(assign="agent", permalink_field=12, proof_field=13, field_ids={"order": 11})
    sink.check_connection()
    page = sink.fetch_page(sink.first_cursor())
    view = {"group": "Billing", "permalink": "https://social.example/1", "fields": {"order": "1"}, "tags": ("x",)}
    receipt = sink.deliver([opening("sch-oas", view=view)])[0]
    assert isinstance(receipt, Receipt)
    record_id = receipt.vendor_id
    proof = Proof(state="published", permalink="https://social.example/2")
    update = fields(
        "sch-oas",
        record_id,
        key="u",
        status="open",
        priority="high",
        group="Logistics",
        agent="agent@sandbox.example",
        tags_add=("y",),
        proofs=(proof,),
        fields={"order": "2"},
    )
    for delivery in (comment("sch-oas", record_id, key="c"), update):
        assert isinstance(sink.deliver([delivery])[0], Receipt)
        sink.find(delivery)
    note = described.sandbox.answer(record_id, "note", public=False)
    described.sandbox.make_public(record_id, note)
    described.sandbox.answer(record_id, "answer", public=True)
    described.sandbox.answer(record_id, "auto", public=True, automatic=True)
    described.sandbox.update(record_id, status="closed", tags_add=("z",))
    described.as_agent("GET", f"/api/v2/tickets/{record_id}/comments.json")
    redaction = RedactComment(record_id=record_id, comment_id=receipt.comment_id, reason="x")
    assert isinstance(sink.deliver([Delivery(key="r", body=redaction)])[0], Receipt)
    follow_up = opening("sch-oas", key="f", follow_up_of=record_id)
    assert isinstance(sink.deliver([follow_up])[0], Receipt)
    sink.find(follow_up)
    page = sink.fetch_page(page.cursor)
    for event in page.events:
        assert isinstance(event, Hint)
        assert sink.complete(event)
    told = described.deviations()
    assert unlisted(told["deviations"]) == []
    assert told["requests"] >= 26
    assert told["answers"] >= 26
    stale = [
        known
        for known in KNOWN_DEVIATIONS
        if not any(row["rule"] == known[1] and known[2] in row["error"] for row in told["deviations"])
    ]
    assert stale == [], "a deviation on the list no longer happens"


@pytest.mark.data
def test_the_check_can_fail(described: Account) -> None:
    """A status the description does not know and an answer of a wrong type are both caught."""
    receipt = described.sink().deliver([opening("sch-bad")])[0]
    assert isinstance(receipt, Receipt)
    described.http.put(
        f"{described.url}/api/v2/tickets/{receipt.vendor_id}.json",
        json={"ticket": {"status": "bogus", "comment": {"body": 5}}},
        auth=_agent(described),
        timeout=5,
    )
    user = {"user": {"name": "x", "external_id": "a:1", "phone": 5}}  # the sandbox keeps it as it came
    described.http.post(
        f"{described.url}/api/v2/users/create_or_update.json", json=user, auth=_agent(described), timeout=5
    )
    ticket = {"ticket": {"comment": {"body": "x"}, "subject": 7}}
    described.http.post(f"{described.url}/api/v2/tickets.json", json=ticket, auth=_agent(described), timeout=5)
    found = {(row["kind"], row["method"]) for row in unlisted(described.deviations()["deviations"])}
    assert {("request", "PUT"), ("request", "POST"), ("answer", "POST")} <= found


def _agent(account: Account) -> tuple[str, str]:
    row = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["agent"]
    return f"{row['email']}/token", row["token"]


def _objects(body: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in names:
        value = body.get(name) if isinstance(body, dict) else None
        found += value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    return found


@pytest.mark.data
def test_recorded_bodies_give_values() -> None:
    """Every ticket, comment, audit and user that others recorded goes through the plugin's own readers."""
    if not RECORDED.exists():
        pytest.skip(f"the recorded bodies are not at {DATA}")
    bodies = {str(path.relative_to(RECORDED)): json.loads(path.read_text()) for path in RECORDED.rglob("*.json")}
    counts = dict.fromkeys(("bodies", "tickets", "audits", "comments", "users", "groups"), 0)
    counts["bodies"] = len(bodies)
    for name, body in bodies.items():
        if "field" in name or "form" in name:
            continue
        found = _objects(body, ("ticket", "tickets"))
        if "search" in name:
            found += [row for row in _objects(body, ("results",)) if row.get("result_type") == "ticket"]
        for ticket in found:
            record = payloads.record_changed(ticket, lambda i: Agent(id=i), str)
            assert record.record_id == str(ticket["id"]), name
            assert record.status == ticket["status"], name
            assert record.changed_at.isoformat().startswith(ticket["updated_at"][:19]), name
            counts["tickets"] += 1
        for audit in _objects(body, ("audit", "audits")):
            events = [event for event in audit["events"] if event["type"] == "Comment"]
            seen = payloads.comments_seen(str(audit["ticket_id"]), [audit], lambda i: Agent(id=i, role="agent"))
            assert [one.comment.id for one in seen] == [str(event["id"]) for event in events], name
            for one, event in zip(seen, events, strict=True):
                _check_comment(one, event, audit)
            counts["audits"] += 1
        for row in _objects(body, ("comment", "comments")):
            wrapped = {"author_id": 1, "created_at": row.get("created_at"), "events": [row]}
            [one] = payloads.comments_seen("1", [wrapped], lambda i: Agent(id=i, role="agent"))
            _check_comment(one, row, wrapped)
            counts["comments"] += 1
        for user in _objects(body, ("user", "users")):
            person = payloads.agent_of(user)
            assert (person.id, person.name, person.role) == (str(user["id"]), user["name"], user["role"]), name
            counts["users"] += 1
        counts["groups"] += len(_objects(body, ("group", "groups")))
    assert counts["bodies"] >= 70
    assert all(counts.values()), counts


def _check_comment(seen: CommentSeen, event: dict[str, Any], audit: dict[str, Any]) -> None:
    comment = seen.comment
    assert comment.public is event["public"]
    assert comment.author.id == str(event.get("author_id") or audit["author_id"])
    assert comment.text
    assert not comment.automatic
    assert comment.author != Agent(id=ANNA.id)


def test_a_deleted_row_is_outside_the_descriptions_status_list() -> None:
    """Recorded exports hold rows of status "deleted", which the description does not know; we do."""
    row = {"id": 1, "status": "deleted", "updated_at": "2026-01-01T00:00:00Z"}
    record = payloads.record_changed(row, lambda i: Agent(id=i), str)
    assert isinstance(record, RecordChanged)
    assert record.deleted
    assert record.status is None
