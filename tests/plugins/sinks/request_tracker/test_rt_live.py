"""Against a real Request Tracker 5: the sink's whole round, and the RT in memory held against it call by call.

Needs HUB_TEST_RT_URL, HUB_TEST_RT_TOKEN and HUB_TEST_RT_AGENT (name:password); see the plugin's README.
"""

from __future__ import annotations

import base64
import os
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from rt_cases import comment, error_of, fields, make_sink, opening, read, sent, vendor_here
from rt_vendor import AGENT, ORIGIN, TOKEN
from test_rt_category import HOUSE

from hub.sdk import Absent, Attachment, Found, Hint, Media, Refused, TemporaryFailure, in_language
from plugins.sinks.request_tracker.sink import RequestTrackerSink

QUEUE = os.environ.get("HUB_TEST_RT_QUEUE", "Social")
pytestmark = pytest.mark.peers


class RealRt:
    """A running RT, our account's token, and a human agent's hands."""

    def __init__(self, url: str, token: str, agent: str) -> None:
        self.url = url
        self.token = token
        self.agent = requests.Session()
        self.agent.trust_env = False
        name, _, password = agent.partition(":")
        self.agent.auth = (name, password)

    def sink(self, **settings: Any) -> RequestTrackerSink:
        """A connector to it."""
        return make_sink(None, url=self.url, token=self.token, queue=QUEUE, **settings)

    def agent_does(self, method: str, path: str, body: Any) -> requests.Response:
        """A call by the agent."""
        response = self.agent.request(method, f"{self.url}/REST/2.0{path}", json=body, timeout=20)
        response.raise_for_status()
        return response


@pytest.fixture(scope="module")
def real() -> Iterator[RealRt]:
    """The real RT of the environment."""
    missing = [name for name in ("URL", "TOKEN", "AGENT") if not os.environ.get(f"HUB_TEST_RT_{name}")]
    if missing:
        pytest.skip(f"no real Request Tracker: set HUB_TEST_RT_{', HUB_TEST_RT_'.join(missing)}")
    rt = RealRt(*(os.environ[f"HUB_TEST_RT_{name}"] for name in ("URL", "TOKEN", "AGENT")))
    assert not [step for step in rt.sink().apply_setup("") if step.by == "hub" and step.state == "missing"]
    yield rt
    rt.agent.close()


@pytest.fixture
def uid() -> str:
    """An external id nobody used."""
    return f"sch-{uuid.uuid4().hex[:12]}"


def test_files_both_ways(real: RealRt, uid: str) -> None:
    """A customer's bytes stand in RT as they were; an agent's text and picture come out again, and no byte too many."""
    content, words = bytes(range(256)) * 40, "perché no? – sì"
    sink = real.sink(media=lambda url, max_bytes: Media.of(content, "image/png", "p.png"))
    record = sent(sink, opening(uid, attachments=(Attachment(url="https://social.example/p.png"),))).vendor_id
    given = [("map.png", "image/png", content), ("note.txt", "text/plain", words.encode())]
    files = [
        {"FileName": name, "FileType": kind, "FileContent": base64.b64encode(raw).decode()} for name, kind, raw in given
    ]
    answer = {"Content": "Look", "ContentType": "text/plain", "Attachments": files}
    real.agent_does("POST", f"/ticket/{record}/correspond", answer)
    seen = [one.comment for one in read(sink, record)[0]]
    (kept,) = seen[0].attachments
    assert sink.fetch_attachment(kept, max_bytes=len(content)).content == content
    assert [one.name for one in seen[-1].attachments] == ["map.png", "note.txt"]
    for told, (_, kind, raw) in zip(seen[-1].attachments, given, strict=True):
        media = sink.fetch_attachment(told, max_bytes=len(raw))
        assert (media.content, media.mime_type) == (raw, kind)
        with pytest.raises(Refused):
            sink.fetch_attachment(told.model_copy(update={"size": None}), max_bytes=len(raw) - 1)
    with pytest.raises(TemporaryFailure, match="500"):  # RT stumbles over a number that is not there
        sink.fetch_attachment(told.model_copy(update={"id": "99999999", "size": None}), max_bytes=10)


def test_a_whole_round(real: RealRt, uid: str) -> None:
    """Open, say, set, answer, resolve: every effect stands in RT, is found again, and an agent's answer comes back."""
    media = lambda url, max_bytes: Media.of(b"\x89PNG", "image/png", "p.png")  # noqa: E731
    sink = real.sink(media=media)
    assert sink.check_connection().details["queue"] == QUEUE
    cursor = sink.first_cursor()
    start = opening(uid, attachments=(Attachment(url="https://social.example/p.png", name="photo.png"),))
    start = start.model_copy(update={"first_attempt_at": sink.toolbox.now()})
    assert isinstance(sink.find(start), Absent)
    record = sent(sink, start).vendor_id
    looked = sink.find(start)
    assert isinstance(looked, Found)
    assert looked.receipt.vendor_id == record
    for public in (True, False):
        said = comment(record, key=str(uuid.uuid4()), public=public)
        assert isinstance(sink.find(said), Absent)
        said_id = sent(sink, said).vendor_id
        looked = sink.find(said)
        assert isinstance(looked, Found)
        assert looked.receipt.vendor_id == said_id
    update = fields(
        record,
        key=str(uuid.uuid4()),
        status="pending",
        priority="high",
        tags_add=("vip",),
        fields={"order_number": "B"},
    )
    sent(sink, update)
    assert isinstance(sink.find(update), Found)
    answer = {"Content": "<p>Dear <b>Anna</b></p>", "ContentType": "text/html"}
    said_id = real.agent_does("POST", f"/ticket/{record}/correspond", answer).headers["Location"].rpartition("/")[2]
    page = sink.fetch_page(cursor)
    assert [event.record for event in page.events if isinstance(event, Hint)] == [record]
    assert sink.fetch_page(page.cursor).events == ()
    comments, state = read(sink, record)
    last = comments[-1].comment
    assert (last.id, last.public, last.author.role, last.automatic, last.text) == (
        said_id,
        True,
        "agent",
        False,
        "Dear Anna",
    )
    assert [one.comment.public for one in comments] == [True, True, False, True]
    assert all(one.comment.origin and one.comment.automatic for one in comments[:-1])
    assert (state.external_id, state.priority, state.tags) == (uid, "high", ("mastodon", "vip"))
    real.agent_does("PUT", f"/ticket/{record}", {"Status": "resolved"})
    assert read(sink, record)[1].status == "solved"


def test_silent_refusals(real: RealRt, uid: str) -> None:
    """A status no lifecycle knows, a queue and an owner that are not there: Refused, in RT's words."""
    sink = real.sink(assign="agent", statuses={"hold": "no-such-status"})
    record = sent(sink, opening(uid)).vendor_id
    for wrong in ({"status": "hold"}, {"group": "No such queue"}, {"agent": "no-such-user"}):
        assert isinstance(error_of(sink, fields(record, **wrong)), Refused)


def test_who_gets_tickets(real: RealRt, uid: str) -> None:
    """The agent is AdminCc of the queue: reported with what they own there, made an owner by e-mail address, counted
    until it is resolved. An account without SeeGroup (the agent's own) is told which right it lacks."""
    sink, name = real.sink(assign="agent"), str(real.agent.auth[0])  # type: ignore[index]
    before = {state.agent.id: state for state in sink.agents()}[name]
    assert (before.groups, before.agent.role, before.available) == ((QUEUE,), "agent", None)
    assert before.open_tickets is not None
    record = sent(sink, opening(uid)).vendor_id
    for key in (f"{uid}-1", f"{uid}-2"):
        sent(sink, fields(record, key=key, agent=before.email))
    owner = read(sink, record)[1].assignee
    assert owner is not None
    assert owner == before.agent
    count = lambda: {state.agent.id: state.open_tickets for state in sink.agents()}[name]  # noqa: E731
    assert count() == before.open_tickets + 1
    real.agent_does("PUT", f"/ticket/{record}", {"Status": "resolved"})
    assert count() == before.open_tickets
    lesser = real.sink(assign="agent")
    lesser.toolbox.http.auth = real.agent.auth
    with pytest.raises(Refused, match="SeeGroup"):
        lesser.agents()


def test_categories_both_ways(real: RealRt, uid: str) -> None:
    """Setup makes a list; a ticket opens with its value, the hub changes it, an agent's choice comes back; what is not
    in the list is refused in RT's words."""
    settings: dict[str, Any] = {"category_field": "HubCategory", "agent_language": "it", "house": HOUSE}
    sink = real.sink(**settings)
    for _ in range(2):
        states = {in_language(step.title, "en"): step.state for step in sink.apply_setup("")}
        assert states["categories in the list HubCategory"] == "done"
    record = sent(sink, opening(uid, category="refund")).vendor_id
    assert read(sink, record)[1].category == "refund"
    sent(sink, fields(record, key=f"{uid}-1", category="delivery"))
    changed = read(sink, record)[1]
    assert (changed.category, set(changed.tags or ())) == ("delivery", {"mastodon", "category-delivery"})
    real.agent_does("PUT", f"/ticket/{record}", {"CustomFields": {"HubCategory": "rimborso"}})
    assert read(sink, record)[1].category == "refund"
    error = error_of(sink, fields(record, key=f"{uid}-2", category="not-there"))
    assert isinstance(error, Refused)
    assert "Invalid value" in str(error)


def test_merges_are_told(real: RealRt, uid: str) -> None:
    """The old record names the new one and keeps what was said on it."""
    sink = real.sink()
    old, new = sent(sink, opening(uid)).vendor_id, sent(sink, opening(f"{uid}-b")).vendor_id
    real.agent_does("POST", f"/ticket/{old}/correspond", {"Content": "before", "ContentType": "text/plain"})
    real.agent_does("PUT", f"/ticket/{old}", {"MergeInto": new})
    real.agent_does("POST", f"/ticket/{new}/correspond", {"Content": "after", "ContentType": "text/plain"})
    comments, state = read(sink, old)
    assert (comments[-1].comment.text, state.merged_into) == ("before", new)
    comments, state = read(sink, new)
    assert (comments[-1].comment.text, state.merged_into) == ("after", "")


def test_no_mail_leaves(real: RealRt, uid: str) -> None:
    """The customer's words, our notes and an agent's public reply make RT write to nobody but its own staff
    (``HUB_TEST_RT_STAFF``: their addresses)."""
    mails = os.environ.get("HUB_TEST_RT_MAILS", "")
    if not mails:
        pytest.skip("HUB_TEST_RT_MAILS does not name the file RT's mail goes to")
    staff = set(os.environ.get("HUB_TEST_RT_STAFF", "").split())
    before = len(_recipients(mails))
    sink = real.sink()
    record = sent(sink, opening(uid)).vendor_id
    sent(sink, comment(record, key=str(uuid.uuid4())))
    sent(sink, fields(record, key=str(uuid.uuid4()), status="pending", note="look"))
    real.agent_does("POST", f"/ticket/{record}/correspond", {"Content": "Dear Anna", "ContentType": "text/plain"})
    real.agent_does("PUT", f"/ticket/{record}", {"Status": "resolved"})
    assert set(_recipients(mails)[before:]) - staff == set()


def _recipients(path: str) -> list[str]:
    """The envelopes' addresses in the file Perl's Mail::Mailer::testfile writes, in order."""
    text = Path(path).read_text(errors="replace") if Path(path).exists() else ""
    envelopes = re.findall(r"^===\ntest .*\nfrom: .*\nto: (.*)$", text, re.MULTILINE)
    return [address for line in envelopes for address in line.replace(",", " ").split()]


def test_the_rt_in_memory_answers_like_the_real_one(real: RealRt, uid: str) -> None:
    """The same calls: the same status, and nothing in the answers in memory that the real ones do not have."""
    here = vendor_here(fields=("ExternalID", "Tags", "OrderNumber"))
    asked: list[tuple[str, str]] = []

    def against(send: Callable[[requests.PreparedRequest], requests.Response], url: str, token: str, agent: str) -> Any:
        def call(method: str, path: str, body: Any = None, **more: Any) -> Any:
            headers = {"Authorization": f"token {token}", "Accept": "application/json", **more.pop("headers", {})}
            request = requests.Request(method, f"{url}/REST/2.0{path}", json=body, headers=headers, **more)
            response = send(request.prepare())
            kind = response.headers.get("Content-Type", "").partition(";")[0]
            answer = response.json() if response.content and "json" in kind else None
            asked.append((method, path))
            answers.append((method, path, response.status_code, kind if answer is not None else "", _shape(answer)))
            return answer, response.headers

        answers: list[Any] = []
        _tour(call, uid, agent)
        return answers

    with requests.Session() as session:
        session.trust_env = False
        theirs = against(lambda r: session.send(r, timeout=20), real.url, real.token, real.agent.auth[0])  # type: ignore[index]
    ours = against(here.answer, ORIGIN, TOKEN, AGENT)
    for mine, truth in zip(ours, theirs, strict=True):
        assert mine[0] == truth[0]
        assert mine[2:4] == truth[2:4], f"{mine[:2]}: {mine[2:4]}, the real one {truth[2:4]}"
        assert _within(mine[4], truth[4]), f"{mine[:2]}:\n{mine[4]}\nthe real one:\n{truth[4]}"
    assert len(asked) > 50


def _tour(call: Callable[..., Any], uid: str, agent: str) -> None:
    call("GET", "/rt")
    for name in (agent, "Nobody", "RT_System", "no-such-user"):
        call("GET", f"/user/{name}")
    queue, _ = call("GET", f"/queue/{QUEUE}")
    known = '[{"field":"Domain","value":"SystemInternal"},{"field":"Name","value":"%s"}]'
    groups, _ = call("GET", "/groups", params={"query": known % "Privileged", "per_page": "100"})
    call("GET", "/groups", params={"query": known % "No such group", "per_page": "100"})
    for number in (groups["items"][0]["id"], "99999999"):
        call("GET", f"/group/{number}")
    persons = {"fields": "Name,RealName,EmailAddress", "per_page": "100"}
    for field in ("Name", "EmailAddress"):
        names = [{"field": field, "value": value, "entry_aggregator": "OR"} for value in (agent, "no-such-user")]
        call("POST", "/users", names, params=persons)
    call("GET", "/queue/no-such-queue")
    call("POST", "/ticket", {"Queue": "no-such-queue", "Subject": "x", "Content": "x", "ContentType": "text/plain"})
    new = {"Queue": QUEUE, "Subject": "No parcel", "Content": "Where?", "ContentType": "text/plain", "Priority": 50}
    new |= {"CustomFields": {"ExternalID": uid, "Tags": ["a", "b"], "NoSuchField": "x"}}
    new["Attachments"] = [{"FileName": "a.png", "FileType": "image/png", "FileContent": "iVBORw=="}]
    record = call("POST", "/ticket", new)[0]["id"]
    at = f"/ticket/{record}"
    named = {"fields[Queue]": "Name", "fields[Owner]": "RealName"}
    _, headers = call("GET", at, params=named)
    for kind in ("correspond", "comment"):
        _, told = call("POST", f"{at}/{kind}", {"Subject": "x [sch:k]", "Content": "y", "ContentType": "text/plain"})
        assert told["Location"].startswith("/REST/2.0/transaction/")
    call("PUT", at, {"Priority": 60}, headers={"If-Match": headers["ETag"]})
    for change in (
        {"Status": "no-such-status"},
        {"Status": "stalled"},
        {"Status": "stalled"},
        {"Queue": "no-such-queue"},
        {"Owner": "no-such-user"},
        {"Owner": "no-such-user@example.com"},
        {"Owner": agent.upper()},
        {"CustomFields": {"OrderNumber": "B", "NoSuchField": "x"}},
        {"CustomFields": {"Tags": ["b", "c"]}},
        {"CustomFields": {"OrderNumber": ""}},
    ):
        call("PUT", at, change)
        call("GET", at, params=named)
    listed = {"fields": "Status,Created,CustomFields", "per_page": 100}
    for value in (uid, f"{uid}-none", f"o'{uid}"):
        quoted = value.replace("'", "\\'")
        call("GET", "/tickets", params={"query": f"'CF.{{ExternalID}}' = '{quoted}'", **listed})
    call("GET", "/tickets", params={"query": f"id = {record} OR id = 99999999", **listed})
    owned = f"(Queue = {queue['id']}) AND Status = '__Active__' AND Owner != 'Nobody'"
    call("GET", "/tickets", params={"query": owned, "fields": "Owner", "orderby": "id", "per_page": "100"})
    rows = {"fields": "Type,Field,OldValue,NewValue,Data,ObjectId,Created,Creator", "fields[Creator]": "Name,RealName"}
    rows |= {"orderby": "id", "per_page": "100"}
    tickets = "ObjectType = 'RT::Ticket' AND Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"
    history, _ = call("GET", "/transactions", params={"query": f"{tickets} AND (ObjectId = {record})", **rows})
    first = history["items"][0]
    assert [row["Type"] for row in history["items"]][:4] == ["Create", "Correspond", "Status", "Comment"]
    call("GET", "/transactions", params={"query": f"id > {first['id']} AND {tickets}", **rows})
    call("GET", "/transactions", params={"query": f"{tickets} AND (ObjectId = 99999999)", **rows})
    parts = '[{"field":"TransactionId","value":"%s","entry_aggregator":"OR"}%s]'
    about = {"fields": "TransactionId,ContentType,Filename,ContentLength,Headers", "orderby": "id", "per_page": "100"}
    meta, _ = call("GET", f"{at}/attachments", params={**about, "query": parts % (first["id"], "")})
    assert [part["ContentType"] for part in meta["items"]] == ["multipart/mixed", "text/plain", "image/png"]
    file, _ = call("GET", f"/attachment/{meta['items'][-1]['id']}")
    assert base64.b64decode(file["Content"]) == base64.b64decode("iVBORw==")
    call("GET", "/attachment/99999999")
    only = ',{"field":"ContentType","operator":"LIKE","value":"text/%"},'
    only += '{"field":"Filename","operator":"IS","value":"NULL"}'
    content = {"fields": "TransactionId,ContentType,Content", "orderby": "id", "per_page": "100"}
    texts, _ = call("GET", f"{at}/attachments", params={**content, "query": parts % (first["id"], only)})
    assert [part["Content"] for part in texts["items"]] == ["Where?"]
    call("GET", "/customfields", params={"query": '[{"field":"Name","value":"ExternalID"}]', "per_page": "100"})
    for method, path, body in (
        ("GET", "/ticket/99999999", None),
        ("PUT", "/ticket/99999999", {"Status": "open"}),
        ("POST", "/ticket/99999999/comment", {"Content": "x", "ContentType": "text/plain"}),
        ("GET", "/no-such-thing", None),
    ):
        call(method, path, body)
    call("GET", "/rt", headers={"Authorization": f"token 1-27-{'f' * 32}"})


def _shape(value: Any) -> Any:
    """Names and types; of a list one shape that all its entries have."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return "absent" if value is None else type(value).__name__


def _within(mine: Any, truth: Any) -> bool:
    """Whether everything in ``mine`` is in ``truth``; a list in memory may be empty or not, and total be unknown."""
    if isinstance(mine, dict) and isinstance(truth, dict):
        return all(name in truth and _within(part, truth[name]) for name, part in mine.items())
    if isinstance(mine, list) and isinstance(truth, list):
        return not mine or not truth or _within(mine[0], truth[0])
    return mine == truth or "absent" in (mine, truth)


def test_the_past_comes_whole(real: RealRt, uid: str) -> None:
    """By number and day: who said what, who resolved it; from the bookmark of the end only what changed later."""
    sink = real.sink()
    record, other = sent(sink, opening(uid)).vendor_id, sent(sink, opening(f"{uid}-b")).vendor_id
    answer = {"Content": "Dear Anna", "ContentType": "text/plain"}
    real.agent_does("POST", f"/ticket/{record}/correspond", answer)
    real.agent_does("PUT", f"/ticket/{record}", {"Status": "resolved"})
    since, cursor, told = sink.toolbox.now() - timedelta(hours=1), {}, {}
    while True:
        page = sink.history_page(cursor, since=since)
        told |= {ticket.record_id: ticket for ticket in page.tickets}
        cursor = page.cursor
        if not page.has_more:
            break
    past = told[record]
    assert (past.external_id, past.status, past.group, past.solver.role) == (uid, "solved", QUEUE, "agent")
    assert [(one.text, one.author.role) for one in past.comments][-1] == ("Dear Anna", "agent")
    assert past.solved_at is not None
    assert (told[other].status, told[other].solver.id) == ("new", "")
    assert sink.history_page(cursor, since=sink.toolbox.now() + timedelta(minutes=1)).tickets == ()
    assert sink.history_page({}, since=sink.toolbox.now() + timedelta(minutes=1)).tickets == ()
