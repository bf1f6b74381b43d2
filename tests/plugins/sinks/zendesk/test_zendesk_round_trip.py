"""The connector against the sandbox process, over HTTP, as in production."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from zendesk_cases import ANNA, Account, comment, fields, make_sink, opened, opening, read, ticket

from hub.sdk import (
    Absent,
    AddComment,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    Delivery,
    Failure,
    Found,
    Identity,
    Proof,
    Quote,
    Receipt,
    RecordClosed,
    RedactComment,
    Refused,
    Said,
    TemporaryFailure,
)


def test_check_connection_tells_whose_account_it_is(account: Account) -> None:
    """The fingerprint names the machine, the user and when it was made."""
    found = account.sink().check_connection()
    assert found.fingerprint.startswith(f"127.0.0.1#{found.id}@20")
    assert found.handle == "hub@sandbox.example"


def test_wrong_token_pauses_the_connection(account: Account) -> None:
    """A refused token is an AuthenticationFailed, never a Refused delivery."""
    with pytest.raises(AuthenticationFailed):
        account.sink(api_token="wrong").check_connection()


def test_an_oauth_token_works_instead_of_an_api_token(account: Account) -> None:
    """The bearer header is sent and accepted."""
    token = account.sandbox.connection_settings(webhook_url="")["api_token"]
    sink = make_sink({"base_url": account.url, "oauth_token": token})
    assert sink.check_connection().handle == "hub@sandbox.example"


def test_opening_shows_the_agent_all_they_need(account: Account, uid: str) -> None:
    """The first comment is the customer's, public, and says below a line what stands where and until when."""
    view = ticket(
        uid,
        permalink="https://social.example/1",
        category="delivery",
        language="it",
        team="Logistics",
        group="Logistics",
        priority="high",
        tags=("late parcel",),
        fields={"order_number": "A-17"},
        missing=("city",),
        answer_limit=500,
        answer_by=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    )
    said = Said(
        text="Where is it?",
        author=ANNA,
        permalink="https://social.example/1",
        context=(Quote(author="Acme", text="Free delivery!", own=True), Quote(author="Bob", text="Mine came")),
    )
    delivery = opening(uid, view=view.model_dump(exclude={"uid"}))
    delivery = delivery.model_copy(update={"body": delivery.body.model_copy(update={"said": said})})
    receipt = account.sink(agent_language="it").deliver([delivery])[0]
    assert isinstance(receipt, Receipt)
    record = next(row for row in account.sandbox.records() if row.id == receipt.vendor_id)
    first = record.comments[0]
    assert (first.author, first.public, first.id) == ("Anna Rossi", True, receipt.comment_id)
    assert record.external_id == uid
    assert (record.group, record.priority, record.status) == ("Logistics", "high", "new")
    assert set(record.tags) == {
        "sch",
        "sch_mastodon",
        "sch_category_delivery",
        "sch_language_it",
        "sch_team_logistics",
        "late_parcel",
    }
    assert first.text.startswith("Where is it?\n\n────────\n")
    for expected in (
        "Scritto su Mastodon: https://social.example/1",
        "Avevamo risposto:\n> Free delivery!",
        "Bob aveva scritto:\n> Mine came",
        "leggibile da tutti",
        "Lunghezza massima: 500",
        "23.11.2026 09:30",
        "order_number: A-17",
        "Non ancora noto: city",
    ):
        assert expected in first.text
    assert receipt.permalink == f"{account.url}/agent/tickets/{receipt.vendor_id}"
    assert requests.get(receipt.permalink, timeout=5).status_code == 200


def test_the_same_person_is_one_user(account: Account, uid: str) -> None:
    """Two instances of the connector make one end user per identity; another network's same id is another user."""
    first, second = opened(account.sink(), uid), opened(account.sink(), f"{uid}-b")
    other = opened(account.sink(), f"{uid}-c", view={"requester": Identity(network="x", id="7", handle="anna")})
    requesters = [
        account.as_agent("GET", f"/api/v2/tickets/{receipt.vendor_id}.json")["ticket"]["requester_id"]
        for receipt in (first, second, other)
    ]
    assert requesters[0] == requesters[1] != requesters[2]


def test_a_repeated_create_makes_one_ticket(account: Account, uid: str) -> None:
    """Zendesk's Idempotency-Key carries our delivery key: the second attempt gives the same record."""
    sink = account.sink()
    assert opened(sink, uid).vendor_id == opened(account.sink(), uid).vendor_id
    assert len([row for row in account.sandbox.records() if row.external_id == uid]) == 1


def test_a_known_key_with_another_body_is_looked_up(account: Account, uid: str) -> None:
    """Zendesk refuses the key, but a record exists: the outcome is unknown, and looking finds it."""
    sink = account.sink()
    receipt = opened(sink, uid)
    changed = opening(uid, text="another text")
    result = sink.deliver([changed])[0]
    assert isinstance(result, Failure)
    assert type(result.error).__name__ == "OutcomeUnknown"
    found = sink.find(changed)
    assert isinstance(found, Found)
    assert found.receipt.vendor_id == receipt.vendor_id
    assert found.receipt.comment_id == receipt.comment_id


def test_comments_and_fields_round_trip(account: Account, uid: str) -> None:
    """A customer's comment, a field update with proofs and an agent's answer come back as what they are."""
    sink = account.sink()
    receipt = opened(sink, uid)
    added = sink.deliver([comment(uid, receipt.vendor_id, key=f"{uid}-c")])[0]
    update = fields(
        uid,
        receipt.vendor_id,
        key=f"{uid}-u",
        status="open",
        priority="urgent",
        group="billing",
        tags_add=("vip",),
        tags_remove=("sch_mastodon",),
        fields={"city": "Roma"},
        proofs=(
            Proof(state="published", permalink="https://social.example/2", at=datetime(2026, 11, 22, tzinfo=UTC)),
            Proof(state="refused", reason="too long"),
        ),
        note="take care",
    )
    assert isinstance(sink.deliver([update])[0], Receipt)
    answer_id = account.sandbox.answer(receipt.vendor_id, "We look into it", public=True)
    record, comments = read(sink, receipt.vendor_id)
    assert isinstance(added, Receipt)
    assert added.vendor_id == comments[1].comment.id
    assert (record.status, record.priority, record.group) == ("open", "urgent", "Billing")
    assert "vip" in (record.tags or ())
    assert "sch_mastodon" not in (record.tags or ())
    note = comments[2].comment
    assert not note.public
    assert note.origin == f"{uid}-u"
    for part in (
        "Published on Mastodon: https://social.example/2",
        "NOT published",
        "too long",
        "city: Roma",
        "take care",
    ):
        assert part in note.text
    answer = comments[3].comment
    assert (answer.id, answer.public, answer.automatic, answer.origin) == (answer_id, True, False, "")
    assert (answer.author.role, answer.author.name) == ("agent", "Alex Agent")
    assert [seen.comment.author.role for seen in comments[:2]] == ["end-user", "end-user"]
    assert [seen.comment.origin for seen in comments[:2]] == [f"open-{uid}", f"{uid}-c"]


def test_what_the_company_said_elsewhere_is_not_put_in_the_customers_mouth(account: Account, uid: str) -> None:
    """A message of the company's own account comes from our account, and says where it was written."""
    sink = account.sink()
    receipt = opened(sink, uid)
    said = Said(text="We are on it", author=Identity(network="mastodon", id="1"), by_company=True)
    body = AddComment(ticket=ticket(uid), record_id=receipt.vendor_id, said=said)
    assert isinstance(sink.deliver([Delivery(key=f"{uid}-own", body=body)])[0], Receipt)
    _, comments = read(sink, receipt.vendor_id)
    assert comments[1].comment.author.name == "Social Care Hub"
    assert "outside the helpdesk" in comments[1].comment.text


def test_a_closed_ticket_takes_a_follow_up_only(account: Account, uid: str) -> None:
    """A comment is refused as "closed"; a follow-up under the same external id is made once and found."""
    sink = account.sink()
    receipt = opened(sink, uid)
    account.sandbox.update(receipt.vendor_id, status="closed")
    for delivery in (
        comment(uid, receipt.vendor_id, key=f"{uid}-c"),
        fields(uid, receipt.vendor_id, key=f"{uid}-u", status="open"),
    ):
        result = sink.deliver([delivery])[0]
        assert isinstance(result, Failure)
        assert isinstance(result.error, RecordClosed)
    follow_up = opening(uid, key=f"{uid}-again", follow_up_of=receipt.vendor_id)
    assert isinstance(sink.find(follow_up), Absent)
    second = sink.deliver([follow_up])[0]
    assert isinstance(second, Receipt)
    assert second.vendor_id != receipt.vendor_id
    found = sink.find(follow_up)
    assert isinstance(found, Found)
    assert found.receipt.vendor_id == second.vendor_id


def test_a_record_we_did_not_make_is_never_taken_for_ours(account: Account, uid: str) -> None:
    """A ticket under our external id without our key is not enough to call it done, nor to send again."""
    body = {"ticket": {"external_id": uid, "comment": {"body": "copied by hand"}}}
    account.as_agent("POST", "/api/v2/tickets.json", body)
    assert isinstance(account.sink().find(opening(uid)), CannotTell)


def test_a_late_safe_update_reads_again(account: Account, uid: str) -> None:
    """A 409 once is survived without losing the agent's tag; twice it is a TemporaryFailure."""
    sink = account.sink()
    receipt = opened(sink, uid)
    path = f"/api/v2/tickets/{receipt.vendor_id}.json"
    account.sandbox.update(receipt.vendor_id, tags_add=("by_agent",))
    account.fault("PUT", path, "status", status=409, body={"error": "UpdateConflict"})
    assert isinstance(sink.deliver([fields(uid, receipt.vendor_id, key=f"{uid}-1", tags_add=("ours",))])[0], Receipt)
    tags = read(sink, receipt.vendor_id)[0].tags or ()
    assert {"by_agent", "ours"} <= set(tags)
    account.fault("PUT", path, "status", status=409, body={"error": "UpdateConflict"}, count=2)
    result = sink.deliver([fields(uid, receipt.vendor_id, key=f"{uid}-2", status="open")])[0]
    assert isinstance(result, Failure)
    assert isinstance(result.error, TemporaryFailure)


def test_a_tag_set_between_read_and_write_survives(account: Account, uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent tags the ticket after we read it and before we write: both tags are there in the end."""
    sink = account.sink()
    receipt = opened(sink, uid)
    read_ticket, raced = sink._client.ticket, []

    def read_then_race(ticket_id: str) -> dict[str, object]:
        current = read_ticket(ticket_id)
        if not raced:
            raced.append(True)
            account.sandbox.update(ticket_id, tags_add=("by_agent",))
            return current | {"updated_at": "2026-01-01T00:00:00Z"}  # as if the agent had come a second later
        return current

    monkeypatch.setattr(sink._client, "ticket", read_then_race)
    assert isinstance(sink.deliver([fields(uid, receipt.vendor_id, key=f"{uid}-t", tags_add=("ours",))])[0], Receipt)
    monkeypatch.undo()
    assert {"by_agent", "ours"} <= set(read(sink, receipt.vendor_id)[0].tags or ())


def test_the_sandbox_refuses_a_stale_safe_update(account: Account, uid: str) -> None:
    """The 409 of the sandbox comes from comparing times, not only from a fault."""
    receipt = opened(account.sink(), uid)
    body = {"ticket": {"status": "open", "safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}}
    with pytest.raises(requests.HTTPError, match="409"):
        account.as_agent("PUT", f"/api/v2/tickets/{receipt.vendor_id}.json", body)


def test_an_update_that_changes_nothing_sends_nothing(account: Account, uid: str) -> None:
    """With ``assign = "fields"`` a group alone is not sent; the receipt is still a receipt."""
    sink = account.sink(assign="fields")
    receipt = opened(sink, uid)
    result = sink.deliver([fields(uid, receipt.vendor_id, key=f"{uid}-g", group="Billing")])[0]
    assert isinstance(result, Receipt)
    assert read(sink, receipt.vendor_id)[0].group == ""


def test_an_unknown_group_is_refused_by_name_but_opens_the_ticket(account: Account, uid: str) -> None:
    """A mistake in teams.toml parks a field update, never a customer's ticket."""
    sink = account.sink()
    receipt = opened(sink, uid, view={"group": "Nobody"})
    result = sink.deliver([fields(uid, receipt.vendor_id, key=f"{uid}-g", group="Nobody")])[0]
    assert isinstance(result, Failure)
    assert isinstance(result.error, Refused)
    assert "Nobody" in result.error.summary


def test_an_agent_is_assigned_only_where_allowed(account: Account, uid: str) -> None:
    """``assign = "agent"`` sets the assignee by e-mail; ``group`` does not."""
    receipt = opened(account.sink(), uid)
    for mode, expected in (("group", ""), ("agent", "Alex Agent")):
        sink = account.sink(assign=mode)
        delivery = fields(uid, receipt.vendor_id, key=f"{uid}-{mode}", agent="agent@sandbox.example", priority="low")
        assert isinstance(sink.deliver([delivery])[0], Receipt)
        assignee = read(sink, receipt.vendor_id)[0].assignee
        assert assignee is not None
        assert assignee.name == expected


def test_custom_fields_take_what_they_are_named_for(account: Account, uid: str) -> None:
    """Mapped fields, the permalink and the proof land in custom fields, not in a note."""
    sink = account.sink(field_ids={"order_number": 11}, permalink_field=12, proof_field=13)
    receipt = opened(sink, uid, view={"fields": {"order_number": "A-1"}, "permalink": "https://social.example/1"})
    proof = Proof(state="published", permalink="https://social.example/2")
    delivery = fields(uid, receipt.vendor_id, key=f"{uid}-f", fields={"order_number": "A-2"}, proofs=(proof,))
    assert isinstance(sink.deliver([delivery])[0], Receipt)
    rows = account.as_agent("GET", f"/api/v2/tickets/{receipt.vendor_id}.json")["ticket"]["custom_fields"]
    assert {row["id"]: row["value"] for row in rows if row["id"] < 100} == {
        11: "A-2",
        12: "https://social.example/1",
        13: "https://social.example/2",
    }


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Answer by 24.12.2026 10:00"), ("it", "Rispondere entro il 24.12.2026")]
)
def test_a_later_word_tells_the_new_deadline(account: Account, uid: str, language: str, word: str) -> None:
    """Each message of the customer may move it, so it stands under each; the rest stands in the opening only."""
    sink = account.sink(agent_language=language)
    receipt = opened(sink, uid)
    delivery = comment(uid, receipt.vendor_id, key=f"{uid}-c")
    view = delivery.body.ticket.model_copy(update={"answer_by": datetime(2026, 12, 24, 10, 0, tzinfo=UTC)})  # type: ignore[union-attr]
    sink.deliver([delivery.model_copy(update={"body": delivery.body.model_copy(update={"ticket": view})})])
    text = read(sink, receipt.vendor_id)[1][-1].comment.text
    assert word in text
    assert "mastodon under" not in text.lower()
    assert "mastodon sotto" not in text.lower()


def test_redaction_leaves_nothing_legible(account: Account, uid: str) -> None:
    """The whole text is blackened, once, also in a closed ticket; before it find says Absent, after it Found."""
    sink = account.sink()
    receipt = opened(sink, uid, text="My number is 12345 <b>& more</b>")
    account.sandbox.update(receipt.vendor_id, status="closed")
    body = RedactComment(record_id=receipt.vendor_id, comment_id=receipt.comment_id, reason="asked by the customer")
    delivery = Delivery(key=f"{uid}-r", body=body)
    assert isinstance(sink.find(delivery), Absent)
    assert isinstance(sink.deliver([delivery])[0], Receipt)
    assert isinstance(sink.find(delivery), Found)
    assert isinstance(sink.deliver([delivery])[0], Receipt)
    text = next(row for row in account.sandbox.records() if row.id == receipt.vendor_id).comments[0].text
    assert not any(letter.isalnum() for letter in text)
    told = [one for one in read(sink, receipt.vendor_id)[1] if one.comment.id == receipt.comment_id]
    assert [one.comment.redacted for one in told] == [True, True]
    assert told[1].event_key.startswith(f"{told[0].event_key}:redacted:")
    missing = body.model_copy(update={"comment_id": "1"})
    result = sink.deliver([Delivery(key="x", body=missing)])[0]
    assert isinstance(result, Failure)
    assert isinstance(result.error, Refused)


def test_who_cannot_answer_cannot_be_the_hubs_account(account: Account) -> None:
    """A Zendesk that does not exist, a stranger's answer and agents who write internal notes only are told apart, in
    words."""
    sink = account.sink()
    account.fault("GET", "/api/v2/users/me.json", "status", status=200, body={"user": {"id": None, "role": "end-user"}})
    with pytest.raises(AuthenticationFailed, match="stranger"):
        sink.check_connection()
    account.fault("GET", "/api/v2/users/me.json", "status", status=200, body={"user": {"id": 5, "role": "end-user"}})
    with pytest.raises(ConfigurationError, match="agent or admin"):
        sink.check_connection()
    for limits, words in (
        ({"role_type": 1}, "light agent"),
        ({"role_type": 2}, "chat agent"),
        ({"role_type": 3}, "contributor"),
        ({"role_type": None, "chat_only": True}, "chat agent"),
        ({"role_type": 0, "only_private_comments": True}, "agent for internal notes only"),
    ):
        user = {"id": 5, "role": "agent", **limits}
        account.fault("GET", "/api/v2/users/me.json", "status", status=200, body={"user": user})
        with pytest.raises(ConfigurationError, match=f"{words} and cannot comment in public; give it the role Admin"):
            sink.check_connection()
    admin = {"id": 5, "role": "admin", "role_type": 4, "chat_only": False, "only_private_comments": False}
    account.fault("GET", "/api/v2/users/me.json", "status", status=200, body={"user": admin})
    assert sink.check_connection().details["role"] == "admin"
    account.fault("GET", "/api/v2/users/me.json", "status", status=404, body="No help desk at acme.zendesk.com")
    with pytest.raises(ConfigurationError, match="there is no Zendesk"):
        sink.check_connection()
