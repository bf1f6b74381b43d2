"""The checks of what a sink reports: agents' words, notes and states, each once, and the hub's own told apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from hub.sdk import (
    AnyEvent,
    CommentSeen,
    Completes,
    ConnectorError,
    DeliversTickets,
    Delivery,
    Hint,
    Page,
    ReceivesWebhooks,
    RecordChanged,
    ReportsChanges,
)
from hub.testing import faults, tickets
from hub.testing.attempts import assert_kind, assert_no_repeats, assert_wait, attempt
from hub.testing.checks import cases, needs
from hub.testing.rig import Rig
from hub.testing.tickets import newest, opened, well_sent
from hub.testing.vendor import HelpdeskVendor

HUMAN_ROLES = ("agent", "admin")
"""The roles whose public words the hub brings to customers."""
PAGES = 60
"""No connector needs more pages for what a check makes."""
ODD_CURSORS: tuple[dict[str, Any], ...] = (
    {},
    {"version": 99, "somewhere": ["else"]},
    {"cursor": None, "after": None, "start_time": None},
)


def _tells(connector: type) -> bool:
    return issubclass(connector, ReportsChanges | ReceivesWebhooks)


def desk(rig: Rig) -> HelpdeskVendor:
    """The vendor of the rig, as a helpdesk."""
    assert isinstance(rig.vendor, HelpdeskVendor), f"{type(rig.vendor).__name__} is no HelpdeskVendor"
    return rig.vendor


class Watcher:
    """Takes in what the connector reports from now on: by polls, or where it does not poll by webhooks."""

    def __init__(self, rig: Rig, *, by_webhook: bool = False) -> None:
        self.rig = rig
        self.by_webhook = by_webhook or not issubclass(rig.connector_class, ReportsChanges)
        self.known: set[str] = set()
        self.cursor: dict[str, Any] = {}
        if self.by_webhook:
            rig.vendor.webhooks()
        else:
            self.cursor = rig.connector.first_cursor()

    def raw(self) -> list[AnyEvent]:
        """The events as they came since the last time, known ones included."""
        if self.by_webhook:
            return [event for request in self.rig.vendor.webhooks() for event in self.rig.connector.events(request)]
        events: list[AnyEvent] = []
        for _ in range(PAGES):
            page = self.rig.connector.fetch_page(self.cursor)
            assert isinstance(page, Page), f"fetch_page returned {type(page).__name__}, not a Page"
            events += page.events
            self.cursor = page.cursor
            if not page.has_more:
                return events
        raise AssertionError(f"after {PAGES} pages fetch_page still says that there is more")

    def news(self) -> list[AnyEvent]:
        """What is new since the last time, hints completed: each event key once, as the hub's inbox has it."""
        fresh: list[AnyEvent] = []
        for event in self.raw():
            for full in self.completed(event) if event.event_key not in self.known else ():
                if full.event_key not in self.known:
                    fresh.append(full)
                    self.known.add(full.event_key)
            self.known.add(event.event_key)
        return fresh

    def completed(self, event: AnyEvent) -> list[AnyEvent]:
        """The event as the hub would have it before it goes on."""
        if isinstance(event, Hint) and issubclass(self.rig.connector_class, Completes):
            return list(self.rig.connector.complete(event))
        return [event]


def comments_of(events: Iterable[AnyEvent]) -> list[CommentSeen]:
    """The comments among events."""
    return [event for event in events if isinstance(event, CommentSeen)]


def records_of(events: Iterable[AnyEvent]) -> list[RecordChanged]:
    """The changes of records among events."""
    return [event for event in events if isinstance(event, RecordChanged)]


class ChangeChecks:
    """What agents do comes to the hub, whole, once, and as what it is."""

    connector: ClassVar[type]
    new_rig: Any

    # --- what is said ------------------------------------------------------------------------------------------------

    @needs(DeliversTickets, when=_tells)
    @cases("visibility", ("public", "internal"))
    def test_agents_words_are_told(self, visibility: str) -> None:
        """A comment of an agent is told once: its record, id, text, time, whether it is public, and that a person of
        the company wrote it."""
        rig = self.new_rig()
        opened(rig)
        watcher = Watcher(rig)
        watcher.news()
        rig.clock.advance(60)
        record = newest(rig).id
        said = desk(rig).agent_answers(record, "It comes on Monday <b>for sure</b>", public=visibility == "public")
        told = [event for event in comments_of(watcher.news()) if event.comment.id == said]
        assert len(told) == 1, f"an agent said one thing, {len(told)} are told"
        comment = told[0].comment
        assert told[0].record_id == record, f"it is told of the record {told[0].record_id!r}, not {record!r}"
        assert comment.public == (visibility == "public"), f"an {visibility} comment is told as public={comment.public}"
        assert "It comes on Monday" in comment.text, f"the text is told as {comment.text!r}"
        assert comment.author.role in HUMAN_ROLES, f"the agent is told as {comment.author.role!r}"
        assert not comment.automatic, "an agent is told as an automatism"
        assert not comment.origin, "an agent's comment bears an origin, as if it were ours"
        assert comment.created_at.tzinfo is not None, "the comment's time has no zone"
        assert abs((comment.created_at - rig.clock.now()).total_seconds()) < 120, f"it is dated {comment.created_at}"

    @needs(DeliversTickets, when=_tells)
    def test_own_words_are_told_apart(self, rig: Rig) -> None:
        """What the hub wrote itself comes back with its key as origin, or under the id of its receipt, or at least not
        as a person's of the company: it must never be published as an agent's answer."""
        watcher = Watcher(rig)
        sent: list[Delivery] = [tickets.opening(rig)]
        ids = _ids(well_sent(rig, sent[0]))
        for delivery in (
            tickets.comment(rig, text="in public"),
            tickets.comment(rig, text="for the house", public=False),
            tickets.update(rig, note="a note", proofs=tickets.proofs()),
        ):
            ids |= _ids(well_sent(rig, delivery))
            sent.append(delivery)
        rig.clock.advance(60)
        keys = {delivery.key for delivery in sent}
        for event in comments_of(watcher.news()):
            comment = event.comment
            ours = comment.origin in keys or comment.id in ids
            human = comment.author.role in HUMAN_ROLES and not comment.automatic
            assert ours or not human, f"our own comment {comment.text[:60]!r} comes back as an agent's"

    @needs(DeliversTickets, when=_tells)
    def test_rules_are_no_people(self, rig: Rig) -> None:
        """A public comment by a rule of the helpdesk is marked automatic, or its author has no role that speaks."""
        opened(rig)
        watcher = Watcher(rig)
        rig.clock.advance(60)
        said = desk(rig).rule_answers(newest(rig).id, "Thank you for waiting")
        told = [event.comment for event in comments_of(watcher.news()) if event.comment.id == said]
        assert all(one.automatic or one.author.role not in HUMAN_ROLES for one in told), "a rule is told as a person"

    @needs(DeliversTickets, when=_tells)
    def test_note_made_public_is_told_anew(self, rig: Rig) -> None:
        """A note that an agent makes public later is told again, public, under another event key; as what it was
        first, and then as what it is."""
        opened(rig)
        watcher = Watcher(rig)
        rig.clock.advance(60)
        said = desk(rig).agent_answers(newest(rig).id, "a difficult customer", public=False)
        before = [event for event in comments_of(watcher.news()) if event.comment.id == said]
        rig.clock.advance(60)
        desk(rig).agent_publishes(newest(rig).id, said)
        after = [event for event in comments_of(watcher.news()) if event.comment.id == said]
        assert [event.comment.public for event in before + after] == [False, True], (
            f"told as {[(event.event_key, event.comment.public) for event in before + after]}"
        )

    @needs(DeliversTickets, when=_tells)
    def test_status_is_told(self, rig: Rig) -> None:
        """A status an agent sets is told in the hub's words, of the right record."""
        opened(rig)
        watcher = Watcher(rig)
        watcher.news()
        rig.clock.advance(60)
        desk(rig).agent_sets_status(newest(rig).id, "solved")
        told = [event for event in records_of(watcher.news()) if event.record_id == newest(rig).id]
        assert told, "the change of status is not told"
        assert told[-1].status == "solved", f"the status is told as {told[-1].status!r}"
        assert told[-1].external_id in ("", tickets.ticket().uid), (
            "it is told with another external id than the record's"
        )
        assert not told[-1].deleted, "the record is told as deleted"

    # --- polling -----------------------------------------------------------------------------------------------------

    @needs(ReportsChanges)
    def test_first_cursor_is_now(self, rig: Rig) -> None:
        """What was said before the first cursor is never told; what comes after it is."""
        opened(rig)
        desk(rig).agent_answers(newest(rig).id, "long ago")
        rig.clock.advance(600)
        watcher = Watcher(rig)
        assert watcher.raw() == [], "history is read: old answers would be published"
        rig.clock.advance(60)
        said = desk(rig).agent_answers(newest(rig).id, "just now")
        assert said in {event.comment.id for event in comments_of(watcher.news())}, "the first word after it is missed"

    @needs(ReportsChanges)
    def test_cursor_is_json(self, rig: Rig) -> None:
        """Every cursor is the same after the database."""
        opened(rig)
        cursor = rig.connector.first_cursor()
        for _ in range(2):
            assert json.loads(json.dumps(cursor)) == cursor, f"the cursor {cursor} is not the same after JSON"
            desk(rig).agent_answers(newest(rig).id, "hello")
            rig.clock.advance(60)
            cursor = rig.connector.fetch_page(cursor).cursor
        assert json.loads(json.dumps(cursor)) == cursor, f"the cursor {cursor} is not the same after JSON"

    @needs(ReportsChanges)
    def test_strange_cursor_is_handled(self, rig: Rig) -> None:
        """A cursor of another format, or from a vendor that was set back since, gives a page or one of our errors."""
        ahead = self.new_rig()
        opened(ahead)
        watcher = Watcher(ahead)
        for number in range(5):
            desk(ahead).agent_answers(newest(ahead).id, f"answer {number}")
        watcher.raw()
        odd = {name: {"was": str(value)} for name, value in watcher.cursor.items()}
        for cursor in (*ODD_CURSORS, odd, watcher.cursor):
            result = attempt(lambda cursor=cursor: rig.connector.fetch_page(cursor))  # type: ignore[misc]
            assert isinstance(result, Page | ConnectorError), f"the cursor {cursor} gives {result!r}"

    @needs(ReportsChanges)
    def test_nothing_is_lost_and_nothing_comes_again(self, rig: Rig) -> None:
        """Polled to the end, in between and again: each word of the agents once and in order, also by another
        instance."""
        rows = []
        for number in (1, 2, 3):
            opened(rig, number=number)
            rows.append(newest(rig).id)
        watcher = Watcher(rig)
        wanted, told, by_row = [], [], {row: list[str]() for row in rows}
        for turn in range(4):
            rig.clock.advance(60)
            for row in rows:
                wanted.append(desk(rig).agent_answers(row, f"answer {turn} to {row}"))
                by_row[row].append(wanted[-1])
            if turn != 1:
                told += [event.comment.id for event in comments_of(watcher.news())]
                rig.restart()
        agents = [comment for comment in told if comment in wanted]
        assert sorted(agents) == sorted(wanted), f"{len(wanted)} answers were given, {len(agents)} are told: {agents}"
        for row in rows:  # each in its order: the second answer may take back the first
            said, heard = [[one for one in ids if one in by_row[row]] for ids in (wanted, agents)]
            assert heard == said, f"in the record {row} the agents said {said}, told are {heard}"
        again = [event.event_key for event in watcher.news()]
        assert not again, f"nothing has happened, and there is news: {again}"

    @needs(ReportsChanges)
    def test_same_cursor_gives_the_same_keys(self, rig: Rig) -> None:
        """A page that is read twice, by two instances, has the same event keys, as have its completed events."""
        opened(rig)
        watcher = Watcher(rig)
        rig.clock.advance(60)
        desk(rig).agent_answers(newest(rig).id, "hello")
        cursor, seen = watcher.cursor, []
        for _ in range(2):
            rig.restart()
            rig.clock.advance(30)
            page = rig.connector.fetch_page(cursor)
            seen.append([[event.event_key for event in (full, *watcher.completed(full))] for full in page.events])
        assert seen[0], "the page is empty"
        assert seen[0] == seen[1], f"the same page has the keys {seen[0]}, then {seen[1]}"

    @needs(ReportsChanges)
    @cases("fault", faults.TRANSPORT)
    def test_polling_under(self, fault: faults.Fault) -> None:
        """A poll that fails is one of our errors, or brings all the same what there is: never an empty page that moves
        the cursor on."""
        at = 0
        while True:
            rig = self.new_rig()
            opened(rig)
            watcher = Watcher(rig)
            rig.clock.advance(60)
            said = desk(rig).agent_answers(newest(rig).id, "hello")
            rig.restart()
            before = len(rig.calls)
            rig.break_call(fault, at)
            result = attempt(lambda rig=rig, watcher=watcher: rig.connector.fetch_page(watcher.cursor))  # type: ignore[misc]
            if len(rig.calls) - before <= at:
                break
            rig.mend()
            events: list[AnyEvent] = []
            if isinstance(result, Page):
                watcher.cursor = result.cursor
                events += [full for event in result.events for full in watcher.completed(event)]
            else:
                assert_kind(result, fault.reading, f"call {at + 1} of the poll met {fault}")
                assert_wait(result, fault)
            events += watcher.news()
            assert said in {event.comment.id for event in comments_of(events)}, (
                f"call {at + 1} of the poll met {fault}: what an agent said is lost"
            )
            at += 1

    @needs(ReportsChanges)
    def test_polling_repeats_nothing(self) -> None:
        """A poll that fails is tried once: the hub polls again."""
        for fault in (faults.SERVER_ERROR, faults.SLOW_DOWN_FOR, faults.READ_TIMEOUT):
            rig = self.new_rig()
            watcher = Watcher(rig)
            since = len(rig.calls)
            rig.break_all(fault)
            attempt(watcher.raw)
            assert_no_repeats(rig, since)

    # --- completing --------------------------------------------------------------------------------------------------

    @needs(DeliversTickets, Completes)
    def test_complete_tells_the_whole_record(self, rig: Rig) -> None:
        """A hint to a record becomes its state and every comment, with the right visibility."""
        opened(rig)
        said = desk(rig).agent_answers(newest(rig).id, "in public")
        noted = desk(rig).agent_answers(newest(rig).id, "for the house", public=False)
        desk(rig).agent_sets_status(newest(rig).id, "solved")
        events = list(rig.connector.complete(Hint(event_key="hint", record=newest(rig).id)))
        seen = {event.comment.id: event.comment.public for event in comments_of(events)}
        wanted = {one.id: one.public for one in newest(rig).comments}
        assert seen == wanted, f"the record has the comments {wanted}, told are {seen}"
        assert {said: True, noted: False}.items() <= seen.items()
        assert [event.status for event in records_of(events)] == ["solved"], "the record's state is not told"

    @needs(Completes)
    def test_complete_of_the_gone_is_no_error(self, rig: Rig) -> None:
        """A hint to a record that is not there gives nothing, or says that it is deleted; an error would park it."""
        events = attempt(lambda: rig.connector.complete(Hint(event_key="hint", record="987654")))
        assert not isinstance(events, ConnectorError), (
            f"a record that is gone is told as {type(events).__name__}: {events}"
        )
        assert all(isinstance(event, RecordChanged) and event.deleted for event in events), f"it gives {events}"

    @needs(DeliversTickets, Completes)
    @cases("fault", faults.TRANSPORT)
    def test_complete_under(self, fault: faults.Fault) -> None:
        """Completing that fails is one of our errors; it never says of a record that it is empty or gone. (A 404 is
        the vendor's word that it is gone.)"""
        rig = self.new_rig()
        opened(rig)
        said = desk(rig).agent_answers(newest(rig).id, "hello")
        hint = Hint(event_key="hint", record=newest(rig).id)
        rig.restart()
        before = len(rig.calls)
        rig.connector.complete(hint)
        for at in range(len(rig.calls) - before):
            rig.restart()
            rig.break_call(fault, at)
            result = attempt(lambda: rig.connector.complete(hint))
            where = f"call {at + 1} of completing met {fault}"
            if isinstance(result, ConnectorError):
                assert_kind(result, fault.reading, where)
                assert_wait(result, fault)
            elif fault is not faults.NOT_FOUND:
                told = {event.comment.id for event in comments_of(cast(list[AnyEvent], result))}
                assert said in told, f"{where}: what an agent said is lost"

    @needs(DeliversTickets, ReceivesWebhooks, ReportsChanges)
    def test_webhook_and_poll_tell_the_same(self, rig: Rig) -> None:
        """One word of an agent has the same record and comment id whichever way it comes."""
        opened(rig)
        polled, told = Watcher(rig), Watcher(rig, by_webhook=True)
        rig.clock.advance(60)
        desk(rig).agent_answers(newest(rig).id, "hello")
        ways = [
            {(e.record_id, e.comment.id) for e in comments_of(watcher.news()) if "hello" in e.comment.text}
            for watcher in (polled, told)
        ]
        assert ways[0] == ways[1], f"by poll {ways[0]}, by webhook {ways[1]}"


def _ids(receipt: Any) -> set[str]:
    return {receipt.vendor_id, receipt.comment_id} - {""}
