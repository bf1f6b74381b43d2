"""A helpdesk's past comes in page by page: resumable, within limits, posting nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.flow import backfill as flow
from hub.flow.backfill import CannotBackfill, Outcome, Progress, Stalled, backfill
from hub.sdk import (
    Agent,
    AuthenticationFailed,
    Backfills,
    Comment,
    HistoryPage,
    PastTicket,
    RateLimited,
    TemporaryFailure,
)
from hub.store import history
from tests.fakes.connectors import FakeSink
from tests.fakes.house import House

BEGAN = datetime(2026, 10, 20, tzinfo=UTC)
SINCE = datetime(2026, 10, 10, tzinfo=UTC)
PAGE = 2


def past(number: int, *, changed: int = 0, text: str = "My parcel is late", **more: Any) -> PastTicket:
    """Ticket ``number``, solved by Alex on the day of its number."""
    at = BEGAN + timedelta(hours=number)
    comment = Comment(id=f"c{number}", public=True, author=Agent(id="u7", name="Anna Rossi"), text=text, created_at=at)
    values: dict[str, Any] = {
        "record_id": f"h{number}",
        "subject": f"Subject {number}",
        "status": "solved",
        "group": "Parcels" if number % 2 else "Billing",
        "solver": Agent(id="u2", name="Alex", role="agent"),
        "created_at": at,
        "updated_at": at + timedelta(minutes=changed),
        "comments": (comment,),
    }
    return PastTicket(**(values | more))


class Archive(FakeSink, Backfills):  # type: ignore[misc]
    """A helpdesk with a past. Its bookmark counts changes."""

    name = "archive"
    tickets: list[PastTicket] = []
    asked: list[dict[str, Any]] = []
    troubles: list[Exception] = []
    total: int | None = None
    stuck = False

    def history_page(self, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        """Two tickets."""
        self.asked.append(cursor)
        if self.troubles:
            raise self.troubles.pop(0)
        after = cursor.get("after", 0)
        page = [one for one in self.tickets[after : after + PAGE] if one.updated_at >= since]
        there = after if self.stuck else min(after + PAGE, len(self.tickets))
        return HistoryPage(
            tickets=tuple(page), cursor={"after": there}, has_more=there < len(self.tickets), total=self.total
        )


@pytest.fixture
def archive(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A hub whose helpdesk has five old tickets."""
    for name, value in {"tickets": [past(n) for n in range(1, 6)], "asked": [], "troubles": [], "stuck": False}.items():
        monkeypatch.setattr(Archive, name, value)
    house = House(database_url, desk=Archive)
    house.step()
    yield house
    house.close()


def run(house: House, *, waits: list[tuple[float, str]] | None = None, **options: Any) -> Outcome:
    """Backfill; waiting moves the clock."""

    def wait(seconds: float, why: str) -> None:
        if waits is not None:
            waits.append((seconds, why))
        house.clock.forward(seconds)

    return backfill(house.hub, "desk", since=options.pop("since", SINCE), wait=wait, **options)


def stored(house: House) -> list[PastTicket]:
    """What the store has of the past."""
    with house.store.read() as connection:
        return history.tickets(connection, "desk", house.hub.cipher.decrypt)


def test_everything_comes_in_whole_and_nothing_goes_out(archive: House) -> None:
    """Five tickets with comments and solvers, the same as the helpdesk gave them; no message, ticket or delivery."""
    told: list[Progress] = []
    outcome = run(archive, tell=told.append)
    assert stored(archive) == Archive.tickets
    assert (outcome.read, outcome.new, outcome.changed, outcome.resumed) == (5, 5, 0, False)
    assert outcome.past == history.Past(5, 5, 1, 2, BEGAN + timedelta(hours=1), BEGAN + timedelta(hours=5))
    assert [one.read for one in told] == [0, 2, 4, 5]
    assert archive.helpdesk.records == {}
    for table in ("ticket", "message", "delivery", "inbox"):
        assert archive.rows(f"SELECT id FROM {table}") == [], table
    (audited,) = archive.rows("SELECT actor, action, object FROM audit")
    assert tuple(audited) == ("hub", "backfill", "desk")


def test_texts_and_people_lie_encrypted(archive: House) -> None:
    """Neither what was said nor who said it can be read from the database file."""
    run(archive)
    rows = " ".join(str(tuple(row)) for row in archive.rows("SELECT * FROM past_ticket"))
    for word in ("parcel", "Anna", "Alex", "Subject"):
        assert word not in rows
    assert "Parcels" in rows


def test_killed_between_two_pages_it_goes_on_there(archive: House) -> None:
    """A page and its bookmark are one: after a crash nothing is read twice and nothing is missing."""

    class Killed(BaseException):
        pass

    def die(progress: Progress) -> None:
        if progress.read == 2:
            raise Killed

    with pytest.raises(Killed):
        run(archive, tell=die)
    archive.clock.forward(600)
    outcome = run(archive, since=SINCE + timedelta(minutes=10))
    assert Archive.asked == [{}, {"after": 2}, {"after": 4}]
    assert (outcome.resumed, outcome.read) == (True, 3)
    assert outcome.since == SINCE, "it began earlier and so covers what is asked for"
    assert [one.record_id for one in stored(archive)] == ["h1", "h2", "h3", "h4", "h5"]


def test_again_reads_only_what_changed(archive: House) -> None:
    """The bookmark of a finished backfill is where the next one begins; a changed ticket replaces the older copy."""
    run(archive)
    Archive.tickets.append(past(2, changed=6000, text="Thanks"))
    outcome = run(archive, since=SINCE + timedelta(days=1))
    assert (outcome.read, outcome.new, outcome.changed, outcome.resumed) == (1, 0, 1, True)
    assert [one.comments[0].text for one in stored(archive) if one.record_id == "h2"] == ["Thanks"]
    assert len(stored(archive)) == 5


def test_the_newer_copy_holds(archive: House) -> None:
    """The same ticket twice, also in the wrong order: what changed last stays."""
    Archive.tickets[:] = [
        past(1, changed=30, text="new"),
        past(1, changed=0, text="old"),
        past(1, changed=10, text="mid"),
    ]
    outcome = run(archive)
    assert [one.comments[0].text for one in stored(archive)] == ["new"]
    assert (outcome.new, outcome.changed) == (1, 0)


def test_further_back_or_afresh_begins_again(archive: House) -> None:
    """An earlier date is not covered by what was read; --afresh asks for everything once more."""
    run(archive)
    run(archive, since=SINCE - timedelta(days=30))
    run(archive, afresh=True)
    assert [cursor for cursor in Archive.asked if not cursor] == [{}, {}, {}]
    assert len(stored(archive)) == 5


def test_a_rate_limit_is_waited_out_as_told(archive: House) -> None:
    """The command waits the seconds the vendor said and goes on; the connection is not blamed for it."""
    Archive.troubles[:] = [RateLimited("ten exports a minute", retry_after=42), TemporaryFailure("502")]
    waits: list[tuple[float, str]] = []
    assert run(archive, waits=waits).read == 5
    assert waits[0] == (42, "ten exports a minute")
    assert (waits[1][1], len(waits)) == ("502", 2)
    assert archive.rows("SELECT blocked_until, failures FROM connection WHERE name='desk'")[0] == (None, 0)


def test_it_keeps_to_its_calls_a_minute(archive: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call costs its share of a minute before the next page; nobody is told of a trouble."""
    plain = Archive.history_page

    def costly(self: Archive, cursor: dict[str, Any], *, since: datetime) -> HistoryPage:
        for _ in range(10):
            self.toolbox.http._on_call()
        return plain(self, cursor, since=since)

    monkeypatch.setattr(Archive, "history_page", costly)
    waits: list[tuple[float, str]] = []
    run(archive, waits=waits, calls_a_minute=60)
    assert waits == [(pytest.approx(10), ""), (pytest.approx(10), "")]
    assert archive.rows("SELECT calls FROM connection WHERE name='desk'")[0].calls == 30


def test_what_waiting_does_not_help_ends_it_and_keeps_what_was_read(archive: House) -> None:
    """A dead token stops the command; the next run goes on from the same page."""
    run_until = Archive.tickets[:]
    Archive.troubles[:] = []
    with pytest.raises(AuthenticationFailed):
        run(
            archive,
            tell=lambda progress: Archive.troubles.append(AuthenticationFailed("no")) if progress.read else None,
        )
    assert len(stored(archive)) == 2
    Archive.troubles.clear()
    assert run(archive).read == 3
    assert stored(archive) == run_until


def test_a_vendor_that_is_down_for_good_is_given_up(archive: House) -> None:
    """As often as any call of the flow, then the error is the operator's."""
    Archive.troubles[:] = [TemporaryFailure("down")] * 50
    with pytest.raises(TemporaryFailure):
        run(archive)
    assert len(Archive.asked) == archive.timing.attempts


def test_a_bookmark_that_does_not_move_is_found_out(archive: House) -> None:
    """An export that says "more" on the same spot would loop for ever."""
    Archive.stuck = True
    with pytest.raises(Stalled):
        run(archive, tell=lambda progress: None)
    assert len(Archive.asked) <= 2


def test_two_at_once_do_not_move_one_bookmark(archive: House) -> None:
    """The second process sees that the first one is at work."""

    def meanwhile(progress: Progress) -> None:
        if progress.read == 2 and len(Archive.asked) == 1:
            run(archive)

    with pytest.raises(history.BackfillMoved):
        run(archive, tell=meanwhile)
    assert [one.record_id for one in stored(archive)] == ["h1", "h2", "h3", "h4", "h5"]


def test_who_cannot_says_who_can(archive: House) -> None:
    """A network, and a helpdesk without the role, name those that offer their history."""
    assert flow.able(archive.hub) == ["desk"]
    with pytest.raises(CannotBackfill, match=r"network is a network whose plugin \(fake_network\).*These can: desk"):
        backfill(archive.hub, "network", since=SINCE, wait=lambda seconds, why: None)
