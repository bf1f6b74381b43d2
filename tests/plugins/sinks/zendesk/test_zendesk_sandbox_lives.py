"""The lives of tickets: merged, followed up, problems and incidents, deleted and restored."""

from __future__ import annotations

from zendesk_cases import Account
from zendesk_sandbox_calls import call, control, done, finished, settings, ticket


def test_a_merge_closes_its_sources_and_tells_both_sides(account: Account) -> None:
    """The source is closed under the tag closed_by_merge and names its target; the target quotes the source."""
    target, source = ticket(account, subject="kept"), ticket(account, subject="gone")
    status = finished(account, done(account, "POST", f"tickets/{target}/merge", {"ids": [source]}))
    settings(account, clock_ahead=0)
    assert status["results"][0]["success"] is True
    closed = done(account, "GET", f"tickets/{source}")["ticket"]
    assert (closed["status"], closed["tags"]) == ("closed", ["closed_by_merge"])
    audit = done(account, "GET", f"tickets/{source}/audits")["audits"][-1]
    assert audit["via"]["source"]["rel"] == "merge"
    said = [done(account, "GET", f"tickets/{n}/comments")["comments"][-1] for n in (source, target)]
    assert said[0]["plain_body"] == f'This request was closed and merged into request #{target} "kept".'
    assert said[1]["plain_body"].startswith(f'Request #{source} "gone" was closed and merged into this request.')
    assert [comment["public"] for comment in said] == [False, False]
    again = finished(account, done(account, "POST", f"tickets/{target}/merge", {"ids": [source]}))
    settings(account, clock_ahead=0)
    assert again["results"][0]["success"] is False


def test_an_agent_merges_on_the_screen(account: Account) -> None:
    """The same, at once."""
    target, source = ticket(account), ticket(account)
    control(account, "agent/merge", {"target": target, "sources": [source]})
    assert done(account, "GET", f"tickets/{source}")["ticket"]["status"] == "closed"


def test_solving_a_problem_solves_its_incidents(account: Account) -> None:
    """With the problem's public comment, as its author's, by a via that says so; only a problem may have incidents."""
    problem, incident = ticket(account, type="problem"), ticket(account, type="incident")
    other = ticket(account)
    link = {"ticket": {"problem_id": other}}
    assert call(account, "PUT", f"tickets/{incident}", link).status_code == 422
    done(account, "PUT", f"tickets/{incident}", {"ticket": {"problem_id": problem}})
    assert [t["id"] for t in done(account, "GET", f"tickets/{problem}/incidents")["tickets"]] == [incident]
    assert done(account, "GET", f"tickets/{problem}")["ticket"]["has_incidents"] is True
    agent = control(account, "accounts", {}, "GET")["agent"]["id"]
    solved = {"status": "solved", "comment": {"body": "The strike is over", "public": True, "author_id": int(agent)}}
    done(account, "PUT", f"tickets/{problem}", {"ticket": solved})
    assert done(account, "GET", f"tickets/{incident}")["ticket"]["status"] == "solved"
    audit = done(account, "GET", f"tickets/{incident}/audits")["audits"][-1]
    source = audit["via"]["source"]
    assert (source["rel"], source["from"]["ticket_id"]) == ("problem", problem)
    said = audit["events"][0]
    assert (said["plain_body"], str(said["author_id"])) == ("The strike is over", agent)


def test_a_closed_ticket_has_follow_ups_only(account: Account) -> None:
    """422 on update; the follow-up knows its source and takes its tags, the source knows the follow-up."""
    number = ticket(account, tags=["vip"])
    done(account, "PUT", f"tickets/{number}", {"ticket": {"status": "closed"}})
    refused = call(account, "PUT", f"tickets/{number}", {"ticket": {"status": "open"}})
    assert refused.status_code == 422
    assert "closed prevents ticket update" in refused.text
    follow_up = ticket(account, via_followup_source_id=number)
    made = done(account, "GET", f"tickets/{follow_up}")["ticket"]
    assert made["via"]["source"]["from"]["ticket_id"] == number
    assert made["via"]["source"]["rel"] == "follow_up"
    assert made["tags"] == ["vip"]
    assert done(account, "GET", f"tickets/{number}")["ticket"]["followup_ids"] == [follow_up]


def test_a_deleted_ticket_is_gone_for_reads_and_comes_back(account: Account) -> None:
    """404 afterwards, status deleted in the export, alive after a restore."""
    number = ticket(account, external_id="gone-1")
    assert call(account, "DELETE", f"tickets/{number}").status_code == 204
    assert call(account, "GET", f"tickets/{number}").status_code == 404
    assert done(account, "GET", "tickets?external_id=gone-1")["tickets"] == []
    rows = done(account, "GET", "incremental/tickets/cursor?start_time=1")["tickets"]
    assert [row["status"] for row in rows if row["id"] == number] == ["deleted"]
    assert number in [row["id"] for row in done(account, "GET", "deleted_tickets")["deleted_tickets"]]
    done(account, "PUT", f"deleted_tickets/{number}/restore", {})
    assert done(account, "GET", f"tickets/{number}")["ticket"]["status"] == "new"


def test_custom_statuses_follow_their_category_and_back(account: Account) -> None:
    """A custom status sets the category's status; a status sets the default custom status."""
    rows = done(account, "GET", "custom_statuses")["custom_statuses"]
    own = next(row for row in rows if not row["default"])
    default = next(row for row in rows if row["default"] and row["status_category"] == "pending")
    number = ticket(account)
    answer = done(account, "PUT", f"tickets/{number}", {"ticket": {"custom_status_id": own["id"]}})["ticket"]
    assert (answer["status"], answer["custom_status_id"]) == (own["status_category"], own["id"])
    answer = done(account, "PUT", f"tickets/{number}", {"ticket": {"status": "pending"}})["ticket"]
    assert answer["custom_status_id"] == default["id"]


def test_a_dropdown_sets_its_options_tag(account: Account) -> None:
    """A tagger field and its tag are one thing; a value that is no option is refused."""
    fields = done(account, "GET", "ticket_fields")["ticket_fields"]
    tagger = next(field for field in fields if field["type"] == "tagger")
    one, two, *_ = (option["value"] for option in tagger["custom_field_options"])
    number = ticket(account, custom_fields=[{"id": tagger["id"], "value": one}], tags=["kept"])
    change = {"ticket": {"custom_fields": [{"id": tagger["id"], "value": two}]}}
    assert done(account, "PUT", f"tickets/{number}", change)["ticket"]["tags"] == sorted(["kept", two])
    wrong = {"ticket": {"custom_fields": [{"id": tagger["id"], "value": "nonsense"}]}}
    assert call(account, "PUT", f"tickets/{number}", wrong).status_code == 422


def test_a_tag_chooses_its_option(account: Account) -> None:
    """The other way round: the later tag of a dropdown stays alone, without one the field is empty; a tag belongs to
    one option of the account."""
    fields = done(account, "GET", "ticket_fields")["ticket_fields"]
    tagger = next(field for field in fields if field["type"] == "tagger")
    one, two, *_ = (option["value"] for option in tagger["custom_field_options"])
    number = ticket(account, tags=["kept", one])

    def shown() -> tuple[str | None, list[str]]:
        made = done(account, "GET", f"tickets/{number}")["ticket"]
        return next(row["value"] for row in made["custom_fields"] if row["id"] == tagger["id"]), made["tags"]

    assert shown() == (one, sorted(["kept", one]))
    done(account, "PUT", f"tickets/{number}", {"ticket": {"additional_tags": [two]}})
    assert shown() == (two, sorted(["kept", two]))
    done(account, "PUT", f"tickets/{number}", {"ticket": {"tags": ["kept"]}})
    assert shown() == (None, ["kept"])
    field = {"type": "tagger", "title": "Second", "custom_field_options": [{"name": "One", "value": one}]}
    assert call(account, "POST", "ticket_fields", {"ticket_field": field}).status_code == 422


def test_a_late_safe_update_is_a_conflict(account: Account) -> None:
    """409 UpdateConflict, and nothing is changed."""
    number = ticket(account)
    late = {"ticket": {"priority": "high", "safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}}
    refused = call(account, "PUT", f"tickets/{number}", late)
    assert (refused.status_code, refused.json()["error"]) == (409, "UpdateConflict")
    assert done(account, "GET", f"tickets/{number}")["ticket"]["priority"] is None


def test_ticket_events_tell_comments_only_when_asked(account: Account) -> None:
    """Without the sideload a comment is a flag, with it a text."""
    number = ticket(account)
    for include, told in (("", False), ("&include=comment_events", True)):
        events = done(account, "GET", f"incremental/ticket_events?start_time=1{include}")["ticket_events"]
        mine = [event for event in events if event["ticket_id"] == number]
        comment = next(child for child in mine[0]["child_events"] if child["event_type"] == "Comment")
        assert ("body" in comment, "comment_present" in comment) == (told, not told)
