"""The checks of what a sink says when the way to the vendor fails, and of what it finds afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    CannotTell,
    DeliversTickets,
    Delivery,
    FindsTickets,
    Found,
    OutcomeUnknown,
    PayloadNotUnderstood,
    Receipt,
    RedactsComments,
    TemporaryFailure,
)
from hub.testing import deliveries, faults, tickets
from hub.testing.checks import cases, needs, remembers_keys
from hub.testing.deliveries import Prepare, sent
from hub.testing.rig import Rig
from hub.testing.tickets import newest, opened, stands, well_sent

ROUNDS = 8
"""How often the hub goes on with one delivery before somebody must look."""


def _opening(rig: Rig) -> Delivery:
    rig.connector.check_connection()
    rig.restart()
    return tickets.opening(rig)


def _comment(rig: Rig) -> Delivery:
    opened(rig)
    rig.restart()
    return tickets.comment(rig)


def _internal(rig: Rig) -> Delivery:
    opened(rig)
    rig.restart()
    return tickets.comment(rig, text="for the house", public=False)


def _update(rig: Rig) -> Delivery:
    opened(rig)
    rig.restart()
    return tickets.update(rig, status="solved", priority="urgent", note="solved at last")


def _redaction(rig: Rig) -> Delivery:
    opened(rig)
    well_sent(rig, tickets.comment(rig, text="my number is 555"))
    rig.restart()
    return tickets.redaction(rig, newest(rig).comments[-1].id)


PREPARED: dict[str, Prepare] = {
    "open_ticket": _opening,
    "add_comment": _comment,
    "internal_comment": _internal,
    "update_fields": _update,
}


class OutcomeChecks:
    """Every fault at every call of every verb: what was told is true, what is found is true, and nothing is twice."""

    connector: ClassVar[type]
    new_rig: Any

    # --- what is told ------------------------------------------------------------------------------------------------

    @needs(DeliversTickets)
    @cases("fault", faults.DELIVERING)
    def test_opening_under(self, fault: faults.Fault) -> None:
        """An opening that fails is told as what it is; "not sent" only of what was not sent."""
        deliveries.deliver_under(self, fault, _opening, stands)

    @needs(DeliversTickets)
    @cases("fault", faults.DELIVERING)
    def test_comment_under(self, fault: faults.Fault) -> None:
        """A comment that fails is told as what it is; "not sent" only of what was not sent."""
        deliveries.deliver_under(self, fault, _comment, stands)

    @needs(DeliversTickets)
    @cases("fault", faults.DELIVERING)
    def test_update_under(self, fault: faults.Fault) -> None:
        """An update that fails is told as what it is; "not sent" only of what was not sent."""
        deliveries.deliver_under(self, fault, _update, stands)

    @needs(DeliversTickets)
    def test_deliver_repeats_nothing(self) -> None:
        """What fails is tried once: repeating is the hub's work."""
        for prepare in PREPARED.values():
            deliveries.no_repeats(self, prepare)

    # --- once --------------------------------------------------------------------------------------------------------

    @needs(DeliversTickets, given=remembers_keys)
    @cases("verb", tuple(PREPARED))
    def test_same_key_has_one_effect(self, verb: str) -> None:
        """Within ``idempotent_for`` the same delivery again changes nothing, and its receipt is the first one's."""
        deliveries.once_per_key(self, PREPARED[verb], stands)

    @needs(DeliversTickets)
    @cases("fault", faults.LOSING_THE_ANSWER)
    def test_effect_is_made_once(self, fault: faults.Fault) -> None:
        """Whichever answer is lost, when the hub is through the record is as if nothing had gone wrong."""
        for verb, prepare in PREPARED.items():
            calls, wanted = self._goes_well(prepare)
            for at in range(calls):
                rig = self.new_rig()
                delivery = prepare(rig)
                before = stands(rig)
                rig.break_call(fault, at)
                end = carried_through(rig, delivery)
                assert stands(rig) in (before, wanted), (
                    f"call {at + 1} of {verb} met {fault}: in the end there stands {stands(rig)}, not {wanted}"
                )
                if end == "done":
                    assert stands(rig) == wanted, f"call {at + 1} of {verb} met {fault}: it is called done, and is not"

    def _goes_well(self, prepare: Prepare) -> tuple[int, list[Any]]:
        rig = self.new_rig()
        delivery = prepare(rig)
        before = len(rig.calls)
        well_sent(rig, delivery)
        return len(rig.calls) - before, stands(rig)

    # --- what is found -----------------------------------------------------------------------------------------------

    @needs(DeliversTickets, FindsTickets)
    @cases("verb", tuple(PREPARED))
    def test_find_finds_what_was_sent(self, verb: str) -> None:
        """``find`` gives the receipt of a delivery that arrived, to any instance, also when the vendor has long
        forgotten the key."""
        rig = self.new_rig()
        delivery = PREPARED[verb](rig)
        receipt = well_sent(rig, delivery)
        for later in (rig.connector_class.settles_after, rig.connector.idempotent_for):
            rig.restart()
            rig.clock.advance(later or 3600)
            found = rig.connector.find(delivery)
            assert isinstance(found, Found), f"it was sent, and find says {type(found).__name__}: {found}"
            assert found.receipt.vendor_id == receipt.vendor_id, (
                f"the receipt of the delivery says {receipt.vendor_id!r}, that of find {found.receipt.vendor_id!r}"
            )

    @needs(DeliversTickets, FindsTickets)
    @cases("verb", tuple(PREPARED))
    def test_find_takes_nothing_else_for_it(self, verb: str) -> None:
        """What was never sent is not found, even where another delivery said the same."""
        rig = self.new_rig()
        delivery = PREPARED[verb](rig)
        if not isinstance(rig.connector.find(delivery), Absent | CannotTell):
            raise AssertionError("nothing was sent, and find finds it")
        well_sent(rig, delivery)
        rig.clock.advance(rig.connector_class.settles_after)
        other = delivery.model_copy(update={"key": tickets.key_of("another delivery of the same words")})
        found = rig.connector.find(other)
        assert isinstance(found, Absent | CannotTell), "find takes the effect of another delivery for this one's"

    @needs(DeliversTickets, FindsTickets)
    @cases("fault", faults.LOSING_THE_ANSWER)
    def test_find_tells_the_truth_after(self, fault: faults.Fault) -> None:
        """After a lost answer ``find`` says Found of what arrived, with its id, and never Absent; of what did not
        arrive never Found."""
        for verb, prepare in PREPARED.items():
            calls, wanted = self._goes_well(prepare)
            for at in range(calls):
                rig = self.new_rig()
                delivery = prepare(rig)
                before = stands(rig)
                rig.break_call(fault, at)
                told = sent(rig, delivery)
                rig.mend()
                where = f"call {at + 1} of {verb} met {fault}"
                if stands(rig) == before:
                    deliveries.looked_up(rig, delivery, there=False, where=where)
                elif stands(rig) == wanted and not isinstance(told, Receipt):
                    found = deliveries.looked_up(rig, delivery, there=True, where=where)
                    assert isinstance(found, Found), f"{where}: it is there, and find says {found}"
                    allowed = (
                        {newest(rig).id} if verb in ("open_ticket", "update_fields") else {newest(rig).comments[-1].id}
                    )
                    assert found.receipt.vendor_id in allowed, f"{where}: find says {found.receipt.vendor_id!r}"

    @needs(DeliversTickets, FindsTickets)
    @cases("fault", faults.TRANSPORT)
    def test_find_under(self, fault: faults.Fault) -> None:
        """A look-up that fails itself never says Absent of what is there."""
        for prepare in (_opening, _comment):  # a look-up by our id, and one within a record
            deliveries.find_under(self, fault, prepare, stands)

    @needs(RedactsComments, FindsTickets)
    def test_find_knows_a_redaction(self, rig: Rig) -> None:
        """A redaction is not found before it was done, and is found after it."""
        delivery = _redaction(rig)
        assert not isinstance(rig.connector.find(delivery), Found), "nothing was redacted, and find finds it"
        well_sent(rig, delivery)
        rig.restart()
        rig.clock.advance(rig.connector_class.settles_after)  # type: ignore[attr-defined]
        found = rig.connector.find(delivery)
        assert isinstance(found, Found), f"it is redacted, and find says {found}"


def carried_through(rig: Rig, delivery: Delivery) -> str:
    """Go on with a delivery as the hub does, until it is ``done``, or ``parked`` for a person to look at."""
    remembered = rig.connector.idempotent_for  # a setting may give it to the instance
    for attempt in range(1, ROUNDS + 1):
        result = sent(rig, delivery.model_copy(update={"attempt": attempt}))
        if isinstance(result, Receipt):
            return "done"
        if isinstance(result, TemporaryFailure):
            continue
        if not isinstance(result, OutcomeUnknown | PayloadNotUnderstood):
            return "parked"
        rig.clock.advance(rig.connector_class.settles_after)  # type: ignore[attr-defined]
        if remembered is not None:
            continue
        found = rig.connector.find(delivery) if isinstance(rig.connector.itself, FindsTickets) else None
        if isinstance(found, Found):
            return "done"
        if not isinstance(found, Absent):
            return "parked"
    return "parked"
