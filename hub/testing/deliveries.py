"""Deliveries under faults: what was sent, what the connector says about it, and whether that is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from hub.sdk import Absent, CannotTell, ConnectorError, Delivery, Failure, Found, OutcomeUnknown, Receipt
from hub.testing.attempts import assert_kind, assert_no_repeats, assert_wait, attempt
from hub.testing.faults import LOSING_THE_ANSWER, READ_TIMEOUT, SERVER_ERROR, SHAPES, SLOW_DOWN_FOR, Fault
from hub.testing.rig import Rig

Place = Literal["before", "effect", "after"]
Prepare = Callable[[Rig], Delivery]
"""Bring the vendor and the connector to where this delivery is the next thing to do."""
Effects = Callable[[Rig], Sequence[Any]]
"""Everything of this kind that stands at the vendor now; comparable values."""


class Suite(Protocol):
    """What a battery needs of a suite."""

    def new_rig(self) -> Rig:
        """A bench with a fresh vendor."""


def sent(rig: Rig, delivery: Delivery) -> Receipt | ConnectorError:
    """Deliver one; the error, whether raised or returned. Fails the check when it is neither receipt nor failure."""
    results = attempt(lambda: rig.connector.deliver([delivery]))
    if isinstance(results, ConnectorError):
        return results
    assert isinstance(results, list), f"deliver returned {type(results).__name__}, not a list"
    assert len(results) == 1, f"deliver returned {len(results)} results for one delivery"
    (result,) = results
    if isinstance(result, Failure):
        rig.conduct.raised(result.error)
        assert isinstance(result.error, ConnectorError), (
            f"a Failure holds {result.error!r}, which is none of our errors"
        )
        return result.error
    assert isinstance(result, Receipt), f"deliver returned {type(result).__name__}, not Receipt or Failure"
    return result


def places(suite: Suite, prepare: Prepare, effects: Effects) -> list[Place]:
    """The calls of one delivery that goes well: those before the effect, the one that makes it, those after. They are
    the same for every fault of a suite, so they are counted once."""
    known: dict[str, list[Place]] = type(suite).__dict__.get("_places") or {}
    type(suite)._places = known  # type: ignore[attr-defined]  # noqa: SLF001 - a cache of its own
    if prepare.__name__ in known:
        return known[prepare.__name__]
    rig = suite.new_rig()
    delivery = prepare(rig)
    before, found = list(effects(rig)), list[Place]()

    def look() -> None:
        done = "effect" in found
        found.append("after" if done else "effect" if list(effects(rig)) != before else "before")

    rig.after_call = look
    result = sent(rig, delivery)
    rig.after_call = lambda: None
    assert isinstance(result, Receipt), f"nothing was wrong, and the delivery failed: {type(result).__name__}: {result}"
    assert "effect" in found, "the connector gave a receipt, and nothing has changed at the vendor"
    known[prepare.__name__] = found
    return found


def deliver_under(suite: Suite, fault: Fault, prepare: Prepare, effects: Effects) -> None:
    """Break each call of the delivery in turn: the error is of the right family, and never says "not sent" of
    something that was."""
    for at, place in enumerate(places(suite, prepare, effects)):
        if fault in SHAPES and place != "effect":
            continue
        rig = suite.new_rig()
        delivery = prepare(rig)
        before = list(effects(rig))
        rig.break_call(fault, at)
        result = sent(rig, delivery)
        there = list(effects(rig)) != before
        where = f"call {at + 1} of the delivery ({place}) met {fault}"
        if isinstance(result, Receipt):
            assert there, f"{where}: the connector gave a receipt, and nothing is there"
            continue
        if place == "after":
            assert_kind(result, (OutcomeUnknown,), where)
        else:
            assert_kind(result, fault.reading if place == "before" else fault.writing, where)
        assert_wait(result, fault)
        assert not there or isinstance(result, OutcomeUnknown), (
            f"{where}: told as {type(result).__name__}, and it was sent: the hub would send it twice"
        )


def find_after(suite: Suite, fault: Fault, prepare: Prepare, effects: Effects) -> None:
    """After a lost answer the look-up says Found or Absent only where that is so."""
    for at, place in enumerate(places(suite, prepare, effects)):
        if place == "before":
            continue
        rig = suite.new_rig()
        delivery = prepare(rig)
        before = list(effects(rig))
        rig.break_call(fault, at)
        sent(rig, delivery)
        there = list(effects(rig)) != before
        rig.mend()
        looked_up(rig, delivery, there=there, where=f"call {at + 1} of the delivery met {fault}")


def find_under(suite: Suite, fault: Fault, prepare: Prepare, effects: Effects) -> None:
    """A look-up that goes wrong itself never says Absent of what is there."""
    rig = suite.new_rig()
    delivery = prepare(rig)
    assert isinstance(sent(rig, delivery), Receipt)
    rig.restart()
    rig.clock.advance(rig.connector_class.settles_after)  # type: ignore[attr-defined]
    before = len(rig.calls)
    attempt(lambda: rig.connector.find(delivery))
    for at in range(len(rig.calls) - before):
        rig.restart()
        rig.break_call(fault, at)
        result = attempt(lambda: rig.connector.find(delivery))
        where = f"call {at + 1} of the look-up met {fault}"
        assert isinstance(result, Found | Absent | CannotTell | ConnectorError), f"{where}: find returned {result!r}"
        assert not isinstance(result, Absent), f"{where}: Absent, and it is there: the hub would send it twice"


def looked_up(rig: Rig, delivery: Delivery, *, there: bool, where: str) -> Found | Absent | CannotTell:
    """What a fresh instance finds once the vendor has settled; fails the check when it is not true."""
    rig.restart()
    rig.clock.advance(rig.connector_class.settles_after)  # type: ignore[attr-defined]
    result: Found | Absent | CannotTell = rig.connector.find(delivery)
    assert isinstance(result, Found | Absent | CannotTell), f"find returned {type(result).__name__}"
    if isinstance(result, Found):
        assert there, f"{where}: Found, and nothing is there: the customer would never get it"
        assert result.receipt.vendor_id, f"{where}: Found without a vendor id"
    if isinstance(result, Absent):
        assert not there, f"{where}: Absent, and it is there: the hub would send it twice"
    return result


def once_per_key(suite: Suite, prepare: Prepare, effects: Effects) -> None:
    """The same delivery again, from a fresh instance, changes nothing more and gives the same vendor id."""
    rig = suite.new_rig()
    delivery = prepare(rig)
    first = sent(rig, delivery)
    assert isinstance(first, Receipt), f"nothing was wrong, and the delivery failed: {first}"
    stands = list(effects(rig))
    rig.restart()
    again = sent(rig, delivery.model_copy(update={"attempt": 2}))
    assert list(effects(rig)) == stands, "the same key twice made two effects, within idempotent_for"
    assert isinstance(again, Receipt), f"the same key twice is an error: {type(again).__name__}: {again}"
    assert again.vendor_id == first.vendor_id, "the same key twice gave two vendor ids"


def no_repeats(suite: Suite, prepare: Prepare) -> None:
    """A delivery that fails is tried once: repeating is the hub's work."""
    for fault in (SERVER_ERROR, SLOW_DOWN_FOR, READ_TIMEOUT):
        rig = suite.new_rig()
        delivery = prepare(rig)
        since = len(rig.calls)
        rig.break_all(fault)
        sent(rig, delivery)
        assert_no_repeats(rig, since)


__all__ = [
    "LOSING_THE_ANSWER",
    "deliver_under",
    "find_after",
    "find_under",
    "looked_up",
    "no_repeats",
    "once_per_key",
    "places",
    "sent",
]
