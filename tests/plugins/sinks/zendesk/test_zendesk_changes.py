"""What the connector reports of the account: who spoke, what changed, and what is none of our business."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests
from zendesk_cases import Account, comment, make_sink, opened, read

from hub.sdk import (
    Absent,
    ConfigurationError,
    Found,
    Hint,
    RecordChanged,
)


def test_a_trigger_is_no_human(account: Account, uid: str) -> None:
    """A public comment by a business rule is marked automatic and has no role that may speak."""
    sink = account.sink()
    receipt = opened(sink, uid)
    account.sandbox.answer(receipt.vendor_id, "Thank you for waiting", public=True, automatic=True)
    _, comments = read(sink, receipt.vendor_id)
    assert (comments[1].comment.automatic, comments[1].comment.via) == (True, "rule/trigger")
    assert comments[1].comment.author.role == "system"


def test_a_role_off_the_list_may_not_speak(account: Account, uid: str) -> None:
    """With ``human_roles = ["admin"]`` an agent's comment bears a role nobody allows."""
    sink = account.sink(human_roles=("admin",))
    receipt = opened(sink, uid)
    account.sandbox.answer(receipt.vendor_id, "hello", public=True)
    _, comments = read(sink, receipt.vendor_id)
    assert [seen.comment.author.role for seen in comments] == ["end-user", "other:agent"]


def test_a_role_is_asked_again_after_a_while(account: Account, uid: str) -> None:
    """Roles are remembered for a quarter of an hour, not for ever: a demoted agent stops speaking to customers."""
    clock = [datetime.now(UTC)]
    sink = make_sink(account.sandbox.connection_settings(webhook_url=""), now=lambda: clock[0])
    receipt = opened(sink, uid)
    account.sandbox.answer(receipt.vendor_id, "hello", public=True)
    roles = [read(sink, receipt.vendor_id)[1][-1].comment.author.role]
    demoted = {"users": [{"id": int(account.sandbox._account("agent")["id"]), "name": "Alex", "role": "end-user"}]}
    for minutes in (1, 16):
        account.fault("GET", "/api/v2/users/show_many.json", "status", status=200, body=demoted)
        clock[0] = datetime.now(UTC) + timedelta(minutes=minutes)
        roles.append(read(sink, receipt.vendor_id)[1][-1].comment.author.role)
    account.http.delete(f"{account.url}/_sandbox/faults", timeout=5)
    assert roles == ["agent", "agent", "end-user"]


def test_a_note_made_public_is_two_events(account: Account, uid: str) -> None:
    """Even when both are read at once, the note is first seen private, and then public under another key."""
    sink = account.sink()
    receipt = opened(sink, uid)
    note_id = account.sandbox.answer(receipt.vendor_id, "He is a difficult customer", public=False)
    _, before = read(sink, receipt.vendor_id)
    account.sandbox.make_public(receipt.vendor_id, note_id)
    _, after = read(account.sink(), receipt.vendor_id)
    states = [(seen.event_key, seen.comment.public) for seen in after if seen.comment.id == note_id]
    assert states == [(f"comment:{note_id}:private", False), (f"comment:{note_id}:public", True)]
    assert before[-1].event_key == f"comment:{note_id}:private"


def test_two_changes_within_one_second_are_two_events(account: Account, uid: str) -> None:
    """Zendesk counts whole seconds; the key of a record's state tells two states of one second apart."""
    sink = account.sink()
    receipt = opened(sink, uid)
    keys = set()
    for status in ("open", "pending", "solved"):
        account.sandbox.update(receipt.vendor_id, status=status)
        keys.add(read(sink, receipt.vendor_id)[0].event_key)
    assert len(keys) == 3


def test_the_export_hints_at_our_tickets_only(account: Account, uid: str) -> None:
    """A changed ticket of ours gives one hint, a ticket of somebody else none, a deleted one a deletion."""
    sink = account.sink()
    start = sink.fetch_page(sink.first_cursor())
    foreign = account.as_agent("POST", "/api/v2/tickets.json", {"ticket": {"comment": {"body": "not ours"}}})
    kept, gone = opened(sink, uid), opened(sink, f"{uid}-gone")
    account.sandbox.update(kept.vendor_id, status="open", tags_add=("t",))
    requests.delete(
        f"{account.url}/api/v2/tickets/{gone.vendor_id}.json",
        auth=(f"{sink.settings.email}/token", sink.settings.api_token.get_secret_value()),  # type: ignore[union-attr]
        timeout=5,
    ).raise_for_status()
    page = sink.fetch_page(start.cursor)
    by_record = {getattr(event, "record", getattr(event, "record_id", "")): event for event in page.events}
    assert set(by_record) == {kept.vendor_id, gone.vendor_id}
    assert isinstance(by_record[kept.vendor_id], Hint)
    deleted = by_record[gone.vendor_id]
    assert isinstance(deleted, RecordChanged)
    assert deleted.deleted
    assert deleted.external_id == f"{uid}-gone"
    assert not page.has_more
    assert sink.fetch_page(page.cursor).events == ()
    assert sink.complete(Hint(event_key="x", record=str(foreign["ticket"]["id"]))) == []
    assert [event.deleted for event in sink.complete(Hint(event_key="x", record=gone.vendor_id))] == [True]  # type: ignore[union-attr]


@pytest.mark.parametrize("changed", [None, "erp-77"])
def test_a_ticket_whose_external_id_was_changed_is_still_ours(account: Account, uid: str, changed: str | None) -> None:
    """Emptied or overwritten by somebody: the agent's answer still comes, by the export and by what is read."""
    sink = account.sink()
    sink.check_connection()
    start = sink.fetch_page(sink.first_cursor()).cursor
    record = opened(sink, uid).vendor_id
    account.as_agent("PUT", f"/api/v2/tickets/{record}.json", {"ticket": {"external_id": changed}})
    account.sandbox.answer(record, "It is on its way", public=True)
    assert [getattr(event, "record", "") for event in sink.fetch_page(start).events] == [record]
    state, comments = read(sink, record)
    assert state.external_id == (changed or "")
    assert comments[-1].comment.text == "It is on its way"


def test_what_our_account_opened_by_hand_is_not_ours(account: Account) -> None:
    """The account may be shared: without a delivery's key nothing of such a ticket is reported."""
    sink = account.sink()
    sink.check_connection()
    made = requests.post(
        f"{account.url}/api/v2/tickets.json",
        json={"ticket": {"comment": {"body": "by hand"}}},
        auth=(f"{sink.settings.email}/token", sink.settings.api_token.get_secret_value()),  # type: ignore[union-attr]
        timeout=5,
    ).json()
    assert sink.complete(Hint(event_key="x", record=str(made["ticket"]["id"]))) == []


def test_the_first_cursor_is_as_fresh_as_the_export_allows(account: Account) -> None:
    """Zendesk wants a start at least a minute ago: ours is accepted and no older than that; a fresher one is not."""
    sink = account.sink()
    cursor = sink.first_cursor()
    assert 60 < datetime.now(UTC).timestamp() - cursor["start_time"] < 66
    assert sink.fetch_page(cursor).cursor["cursor"]
    with pytest.raises(ConfigurationError, match="StartTimeTooRecent"):
        sink.fetch_page({"start_time": int(datetime.now(UTC).timestamp())})


def test_many_audits_are_read_page_by_page(account: Account, uid: str) -> None:
    """The newest of more than a hundred comments is there, and an old delivery is still found."""
    sink = account.sink()
    receipt = opened(sink, uid)
    for number in range(105):
        account.sandbox.answer(receipt.vendor_id, f"answer {number}", public=True)
    _, comments = read(sink, receipt.vendor_id)
    assert [seen.comment.text for seen in comments[-2:]] == ["answer 103", "answer 104"]
    last = comment(uid, receipt.vendor_id, key=f"{uid}-last")
    assert isinstance(sink.find(last), Absent)
    sink.deliver([last])
    assert isinstance(sink.find(last), Found)
