"""Whatever happens in whatever order: nothing is lost, nothing is doubled, notes stay inside."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.store import tables
from tests.fakes.connectors import FakeConnector
from tests.fakes.house import House


class Killed(BaseException):
    """The process dies here."""


class World(RuleBasedStateMachine):
    """Customers, agents, failing vendors, and a hub that is killed at any moment."""

    @initialize()
    def open(self) -> None:
        """An empty hub that has made its first polls."""
        self.folder = tempfile.TemporaryDirectory()
        self.house = House(f"sqlite:///{Path(self.folder.name, 'hub.sqlite')}")
        self.count = 0
        self.posts: dict[str, str] = {}
        self.answers: set[str] = set()
        self.notes: set[str] = set()
        self.step()
        self.house.clock.forward(2)

    def mark(self, kind: str) -> str:
        """A word that stands for one message."""
        self.count += 1
        return f"{kind}{self.count}"

    def step(self) -> None:
        """One round that may be killed; then the hub starts again on what is in the database."""
        try:
            self.house.step()
        except Killed:
            self.house.restart()

    @rule(author=st.sampled_from(["anna", "bruno"]), again=st.booleans())
    def customer_writes(self, author: str, again: bool) -> None:
        """A new post, or one in a thread that is there."""
        text = self.mark("m")
        threads = [post for post in self.posts if post in self.house.network.posts]
        reply_to = threads[-1] if again and threads else ""
        self.posts[self.house.network.post(author, text, reply_to=reply_to)] = text

    @precondition(lambda self: self.house.helpdesk.records)
    @rule(data=st.data(), public=st.booleans(), automatic=st.booleans())
    def agent_writes(self, data: st.DataObject, public: bool, automatic: bool) -> None:
        """A public answer, a note, or a trigger's comment."""
        record = data.draw(st.sampled_from(sorted(self.house.helpdesk.records)))
        human = public and not automatic
        text = self.mark("a" if human else "n")
        (self.answers if human else self.notes).add(text)
        self.house.helpdesk.comment(record, text, public=public, automatic=automatic)

    @precondition(lambda self: self.house.network.feed)
    @rule(data=st.data())
    def network_repeats_itself(self, data: st.DataObject) -> None:
        """An old feed entry comes again."""
        entry = data.draw(st.sampled_from(self.house.network.feed))
        self.house.network.feed.append(dict(entry))

    @rule(
        vendor=st.sampled_from(["network", "helpdesk"]),
        path=st.sampled_from(["", "reply", "create", "add", "update", "events", "find", "own_replies"]),
        kind=st.sampled_from(["before", "after", "limited", "limited_silently", "token"]),
        count=st.integers(1, 3),
    )
    def vendor_fails(self, vendor: str, path: str, kind: str, count: int) -> None:
        """The next calls go wrong, before or after their effect."""
        getattr(self.house, vendor).faults.add(path, kind, count)

    @rule(rounds=st.integers(1, 4), seconds=st.floats(0.1, 90))
    def time_passes(self, rounds: int, seconds: float) -> None:
        """The hub works."""
        for _ in range(rounds):
            self.step()
            self.house.clock.forward(seconds)

    @rule(after=st.integers(0, 6), effect=st.booleans())
    def hub_is_killed(self, after: int, effect: bool) -> None:
        """``kill -9`` at the n-th vendor call of a round, before or after its effect."""
        left = after
        send = FakeConnector._send

        def dying(connector: FakeConnector, path: str, data: dict[str, object], *, effect: bool) -> dict[str, object]:
            nonlocal left
            left -= 1
            if left < 0 and not kill_after:
                raise Killed
            answer = send(connector, path, data, effect=effect)
            if left < 0:
                raise Killed
            return answer

        kill_after = effect
        FakeConnector._send = dying  # type: ignore[method-assign]
        try:
            self.step()
        finally:
            FakeConnector._send = send  # type: ignore[method-assign]

    @invariant()
    def nothing_is_doubled(self) -> None:
        """At no moment is anything twice at a vendor, and no note is outside."""
        if not hasattr(self, "house"):
            return
        published = Counter(post["text"] for post in self.house.network.own())
        assert all(count == 1 for count in published.values()), published
        assert not self.notes & set(published)
        records = self.house.helpdesk.records.values()
        arrived = Counter(c["text"] for record in records for c in record["comments"] if c["role"] == "end-user")
        assert all(count == 1 for text, count in arrived.items() if text.startswith("m")), arrived

    def teardown(self) -> None:
        """The vendors recover: everything arrives, in order, and every row is in a known state."""
        if not hasattr(self, "house"):
            return
        for vendor in (self.house.network, self.house.helpdesk):
            vendor.faults.script.clear()
        for _ in range(60):
            self.house.step()
            self.house.clock.forward(30)
        self.nothing_is_doubled()
        self.everything_arrived()
        self.house.close()
        self.folder.cleanup()

    def everything_arrived(self) -> None:
        """Nothing is lost; customers' messages are in order within each record."""
        records = list(self.house.helpdesk.records.values())
        per_record = [
            [c["text"] for c in record["comments"] if c["role"] == "end-user" and c["text"].startswith("m")]
            for record in records
        ]
        assert sorted(text for texts in per_record for text in texts) == sorted(self.posts.values())
        by_author = {post: self.house.network.posts[post]["author"] for post in self.posts}
        for texts in per_record:
            numbers = [int(text[1:]) for text in texts]
            assert numbers == sorted(numbers), (per_record, by_author)
        assert {post["text"] for post in self.house.network.own()} == self.answers
        states = {row.state for row in self.house.rows("SELECT DISTINCT state FROM delivery")}
        assert states <= {"done", "superseded"}, states
        assert {row.state for row in self.house.rows("SELECT DISTINCT state FROM inbox")} <= {"done", "ignored"}
        assert states <= set(tables.DELIVERY_STATES)


World.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestInvariants = World.TestCase
