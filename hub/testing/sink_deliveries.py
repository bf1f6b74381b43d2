"""The checks of what a sink makes in the helpdesk: records, comments, fields, and the order of its answers."""

from __future__ import annotations

from typing import Any, ClassVar

import regex

from hub.sdk import (
    AuthenticationFailed,
    ConnectorError,
    DeliversTickets,
    Failure,
    OutcomeUnknown,
    Receipt,
    Refused,
    Said,
)
from hub.testing import faults, tickets
from hub.testing.attempts import attempt
from hub.testing.checks import cases, needs
from hub.testing.deliveries import sent
from hub.testing.rig import Rig
from hub.testing.tickets import newest, opened, records, stands, well_sent

VISIBILITY = ("public", "internal")


def _batches(connector: Any) -> bool:
    return bool(connector.batch > 1)


class TicketChecks:
    """What stands at the vendor after a delivery in which nothing goes wrong."""

    connector: ClassVar[type]
    new_rig: Any
    longest_comment: ClassVar[int] = 65_535
    """How many characters the helpdesk takes in one comment, as documented; the vendor must refuse more."""

    # --- records -----------------------------------------------------------------------------------------------------

    @needs(DeliversTickets)
    def test_opening_makes_one_record(self, rig: Rig) -> None:
        """One record with the ticket's subject and one comment, which holds what the customer said."""
        opened(rig)
        rows = records(rig)
        assert len(rows) == 1, f"one ticket made {len(rows)} records"
        assert tickets.ticket().subject in rows[0].subject, f"the subject is {rows[0].subject!r}"
        assert len(rows[0].comments) == 1, f"opening made {len(rows[0].comments)} comments"
        assert "Where is parcel 1?" in rows[0].comments[0].text, "the customer's text is not in the first comment"

    @needs(DeliversTickets)
    def test_record_carries_our_id(self, rig: Rig) -> None:
        """The ticket's ``uid`` stands in the record, whole and alone: a lost answer is looked up by it."""
        opened(rig)
        assert newest(rig).external_id == tickets.ticket().uid

    @needs(DeliversTickets)
    def test_receipt_names_the_record(self, rig: Rig) -> None:
        """The receipt of an opening has the record's vendor id, an address people can open, and a time."""
        receipt = opened(rig)
        assert receipt.vendor_id == newest(rig).id, f"the receipt says {receipt.vendor_id!r}"
        assert receipt.permalink.startswith(("https://", "http://")), f"the permalink is {receipt.permalink!r}"
        assert receipt.at is None or receipt.at.tzinfo, "the receipt's time has no zone"
        told = {"", *(one.id for one in newest(rig).comments)}
        assert receipt.comment_id in told, f"the receipt names the comment {receipt.comment_id!r}, which is not there"

    @needs(DeliversTickets)
    def test_receipt_names_the_comment(self, rig: Rig) -> None:
        """The receipt of a comment has the comment's vendor id (empty if the vendor does not tell) and an address."""
        opened(rig)
        receipt = well_sent(rig, tickets.comment(rig))
        assert receipt.vendor_id in ("", newest(rig).comments[-1].id), f"the receipt says {receipt.vendor_id!r}"
        assert receipt.permalink.startswith(("https://", "http://")), f"the permalink is {receipt.permalink!r}"

    @needs(DeliversTickets)
    @cases("visibility", VISIBILITY)
    def test_opening_is_as_visible_as_asked(self, visibility: str) -> None:
        """The first comment of a record is public or internal, as the hub says."""
        rig = self.new_rig()
        opened(rig, public=visibility == "public")
        assert [one.public for one in newest(rig).comments] == [visibility == "public"]

    @needs(DeliversTickets)
    @cases("visibility", VISIBILITY)
    def test_comment_is_as_visible_as_asked(self, visibility: str) -> None:
        """A further comment holds its text and is public or internal, as the hub says."""
        rig = self.new_rig()
        opened(rig)
        well_sent(rig, tickets.comment(rig, text="one more word", public=visibility == "public"))
        added = newest(rig).comments[1:]
        assert len(added) == 1, f"one delivery made {len(added)} comments"
        assert "one more word" in added[0].text
        assert added[0].public == (visibility == "public")

    # --- fields ------------------------------------------------------------------------------------------------------

    @needs(DeliversTickets)
    def test_notes_and_proofs_are_internal(self, rig: Rig) -> None:
        """A note and the proofs of published answers stand in the record, internal and nowhere else."""
        opened(rig)
        well_sent(rig, tickets.update(rig, note="only for the house", proofs=tickets.proofs()))
        added = newest(rig).comments[1:]
        text = "\n".join(one.text for one in added)
        for part in ("only for the house", tickets.ANSWER, "the post is gone"):
            assert part in text, f"{part!r} is not in the record"
        assert not [one for one in added if one.public], "a note of the hub stands in public"

    @needs(DeliversTickets)
    def test_status_stands_after_an_update(self, rig: Rig) -> None:
        """After ``status = solved`` the record is solved at the vendor, as if an agent had done it."""
        opened(rig, number=1)
        try:
            rig.vendor.agent_sets_status(newest(rig).id, "solved")  # type: ignore[attr-defined]
            wanted = newest(rig).status
        except NotImplementedError:  # a vendor without agents
            wanted = "solved"
        opened(rig, number=2)
        assert newest(rig).status != wanted, "a new record is solved"
        well_sent(rig, tickets.update(rig, status="solved"))
        assert newest(rig).status == wanted, f"the record's status is {newest(rig).status!r}"

    @needs(DeliversTickets)
    def test_priority_stands_after_an_update(self, rig: Rig) -> None:
        """After ``priority = urgent`` the record is urgent at the vendor."""
        opened(rig)
        well_sent(rig, tickets.update(rig, priority="urgent"))
        assert newest(rig).priority == "urgent", f"the record's priority is {newest(rig).priority!r}"

    @needs(DeliversTickets)
    def test_tags_stand_after_an_update(self, rig: Rig) -> None:
        """Tags are added and removed one by one: the others stay."""
        opened(rig)
        well_sent(rig, tickets.update(rig, tags_add=("kept", "gone")))
        well_sent(rig, tickets.update(rig, tags_add=("new",), tags_remove=("gone",)))
        tags = set(newest(rig).tags)
        assert {"kept", "new"} <= tags, f"the record's tags are {sorted(tags)}"
        assert "gone" not in tags, "a removed tag is still there"

    @needs(DeliversTickets)
    def test_an_update_leaves_the_rest_alone(self, rig: Rig) -> None:
        """What an update does not name stays as agents left it."""
        opened(rig)
        well_sent(rig, tickets.update(rig, status="open", priority="high", tags_add=("kept",)))
        before = stands(rig)
        well_sent(rig, tickets.update(rig, note="nothing but a note"))
        after = stands(rig)
        assert after[0][:-1] == before[0][:-1], f"a note changed the record: {before[0][:-1]} became {after[0][:-1]}"
        assert after[0][-1][: len(before[0][-1])] == before[0][-1], "a note changed the comments before it"

    # --- texts -------------------------------------------------------------------------------------------------------

    @needs(DeliversTickets)
    @cases("scenario", tickets.SCENARIOS)
    def test_ticket_with(self, scenario: tickets.Scenario) -> None:
        """What customers really send arrives whole: no name, no text, other scripts, markup, pictures, odd subjects."""
        rig = self.new_rig()
        opened(rig, said=scenario.said, requester=scenario.requester, subject=scenario.subject)
        rows = records(rig)
        assert len(rows) == 1, f"one ticket made {len(rows)} records"
        text = "\n".join(one.text for one in rows[0].comments)
        assert text.strip(), "the record has no words at all"
        for part in scenario.whole:
            for line in filter(None, part.splitlines()):
                assert line in text, f"{line!r} is not in the record"
        for picture in scenario.said.attachments:
            assert picture.url in text or picture.name in text, f"the attachment {picture.name} is lost"
        words = scenario.subject.split()[:20]
        assert rows[0].subject.split()[: len(words)] == words, f"the subject became {rows[0].subject!r}"

    @needs(DeliversTickets)
    @cases("length", ("half_the_limit", "at_the_limit", "over_the_limit"))
    def test_long_text(self, length: str) -> None:
        """A long text arrives whole, or is cut where one can see it and between characters, or is refused; half of
        what the helpdesk takes always arrives whole."""
        size = {"half_the_limit": self.longest_comment // 2, "over_the_limit": self.longest_comment + 1}
        text = _long(size.get(length, self.longest_comment))
        rig = self.new_rig()
        before = stands(rig)
        result = sent(rig, tickets.opening(rig, said=Said(text=text, author=tickets.ADA)))
        if isinstance(result, ConnectorError):
            assert length != "half_the_limit", f"a text of {len(text)} characters is not taken: {result}"
            assert isinstance(result, Refused), f"a text that is too long is told as {type(result).__name__}: {result}"
            assert stands(rig) == before, "it was refused, and something stands in the helpdesk"
            return
        shown = newest(rig).comments[0].text
        start = shown.find(text[:50])
        assert start >= 0, "the text's beginning is not in the record"
        same = next((n for n, (a, b) in enumerate(zip(text, shown[start:], strict=False)) if a != b), None)
        arrived = min(len(text), len(shown) - start) if same is None else same
        if arrived == len(text):
            return
        assert length != "half_the_limit", f"of {len(text)} characters only {arrived} arrived"
        rest = shown[start + arrived : start + arrived + 20]
        assert "…" in rest or "..." in rest, f"the text was cut after {arrived} characters, and nothing tells it"
        borders = {match.start() for match in regex.finditer(r"\X", text)}
        assert arrived in borders, "the text was cut within an emoji"

    # --- answers -----------------------------------------------------------------------------------------------------

    @needs(DeliversTickets)
    def test_answers_come_in_order(self, rig: Rig) -> None:
        """``deliver`` answers each delivery of a batch, in order."""
        count = min(rig.connector.batch, 3)
        results = rig.connector.deliver([tickets.opening(rig, number=n) for n in range(1, count + 1)])
        assert isinstance(results, list), f"deliver returned {type(results).__name__}, not a list"
        assert len(results) == count, f"{count} deliveries, {len(results)} results"
        said = {row.comments[0].text.splitlines()[0]: row.id for row in records(rig)}
        wanted = [said.get(f"Where is parcel {n}?") for n in range(1, count + 1)]
        assert [getattr(result, "vendor_id", None) for result in results] == wanted, "the receipts are not in order"

    @needs(DeliversTickets, when=_batches)
    def test_a_refusal_stops_no_other(self, rig: Rig) -> None:
        """One delivery of a batch that fails is a Failure; those after it are sent all the same."""
        opened(rig, number=1)
        gone = tickets.comment(rig, record_id="987654321")
        batch = [tickets.opening(rig, number=2), gone][: rig.connector.batch]
        batch = [gone, *batch[:1]] if rig.connector.batch == 2 else [batch[0], gone, tickets.opening(rig, number=3)]
        results = attempt(lambda: rig.connector.deliver(batch))
        assert isinstance(results, list), f"one comment to no record, and all were called failed: {results}"
        told = [isinstance(result, Receipt) for result in results]
        assert told == [one is not gone for one in batch], f"the results are {results}"

    @needs(DeliversTickets, when=_batches)
    def test_credentials_that_end_within_a_batch(self) -> None:
        """A 401 after the first delivery of a batch: its receipt is given, the others failed to authenticate."""
        rig = self.new_rig()
        opened(rig, number=1)
        rig.restart()
        before = len(rig.calls)
        opened(rig, number=2)
        per_delivery = len(rig.calls) - before
        rig.restart()
        rig.break_call(faults.UNAUTHORIZED, per_delivery)
        results = attempt(lambda: rig.connector.deliver([tickets.opening(rig, number=n) for n in (3, 4)]))
        assert isinstance(results, list), f"the first was sent, and {type(results).__name__} says that none was"
        assert isinstance(results[0], Receipt), f"the first was sent, and is told as {results[0]}"
        error = results[1].error if isinstance(results[1], Failure) else results[1]
        assert isinstance(error, AuthenticationFailed), f"the second is told as {error}"

    @needs(DeliversTickets)
    @cases("verb", ("open_ticket", "add_comment", "update_fields"))
    def test_accepted_but_not_done_is_no_receipt(self, verb: str) -> None:
        """A 2xx of a vendor that did not do it is an error: nobody would ever look again."""
        rig = self.new_rig()
        opened(rig)
        delivery = {
            "open_ticket": lambda: tickets.opening(rig, number=2),
            "add_comment": lambda: tickets.comment(rig),
            "update_fields": lambda: tickets.update(rig, status="solved", note="solved at last"),
        }[verb]()
        before = stands(rig)
        rig.vendor.accept_without_applying()
        result = sent(rig, delivery)
        if isinstance(result, Receipt):
            assert stands(rig) != before, "the connector gave a receipt, and nothing has changed at the vendor"
        elif stands(rig) != before:
            assert isinstance(result, OutcomeUnknown), f"something was done, and it is told as {type(result).__name__}"


def _long(size: int) -> str:
    """A text of exactly ``size`` characters, with an emoji of several code points across every likely cut."""
    words = "parcel "
    family = "👩‍👩‍👧‍👦"
    text = words * (size // len(words) + 1)
    return text[: size - len(family)] + family
