"""Who answers in a Zendesk account: against the sandbox, and in the shapes and plans the sandbox does not have."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from zendesk_cases import Account, make_sink, vendor_settings
from zendesk_sandbox_calls import control, done, settings, ticket

from hub.sdk import AgentState, RateLimited, ReportsAgents, TemporaryFailure
from plugins.sinks.zendesk import agents
from plugins.sinks.zendesk.sink import ZendeskSink

API = "https://acme.zendesk.com/api/v2"
LAST = {"has_more": False, "after_cursor": None}


def of(states: Any, name: str) -> AgentState:
    """The state of the agent with this name."""
    (found,) = (state for state in states if state.agent.name == name)
    return AgentState.model_validate(found)


def test_the_account_tells_who_is_there_with_groups_skills_and_load(account: Account) -> None:
    """Availability, work items and capacity are those of e-mail tickets; our own account is not among them."""
    control(account, "agents", {"key": "cleo", "name": "Cleo Agent", "groups": ["Billing"]})
    cleo = done(account, "GET", "users/me", who="cleo")["user"]["id"]
    for _ in range(2):
        ticket(account, assignee_id=cleo)
    attribute = done(account, "POST", "routing/attributes", {"attribute": {"name": "Topic"}})["attribute"]
    path = f"routing/attributes/{attribute['id']}/values"
    value = done(account, "POST", path, {"attribute_value": {"name": "Refunds"}})["attribute_value"]
    done(account, "POST", f"routing/agents/{cleo}/instance_values", {"attribute_value_ids": [value["id"]]})
    control(account, f"agents/{cleo}/availability", {"status": "online", "max_capacity": 5})
    sink = account.sink(assign="agent")
    assert isinstance(sink, ReportsAgents)
    states = sink.agents()
    told = of(states, "Cleo Agent")
    assert (told.agent.id, told.agent.role, told.email) == (str(cleo), "agent", "cleo@sandbox.example")
    assert told.groups[0] == "Billing"
    assert told.groups[1].isdigit()
    assert (told.skills, told.available, told.open_tickets, told.capacity) == (("Refunds",), True, 2, 5)
    control(account, f"agents/{cleo}/availability", {"status": "away"})
    assert of(sink.agents(), "Cleo Agent").available is False
    own = done(account, "GET", "users/me")["user"]["id"]
    assert str(own) not in {state.agent.id for state in states}
    customers = done(account, "GET", "users?role[]=end-user")["users"]
    assert not {str(one["id"]) for one in customers} & {state.agent.id for state in states}


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_without_availabilities_counts_open_tickets(account: Account, status: int) -> None:
    """Nobody says who is there; solved and unassigned tickets do not count."""
    control(account, "agents", {"key": f"dino{status}", "name": f"Dino {status}", "groups": ["Billing"]})
    dino = done(account, "GET", "users/me", who=f"dino{status}")["user"]["id"]
    numbers = [ticket(account, assignee_id=dino) for _ in range(3)]
    ticket(account)
    done(account, "PUT", f"tickets/{numbers[0]}", {"ticket": {"status": "solved"}})
    settings(account, no_availability=status)
    try:
        told = of(account.sink().agents(), f"Dino {status}")
    finally:
        settings(account, no_availability=0)
    assert (told.available, told.open_tickets, told.capacity, told.skills) == (None, 2, None, ())


def a_user(number: int, **more: Any) -> dict[str, Any]:
    """An agent as Zendesk lists it."""
    values = {"id": number, "name": f"Agent {number}", "email": f"{number}@acme.example", "role": "agent"}
    return {**values, "active": True, "suspended": False, "role_type": None, **more}


def availability(number: int, *, skills: Any = (), **channel: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """One row of the availabilities and its channel."""
    name = f"agent_availabilities|{number}|channels|support"
    data = {
        "type": "agent_availabilities",
        "attributes": {"agent_id": number, "skills": skills},
        "relationships": {"channels": {"data": [{"id": name, "type": "channels"}]}},
    }
    return data, {"id": name, "type": "channels", "attributes": {"name": "support", **channel}}


def telling(users: list[dict[str, Any]], *, there: Any = None, searched: Any = None) -> None:
    """An account that answers so; without ``there`` it has no availabilities."""
    responses.get(f"{API}/users/me.json", json={"user": {"id": 1, "role": "admin"}})
    responses.get(f"{API}/users", json={"users": users, "meta": LAST})
    responses.get(f"{API}/groups.json", json={"groups": [{"id": 70, "name": "Care"}], "meta": LAST})
    rows = [{"user_id": user["id"], "group_id": 70} for user in users]
    responses.get(f"{API}/group_memberships", json={"group_memberships": rows, "meta": LAST})
    if there is None:
        responses.get(f"{API}/agent_availabilities", status=403, json={"error": "Forbidden"})
    else:
        data, channels = [list(rows) for rows in zip(*there, strict=True)] if there else ([], [])
        responses.get(f"{API}/agent_availabilities", json={"data": data, "included": channels, "meta": LAST})
    if searched is not None:
        responses.get(f"{API}/search/export", json=searched)


def calls() -> list[str]:
    """The paths that were called."""
    return [str(call.request.path_url).partition("?")[0].rsplit("/", 1)[1] for call in responses.calls]


@responses.activate
def test_who_cannot_be_given_a_ticket_is_not_told() -> None:
    """Suspended, deleted, light and chat-only agents, and the hub itself."""
    users = [
        a_user(1),
        a_user(2, suspended=True),
        a_user(3, active=False),
        a_user(4, role_type=1),
        a_user(5, chat_only=True),
        a_user(6, role_type=0),
    ]
    telling(users, searched={"results": [{"assignee_id": 6}], "meta": LAST})
    (told,) = make_sink(vendor_settings()).agents()
    assert (told.agent.id, told.groups, told.open_tickets) == ("6", ("Care", "70"), 1)


@responses.activate
def test_the_number_of_calls_does_not_grow_with_the_agents() -> None:
    """A hundred agents of whom everything is told cost as much as one."""
    users = [a_user(number) for number in range(2, 102)]
    there = [availability(user["id"], status="online", work_item_count=1, max_capacity=3) for user in users]
    telling(users, there=there)
    assert len(make_sink(vendor_settings()).agents()) == 100
    assert sorted(calls()) == ["agent_availabilities", "group_memberships", "groups.json", "me.json", "users"]


@responses.activate
def test_too_many_open_tickets_are_not_counted_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count of some of them would send everything to one agent; nothing is better."""
    monkeypatch.setattr(agents, "MAX_PAGES", 2)
    page = {"results": [{"assignee_id": 2}], "meta": {"has_more": True, "after_cursor": "next"}}
    telling([a_user(2)], searched=page)
    (told,) = make_sink(vendor_settings()).agents()
    assert told.open_tickets is None
    assert calls().count("export") == 2


@responses.activate
def test_an_agent_nobody_knows_the_presence_of_is_counted() -> None:
    """Where availabilities leave one out, or leave the count out, the search fills in."""
    there = [availability(2, status="online", work_item_count=4), availability(3, status="transfers_only")]
    rows = {"results": [{"assignee_id": 3}, {"assignee_id": 9}], "meta": LAST}
    telling([a_user(2), a_user(3), a_user(4)], there=there, searched=rows)
    states = make_sink(vendor_settings()).agents()
    assert [(one.available, one.open_tickets) for one in states] == [(True, 4), (False, 1), (None, 0)]


@responses.activate
@pytest.mark.parametrize("body", [{}, {"users": None}, {"users": {}}])
def test_an_unreadable_list_is_no_empty_list(body: Any) -> None:
    """Else everybody would be forgotten."""
    responses.get(f"{API}/users", json=body)
    with pytest.raises(TemporaryFailure):
        make_sink(vendor_settings()).agents()


@responses.activate
def test_a_limit_is_told_as_one() -> None:
    """Also where a refusal would only mean that the account lacks something."""
    telling([a_user(2)])
    responses.replace(
        responses.GET, f"{API}/agent_availabilities", status=429, headers={"Retry-After": "7"}, json={"error": "x"}
    )
    with pytest.raises(RateLimited) as caught:
        make_sink(vendor_settings()).agents()
    assert caught.value.retry_after == 7


def test_the_connector_has_the_role() -> None:
    """The hub asks only those that do."""
    assert issubclass(ZendeskSink, ReportsAgents)
