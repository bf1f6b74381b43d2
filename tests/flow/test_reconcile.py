"""Both sides are compared: each planted difference is found, told, and repaired as far as a machine may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hub.flow import comparing, mending
from hub.sdk import AuthenticationFailed, RateLimited, Refused
from tests.fakes.house import House
from tests.fakes.readable_desk import HOUR, Desk, answered, compare, do, kinds, live, notes, said, unheard


@pytest.fixture
def house(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A hub with one answered ticket that is an hour old."""
    monkeypatch.setattr(Desk, "troubles", [])
    monkeypatch.setattr(Desk, "asked", [])
    house = answered(database_url)
    yield house
    house.close()


def test_two_sides_that_agree_say_so(house: House) -> None:
    """Counted, hashed, equal; a certificate is kept and no alarm is open."""
    made = compare(house)
    assert (made.records, made.comments, made.found, made.agrees, made.whole) == (1, 3, 0, True, True)
    assert made.ours == made.theirs != ""
    assert house.rows("SELECT id FROM alarm") == []
    assert [row.found for row in house.rows("SELECT found FROM certificate")] == [0]


def test_a_missed_answer_is_found_and_published_once(house: House) -> None:
    """An agent's fresh answer that no channel told of goes through the inbox, as if by webhook: published, once."""
    unheard(house, "And here is the number.")
    house.clock.forward(HOUR)
    made = compare(house)
    assert kinds(made) == ["comment_unknown"]
    assert made.ours != made.theirs
    live(house)
    assert said(house) == ["It comes tomorrow."], "without --repair nothing changes"
    assert house.rows("SELECT id FROM audit") == []
    again = compare(house, repair=True)
    assert (again.found, again.repaired, again.left) == (1, 1, 0)
    (audited,) = house.rows("SELECT actor, action, object FROM audit")
    assert tuple(audited) == ("hub", "repair", "desk")
    live(house, 20)
    compare(house, repair=True)
    live(house, 20)
    assert said(house) == ["It comes tomorrow.", "And here is the number."]
    house.clock.forward(HOUR)
    assert compare(house).agrees


def test_an_old_missed_answer_is_kept_and_noted_and_never_published(house: House) -> None:
    """More than a day late it would confuse the customer: the agent is told inside the record and decides."""
    unheard(house, "Call us at once.")
    house.clock.forward(25 * HOUR)
    assert kinds(compare(house)) == ["comment_late"]
    assert compare(house, repair=True).left == 0
    live(house, 20)
    compare(house, repair=True)
    live(house, 20)
    assert said(house) == ["It comes tomorrow."]
    assert [note for note in notes(house) if "came to the hub only now" in note] != []
    assert len([note for note in notes(house) if "came to the hub only now" in note]) == 1
    events = house.rows("SELECT data FROM event WHERE kind='comment_not_published'")
    assert [mending.FOUND_LATE in row.data for row in events] == [True]
    assert [row.sender_kind for row in house.rows("SELECT sender_kind FROM message WHERE text LIKE 'Call%'")] == [
        "agent"
    ]
    house.clock.forward(HOUR)
    assert compare(house).agrees


def test_the_day_is_what_keeps_an_old_answer_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule taken out the old answer would be published: the test above can fail."""
    monkeypatch.setattr(comparing, "TOO_OLD_TO_SAY", timedelta(days=999))
    unheard(house, "Call us at once.")
    house.clock.forward(25 * HOUR)
    compare(house, repair=True)
    live(house, 20)
    assert said(house) == ["It comes tomorrow.", "Call us at once."]


@pytest.mark.parametrize(
    "comment",
    [{"public": False}, {"automatic": True}, {"role": "end-user"}, {"role": "system"}],
    ids=["internal note", "trigger", "end user", "system"],
)
def test_what_a_webhook_would_not_publish_a_repair_does_not_either(house: House, comment: dict[str, Any]) -> None:
    """The rules of the ordinary road hold, also for what is older than a day: it comes in, and goes nowhere."""
    unheard(house, "Not for the customer", **comment)
    house.clock.forward(25 * HOUR)
    made = compare(house, repair=True)
    assert (kinds(made), made.left) == (["comment_unknown"], 0)
    live(house, 20)
    assert said(house) == ["It comes tomorrow."]
    assert not [note for note in notes(house) if "came to the hub only now" in note]
    house.clock.forward(HOUR)
    assert compare(house).agrees


def test_what_is_minutes_old_is_not_missing_yet(house: House) -> None:
    """The ordinary roads get their time before anything counts as lost."""
    unheard(house, "Just now")
    house.clock.forward(60)
    made = compare(house)
    assert (made.agrees, made.young) == (True, 1), "left out, and not in silence"
    house.clock.forward(HOUR)
    made = compare(house)
    assert (made.found, made.young) == (1, 0)


def test_an_event_that_was_ignored_is_taken_up_again(house: House) -> None:
    """It had come before its record was known here, and its key is used up: the same row goes round again."""
    unheard(house, "Came too early")
    key = house.helpdesk.records["r1"]["comments"][-1]["id"]
    now = round(house.clock.stamp() * 1000)
    do(
        house,
        "INSERT INTO inbox (connection, event_key, lane, type, payload, state, reason, created_at, due_at, attempts) "
        f"VALUES ('desk', 'comment:{key}:public', 'record:r1', 'comment', 'gone', 'ignored', 'not a record of ours', "
        f"{now}, {now}, 0)",
    )
    house.clock.forward(HOUR)
    assert compare(house, repair=True).repaired == 1
    live(house)
    assert said(house) == ["It comes tomorrow.", "Came too early"]
    assert len(house.rows("SELECT id FROM inbox WHERE event_key LIKE 'comment:c%' AND state='parked'")) == 0


@pytest.mark.parametrize(("state", "found"), [("parked", ["comment_parked"]), ("discarded", [])])
def test_what_a_person_must_decide_or_has_decided_is_left_alone(house: House, state: str, found: list[str]) -> None:
    """A parked event is told with its number; one that was given up is no difference."""
    unheard(house, "Stopped")
    key = house.helpdesk.records["r1"]["comments"][-1]["id"]
    now = round(house.clock.stamp() * 1000)
    do(
        house,
        "INSERT INTO inbox (connection, event_key, lane, type, payload, state, created_at, due_at, attempts) "
        f"VALUES ('desk', 'comment:{key}:public', 'record:r1', 'comment', 'x', '{state}', {now}, {now}, 0)",
    )
    house.clock.forward(HOUR)
    made = compare(house, repair=True)
    assert (kinds(made), made.repaired) == (found, 0)
    live(house)
    assert said(house) == ["It comes tomorrow."]


def test_a_receipt_without_its_comment_link_is_linked_again(house: House) -> None:
    """Our own comment must not come back as somebody else's word."""
    do(house, "DELETE FROM comment_link WHERE vendor_id='c1'")
    made = compare(house, repair=True)
    assert (kinds(made), made.left) == (["comment_unlinked"], 0)
    live(house, 20)
    assert [row.direction for row in house.rows("SELECT direction FROM comment_link WHERE vendor_id='c1'")] == ["ours"]
    assert said(house) == ["It comes tomorrow."]
    assert compare(house).agrees


def test_a_receipt_that_names_no_comment_is_known_by_its_mark(house: House) -> None:
    """Vendors that take many at once tell no numbers: the mark on the comment is proof, and its absence is a loss."""
    house.network.post("anna", "Hello?", reply_to="p1")
    live(house)
    house.clock.forward(HOUR)
    comment = house.helpdesk.records["r1"]["comments"][-1]
    do(house, f"DELETE FROM comment_link WHERE vendor_id='{comment['id']}'")
    do(house, f"UPDATE delivery SET receipt='{{\"vendor_id\":\"\"}}', receipt_id='' WHERE uuid='{comment['ref']}'")
    made = compare(house)
    assert (made.agrees, made.comments) == (True, 4)
    assert made.ours == made.theirs
    house.helpdesk.records["r1"]["comments"].pop()
    assert [one["kind"] for one in compare(house).differences] == ["comment_gone"]


def test_an_answer_whose_link_was_lost_is_not_taken_in_twice(house: House) -> None:
    """Message and answer are there, the link is not: only the link is written again."""
    do(house, "DELETE FROM comment_link WHERE direction='theirs'")
    assert (compare(house, repair=True).left, len(house.rows("SELECT id FROM message"))) == (0, 2)
    live(house, 20)
    assert said(house) == ["It comes tomorrow."]
    assert compare(house).agrees


def test_a_comment_that_is_gone_there_is_told_and_not_sent_again(house: House) -> None:
    """A receipt says that it arrived; a second one is a person's decision."""
    house.helpdesk.records["r1"]["comments"].pop(0)
    made = compare(house, repair=True)
    assert ([(one["kind"], one["detail"]) for one in made.differences], made.repaired) == (
        [("comment_gone", "ours")],
        0,
    )
    do(house, "DELETE FROM comment_link WHERE vendor_id='c1'")
    made = compare(house, repair=True)
    assert [(one["kind"], one["comment"]) for one in made.differences] == [("comment_gone", "c1")]
    assert made.differences[0]["detail"].startswith("delivery ")
    live(house, 20)
    assert len(house.helpdesk.records["r1"]["comments"]) == 2


def test_a_text_changed_unheard_is_taken_over_and_not_said_again(house: House) -> None:
    """What the customer was told stays; the timeline says that the comment changed."""
    house.helpdesk.records["r1"]["comments"][1]["text"] = "It comes on Friday."
    assert kinds(compare(house, repair=True)) == ["text_differs"]
    live(house, 20)
    assert said(house) == ["It comes tomorrow."]
    assert len(house.rows("SELECT id FROM event WHERE kind='comment_changed'")) == 1
    assert compare(house).agrees


def test_an_old_note_made_public_unheard_parks_and_asks(house: House) -> None:
    """The rule of the ordinary road: never published, the agent is told, the event waits for a person."""
    note = house.helpdesk.comment("r1", "Customer is difficult", public=False)
    live(house)
    house.helpdesk.make_public(note)
    house.helpdesk.feed.pop()
    house.clock.forward(HOUR)
    assert kinds(compare(house, repair=True)) == ["visibility_differs"]
    live(house, 20)
    assert said(house) == ["It comes tomorrow."]
    assert any("made public" in text for text in notes(house))
    assert len(house.rows("SELECT id FROM inbox WHERE state='parked'")) == 1


def test_fields_that_differ_are_taken_over(house: House) -> None:
    """Status and priority as the helpdesk has them, whatever clock stood beside them here."""
    do(house, """UPDATE record_link SET mirrored = '{"status":"open","priority":"high","at":99999999999}'""")
    do(house, "UPDATE ticket SET status='open'")
    made = compare(house, repair=True)
    assert made.differences[0]["detail"] == "status (open here, pending there)"
    live(house)
    assert [row.status for row in house.rows("SELECT status FROM ticket")] == ["pending"]
    assert compare(house).agrees


def test_a_category_nobody_wrote_there_is_no_difference(house: House) -> None:
    """A category field that was named later is empty in older records: nothing to report, nothing to repair. Another
    category is a difference as ever."""
    do(house, """UPDATE record_link SET mirrored = '{"category":"delivery"}'""")
    house.helpdesk.records["r1"]["fields"]["category"] = ""
    assert compare(house, repair=True).agrees
    house.helpdesk.records["r1"]["fields"]["category"] = "billing"
    (difference,) = compare(house).differences
    assert difference["detail"] == "category"


def test_a_record_deleted_unheard_is_one_difference(house: House) -> None:
    """Not one for each of its comments."""
    gone = house.helpdesk.records.pop("r1")
    assert kinds(compare(house, repair=True)) == ["record_deleted"]
    live(house)
    assert [row.deleted_how for row in house.rows("SELECT deleted_how FROM record_link")] == [
        "reported by the helpdesk"
    ]
    assert compare(house).records == 0
    assert gone["id"] == "r1"


def test_a_merge_unheard_is_followed(house: House) -> None:
    """What the customer says from now on goes to the record the agents kept."""
    house.helpdesk.records["r1"]["merged_into"] = "r9"
    assert kinds(compare(house, repair=True)) == ["record_merged"]
    live(house)
    active = house.rows("SELECT vendor_id FROM record_link WHERE active")
    assert [row.vendor_id for row in active] == ["r9"]


def test_a_record_that_lost_our_id_is_told(house: House) -> None:
    """The helpdesk says it is none of ours: nobody but a person can know why."""
    house.helpdesk.records["r1"]["not_ours"] = True
    made = compare(house, repair=True)
    assert (kinds(made), made.left) == (["record_not_ours"], 1)
    uid = house.rows("SELECT uid FROM ticket")[0].uid
    assert (made.differences[0]["record"], made.differences[0]["detail"]) == ("r1", f"external id {uid}")
    (alarm,) = house.rows("SELECT text FROM alarm WHERE kind = 'reconcile'")
    assert alarm.text.startswith("1 difference between hub and helpdesk: hub reconcile ")
    assert "answers there go nowhere: r1" in alarm.text


def test_a_ticket_without_a_record_is_told_or_linked(house: House) -> None:
    """Its opening is parked: a person's. Its opening is done: the receipt says which record it is."""
    house.helpdesk.faults.add("create", "refused")
    house.network.post("bruno", "Hello?")
    live(house, 20)
    house.clock.forward(HOUR)
    assert kinds(compare(house, repair=True)) == ["opening_parked"]
    do(house, "DELETE FROM comment_link")
    do(house, "DELETE FROM record_link")
    made = compare(house, repair=True)
    assert sorted(kinds(made)) == ["opening_parked", "record_unlinked"]
    assert made.left == 1
    assert [row.vendor_id for row in house.rows("SELECT vendor_id FROM record_link")] == ["r1"]
    compare(house, repair=True)
    live(house)
    assert said(house) == ["It comes tomorrow."]
    assert kinds(compare(house)) == ["opening_parked"]


def test_a_parked_delivery_that_did_arrive_is_told(house: House) -> None:
    """Nobody could tell whether it arrived; now both sides show it."""
    uuid = house.rows("SELECT uuid FROM delivery WHERE verb='open_ticket'")[0].uuid
    do(house, "DELETE FROM comment_link WHERE vendor_id='c1'")
    do(house, "UPDATE delivery SET state='parked', receipt=NULL, receipt_id=NULL WHERE verb='open_ticket'")
    assert house.helpdesk.records["r1"]["comments"][0]["ref"] == uuid
    assert kinds(compare(house, repair=True)) == ["parked_but_there"]


def test_what_is_on_its_way_is_left_out(house: House) -> None:
    """A record with something waiting on either side is looked at twice and then only counted."""
    do(house, "UPDATE delivery SET state='waiting' WHERE verb='open_ticket'")
    unheard(house, "Missed")
    house.clock.forward(HOUR)
    made = compare(house)
    assert (made.moving, made.records, made.found) == (1, 0, 0)
    assert Desk.asked == ["r1", "r1"]


def test_a_rate_limit_is_waited_out(house: House) -> None:
    """The record is read when the vendor allows it."""
    Desk.troubles[:] = [RateLimited("slow down", retry_after=30)]
    before = house.clock()
    assert compare(house).records == 1
    assert house.clock() - before >= timedelta(seconds=30)


def test_a_record_that_cannot_be_read_is_told_and_the_others_are_compared(house: House) -> None:
    """One refusal is a difference of its own; several in a row mean that nothing can be certified."""
    house.network.post("bruno", "Hello?")
    live(house)
    house.clock.forward(HOUR)
    Desk.troubles[:] = [Refused("no right to see it")]
    made = compare(house)
    assert (kinds(made), made.records) == (["record_unread"], 1)
    Desk.troubles[:] = [AuthenticationFailed("the token is dead")]
    with pytest.raises(AuthenticationFailed):
        compare(house)
    assert len(house.rows("SELECT id FROM certificate")) == 1
