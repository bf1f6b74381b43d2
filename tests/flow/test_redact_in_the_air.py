"""What a redaction meets under way: an answer that comes back, a comment without a number, a live comparison."""

from __future__ import annotations

from typing import Any

import pytest

from hub.flow import deliver, redact
from hub.flow.reconcile import Comparison
from hub.store import Tx, messages
from tests.fakes.house import House
from tests.fakes.readable_desk import HOUR, Desk, do, kinds, live, notes, said
from tests.fakes.vendor import Fault
from tests.flow.test_redact import CARD, blacken, code, everywhere, house, message, url

__all__ = ["house", "url"]


def redact_during(house: House, path: str, words: str, fault: str) -> None:
    """The next call to ``path`` finds its message redacted, and goes wrong."""
    real, done = house.network.call, list[str]()

    def call(asked: str, data: dict[str, Any]) -> dict[str, Any]:
        if asked == path and not done:
            done.append(asked)
            redact.redact(house.hub, code(house), message(house, words).id, actor="me", reason="pin")
            if fault == "silence":
                raise Fault(0)
            house.network.faults.add(path, fault)
        return real(asked, data)

    house.network.call = call  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", ["limited", "before", "silence"])
def test_an_answer_that_came_back_is_not_tried_again(house: House, fault: str) -> None:
    """Redacted while it left, and did not arrive: neither its words nor black signs ever appear on the network."""
    redact_during(house, "reply", "The word%", fault)
    house.helpdesk.comment("r1", "The word is swordfish")
    live(house, 200)
    assert said(house) == []
    (answer,) = house.rows("SELECT state, reason FROM delivery WHERE verb='reply'")
    assert (answer.state, answer.reason) == ("discarded", "redacted before it went out")
    assert everywhere(house, "swordfish") == []


def test_an_answer_that_a_sender_only_holds_never_leaves(house: House) -> None:
    """Claimed is not sent: not when the sender goes on, and not when it died."""
    do(house, "UPDATE connection SET paused='by a test' WHERE name='network'")
    house.helpdesk.comment("r1", "The word is swordfish")
    live(house)
    do(house, "UPDATE connection SET paused='' WHERE name='network'")
    claim = deliver.Claim("me", house.clock() + house.timing.lease)
    assert house.store.run(lambda tx: deliver._claim(house.hub, tx, "network", claim, 2))
    redact.redact(house.hub, code(house), message(house, "The word%").id, actor="me", reason="pin")
    house.restart()
    live(house, 60)
    assert said(house) == []
    house.helpdesk.comment("r1", "Hello")
    live(house)
    assert said(house) == ["Hello"], "the lane is free"


def test_a_common_word_is_left_in_other_answers(house: House) -> None:
    """Whoever wrote "Thanks": what an agent says elsewhere is not blackened on its way to the network."""
    house.network.post("anna", "Thanks", reply_to="p1")
    house.network.post("anna", "order 12", reply_to="p1")
    do(house, "UPDATE connection SET paused='by a test' WHERE name='network'")
    live(house)
    do(house, "UPDATE connection SET paused='' WHERE name='network'")
    live(house)
    do(house, "UPDATE connection SET paused='by a test' WHERE name='network'")
    house.helpdesk.comment("r1", "Thanks for order 123, Thanksgiving is over")
    live(house)
    for words in ("Thanks", "order 12"):
        redact.redact(house.hub, code(house), message(house, words).id, actor="me", reason="x")
    do(house, "UPDATE connection SET paused='' WHERE name='network'")
    live(house)
    assert said(house) == ["Thanks for order 123, Thanksgiving is over"]


def test_a_field_update_in_the_air_forgets_the_subject(house: House) -> None:
    """It names the ticket's subject, which is the redacted message's words."""
    done: list[str] = []

    def command(path: str, answer: dict[str, Any]) -> None:
        if path == "update" and not done:
            done.append(path)
            redact.redact(house.hub, code(house), message(house, "My card%").id, actor="me", reason="card")

    house.helpdesk.on_effect = command
    house.helpdesk.comment("r1", "hello")
    live(house, 20)
    assert done
    assert everywhere(house, CARD) == []


def test_a_post_edited_a_thousand_times_can_be_redacted(house: House) -> None:
    """SQLite takes no condition of so many parts; whoever edits on must not make redaction impossible."""
    known = message(house).id

    def unit(tx: Tx) -> None:
        for number in range(1100):
            messages.add_revision(tx, known, f"e{number}", f"My card {CARD} was charged {number}", now=house.clock())

    house.store.run(unit)
    redact.redact(house.hub, code(house), known, actor="me", reason="card")
    assert everywhere(house, CARD) == []


def test_what_arrived_after_the_command_is_named_to_a_person(url: str) -> None:
    """The helpdesk cannot redact, and the comment had no number yet when the command was given."""
    house = House(url, desk=Desk)
    house.step()
    house.clock.forward(2)

    def command(path: str, answer: dict[str, Any]) -> None:
        if path == "create":
            redact.redact(house.hub, code(house), message(house).id, actor="me", reason="card")

    house.helpdesk.on_effect = command
    house.network.post("anna", f"Again: {CARD}")
    live(house)
    assert [note.rpartition(" ")[2] for note in notes(house)] == ["c1"]
    house.close()


def test_a_redaction_of_this_second_is_no_difference(house: House) -> None:
    """A comparison beside live traffic reads the black text before its event has come: it looks once more."""
    house.helpdesk.comment("r1", f"We charged {CARD}")
    live(house)
    house.clock.forward(HOUR)
    blacken(house.helpdesk, "c2", CARD)
    comparison = Comparison(house.hub, "desk", since=None)
    comparison.step()
    live(house)
    while comparison.left:
        house.clock.forward(comparison.pause())
        comparison.step()
    assert kinds(comparison.finish()) == []
