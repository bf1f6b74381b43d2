"""The hub's categories in a custom field of Request Tracker, and whose ticket it becomes."""

from __future__ import annotations

import pytest
from rt_cases import ANNA, error_of, fields, make_sink, opening, read, sent, vendor_here
from rt_vendor import RequestTracker

from hub.sdk import Absent, CategoryName, Found, House, Refused, Words, in_language
from plugins.sinks.request_tracker.sink import RequestTrackerSink

HOUSE = House(
    categories=(
        CategoryName(name="delivery", label=Words(en="Delivery", it="Consegna")),
        CategoryName(name="refund", label=Words(en="Refund", it="Rimborso")),
    )
)


def with_list(*values: str) -> RequestTracker:
    """A Request Tracker whose field Category offers these; any text for none."""
    vendor = vendor_here()
    field = vendor._new_field(
        {"Name": "Category", "Queue": 0, "MaxValues": 1, "Type": "Select" if values else "Freeform"}
    )
    field.update({"Values": list(values)} if values else {})
    return vendor


def category_sink(vendor: RequestTracker, **settings: object) -> RequestTrackerSink:
    """A connector that keeps the category in Category."""
    return make_sink(vendor.answer, house=HOUSE, **{"category_field": "Category", "agent_language": "it", **settings})


@pytest.mark.parametrize(
    ("offers", "kept"),
    [((), "Rimborso"), (("Consegna", "rimborso"), "rimborso"), (("Refund", "x"), "Refund"), (("REFUND",), "REFUND")],
)
def test_a_new_ticket_says_its_category_as_the_field_does(offers: tuple[str, ...], kept: str) -> None:
    """The agents' word where any text goes, else the value the list has for it, be it the label or the name."""
    rt = with_list(*offers)
    record = sent(category_sink(rt), opening(category="refund")).vendor_id
    assert rt.tickets[1]["values"]["Category"] == [kept]
    assert read(category_sink(rt), record)[1].category == "refund"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [("consegna", "delivery"), ("DELIVERY", "delivery"), ("refund", "refund"), ("Other", ""), ("", "")],
)
def test_what_an_agent_chooses_comes_back(chosen: str, told: str) -> None:
    """By name or either label, in any case; empty for none and for what the hub does not know."""
    rt = with_list()
    sink = category_sink(rt)
    record = sent(sink, opening(category="refund")).vendor_id
    before = read(sink, record)[1]
    rt.tickets[1]["values"]["Category"] = [chosen] if chosen else []  # between our reads of history and ticket
    seen = read(sink, record)[1]
    assert (before.category, seen.category) == ("refund", told)
    assert (seen.event_key == before.event_key) is (told == before.category)
    assert read(category_sink(rt, category_field=""), record)[1].category is None


@pytest.mark.parametrize("seen", [True, False])
def test_another_category_is_set_in_field_and_tag(seen: bool) -> None:
    """Once, also when our account cannot see what the list offers and RT writes it in another case."""
    rt = with_list("consegna", "RIMBORSO")
    rt.sees_fields = seen
    sink = category_sink(rt)
    record = sent(sink, opening(category="refund", tags=("x",))).vendor_id
    change = fields(record, category="delivery")
    assert isinstance(sink.find(change), Absent)
    sent(sink, change)
    assert rt.tickets[1]["values"]["Category"] == ["consegna"]
    assert set(rt.tickets[1]["values"]["Tags"]) == {"mastodon", "x", "category-delivery"}
    assert isinstance(sink.find(change), Found)


def test_what_the_list_does_not_offer_is_refused() -> None:
    """RT answers 200 and leaves the field: a person reads why."""
    rt = with_list("Refund")
    sink = category_sink(rt)
    error = error_of(sink, fields(sent(sink, opening()).vendor_id, category="delivery"))
    assert isinstance(error, Refused)
    assert "did not set Category" in str(error)
    assert "Invalid value" in str(error)


def test_setup_makes_a_list_and_leaves_others_alone() -> None:
    """Its own list gets a value per category, later ones too and none twice; somebody else's is a person's."""
    rt = vendor_here()
    sink = category_sink(rt)
    for _ in range(2):
        steps = sink.apply_setup("")
        assert not [step for step in steps if step.state == "missing"]
    (field,) = [row for row in rt.fields if row["Name"] == "Category"]
    assert field["Values"] == ["Consegna", "Rimborso"]
    field["Values"] = ["Delivery"]
    sink.apply_setup("")
    assert field["Values"] == ["Delivery", "Rimborso"]
    other = with_list("Delivery")
    steps = category_sink(other).apply_setup("")
    (step,) = [step for step in steps if step.state == "missing"]
    assert (step.by, step.holds_up) == ("person", False)
    assert "Rimborso" in in_language(step.instructions, "it")
    assert other.fields[-1]["Values"] == ["Delivery"]


def test_whose_ticket_it_is_stands_in_a_comment() -> None:
    """RT's tickets of the hub have no Requestor, before and after: the note names the customer."""
    rt = vendor_here()
    sink = make_sink(rt.answer)
    sent(sink, fields(sent(sink, opening()).vendor_id, requester=ANNA))
    note = rt.records()[0].comments[-1]
    assert (note.public, note.text) == (False, "The customer of this ticket is now Anna Rossi (@anna) on Mastodon.")
    assert rt.tickets[1]["Requestor"] == []
