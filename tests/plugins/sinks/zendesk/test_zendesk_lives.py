"""Nothing missed: deleted and restored, merged both ways, closed and followed up, problem and incident, statuses."""

from __future__ import annotations

from zendesk_cases import Account, comment, fields, opened, read
from zendesk_sandbox_calls import control, done, finished, ticket

from hub.sdk import Accepted, Failure, Hint, Identity, OpenTicket, Receipt, RecordChanged, RecordClosed, Said
from plugins.sinks.zendesk.sink import ZendeskSink


def told(sink: ZendeskSink, cursor: dict[str, object]) -> list[str]:
    """The records a page of the export tells of."""
    return [getattr(event, "record", getattr(event, "record_id", "")) for event in sink.fetch_page(cursor).events]


def test_deleted_and_restored(account: Account, uid: str) -> None:
    """A deleted ticket is told as deleted by hint and by export; a restored one is read again."""
    sink = account.sink()
    start = sink.fetch_page(sink.first_cursor()).cursor
    record = opened(sink, uid).vendor_id
    done(account, "DELETE", f"tickets/{record}")
    page = sink.fetch_page(start)
    assert [event.deleted for event in page.events if isinstance(event, RecordChanged)] == [True]
    (gone,) = sink.complete(Hint(event_key="webhook:1", record=record))
    assert isinstance(gone, RecordChanged)
    assert gone.deleted
    control(account, "settings", {"clock_ahead": 5})
    done(account, "PUT", f"deleted_tickets/{record}/restore")
    assert record in told(sink, page.cursor)
    control(account, "settings", {"clock_ahead": 0})
    changed, comments = read(sink, record)
    assert (changed.deleted, changed.status, len(comments)) == (False, "new", 1)


def test_merged_away_and_merged_into(account: Account, uid: str) -> None:
    """The source names its target; what a merge says on either side is nobody's answer; both are told by the export."""
    sink = account.sink()
    sink.check_connection()
    start = sink.fetch_page(sink.first_cursor()).cursor
    source, target = opened(sink, f"{uid}-a").vendor_id, opened(sink, f"{uid}-b").vendor_id
    control(account, "agent/merge", {"target": int(target), "sources": [int(source)]})
    assert {source, target} <= set(told(sink, start))
    changed, comments = read(sink, source)
    assert (changed.merged_into, changed.status) == (target, "closed")
    assert comments[-1].comment.automatic
    changed, comments = read(sink, target)
    assert (changed.merged_into, changed.status) == ("", "new")
    assert comments[-1].comment.automatic


def test_a_ticket_merged_into_one_that_is_not_ours(account: Account, uid: str) -> None:
    """It is followed by its number; the other ticket stays none of our business."""
    sink = account.sink()
    source = opened(sink, uid).vendor_id
    foreign = account.as_agent("POST", "/api/v2/tickets.json", {"ticket": {"comment": {"body": "an old request"}}})
    target = str(foreign["ticket"]["id"])
    control(account, "agent/merge", {"target": int(target), "sources": [int(source)]})
    assert read(sink, source)[0].merged_into == target
    assert sink.complete(Hint(event_key="webhook:1", record=target)) == []


def test_closed_takes_a_follow_up_that_is_found_again(account: Account, uid: str) -> None:
    """Closed is no longer solved: a comment is told so, the follow-up continues it under the same external id."""
    sink = account.sink()
    record = opened(sink, uid).vendor_id
    account.sandbox.update(record, status="solved")
    assert isinstance(sink.deliver([comment(uid, record, key=f"{uid}-solved")])[0], Receipt)
    account.sandbox.update(record, status="closed")
    late = comment(uid, record, key=f"{uid}-late")
    refused = sink.deliver([late])[0]
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, RecordClosed)
    view = late.body.ticket  # type: ignore[union-attr]
    body = OpenTicket(ticket=view, said=Said(text="And again", author=view.requester), follow_up_of=record)
    followed = sink.deliver([late.model_copy(update={"body": body})])[0]
    assert isinstance(followed, Receipt)
    assert followed.vendor_id != record
    found = sink.find(late.model_copy(update={"body": body}))
    assert getattr(found, "receipt", None) is not None


def test_what_an_agent_says_to_a_problem_is_copied_to_its_incidents(account: Account, uid: str) -> None:
    """The incident names its problem; the copy names it too, is the agent's word, and says that it is a copy. An
    incident that is none any more says so."""
    sink = account.sink()
    problem = ticket(account, type="problem")
    record, freed = opened(sink, uid).vendor_id, opened(sink, f"{uid}-2").vendor_id
    assert read(sink, record)[0].problem == ""
    for one in (record, freed):
        done(account, "PUT", f"tickets/{one}", {"ticket": {"type": "incident", "problem_id": problem}}, who="agent")
    before = read(sink, record)[0]
    assert before.problem == read(sink, freed)[0].problem == str(problem)
    done(account, "PUT", f"tickets/{freed}", {"ticket": {"type": "question", "problem_id": None}}, who="agent")
    assert read(sink, freed)[0].problem == ""
    solved = {"status": "solved", "comment": {"body": "The strike is over", "public": True}}
    done(account, "PUT", f"tickets/{problem}", {"ticket": solved}, who="agent")
    changed, comments = read(sink, record)
    assert (changed.status, changed.problem) == ("solved", str(problem))
    copy = comments[-1].comment
    assert (copy.text, copy.public, copy.automatic, copy.copied_from) == (
        "The strike is over",
        True,
        False,
        str(problem),
    )
    assert (copy.author.name, copy.author.role) == ("Alex Agent", "agent")
    assert changed.event_key != before.event_key
    assert len(read(sink, freed)[1]) == 1


def test_whose_record_it_is_now(account: Account, uid: str) -> None:
    """Another requester is set singly and by a job, as the user of that account, made if need be."""
    sink = account.sink()
    records = [opened(sink, f"{uid}-{n}").vendor_id for n in range(5)]
    ben = Identity(network="mastodon", id=f"ben-{uid}", display_name="Ben")
    sink.deliver([fields(f"{uid}-0", records[0], key=f"{uid}-r0", requester=ben)])
    rows = [fields(f"{uid}-{n}", records[n], key=f"{uid}-r{n}", requester=ben) for n in range(1, 5)]
    assert all(isinstance(one, Accepted) for one in sink.deliver(rows))
    finished(account, done(account, "GET", "job_statuses")["job_statuses"][0])
    control(account, "settings", {"clock_ahead": 0})
    people = {done(account, "GET", f"tickets/{record}")["ticket"]["requester_id"] for record in records}
    (user_id,) = people
    assert done(account, "GET", f"users/{user_id}")["user"]["external_id"] == f"mastodon:ben-{uid}"


def test_custom_statuses_count_as_their_category(account: Account, uid: str) -> None:
    """An agent's own status is read as its category, another one of the same category is another event; ours is set."""
    rows = done(account, "GET", "custom_statuses")["custom_statuses"]
    own = next(row for row in rows if not row["default"])
    sink = account.sink(custom_statuses={own["status_category"]: own["id"]})
    record = opened(sink, uid).vendor_id
    done(account, "PUT", f"tickets/{record}", {"ticket": {"custom_status_id": own["id"]}}, who="agent")
    first = read(sink, record)[0]
    assert first.status == own["status_category"]
    done(account, "PUT", f"tickets/{record}", {"ticket": {"status": "new"}}, who="agent")
    sink.deliver([fields(uid, record, key=f"{uid}-s", status=own["status_category"])])
    made = done(account, "GET", f"tickets/{record}")["ticket"]
    assert (made["status"], made["custom_status_id"]) == (own["status_category"], own["id"])


def test_a_ticket_gets_type_brand_form_and_priority_by_the_settings(account: Account, uid: str) -> None:
    """What the operator mapped is in the ticket; a kind that is not named gets no type."""
    brand = done(account, "GET", "brands")["brands"][0]["id"]
    form = done(account, "GET", "ticket_forms")["ticket_forms"][0]["id"]
    sink = account.sink(
        brand_id=brand, ticket_form_id=form, ticket_types={"complaint": "problem"}, priorities={"urgent": "high"}
    )
    record = opened(sink, uid, view={"kind": "complaint", "priority": "urgent"}).vendor_id
    made = done(account, "GET", f"tickets/{record}")["ticket"]
    assert (made["brand_id"], made["ticket_form_id"], made["type"], made["priority"]) == (
        brand,
        form,
        "problem",
        "high",
    )
    other = opened(sink, f"{uid}-2", view={"kind": "question"}).vendor_id
    assert done(account, "GET", f"tickets/{other}")["ticket"]["type"] is None


def test_praise_makes_no_contact(account: Account, uid: str) -> None:
    """Who only says thank you, and spam, share one user per network, named in the text; who asks becomes a contact."""
    sink = account.sink()
    shared = [opened(sink, f"{uid}-{kind}", view={"kind": kind}).vendor_id for kind in ("praise", "spam", "abuse")]
    asked = opened(sink, f"{uid}-q", view={"kind": "question"}).vendor_id
    people = [done(account, "GET", f"tickets/{record}")["ticket"]["requester_id"] for record in (*shared, asked)]
    assert people[0] == people[1] == people[2] != people[3]
    said = done(account, "GET", f"tickets/{shared[0]}/comments")["comments"][0]
    assert said["plain_body"].startswith("Anna Rossi writes:")
    assert said["author_id"] == people[0]
    user = done(account, "GET", f"users/{people[0]}")["user"]
    assert (user["external_id"], user["email"]) == ("mastodon:*", None)
