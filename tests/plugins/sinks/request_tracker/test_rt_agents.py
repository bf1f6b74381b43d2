"""Who may be given Request Tracker's tickets, how much each has, and how a ticket's owner is named."""

from __future__ import annotations

import pytest
import requests
from rt_cases import error_of, fields, make_sink, opening, read, sent, vendor_here
from rt_people import AGENT, HUB, ref
from rt_vendor import RequestTracker

from hub.sdk import AgentState, House, Refused, in_language
from plugins.sinks.request_tracker import client
from plugins.sinks.request_tracker.sink import RequestTrackerSink

TEAMS = House(groups=("Parcels", "Nowhere"))


@pytest.fixture
def rt() -> RequestTracker:
    """A Request Tracker where Alice works in Social through a group of a group, and Carla in Parcels."""
    vendor = vendor_here()
    vendor.queues["Social"]["AdminCc"] = [ref("group", 27)]
    vendor.hire("carla", queue="Parcels", EmailAddress="carla@example.com")
    vendor.hire(AGENT, group=28)
    vendor.hire(HUB, group=27)
    vendor.groups[27]["Members"] += [ref("group", 28)]
    vendor.groups[28]["Members"] += [ref("group", 27)]  # RT forbids it; a plugin must not hang
    return vendor


def agent_sink(vendor: RequestTracker, **settings: object) -> RequestTrackerSink:
    """A connector that may name agents."""
    return make_sink(vendor.answer, house=TEAMS, assign="agent", **settings)


def by_name(sink: RequestTrackerSink) -> dict[str, AgentState]:
    """What it reports, by user name."""
    return {state.agent.id: state for state in sink.agents()}


def test_the_people_of_the_queues_get_tickets(rt: RequestTracker) -> None:
    """Each with their queues and what they own there that is not resolved; nobody else: customers, the disabled, our
    own account, programs, users of no queue."""
    rt.hire("bob@example.com", queue="Social")
    rt.hire("dora", queue="Social", Disabled=1)
    rt.hire("monitoring", queue="Social")
    rt.hire("erik")
    rt.queues["Parcels"]["AdminCc"].append(ref("group", 28))
    sink = agent_sink(rt, not_agents=["monitoring"])
    for number, status in enumerate(("new", "stalled", "resolved")):
        record = sent(sink, opening(f"sch-{number}")).vendor_id
        rt.tickets[int(record)] |= {"Status": status, "Owner": AGENT}
    known = by_name(sink)
    assert {name: sorted(state.groups) for name, state in known.items()} == {
        AGENT: ["Parcels", "Social"],
        "carla": ["Parcels"],
    }
    assert {name: state.open_tickets for name, state in known.items()} == {AGENT: 2, "carla": 0}
    alice = known[AGENT]
    assert (alice.agent.name, alice.agent.role, alice.email) == ("Alice Agent", "agent", "alice@example.com")
    assert (alice.available, alice.capacity) == (None, None)


def test_many_agents_cost_no_more_calls(rt: RequestTracker) -> None:
    """Two queues, their two groups, who is privileged (2), who they are, what they have: for two and for fifty-two."""
    asked: list[str] = []

    def answer(request: requests.PreparedRequest) -> requests.Response:
        asked.append(f"{request.method} {request.path_url}")
        return rt.answer(request)

    sink = make_sink(answer, house=House(groups=("Parcels",)), assign="agent")
    assert len(sink.agents()) == 2
    few = len(asked)
    for number in range(50):
        rt.hire(f"agent{number}", group=28)
    assert len(sink.agents()) == 52
    assert (few, len(asked) - few) == (9, 8)  # once more for our own name


def test_too_many_open_tickets_are_not_counted(rt: RequestTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of them would be a wrong count: then the hub reckons by what it gave."""
    monkeypatch.setattr(client, "PER_PAGE", 1)
    monkeypatch.setattr(client, "MAX_PAGES", 1)
    sink = agent_sink(rt)
    rt.tickets[int(sent(sink, opening()).vendor_id)]["Owner"] = AGENT
    assert {state.open_tickets for state in sink.agents()} == {None}


@pytest.mark.parametrize("hidden", ["groups", "people"])
def test_nobody_is_never_an_answer(rt: RequestTracker, hidden: str) -> None:
    """What our account may not see, or nobody has set up, is named: also in the plan, which holds nothing up."""
    if hidden == "groups":
        rt.sees_groups, words = False, "SeeGroup"
    else:
        rt.queues["Social"]["AdminCc"], rt.queues["Parcels"]["AdminCc"], words = [], [], "AdminCc of Parcels, Social"
    sink = agent_sink(rt)
    with pytest.raises(Refused, match=words):
        sink.agents()
    (step,) = [step for step in sink.plan_setup("") if words in in_language(step.instructions, "it") and step.optional]
    assert (step.state, step.holds_up) == ("missing", False)


def test_the_command_gives_the_rights_that_agents_need(rt: RequestTracker) -> None:
    """SeeGroup, ReassignTicket and the role's OwnTicket only where agents are named, on every team's queue."""
    for assign, needed in (("agent", True), ("fields", False)):
        steps = make_sink(rt.answer, house=TEAMS, assign=assign).plan_setup("")
        (said,) = (text for step in steps if "GrantRight" in (text := in_language(step.instructions, "it")))
        for word in ("qw(SeeGroup)", "ReassignTicket)", "q(AdminCc)", "qw(OwnTicket)", "q(Parcels)"):
            assert (word in said) is needed, word


def test_another_team_and_one_of_its_people_at_once(rt: RequestTracker) -> None:
    """RT would refuse an owner who has the right in the new queue only: the ticket is moved first."""
    rt.only_owners = {"Social": AGENT, "Parcels": "carla"}
    sink = agent_sink(rt)
    record = sent(sink, opening()).vendor_id
    sent(sink, fields(record, agent=AGENT))
    sent(sink, fields(record, group="Parcels", agent="carla", key="u-2"))
    assert (rt.tickets[1]["Queue"], rt.tickets[1]["Owner"]) == ("Parcels", "carla")


def test_no_ticket_goes_where_the_hub_does_not_see_it(rt: RequestTracker) -> None:
    """RT drops the fields a queue does not have, our id too: the move is refused, the plan names what is missing."""
    rt.fields[0]["Queue"] = rt.queues["Social"]["id"]
    sink = agent_sink(rt)
    error = error_of(sink, fields(sent(sink, opening()).vendor_id, group="Parcels"))
    assert isinstance(error, Refused)
    assert "no custom field ExternalID" in str(error)
    assert rt.tickets[1]["Queue"] == "Social"
    left = {in_language(step.title, "en"): step for step in sink.plan_setup("") if step.holds_up}
    assert list(left) == [f"custom fields on the team's queue {name}" for name in ("Parcels", "Nowhere")]
    assert "q(ExternalID)" in in_language(left["custom fields on the team's queue Parcels"].instructions, "it")


@pytest.mark.parametrize("called", ["carla", "CARLA", "carla@example.com", "Carla"])
def test_an_owner_is_whom_the_hub_or_a_person_names(rt: RequestTracker, called: str) -> None:
    """RT knows an owner by user name only: e-mail addresses and real names, as teams.toml may have them, are looked
    up; a second time nothing is written."""
    sink = agent_sink(rt)
    record = sent(sink, opening()).vendor_id
    for _ in range(2):
        sent(sink, fields(record, agent=called))
        assert rt.tickets[1]["Owner"] == "carla"
    assert [row["NewValue"] for row in rt.transactions if row["Field"] == "Owner"] == ["carla"]
    assignee = read(sink, record)[1].assignee
    assert assignee is not None
    assert assignee.id == by_name(sink)["carla"].agent.id == "carla"


def test_two_of_one_name_are_nobody(rt: RequestTracker) -> None:
    """No one of them is guessed: RT refuses the name."""
    for name in ("eva", "eve"):
        rt.hire(name, RealName="Eva Verdi")
    sink = agent_sink(rt)
    error = error_of(sink, fields(sent(sink, opening()).vendor_id, agent="Eva Verdi"))
    assert isinstance(error, Refused)
    assert "does not exist" in str(error)


def test_a_search_that_rt_does_not_do_is_noticed(rt: RequestTracker) -> None:
    """Without Name in its UserSummaryExtraInfo RT skips the condition and lists everybody."""
    everybody = [{"type": "user", "id": name, "Name": name} for name in rt.users]
    rt._search_users = lambda limits: everybody  # type: ignore[method-assign]
    with pytest.raises(Refused, match="UserSummaryExtraInfo"):
        agent_sink(rt).agents()
