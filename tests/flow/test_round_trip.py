"""One message there and back, through the engine's steps, on both databases."""

from __future__ import annotations

import json

import pytest

from hub.flow import parked
from hub.sdk import ConnectorError, Failure, RecordClosed, Refused
from hub.store import connections
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House


def steps(house: House, count: int = 6) -> None:
    """Let some rounds go by, a second each."""
    for _ in range(count):
        house.step()
        house.clock.forward(1)


def texts(house: House, record: str = "r1") -> list[tuple[str, bool]]:
    """What the helpdesk's record holds."""
    return [(comment["text"], comment["public"]) for comment in house.helpdesk.records[record]["comments"]]


def answers(house: House) -> list[str]:
    """What the company said on the network."""
    return [post["text"] for post in house.network.own()]


def test_a_post_becomes_a_record_and_a_public_answer_appears_under_it(house: House) -> None:
    """The main job, with the proof of publication back in the record."""
    post = house.network.post("anna", "My parcel is late")
    steps(house)
    assert texts(house) == [("My parcel is late", True)]
    house.helpdesk.comment("r1", "We are sorry, it comes tomorrow.")
    steps(house, 10)
    assert [(p["text"], p["reply_to"]) for p in house.network.own()] == [("We are sorry, it comes tomorrow.", post)]
    assert texts(house)[-1] == ("published https://fake.example.com/p2", False)


@pytest.mark.parametrize(
    "comment",
    [{"public": False}, {"automatic": True}, {"role": "end-user"}, {"role": "system"}],
    ids=["internal note", "trigger", "end user", "system"],
)
def test_only_a_human_agents_public_word_is_published(house: House, comment: dict[str, object]) -> None:
    """Notes, automatisms and other roles never reach the customer."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "secret", **comment)
    steps(house, 10)
    assert answers(house) == []


def test_an_old_note_made_public_is_not_published_and_the_agent_is_told(house: House) -> None:
    """What was internal when first seen stays internal; the event waits, parked, for a person."""
    house.network.post("anna", "Hello?")
    steps(house)
    note = house.helpdesk.comment("r1", "customer is difficult", public=False)
    steps(house)
    house.helpdesk.make_public(note)
    steps(house, 10)
    assert answers(house) == []
    assert any("made public" in text and not public for text, public in texts(house))
    assert [row.state for row in house.rows("SELECT state FROM inbox WHERE type='comment' AND state='parked'")]


def test_an_answer_taken_back_in_time_never_goes_out(house: House) -> None:
    """Its author makes it internal while the network is down: "public when first seen, unchanged since"."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "before", 4)
    answer = house.helpdesk.comment("r1", "Dear Bob, your refund ...")
    steps(house)
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='reply'")] == ["waiting"]
    comment = house.helpdesk.records["r1"]["comments"][-1]
    assert comment["id"] == answer
    comment["public"] = False
    house.helpdesk.feed.append({"kind": "comment", **comment})
    house.settle()
    assert answers(house) == []
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='reply'")] == ["discarded"]


def test_a_note_made_public_before_the_hub_ever_saw_it_private_is_a_reply(house: House) -> None:
    """Only what was seen as internal counts as an old note."""
    house.network.post("anna", "Hello?")
    steps(house)
    note = house.helpdesk.comment("r1", "Hi Anna!", public=False)
    house.helpdesk.feed.pop()
    house.helpdesk.make_public(note)
    steps(house, 6)
    assert answers(house) == ["Hi Anna!"]


def test_a_second_post_within_a_day_is_a_second_comment_of_the_same_ticket(house: House) -> None:
    """Same identity, another thread, unsolved ticket: one ticket with two conversations."""
    house.network.post("anna", "first")
    steps(house)
    house.network.post("anna", "second")
    steps(house)
    assert [text for text, _ in texts(house)] == ["first", "second"]
    assert len(house.rows("SELECT id FROM conversation")) == 2


def test_two_customers_in_one_thread_have_a_ticket_each(house: House) -> None:
    """Never across identities."""
    post = house.network.post("anna", "Down again?")
    house.network.post("bruno", "Here too", reply_to=post)
    steps(house, 8)
    assert [texts(house, record)[0][0] for record in ("r1", "r2")] == ["Down again?", "Here too"]


@pytest.mark.parametrize(("days", "records"), [(6, 1), (8, 2)])
def test_a_solved_ticket_reopens_within_a_week(house: House, days: int, records: int) -> None:
    """Solved less than 7 days ago in the same thread: reopened; later: a new ticket."""
    post = house.network.post("anna", "first")
    steps(house)
    house.helpdesk.set_fields("r1", status="solved")
    steps(house)
    house.clock.forward(days * 86400)
    house.network.post("anna", "again", reply_to=post)
    steps(house)
    assert len(house.helpdesk.records) == records
    assert len(house.rows("SELECT id FROM event WHERE kind='reopened'")) == 2 - records


def test_nothing_written_before_the_connection_was_made_is_answered(house: House) -> None:
    """History is ignored with a reason."""
    house.network.post("anna", "old", at=house.clock.stamp() - 3600)
    steps(house)
    assert house.helpdesk.records == {}
    assert house.rows("SELECT reason FROM inbox")[0].reason == "written before the connection was made"


def test_the_first_poll_reads_no_history(database_url: str) -> None:
    """It stores the cursor "now"."""
    house = House(database_url)
    house.network.post("anna", "long ago")
    steps(house, 4)
    assert house.rows("SELECT id FROM inbox") == []
    house.close()


def test_an_edit_before_the_delivery_left_changes_it_and_later_adds_a_comment(house: House) -> None:
    """The agent always sees the present text, and that it changed."""
    post = house.network.post("anna", "frist")
    house.helpdesk.faults.add("create", "before", 1)
    house.step()  # stored, and the first attempt fails: it left, so the body is frozen
    house.clock.forward(1)
    house.network.edit(post, "first")
    steps(house, 8)
    assert texts(house)[0] == ("frist", True)
    assert any("edited" in text and "first" in text for text, _ in texts(house))


def test_a_deletion_is_told_to_the_agent_and_never_resurrected(house: House) -> None:
    """The customer deletes; a late copy of the creation changes nothing."""
    post = house.network.post("anna", "delete me")
    steps(house)
    created = house.network.feed[0]
    house.network.delete(post)
    steps(house)
    assert any("deleted this message" in text and not public for text, public in texts(house))
    house.network.feed.append({**created, "edited": house.clock.stamp()})
    steps(house)
    assert len(house.rows("SELECT id FROM event WHERE kind='customer_edited'")) == 0


def test_a_deletion_that_comes_before_its_creation_wins(house: House) -> None:
    """A tombstone keeps a late creation from becoming a ticket."""
    post = house.network.post("anna", "never mind")
    house.network.delete(post)
    house.network.feed.reverse()
    steps(house)
    assert house.helpdesk.records == {}
    reasons = {row.reason for row in house.rows("SELECT reason FROM inbox")}
    assert reasons == {"deleted before it arrived"}


def test_an_answer_in_the_native_app_is_told_to_the_helpdesk_and_not_published_again(house: House) -> None:
    """It is the company's public word and stops the clock."""
    post = house.network.post("anna", "Hello?")
    steps(house)
    house.network.post("brand", "Hi, from my phone", reply_to=post)
    steps(house, 10)
    assert answers(house) == ["Hi, from my phone"]
    assert any("Hi, from my phone" in text and public for text, public in texts(house))
    assert house.rows("SELECT answered_at FROM ticket")[0].answered_at is not None


def test_a_private_message_is_answered_in_private(house: House) -> None:
    """Never wider than what it answers."""
    house.network.post("anna", "my card is 1", private=True)
    steps(house)
    house.helpdesk.comment("r1", "thanks")
    steps(house, 6)
    assert [(post["text"], post["private"]) for post in house.network.own()] == [("thanks", True)]


def test_a_long_answer_goes_out_in_parts_each_under_the_one_before(house: House) -> None:
    """Parts keep their order and their thread."""
    post = house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "This is a sentence of an answer. " * 16)
    steps(house, 10)
    own = house.network.own()
    assert [len(one["text"]) <= 200 for one in own] == [True] * 3
    assert [one["reply_to"] for one in own] == [post, own[0]["id"], own[1]["id"]]


def test_a_refused_part_holds_the_later_parts_and_the_agent_is_told_why(house: House) -> None:
    """The rest of the answer waits; other answers of the lane go on."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "refused", 1)
    house.helpdesk.comment("r1", "This is a sentence of an answer. " * 16)
    steps(house, 6)
    house.helpdesk.comment("r1", "short answer")
    steps(house, 6)
    assert answers(house) == ["short answer"]
    assert any("NOT published" in text and not public for text, public in texts(house))


def test_an_answer_with_a_card_number_comes_back_as_a_note(house: House) -> None:
    """Personal data in public is refused with reason and next step."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Your card 4111 1111 1111 1111 was charged")
    steps(house, 6)
    assert answers(house) == []
    assert any("card number" in text and "What you can do" in text for text, _ in texts(house))


def test_observe_shows_what_would_be_said_and_says_nothing(database_url: str) -> None:
    """The answer is in the hub, discarded by the mode, and nowhere else."""
    house = House(database_url, mode="observe")
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 6)
    assert answers(house) == []
    assert any("NOT published" in text and "Hi!" in text and not public for text, public in texts(house))
    rows = house.rows("SELECT reason FROM delivery WHERE state='discarded'")
    assert [row.reason for row in rows] == ["observe mode: nothing is published"]
    house.close()


def test_a_draft_waits_for_the_agents_word(database_url: str) -> None:
    """The agent sees the text as an internal note; the tag publishes it, once."""
    house = House(database_url, mode="draft")
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 6)
    assert answers(house) == []
    assert any("Draft" in text and "Hi!" in text and "sch-send" in text and not public for text, public in texts(house))
    assert any("published on Fake" in text and "the macro “Send this draft”" in text for text, _ in texts(house))
    house.helpdesk.set_fields("r1", tags=["sch-send"])
    steps(house, 6)
    house.helpdesk.set_fields("r1", tags=["sch-send"], status="open")
    steps(house, 6)
    assert answers(house) == ["Hi!"]
    house.close()


@pytest.mark.parametrize("end", ["released", "discarded"])
def test_the_record_shows_while_a_draft_waits(database_url: str, end: str) -> None:
    """A tag for the agents' views comes with the draft and goes with it, however it ends."""
    house = House(database_url, mode="draft")
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 8)
    assert tag_changes(house) == [(["sch-draft"], [])]
    if end == "released":
        house.helpdesk.set_fields("r1", tags=["sch-send"])
    else:
        (draft,) = house.rows("SELECT id FROM delivery WHERE state = 'parked'")
        parked.discard(house.hub, "outbox", draft.id, actor="anna")
    steps(house, 12)
    assert [removed for _, removed in tag_changes(house)[1:] if "sch-draft" in removed]
    house.close()


def tag_changes(house: House) -> list[tuple[list[str], list[str]]]:
    """Tags put on and taken off, in order, of the updates that left."""
    rows = house.rows("SELECT body FROM delivery WHERE verb = 'update_fields' AND state = 'done' ORDER BY id")
    bodies = [json.loads(row.body) for row in rows]
    changes = [(body["tags_add"], body["tags_remove"]) for body in bodies]
    return [change for change in changes if any(change)]


def test_an_observed_helpdesk_is_not_touched(database_url: str) -> None:
    """Nothing is written to a sink in observe mode; once it is live, the next message brings the earlier ones along."""
    house = House(database_url, sink_mode="observe")
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "one")
    steps(house)
    assert house.helpdesk.records == {}
    house.store.run(lambda tx: connections.change(tx, "desk", mode="live"))
    house.network.post("anna", "two")
    steps(house)
    assert texts(house) == [("one", True), ("two", True)]
    house.network.post("anna", "three")
    steps(house)
    assert texts(house) == [("one", True), ("two", True), ("three", True)]
    house.close()


def test_stop_talking_halts_answers_and_later_lets_them_go(house: House) -> None:
    """One switch for all outbound; nothing is lost by it."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.store.run(lambda tx: connections.set_switch(tx, "stop-talking", True, now=house.clock()))
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 6)
    assert answers(house) == []
    house.store.run(lambda tx: connections.set_switch(tx, "stop-talking", False, now=house.clock()))
    steps(house, 3)
    assert answers(house) == ["Hi!"]


def test_a_closed_record_gets_a_follow_up_at_the_same_place_in_the_lane(house: House) -> None:
    """A comment on a closed record opens another record instead."""
    post = house.network.post("anna", "first")
    steps(house)
    house.helpdesk.records["r1"]["fields"]["status"] = "closed"  # closed in the helpdesk, not reported yet
    house.network.post("anna", "second", reply_to=post)
    steps(house, 8)
    assert texts(house, "r2")[0] == ("second", True)


@pytest.mark.parametrize(
    ("error", "verb"), [(Refused("the record is closed", detail="closed"), "add_comment"), (RecordClosed("x"), "reply")]
)
def test_only_a_closed_record_that_takes_no_comment_opens_a_follow_up(
    house: House, monkeypatch: pytest.MonkeyPatch, error: ConnectorError, verb: str
) -> None:
    """The class says it, not a word in ``detail``; and only for a comment."""
    post = house.network.post("anna", "first")
    steps(house)
    connector = FakeSink if verb == "add_comment" else FakeSource
    monkeypatch.setattr(connector, "deliver", lambda self, deliveries: [Failure(error)])
    if verb == "add_comment":
        house.network.post("anna", "second", reply_to=post)
    else:
        house.helpdesk.comment("r1", "Hi!")
    steps(house, 6)
    assert next(row.verb for row in house.rows("SELECT verb FROM delivery WHERE state = 'parked'")) == verb
    assert house.rows("SELECT id FROM event WHERE kind = 'follow_up'") == []


def test_a_parked_answer_is_tried_again_by_hand_once(house: House) -> None:
    """Retry is audited and sends what was frozen."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "refused", 1)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 6)
    row = house.rows("SELECT id FROM delivery WHERE state='parked'")[0]
    parked.retry(house.hub, "outbox", row.id, actor="test")
    steps(house, 3)
    assert answers(house) == ["Hi!"]
    with pytest.raises(parked.NotParked):
        parked.retry(house.hub, "outbox", row.id, actor="test")
    assert [one.action for one in house.rows("SELECT action FROM audit")] == ["retry"]


def test_collected_data_reaches_the_helpdesk_and_lies_encrypted_in_the_hub(database_url: str) -> None:
    """An order number in the text is found by the category's pattern, and nowhere in the database as a field."""
    from hub.configuration import Category, CategoryField
    from hub.sdk import Decision
    from tests.fakes.connectors import FakeSink

    class ToDelivery:
        name = "to-delivery"

        def decide(self, questions: list[object]) -> list[Decision]:
            """Everything is about a delivery."""
            return [Decision(category="delivery")] * len(questions)

    seen: list[dict[str, str]] = []
    deliver = FakeSink.deliver

    def look(self: FakeSink, batch: object) -> object:
        seen.append(dict(batch[0].body.ticket.fields))  # type: ignore[index]
        return deliver(self, batch)  # type: ignore[arg-type]

    house = House(database_url)
    field = CategoryField(
        name="order_number", purpose="to find it", pattern="[A-Z]{2}-[0-9]{6}", find="[A-Z]{2}-[0-9]{6}"
    )
    house.hub.categories = {"delivery": Category(name="delivery", fields=(field,))}
    house.hub.routers = [ToDelivery()]  # type: ignore[list-item]
    house.step()
    house.clock.forward(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeSink, "deliver", look)
        house.network.post("anna", "My order AB-123456 is late")
        steps(house)
    assert seen == [{"order_number": "AB-123456"}]
    assert '"order_number"' not in house.rows("SELECT body FROM delivery")[0].body
    assert "AB-123456" not in house.rows("SELECT fields FROM ticket")[0].fields
    house.close()


def test_private_and_public_words_of_one_customer_never_share_a_ticket(house: House) -> None:
    """An answer to a private word never appears in public, whatever the customer writes in between."""
    private = house.network.post("maya", "my e-mail is m@example.com", private=True)
    steps(house)
    public = house.network.post("maya", "hello?!")
    steps(house)
    house.helpdesk.comment("r1", "We wrote to m@example.com")
    house.helpdesk.comment("r2", "Hello Maya!")
    steps(house)
    said = {post["text"]: (post["reply_to"], post["private"]) for post in house.network.own()}
    assert said == {"We wrote to m@example.com": (private, True), "Hello Maya!": (public, False)}
    bodies = (json.loads(row.body) for row in house.rows("SELECT body FROM delivery WHERE verb = 'update_fields'"))
    proofs = {body["record_id"]: proof["privacy"] for body in bodies for proof in body["proofs"]}
    assert proofs == {"r1": "direct", "r2": "public"}, "agents are told who can read it"


def test_a_private_word_in_a_public_thread_is_a_ticket_of_its_own(house: House) -> None:
    """The thread is one, the tickets are two."""
    public = house.network.post("tom", "where is it?")
    steps(house)
    house.network.post("tom", "my iban is secret", reply_to=public, private=True)
    steps(house)
    assert [texts(house, record)[0][0] for record in ("r1", "r2")] == ["where is it?", "my iban is secret"]


def test_a_reply_in_a_solved_thread_reopens_it_though_another_ticket_is_open(house: House) -> None:
    """The thread says more than the day."""
    first = house.network.post("anna", "first")
    steps(house)
    house.helpdesk.set_fields("r1", status="solved")
    steps(house)
    house.network.post("anna", "second")
    steps(house)
    house.network.post("anna", "not solved", reply_to=first)
    steps(house)
    assert [text for text, public in texts(house, "r1") if public] == ["first", "not solved"]


def test_a_reworded_draft_replaces_the_one_that_waits(database_url: str) -> None:
    """Only the newest wording is published; a retry by hand does not publish a draft."""
    house = House(database_url, mode="draft")
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hy!")
    steps(house, 4)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 4)
    assert any("replaces the draft" in text for text, _ in texts(house))
    row = house.rows("SELECT id FROM delivery WHERE state='parked'")[0]
    with pytest.raises(parked.DraftWaits):
        parked.retry(house.hub, "outbox", row.id, actor="test")
    house.helpdesk.set_fields("r1", tags=["sch-send"])
    steps(house, 6)
    assert answers(house) == ["Hi!"]
    house.close()


def test_the_proof_names_every_part(house: House) -> None:
    """A split answer is proven part by part."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "This is a sentence of an answer. " * 16)
    steps(house, 12)
    proof = texts(house)[-1][0]
    assert [f"https://fake.example.com/{post['id']}" in proof for post in house.network.own()] == [True] * 3
