"""What is particular to Request Tracker: its silent refusals, its roads for answers, merges, deletions, setup."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
import requests
from rt_cases import NOW, comment, error_of, fields, make_sink, opening, read, sent, vendor_here
from rt_vendor import AGENT, HUB, SECRET, RequestTracker, signed

from hub.sdk import (
    Absent,
    Attachment,
    AuthenticationFailed,
    CannotTell,
    ConfigurationError,
    Found,
    Hint,
    OutcomeUnknown,
    PayloadNotUnderstood,
    Proof,
    RecordChanged,
    Refused,
    SignatureRejected,
    TemporaryFailure,
    UnsupportedEvent,
    in_language,
)
from hub.testing.vendor import reply

PICTURE = Attachment(url="https://social.example/p.png", name="photo.png", alt_text="a broken box")


@pytest.fixture
def rt() -> RequestTracker:
    """A fresh Request Tracker."""
    return vendor_here()


# --- hub -> RT ---


def test_a_ticket_mails_nobody_outside(rt: RequestTracker) -> None:
    """No Requestor and no Cc: RT has no address it could write to."""
    sent(make_sink(rt.answer), opening())
    assert rt.tickets[1]["Requestor"] == []


def test_the_agent_sees_where_the_answer_goes_before_typing(rt: RequestTracker) -> None:
    """The first message says in the agent's language where a reply appears, its limit and its deadline."""
    view = {"answer_limit": 500, "answer_by": NOW, "missing": ("order_number",)}
    sent(make_sink(rt.answer, agent_language="it"), opening(**view))
    text = rt.records()[0].comments[0].text
    assert text.startswith("Where is my parcel?\n")
    for words in ("Scritto da Anna Rossi (@anna) su Mastodon", "Al massimo 500", "22.11.2026 10:00", "order_number"):
        assert words in text


def test_a_200_that_did_nothing_is_refused_in_rts_words(rt: RequestTracker) -> None:
    """RT answers 200 to a status its lifecycle does not know; the ticket tells the truth."""
    sink = make_sink(rt.answer, statuses={"hold": "waiting"}, assign="agent")
    record = sent(sink, opening()).vendor_id
    for wrong, words in (
        ({"status": "hold"}, "isn't a valid status"),
        ({"group": "Nowhere"}, "does not exist"),
        ({"agent": "bob@example.com"}, "may not own"),
    ):
        error = error_of(sink, fields(record, note="for the agent", **wrong))
        assert isinstance(error, Refused)
        assert words in str(error)
    assert len(rt.records()[0].comments) == 1


def test_a_dropped_external_id_is_not_a_good_ticket(rt: RequestTracker) -> None:
    """RT drops custom fields it may not set: nobody may open that ticket again, a person must look."""
    rt.accept_without_applying()
    sink = make_sink(rt.answer)
    error = error_of(sink, opening())
    assert isinstance(error, OutcomeUnknown)
    assert "SetInitialCustomField" in str(error)
    assert isinstance(sink.find(opening()), CannotTell)


def test_everything_of_an_update_stands(rt: RequestTracker) -> None:
    """Status, priority, tags, mapped fields, queue and owner are set; the rest and the proof are one comment."""
    sink = make_sink(rt.answer, assign="agent")
    record = sent(sink, opening(tags=("x",), fields={"order_number": "A-1"})).vendor_id
    body = {"status": "pending", "priority": "high", "group": "Parcels", "agent": AGENT, "tags_add": ("vip",)}
    proof = Proof(state="published", privacy="direct", permalink="https://social.example/2", at=NOW)
    sent(sink, fields(record, tags_remove=("x",), fields={"order_number": "B", "size": "9"}, proofs=(proof,), **body))
    row = rt.tickets[1]
    assert (row["Status"], row["Priority"], row["Queue"], row["Owner"]) == ("stalled", 100, "Parcels", AGENT)
    assert (row["values"]["Tags"], row["values"]["OrderNumber"]) == (["mastodon", "vip"], ["B"])
    note = rt.records()[0].comments[-1]
    assert not note.public
    assert note.text == "Sent privately on Mastodon at 22.11.2026 10:00 (UTC): https://social.example/2\n\nsize: 9"


@pytest.mark.parametrize(("assign", "queue"), [("fields", "Social"), ("group", "Parcels")])
def test_a_team_is_a_queue(rt: RequestTracker, assign: str, queue: str) -> None:
    """Only where the company allows it does a ticket start in its team's queue; an unknown queue costs no ticket."""
    sink = make_sink(rt.answer, assign=assign)
    sent(sink, opening(group="Parcels"))
    sent(sink, opening("sch-2", group="Nowhere"))
    assert [row["Queue"] for row in rt.tickets.values()] == [queue, "Social"]


def test_a_collision_is_read_again(rt: RequestTracker) -> None:
    """An agent's change between our read and our write is not overwritten: the tags of both stand."""
    record = sent(make_sink(rt.answer), opening(tags=("x",))).vendor_id
    agents = iter([["mastodon", "x", "by-alice"]])

    def answer(request: requests.PreparedRequest) -> requests.Response:
        if request.method == "PUT" and (tags := next(agents, None)):
            rt.tickets[1]["values"]["Tags"] = tags
            rt._transaction(1, "CustomField", AGENT)
        return rt.answer(request)

    sent(make_sink(answer), fields(record, tags_add=("vip",)))
    assert rt.tickets[1]["values"]["Tags"] == ["mastodon", "x", "by-alice", "vip"]


def test_a_closed_ticket_may_stay_rejected(rt: RequestTracker) -> None:
    """An agent rejected it; closing it here must not make it resolved."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    rt.agent_sets_status(record, "rejected")
    sent(sink, fields(record, status="closed"))
    assert rt.tickets[1]["Status"] == "rejected"


def test_another_attempt_finds_the_ticket_first(rt: RequestTracker) -> None:
    """A delivery that a person retries does not open the same ticket twice."""
    sink = make_sink(rt.answer)
    first = sent(sink, opening())
    again = sent(sink, opening(attempt=2))
    assert (again.vendor_id, again.already_there, len(rt.tickets)) == (first.vendor_id, True, 1)


# --- what became of it ---


def test_a_deleted_or_merged_ticket_is_not_absent(rt: RequestTracker) -> None:
    """RT hides both from its search; opening the ticket again would double it."""
    sink = make_sink(rt.answer)
    deleted = sent(sink, opening("sch-1"))
    rt.agent_sets_status(deleted.vendor_id, "deleted")
    looked = sink.find(opening("sch-1"))
    assert isinstance(looked, Found)
    assert looked.receipt.vendor_id == deleted.vendor_id
    merged, kept = sent(sink, opening("sch-2")), sent(sink, opening("sch-3"))
    rt.merge(merged.vendor_id, kept.vendor_id)
    looked = sink.find(opening("sch-2"))
    assert isinstance(looked, Found)
    assert looked.receipt.vendor_id == merged.vendor_id
    assert isinstance(sink.find(opening("sch-4")), Absent)


def test_no_history_is_no_absence(rt: RequestTracker) -> None:
    """An account that lost its rights gets empty lists and 200."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    rt.transactions.clear()
    rt._etag = lambda row: '"0"'  # type: ignore[method-assign]
    assert isinstance(sink.find(comment(record)), CannotTell)
    with pytest.raises(TemporaryFailure):
        sink.complete(Hint(event_key="x", record=record))


def test_an_agents_later_change_is_not_undone(rt: RequestTracker) -> None:
    """We set it, the answer was lost, an agent changed it: sending again would undo that."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    delivery = fields(record, status="pending")
    assert isinstance(sink.find(delivery), Absent)
    sent(sink, delivery)
    assert isinstance(sink.find(delivery), Found)
    rt.agent_sets_status(record, "solved")
    assert isinstance(sink.find(delivery), CannotTell)


# --- RT -> hub ---


@pytest.mark.parametrize(
    ("by", "door", "headers", "settings", "human"),
    [
        (AGENT, "Web", {}, {}, True),
        (AGENT, "REST", {}, {}, True),
        (AGENT, "Email", {}, {}, False),
        (AGENT, "Email", {}, {"answers_by_mail": True}, True),
        (AGENT, "Email", {"Auto_Submitted": "auto-replied"}, {"answers_by_mail": True}, False),
        (AGENT, "Web", {}, {"agents": ["anna"]}, False),
        (AGENT, "Web", {}, {"not_agents": ["Alice"]}, False),
        ("bob@example.com", "Email", {}, {"answers_by_mail": True}, False),
        ("bob@example.com", "Web", {}, {}, False),
        ("RT_System", "", {}, {}, False),
        (HUB, "REST", {}, {}, False),
    ],
)
def test_only_people_of_the_company_speak_to_customers(
    rt: RequestTracker, by: str, door: str, headers: dict[str, str], settings: dict[str, Any], human: bool
) -> None:
    """Privileged users through RT's pages or REST, and by mail only where allowed; never programs or requestors."""
    sink = make_sink(rt.answer, **settings)
    record = sent(sink, opening()).vendor_id
    said = rt.agent_answers(record, "It comes on Monday", by=by, door=door, **headers)
    (seen,) = [one.comment for one in read(sink, record)[0] if one.comment.id == said]
    assert seen.public
    assert (seen.author.role == "agent" and not seen.automatic) is human


def test_a_strangers_mark_is_no_origin(rt: RequestTracker) -> None:
    """Whoever copies our mark into a subject does not become us."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    own = sent(sink, comment(record, key="k-7")).vendor_id
    body = {"Subject": "Re: [sch:k-7]", "Content": "Hello", "ContentType": "text/plain"}
    theirs = rt._say(1, "Correspond", body, AGENT, door="Web")["id"]
    origins = {one.comment.id: one.comment.origin for one in read(sink, record)[0]}
    assert (origins[own], origins[theirs]) == ("k-7", "")


def test_rich_text_and_files_of_an_agent(rt: RequestTracker) -> None:
    """HTML becomes text, a file is told with its address in RT."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    file = {"FileName": "how to.pdf", "FileType": "application/pdf", "FileContent": base64.b64encode(b"%PDF").decode()}
    body = {"Content": "<p>Dear <b>Anna</b></p>", "ContentType": "text/html", "Attachments": [file]}
    said = rt._say(1, "Correspond", body, AGENT, door="Web")["id"]
    seen = read(sink, record)[0][-1].comment
    assert (seen.text, seen.html) == ("Dear Anna", "<p>Dear <b>Anna</b></p>")
    (told,) = seen.attachments
    assert (told.name, told.mime_type, told.size) == ("how to.pdf", "application/pdf", 4)
    assert told.url.endswith(f"/Ticket/Attachment/{said}/{told.id}/how%20to.pdf")


def test_merges_and_deletions_are_told(rt: RequestTracker) -> None:
    """What was said before a merge stays with the old record, which names the new one."""
    sink = make_sink(rt.answer)
    old, new = sent(sink, opening("sch-1")).vendor_id, sent(sink, opening("sch-2")).vendor_id
    said = rt.agent_answers(old, "It comes on Monday")
    rt.merge(old, new)
    after = rt.agent_answers(old, "It is here")
    comments, record = read(sink, old)
    assert (comments[-1].comment.id, comments[-1].record_id, record.merged_into) == (said, old, new)
    comments, record = read(sink, new)
    assert (comments[-1].comment.id, record.merged_into, record.deleted) == (after, "", False)
    rt.agent_sets_status(new, "deleted")
    assert read(sink, new)[1].deleted
    gone = sink.complete(Hint(event_key="x", record="99"))
    assert [event.deleted for event in gone if isinstance(event, RecordChanged)] == [True]


def test_tickets_of_others_are_none_of_our_business(rt: RequestTracker) -> None:
    """A ticket without our external id is neither polled nor completed."""
    sink = make_sink(rt.answer)
    sent(sink, opening())
    rt.tickets[1]["values"]["ExternalID"] = ["from-another-tool"]
    assert sink.complete(Hint(event_key="x", record="1")) == []
    cursor = sink.first_cursor()
    rt.tickets[1]["Creator"] = {"id": AGENT}
    rt.agent_answers("1", "hello")
    assert sink.fetch_page(cursor).events == ()


def test_a_transaction_that_becomes_visible_late_is_not_lost(rt: RequestTracker) -> None:
    """A lower number may be committed after a higher one was read."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    cursor = sink.first_cursor()
    rt.agent_answers(record, "first")
    late = rt.transactions.pop(1)
    rt.transactions[1]["id"] = str(int(late["id"]) + 1)
    page = sink.fetch_page(cursor)
    assert sink.fetch_page(page.cursor).events == ()
    rt.transactions.append(late)
    assert [event.event_key for event in sink.fetch_page(page.cursor).events] == [f"transaction:{late['id']}"]


def test_a_restored_rt_is_noticed(rt: RequestTracker) -> None:
    """Numbers that run backwards would let the poll wait in silence."""
    with pytest.raises(ConfigurationError, match="restored"):
        make_sink(rt.answer).fetch_page({"from": 1, "after": 5000, "seen": []})


# --- failures ---


def test_a_login_page_is_no_answer(rt: RequestTracker) -> None:
    """200 with a page: a read is tried again, a write is looked up."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    lost = make_sink(lambda request: reply(request, 200, "<html><title>Login</title></html>"))
    assert isinstance(error_of(lost, comment(record)), OutcomeUnknown)
    with pytest.raises(TemporaryFailure, match="login"):
        lost.first_cursor()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "Permission Denied"}, Refused),
        (403, {"message": "Forbidden"}, Refused),
        (401, {"message": "Unauthorized"}, AuthenticationFailed),
        (412, {"message": "Precondition Failed"}, TemporaryFailure),
        (500, b"", OutcomeUnknown),
    ],
)
def test_rts_refusals_of_a_message(status: int, body: Any, kind: type[Exception]) -> None:
    """Each answer of RT becomes the error whose handling fits."""
    assert isinstance(error_of(make_sink(lambda request: reply(request, status, body)), comment("1")), kind)


def test_a_message_to_a_ticket_that_is_gone(rt: RequestTracker) -> None:
    """RT says 400 "Message could not be recorded"; the hub must know that the record is gone."""
    error = error_of(make_sink(rt.answer), comment("99"))
    assert isinstance(error, Refused)
    assert error.detail == "gone"


def test_no_cookie_comes_before_the_token(rt: RequestTracker) -> None:
    """RT prefers a web session's cookie to the token: none is ever sent."""
    seen: list[str | None] = []

    def answer(request: requests.PreparedRequest) -> requests.Response:
        seen.append(request.headers.get("Cookie"))
        return rt.answer(request)

    sink = make_sink(answer)
    sink.toolbox.http.cookies.set("RT_SID", "someone", domain="rt.example.com")
    sink.check_connection()
    assert set(seen) == {None}


# --- setup, webhooks ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"queue": "Nowhere"}, "no queue"), ({"field_names": {"size": "Size"}}, "hub connections setup acme-rt")],
)
def test_what_is_missing_is_named(rt: RequestTracker, settings: dict[str, Any], words: str) -> None:
    """A missing queue or custom field stops the connection and names the way out."""
    with pytest.raises(ConfigurationError, match=words):
        make_sink(rt.answer, **settings).check_connection()


def test_setup_makes_what_rest_can_and_explains_the_rest() -> None:
    """Queue and fields are made once; scrip and rights are instructions with this connection's values."""
    rt = vendor_here(fields=())
    sink = make_sink(rt.answer, queue="Care", tags_field="Labels")
    steps = sink.apply_setup("https://hub.example.com/hooks/acme-rt")
    assert [step.state for step in steps] == ["done"] * 4 + ["unknown"] * 2
    before = len(rt.fields), len(rt.queues)
    sink.apply_setup("")
    assert (len(rt.fields), len(rt.queues)) == before
    assert {field["Name"]: field["MaxValues"] for field in rt.fields} == {
        "ExternalID": 1,
        "Labels": 0,
        "OrderNumber": 1,
    }
    scrip = in_language(steps[-1].instructions, "it")
    assert "'https://hub.example.com/hooks/acme-rt'" in scrip
    assert "__Value('Creator') == 27" in scrip
    assert SECRET not in scrip
    assert sink.check_connection().id == "27"


def test_setup_without_the_right_says_which() -> None:
    """403 becomes a sentence an administrator can act on."""
    rt = vendor_here(fields=())

    def answer(request: requests.PreparedRequest) -> requests.Response:
        return rt.answer(request) if request.method == "GET" else reply(request, 403, {"message": "Forbidden"})

    with pytest.raises(ConfigurationError, match="AdminCustomField"):
        make_sink(answer).apply_setup("")


@pytest.mark.parametrize("change", ["body", "secret", "time", "old"])
def test_a_forged_webhook_is_refused(rt: RequestTracker, change: str) -> None:
    """One byte, another secret, another time, an old signature."""
    body = b'{"event":"ticket","ticket":1,"transaction":9}'
    request = signed(body, NOW - timedelta(hours=change == "old"), "wrong" if change == "secret" else SECRET)
    headers = dict(request.headers)
    if change == "time":
        headers["x-hub-timestamp"] = str(int(headers["x-hub-timestamp"]) + 1)
    forged = type(request)("POST", "/", headers, {}, body.replace(b"9", b"8") if change == "body" else body, NOW)
    with pytest.raises(SignatureRejected):
        make_sink(rt.answer).verify(forged)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"event":"asset","ticket":1,"transaction":9}', UnsupportedEvent),
        (b'{"ticket":1,"transaction":9}', PayloadNotUnderstood),
        (b'{"event":"ticket","ticket":"../1","transaction":9}', PayloadNotUnderstood),
        (b"{", PayloadNotUnderstood),
    ],
)
def test_other_bodies_are_named(rt: RequestTracker, body: bytes, kind: type[Exception]) -> None:
    """What is signed and not understood is said so."""
    with pytest.raises(kind):
        make_sink(rt.answer).events(signed(body, NOW))


def test_the_token_must_look_like_one() -> None:
    """A password in its place is refused without being repeated."""
    with pytest.raises(ValueError, match="authentication token") as refused:
        make_sink(None, token="hunter2")
    assert "hunter2" not in str(refused.value)
