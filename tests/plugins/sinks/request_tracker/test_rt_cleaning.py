"""A proof at Request Tracker: the round in memory, and clean-up that deletes what is a proof's and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from rt_cases import NOW, fields, make_sink, opening, sent, vendor_here

from hub.flow.prove import Journal, Proof
from hub.flow.rounds import sink_round
from hub.sdk import PROOF, Refused


def test_a_whole_round_leaves_only_a_deleted_ticket() -> None:
    """Every step that RT can do works; it cannot redact."""
    vendor = vendor_here()
    sink = make_sink(vendor.answer)
    journal = Journal.begin(None, connection="acme-rt", connector="request_tracker", code="c0de", at=NOW)
    proof = Proof(sink, code="c0de", now=lambda: NOW, wait=lambda seconds: None, journal=journal)
    proof.run(sink_round)
    states = {step.name: (step.state, step.reason) for step in proof.steps}
    assert states.pop("redact") == ("skipped", "it cannot redact")
    assert states.pop("agent_answers") == ("skipped", "--unattended")
    assert set(states.values()) == {("ok", "")}, states
    assert proof.ok
    assert {row["Status"] for row in vendor.tickets.values()} == {"deleted"}


def test_clean_up_is_done_once_and_again_without_harm() -> None:
    """A ticket that is deleted already, or that RT hides, is none to complain about."""
    vendor = vendor_here()
    sink = make_sink(vendor.answer)
    number = sent(sink, opening(PROOF + "1")).vendor_id
    assert sink.clean_up([number]) == []
    assert sink.clean_up([number, "99999"]) == []


def test_a_customer_s_ticket_stays() -> None:
    """Whatever a journal says."""
    vendor = vendor_here()
    sink = make_sink(vendor.answer)
    number = sent(sink, opening("sch-1")).vendor_id
    with pytest.raises(Refused, match="it stays"):
        sink.clean_up([number])
    sent(sink, fields(number, status="solved"))
    assert "deleted" not in {row["Status"] for row in vendor.tickets.values()}


def test_a_missing_right_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """RT answers 200 and says it in words; the ticket is left for a person, by name."""
    vendor = vendor_here()
    sink = make_sink(vendor.answer)
    number = sent(sink, opening(PROOF + "1")).vendor_id
    said: Any = ["Ticket 1: You may not set the status to deleted."]
    monkeypatch.setattr(sink._client, "update_ticket", lambda *_, **__: said)
    (left,) = sink.clean_up([number])
    assert "the right DeleteTicket" in left
    assert "may not set" in left
