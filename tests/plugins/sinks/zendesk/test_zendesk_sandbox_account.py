"""What an account is made of, and its rules: fields, people, macros, views, triggers, skills, availability."""

from __future__ import annotations

import pytest
from zendesk_cases import Account
from zendesk_sandbox_calls import call, control, done, settings, ticket


@pytest.mark.parametrize(
    ("path", "name", "at_least"),
    [
        ("ticket_fields", "ticket_fields", 10),
        ("ticket_forms", "ticket_forms", 1),
        ("brands", "brands", 1),
        ("custom_statuses", "custom_statuses", 6),
        ("groups", "groups", 4),
        ("group_memberships", "group_memberships", 8),
        ("custom_roles", "custom_roles", 1),
        ("users?role[]=agent&role[]=admin", "users", 2),
        ("macros/active", "macros", 2),
        ("views", "views", 1),
    ],
)
def test_a_new_account_is_furnished(account: Account, path: str, name: str, at_least: int) -> None:
    """Everything a connection check reads is there, with addresses."""
    rows = done(account, "GET", path)[name]
    assert len(rows) >= at_least
    assert name == "custom_roles" or all(row["url"].startswith(account.url) for row in rows)


def test_pages_by_cursor_and_by_offset(account: Account) -> None:
    """page[size] gives cursors, per_page gives next_page; both reach every row once."""
    every = [row["id"] for row in done(account, "GET", "ticket_fields")["ticket_fields"]]
    seen: list[int] = []
    path = "ticket_fields?page[size]=4"
    while path:
        page = done(account, "GET", path)
        seen += [row["id"] for row in page["ticket_fields"]]
        path = (
            f"ticket_fields?page[size]=4&page[after]={page['meta']['after_cursor']}" if page["meta"]["has_more"] else ""
        )
    assert seen == every
    second = done(account, "GET", "ticket_fields?per_page=4&page=2")
    assert [row["id"] for row in second["ticket_fields"]] == every[4:8]
    assert second["count"] == len(every)
    assert "page=3" in second["next_page"]


def test_people_are_found_by_external_id_role_and_identity(account: Account) -> None:
    """Search by external id is exact but for case; an e-mail address is an identity."""
    user = {"name": "Anna", "external_id": "mastodon:9", "email": "Anna@Example.com"}
    made = done(account, "POST", "users/create_or_update", {"user": user})["user"]
    found = done(account, "GET", "users/search?external_id=MASTODON:9")["users"]
    assert [row["id"] for row in found] == [made["id"]]
    same = done(account, "POST", "users/create_or_update", {"user": {"name": "A", "email": "anna@example.com"}})["user"]
    assert same["id"] == made["id"]
    done(account, "POST", f"users/{made['id']}/identities", {"identity": {"type": "twitter", "value": "anna"}})
    rows = done(account, "GET", f"users/{made['id']}/identities")["identities"]
    assert [(row["type"], row["value"], row["primary"]) for row in rows] == [
        ("email", "anna@example.com", True),
        ("twitter", "anna", False),
    ]


def test_a_macro_does_what_the_agent_would(account: Account) -> None:
    """Tags, field, status and comment in one audit by the agent, which names the macro; a preview changes nothing."""
    field = next(f for f in done(account, "GET", "ticket_fields")["ticket_fields"] if f["title"] == "Order number")
    actions = [
        {"field": "current_tags", "value": "hub_publish"},
        {"field": "status", "value": "pending"},
        {"field": f"custom_fields_{field['id']}", "value": "A-1"},
        {"field": "comment_value", "value": ["channel:all", "We look into it"]},
        {"field": "comment_mode_is_public", "value": "false"},
    ]
    macro = done(account, "POST", "macros", {"macro": {"title": "Hub: publish", "actions": actions}})["macro"]
    number = ticket(account, tags=["vip"])
    preview = done(account, "GET", f"tickets/{number}/macros/{macro['id']}/apply")["result"]["ticket"]
    assert (preview["status"], preview["tags"]) == ("pending", ["vip", "hub_publish"])
    assert done(account, "GET", f"tickets/{number}")["ticket"]["status"] == "new"
    control(account, "agent/apply_macro", {"ticket_id": number, "title": "Hub: publish"})
    changed = done(account, "GET", f"tickets/{number}")["ticket"]
    assert (changed["status"], changed["tags"]) == ("pending", ["hub_publish", "vip"])
    assert {"id": field["id"], "value": "A-1"} in changed["custom_fields"]
    audit = done(account, "GET", f"tickets/{number}/audits")["audits"][-1]
    assert audit["via"]["channel"] == "web"
    assert audit["events"][0]["public"] is False
    assert audit["events"][-1]["type"] == "AgentMacroReference"
    path = f"macros/{macro['id']}"
    assert done(account, "PUT", path, {"macro": {"active": False}})["macro"]["title"] == "Hub: publish"
    assert call(account, "DELETE", path).status_code == 204
    assert call(account, "GET", path).status_code == 404


def test_views_count_what_fits(account: Account) -> None:
    """Conditions written flat are read nested; the count follows the tickets."""
    conditions = [
        {"field": "status", "operator": "less_than", "value": "solved"},
        {"field": "current_tags", "operator": "includes", "value": "counted"},
    ]
    view = done(account, "POST", "views", {"view": {"title": "Counted", "all": conditions}})["view"]
    assert view["conditions"] == {"all": conditions, "any": []}
    number = ticket(account, tags=["counted"])
    ticket(account)
    path = f"views/{view['id']}"
    assert done(account, "GET", f"{path}/count")["view_count"]["value"] == 1
    assert [row["id"] for row in done(account, "GET", f"{path}/tickets")["tickets"]] == [number]
    done(account, "PUT", f"tickets/{number}", {"ticket": {"status": "solved"}})
    assert done(account, "GET", f"{path}/count")["view_count"]["value"] == 0


def test_open_tickets_of_an_agent_are_counted(account: Account) -> None:
    """By search, and as work items of the agent's availability."""
    control(account, "agents", {"key": "bea", "name": "Bea Agent", "groups": ["Billing"]})
    bea = done(account, "GET", "users/me", who="bea")["user"]
    numbers = [ticket(account, assignee_id=bea["id"]) for _ in range(3)]
    done(account, "PUT", f"tickets/{numbers[0]}", {"ticket": {"status": "solved"}})
    query = f"type:ticket status<solved assignee:{bea['id']}"
    assert done(account, "GET", f"search/count?query={query}")["count"] == 2
    export = done(account, "GET", f"search/export?filter[type]=ticket&query=assignee:{bea['id']}&page[size]=2")
    assert (len(export["results"]), export["meta"]["has_more"]) == (2, True)
    control(account, f"agents/{bea['id']}/availability", {"status": "online", "max_capacity": 5})
    told = done(account, "GET", f"agent_availabilities/{bea['id']}")
    assert told["data"]["attributes"]["agent_status"]["name"] == "online"
    channel = next(row for row in told["included"] if row["type"] == "channels")["attributes"]
    assert (channel["status"], channel["max_capacity"], channel["work_item_count"]) == ("online", 5, 2)


@pytest.mark.parametrize("status", [403, 404])
def test_some_accounts_have_no_availability(account: Account, status: int) -> None:
    """The plan does not hold it: 403 or 404, by setting; an agent may never ask."""
    settings(account, no_availability=status)
    answer = call(account, "GET", "agent_availabilities")
    settings(account, no_availability=0)
    assert answer.status_code == status
    assert call(account, "GET", "agent_availabilities", who="agent").status_code == 403


def test_agents_have_skills(account: Account) -> None:
    """An attribute, its values, and what an agent is given of them."""
    agent = done(account, "GET", "users/me", who="agent")["user"]["id"]
    attribute = done(account, "POST", "routing/attributes", {"attribute": {"name": "Language"}})["attribute"]
    path = f"routing/attributes/{attribute['id']}/values"
    value = done(account, "POST", path, {"attribute_value": {"name": "Italian"}})["attribute_value"]
    mine = f"routing/agents/{agent}/instance_values"
    done(account, "POST", mine, {"attribute_value_ids": [value["id"]]})
    assert [row["name"] for row in done(account, "GET", mine)["attribute_values"]] == ["Italian"]
    told = done(account, "GET", f"agent_availabilities/{agent}")["data"]["attributes"]["skills"]
    assert told == [{"id": value["id"]}]


def test_every_field_of_the_account_stands_in_every_ticket(account: Account) -> None:
    """Null where nobody filled it in; a field the account does not have is forgotten when it is strict."""
    rows = done(account, "GET", "ticket_fields?page[size]=100")["ticket_fields"]
    own = {row["id"] for row in rows if row["removable"]}
    settings(account, strict_fields=1, list_unset_fields=1)
    number = ticket(account, custom_fields=[{"id": 424242, "value": "x"}])
    settings(account, strict_fields=0, list_unset_fields=0)
    fields = done(account, "GET", f"tickets/{number}")["ticket"]["custom_fields"]
    assert {row["id"] for row in fields} == own
    assert not any(row["value"] for row in fields)
    person = control(account, "agent/create", {"ticket": {"subject": "by hand", "comment": {"body": "x"}}})
    assert done(account, "GET", f"tickets/{person['ticket_id']}")["ticket"]["via"]["channel"] == "web"
