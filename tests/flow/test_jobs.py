"""A helpdesk that takes many deliveries in one call and does them later: the hub asks until it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from hub.sdk import Absent, Accepted, CannotTell, Delivery, Failure, Found, OpenTicket, Receipt
from tests.fakes.connectors import FakeSink
from tests.fakes.house import House

WORKS_FOR = timedelta(seconds=3)


@dataclass
class Jobs:
    """What the helpdesk was asked to do later."""

    ready_at: list[datetime] = field(default_factory=list)
    content: list[list[Delivery]] = field(default_factory=list)
    results: dict[str, Receipt] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    calls: list[int] = field(default_factory=list)
    dies: bool = False


class Died(BaseException):
    """kill -9."""


class JobDesk(FakeSink):
    """Two deliveries or more become one job; customers it does not know are registered first, by a job too."""

    batch = 100
    gathers = timedelta(seconds=2)
    jobs: ClassVar[Jobs] = Jobs()

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure | Accepted]:  # type: ignore[override]
        """One call, however many."""
        jobs, now = self.jobs, self.toolbox.now()
        jobs.calls.append(len(deliveries))
        if len(deliveries) == 1:
            return [*super().deliver(deliveries)]
        strangers = {one.body.ticket.requester.id for one in deliveries if isinstance(one.body, OpenTicket)}
        if strangers - jobs.registered:
            jobs.registered |= strangers
            return [Accepted(memo={"registers": True}, look_after=1)] * len(deliveries)
        jobs.ready_at.append(now + WORKS_FOR)
        jobs.content.append(list(deliveries))
        if jobs.dies:
            jobs.dies = False
            raise Died
        number = len(jobs.content) - 1
        return [Accepted(memo={"job": number}, look_after=1) for _ in deliveries]

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell | Accepted:  # type: ignore[override]
        """By the job, else in the records, but never while a job is at work."""
        jobs, now = self.jobs, self.toolbox.now()
        self.work_off(now)
        if delivery.memo.get("registers"):
            return Absent()
        if delivery.key in jobs.results:
            return Found(receipt=jobs.results[delivery.key])
        if "job" in delivery.memo:
            return Accepted(memo=delivery.memo, look_after=1)
        return CannotTell(reason="a job is at work") if any(jobs.content) else super().find(delivery)

    def work_off(self, now: datetime) -> None:
        """What the helpdesk does by itself when the time has come."""
        for number, ready_at in enumerate(self.jobs.ready_at):
            if ready_at <= now:
                for one in self.jobs.content[number]:
                    self.jobs.results[one.key] = FakeSink.deliver(self, [one])[0]  # type: ignore[assignment]
                self.jobs.content[number] = []


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A hub whose helpdesk works in jobs."""
    JobDesk.jobs = Jobs()
    house = House(database_url, desk=JobDesk)
    house.step()
    house.clock.forward(5)
    yield house
    house.close()


def test_many_share_a_call_and_none_is_doubled_or_out_of_order(house: House) -> None:
    """Six posts: one call registers the customers, one opens the tickets, and what follows in each lane comes after."""
    posts = [house.network.post(f"customer {number}", f"First {number}") for number in range(6)]
    house.step()
    assert JobDesk.jobs.calls == [6]
    waiting = house.rows("SELECT state, reason, memo FROM delivery")
    assert {(row.state, row.reason) for row in waiting} == {("unknown", "the vendor took it and is at it")}
    for number, post in enumerate(posts):
        house.network.post(f"customer {number}", f"Second {number}", reply_to=post)
    for _ in range(3):
        house.step()
        house.clock.forward(1)
    assert JobDesk.jobs.calls == [6, 6], "shown absent, all six leave together"
    assert not house.helpdesk.records, "the helpdesk is still at it, and the second words wait for the first"
    house.settle(seconds=20)
    assert len(house.helpdesk.records) == 6
    for record in house.helpdesk.records.values():
        number = record["comments"][0]["text"].split()[-1]
        said = [
            comment["text"]
            for comment in record["comments"]
            if "First" in comment["text"] or "Second" in comment["text"]
        ]
        assert [text.split("\n")[0].split()[-2:] for text in said] == [["First", number], ["Second", number]]
    assert {row.state for row in house.rows("SELECT state FROM delivery")} == {"done"}


def test_a_crash_before_the_answer_of_a_job_was_written_doubles_nothing(house: House) -> None:
    """Nobody knows the job's number any more: the hub looks, and waits while any job is at work."""
    JobDesk.jobs.registered = {f"customer {number}" for number in range(6)}
    JobDesk.jobs.dies = True
    for number in range(6):
        house.network.post(f"customer {number}", f"Post {number}")
    with pytest.raises(Died):
        house.step()
    house.restart()
    house.settle(seconds=40)
    assert len(house.helpdesk.records) == 6
    assert {row.state for row in house.rows("SELECT state FROM delivery")} == {"done"}


def test_what_comes_soon_after_a_call_shares_the_next_one(house: House) -> None:
    """The first leaves at once, the next ones wait for two seconds since and leave together."""
    house.network.post("first", "Post")
    house.step()
    house.clock.forward(0.5)
    house.network.post("second", "Post")
    house.network.post("third", "Post")
    JobDesk.jobs.registered = {"second", "third"}
    house.step()
    assert JobDesk.jobs.calls == [1]
    house.clock.forward(2)
    house.step()
    assert JobDesk.jobs.calls == [1, 2]
