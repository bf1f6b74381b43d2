"""What went wrong in comparable systems, one test each, on both databases."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from hub.flow import receive
from hub.flow.hub import Timing
from hub.sdk import WebhookRequest
from hub.store import DatabaseBusy, lock_database
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House
from tests.flow.test_round_trip import answers, steps, texts


def webhook(house: House, entries: object, *, secret: str = "s3cret", raw: bytes | None = None) -> int:
    """Tell the hub as the network does; return the status it answers."""
    body = json.dumps(entries).encode() if raw is None else raw
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-signature": signature, "content-type": "application/json"}
    request = WebhookRequest("POST", "/hooks/network", headers, {}, body, house.clock())
    return receive.receive(house.hub, "network", request).status


def test_an_echo_that_arrives_before_the_send_call_returned_is_not_a_customers_message(house: House) -> None:
    """The webhook of our own answer comes while the delivery is still ``sending``: it waits for the receipt."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    statuses = []
    house.network.on_effect = lambda path, answer: (
        statuses.append(webhook(house, [house.network.feed[-1]])) if path == "reply" else None
    )
    steps(house, 10)
    assert statuses == [200]
    assert answers(house) == ["Hi!"]
    assert [text for text, _ in texts(house)].count("Hi!") == 1
    states = house.rows("SELECT state, reason FROM inbox WHERE payload LIKE '%Hi!%' AND connection='network'")
    assert [(row.state, row.reason) for row in states] == [("ignored", "echo of our own answer")]
    assert house.rows("SELECT id FROM event WHERE kind='answered_natively'") == []


def test_an_echo_waits_while_the_outcome_is_unknown(house: House) -> None:
    """The answer got lost and the echo comes first: it is held until the look has ended, then it is an echo."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.helpdesk.comment("r1", "Hi!")
    house.network.faults.add("reply", "after", 1)
    house.network.faults.add("own_replies", "before", 3)
    steps(house, 2)
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='reply'")] == ["unknown"]
    steps(house, 25)
    assert answers(house) == ["Hi!"]
    assert house.rows("SELECT id FROM event WHERE kind='answered_natively'") == []


def test_one_webhook_five_times_and_out_of_order_is_one_ticket_with_the_newest_text(house: House) -> None:
    """Re-deliveries and reordering change nothing."""
    post = house.network.post("anna", "first words")
    house.network.edit(post, "second words")
    created, edited = house.network.feed
    house.network.feed.clear()
    for entry in (edited, created, edited, created, created):
        assert webhook(house, [entry]) == 200
        steps(house, 2)
    assert len(house.helpdesk.records) == 1
    assert house.rows("SELECT text FROM message WHERE direction='inbound'")[0].text == "second words"
    assert len(texts(house)) == 1
    assert len(house.rows("SELECT id FROM message_revision")) == 2


def test_webhook_and_poll_of_the_same_post_are_one_message(house: House) -> None:
    """Both doors may be open at once."""
    house.network.post("anna", "Hello?")
    assert webhook(house, [house.network.feed[0]]) == 200
    steps(house)
    assert len(texts(house)) == 1


def test_a_token_that_dies_in_mid_batch_pauses_keeps_the_queue_and_resumes_by_itself(house: House) -> None:
    """One alarm, nothing lost, nothing tried in between, and work goes on when the token lives again."""
    for number in range(5):
        house.network.post(f"customer{number}", f"Hello {number}")
    steps(house)
    house.network.faults.add("reply", "token", 1)
    for number in range(1, 6):
        house.helpdesk.comment(f"r{number}", f"answer {number}")
    house.network.on_effect = lambda path, answer: (
        setattr(house.network.faults, "token_dead", True) if path == "reply" else None
    )
    house.network.faults.script.clear()
    steps(house, 4)
    published = len(answers(house))
    assert 1 <= published < 5
    row = house.rows("SELECT paused, paused_by FROM connection WHERE name='network'")[0]
    assert (bool(row.paused), row.paused_by) == (True, "hub")
    calls = house.network.calls
    steps(house, 20)
    assert house.network.calls == calls
    assert len(house.rows("SELECT id FROM alarm WHERE kind='authentication' AND closed_at IS NULL")) == 1
    house.network.faults.token_dead = False
    house.network.on_effect = lambda path, answer: None
    house.clock.forward(120)
    steps(house, 10)
    assert sorted(answers(house)) == [f"answer {number}" for number in range(1, 6)]
    assert house.rows("SELECT id FROM alarm WHERE closed_at IS NULL") == []


@pytest.mark.parametrize(("fault", "wait"), [("limited", 3), ("limited_silently", 30)])
def test_a_rate_limit_waits_as_long_as_the_vendor_says_and_is_no_attempt(house: House, fault: str, wait: int) -> None:
    """429 with and without Retry-After: the whole connection waits, nothing counts as failed."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", fault, 1)
    house.helpdesk.comment("r1", "Hi!")
    for _ in range(4):
        if house.rows("SELECT id FROM attempt WHERE outcome='wait'"):
            break
        house.step()
    house.clock.forward(wait - 1)
    house.step()
    assert answers(house) == []
    house.clock.forward(wait)
    steps(house, 3)
    assert answers(house) == ["Hi!"]
    row = house.rows("SELECT attempts, state FROM delivery WHERE verb='reply'")[0]
    assert (row.attempts, row.state) == (1, "done")


def test_a_poison_event_is_parked_with_its_trace_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that breaks the hub costs only itself."""
    from hub.flow import converse

    subject_of = converse.subject_of

    def broken(message: object) -> str:
        if "poison" in getattr(message, "text", ""):
            raise ZeroDivisionError("poison")
        return subject_of(message)  # type: ignore[arg-type]

    monkeypatch.setattr(converse, "subject_of", broken)
    house.network.post("anna", "before")
    house.network.post("bruno", "poison")
    house.network.post("carla", "after")
    steps(house)
    assert sorted(texts(house, record)[0][0] for record in house.helpdesk.records) == ["after", "before"]
    row = house.rows("SELECT state, reason, detail FROM inbox WHERE payload LIKE '%poison%'")[0]
    assert (row.state, row.reason) == ("parked", "ZeroDivisionError: poison")
    assert "Traceback" in row.detail


def test_an_unreadable_body_is_kept_parked_and_answered_200(house: House) -> None:
    """Signed but not understood: the vendor must not repeat it, and nothing is lost."""
    assert webhook(house, None, raw=b'{"what": "is this"}') == 200
    assert webhook(house, None, raw=b"\xff\xfe not json") == 200
    assert webhook(house, None, raw=b"[" * 100_000) == 200
    assert webhook(house, [{"kind": "post"}]) == 200
    rows = house.rows("SELECT state, reason FROM inbox")
    assert [row.state for row in rows] == ["parked"] * 4
    assert len(house.rows("SELECT id FROM arrival")) == 4


def test_a_wrong_signature_keeps_nothing_and_is_counted(house: House) -> None:
    """401, and only a number remains."""
    assert webhook(house, [], secret="guess") == 401
    assert house.rows("SELECT id FROM arrival") == []
    assert house.rows("SELECT signatures_rejected FROM connection WHERE name='network'")[0].signatures_rejected == 1


def test_a_key_that_expired_before_the_retry_is_looked_up_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its life the vendor's key makes a repeat safe; after it the hub looks instead of sending."""
    monkeypatch.setattr(FakeSource, "idempotent_for", timedelta(hours=1))
    monkeypatch.setattr(FakeSource, "settles_after", timedelta(seconds=5))
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "after", 1)
    house.helpdesk.comment("r1", "Hi!")
    for _ in range(6):
        if answers(house):
            break
        house.step()
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='reply'")] == ["unknown"]
    house.clock.forward(3700)
    steps(house, 4)
    # This vendor does not know keys at all: a repeat would show as a second post.
    assert answers(house) == ["Hi!"]
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='reply'")] == ["done"]


def test_a_helpdesk_that_took_the_ticket_and_lost_the_answer_has_one_record(house: House) -> None:
    """The record is found by a consistent read, linked, and the agent's answer is published."""
    house.helpdesk.faults.add("create", "after", 1)
    house.network.post("anna", "Hello?")
    steps(house)
    assert len(house.helpdesk.records) == 1
    house.helpdesk.comment("r1", "Hi!")
    steps(house)
    assert answers(house) == ["Hi!"]


def test_who_cannot_be_asked_whether_it_arrived_is_never_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second public reply is worse than a late one: parked, and the native echo proves it."""
    from hub.sdk import CannotTell

    monkeypatch.setattr(FakeSource, "find", lambda self, delivery: CannotTell(reason="the search is down"))
    house.hub.timing = Timing(looks=2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "after", 1)
    house.network.faults.add("events", "before", 1)
    house.helpdesk.comment("r1", "Hi!")
    house.step()
    held = [house.network.feed.pop()]  # the echo does not come yet
    steps(house, 12)
    row = house.rows("SELECT state, reason FROM delivery WHERE verb='reply'")[0]
    assert row.state == "parked"
    assert "nobody can tell" in row.reason
    assert len(answers(house)) == 1
    house.network.feed.extend(held)
    steps(house, 4)
    assert house.rows("SELECT state FROM delivery WHERE verb='reply'")[0].state == "done"
    assert len(answers(house)) == 1


def test_two_hubs_on_one_database_cannot_be(database_url: str) -> None:
    """The second names the first."""
    first = lock_database(database_url, "the hub at port 1")
    with pytest.raises(DatabaseBusy, match="the hub at port 1"):
        lock_database(database_url, "the hub at port 2")
    first.release()
    lock_database(database_url, "the hub at port 2").release()


def test_another_account_under_the_same_name_pauses_and_keeps_the_queue(house: House) -> None:
    """Nothing is ever said as somebody else."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.account = "another-brand"
    house.clock.forward(90_000)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 4)
    assert [post for post in house.network.posts.values() if post["text"] == "Hi!"] == []
    row = house.rows("SELECT paused FROM connection WHERE name='network'")[0]
    assert "another account" in row.paused
    house.network.account = "brand"
    house.clock.forward(120)
    steps(house, 6)
    assert answers(house) == ["Hi!"]


def test_a_vendor_that_was_down_gets_all_at_once_when_it_is_back(house: House) -> None:
    """The breaker probes one lane at a time and does not use up the deliveries' attempts."""
    house.helpdesk.faults.add("", "before", 10_000)
    for number in range(8):
        house.network.post(f"customer{number}", f"Hello {number}")
    steps(house, 60)
    assert house.helpdesk.records == {}
    assert house.rows("SELECT id FROM delivery WHERE state='parked'") == []
    house.helpdesk.faults.script.clear()
    steps(house, 6)
    assert len(house.helpdesk.records) == 8
    assert house.rows("SELECT id FROM alarm WHERE closed_at IS NULL") == []


def test_the_fuse_parks_what_no_person_caused(house: House) -> None:
    """Twenty automatic deliveries an hour for one ticket, then they park and one alarm is raised."""
    from hub.flow import track

    house.network.post("anna", "Hello?")
    steps(house)
    house.clock.forward(1)
    for number in range(25):
        house.store.run(
            lambda tx, number=number: track.tell_sink(
                house.hub,
                tx,
                track.fresh(tx, 1),
                cause=f"loop:{number}",
                now=house.clock(),
                by_person=False,
                note="again",
            )
        )
        house.step()
        house.clock.forward(6)
        house.step()
    states = [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='update_fields'")]
    assert states.count("parked") >= 4
    assert states.count("done") <= 21
    assert len(house.rows("SELECT id FROM alarm WHERE kind='fuse' AND closed_at IS NULL")) == 1


def test_a_stale_poller_cannot_move_the_cursor_back(house: House) -> None:
    """The cursor's version fences."""
    from hub.store import connections

    with house.store.read() as connection:
        old = connections.read_cursor(connection, "network")
    assert old is not None
    house.network.post("anna", "Hello?")
    steps(house, 2)
    moved = house.store.run(
        lambda tx: connections.save_cursor(tx, "network", old.value, version=old.version, now=house.clock())
    )
    assert moved is False


def test_a_crash_between_effect_and_receipt_is_looked_up_after_the_restart(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 in the middle of a send: one record, one answer."""

    class Killed(BaseException):
        pass

    deliver = FakeSink.deliver

    def die(self: FakeSink, deliveries: object) -> object:
        deliver(self, deliveries)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(FakeSink, "deliver", die)
    house.network.post("anna", "Hello?")
    with pytest.raises(Killed):
        steps(house)
    monkeypatch.setattr(FakeSink, "deliver", deliver)
    house.restart()
    steps(house)
    assert len(house.helpdesk.records) == 1
    assert [row.state for row in house.rows("SELECT state FROM delivery WHERE verb='open_ticket'")] == ["done"]


def test_texts_that_no_database_takes_are_stored_without_what_cannot_be(house: House) -> None:
    """NUL and half a surrogate pair in a customer's text cost themselves, not the message."""
    house.network.post("anna\x00", "Hel\x00lo \ud83d there")
    assert webhook(house, None, raw=b'[{"at": ' + b"9" * 5000 + b"}]") == 200
    steps(house)
    assert texts(house)[0][0] == "Hello ? there"


def test_after_a_restart_nothing_is_said_before_the_account_was_seen(house: House) -> None:
    """Another account's credentials under the same name: the queue is kept, nothing goes out from it."""
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "limited", 1)
    house.helpdesk.comment("r1", "Hi!")
    steps(house, 2)
    house.network.account = "somebody-else"
    house.clock.forward(60)
    house.restart()
    steps(house, 6)
    assert [post for post in house.network.posts.values() if post["text"] == "Hi!"] == []
    assert "another account" in house.rows("SELECT paused FROM connection WHERE name='network'")[0].paused


def test_many_parked_deliveries_do_not_stop_a_lane(database_url: str) -> None:
    """Sixty drafts that nobody released hold nothing that comes after them."""
    house = House(database_url)
    house.step()
    house.clock.forward(2)
    house.network.post("anna", "Hello?")
    steps(house)
    house.network.faults.add("reply", "refused", 60)
    for number in range(60):
        house.helpdesk.comment("r1", f"answer {number}")
    steps(house, 30)
    house.network.faults.script.clear()
    house.helpdesk.comment("r1", "at last")
    steps(house, 8)
    assert answers(house)[-1:] == ["at last"]
    house.close()


def test_a_clock_that_was_set_back_does_not_stop_the_polls(house: House) -> None:
    """A next poll far in the future was written by a clock that is wrong no more."""
    house.clock.forward(7200)
    steps(house, 2)
    house.clock.forward(-7200)
    house.network.post("anna", "Hello?")
    steps(house)
    assert len(house.helpdesk.records) == 1


def test_a_vendors_absurd_waiting_time_is_cut_to_a_day(house: House) -> None:
    """Retry-After 10^30 is no overflow."""
    from hub.flow import retry
    from hub.sdk import RateLimited

    assert retry.wait_of(house.hub, RateLimited("slow", retry_after=1e30)) == timedelta(days=1)
