"""One run: the peers, the hub, the people, what breaks meanwhile, and the figures."""

from __future__ import annotations

import random
import re
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.peers.actors import Agent, BlueskyAccount, Entry
from benchmarks.peers.bluesky_network import BlueskyNetwork
from benchmarks.peers.counting import Conversation, Ends, amiss, figures, nonce
from benchmarks.peers.hub_process import HubProcess
from benchmarks.peers.request_tracker import AGENT_PASSWORD, ROOT_PASSWORD, RequestTracker

CUSTOMERS = 8
# Alone on two cores each wait is over in seconds; beside other work it takes its time.
PATIENCE = 180.0
# The addresses people.pl and Request Tracker's own first user have: nobody else is written to.
KNOWN_ADDRESSES = {"anna@peers.test", "hub@peers.test", "root@localhost"}
CONNECTIONS = """\
[connections.bluesky]
connector = "bluesky"
mode = "live"
service = "{bluesky}"
identifier = "{handle}"
app_password = {{ env = "PEERS_BLUESKY_PASSWORD" }}
poll_every = 1

[connections.tracker]
connector = "request_tracker"
mode = "live"
url = "{tracker}"
token = {{ env = "PEERS_RT_TOKEN" }}
queue = "Social"
poll_every = 2
"""


class NotSeen(Exception):
    """A step of the story did not happen in time."""


class Run:
    """The peers and the hub in ``folder``, and what people do there."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.started = time.monotonic()
        ports = dict(zip(["pds", "bsky", "plc", "bsync"], free_ports(4), strict=True))
        tracker_port, hub_port = free_ports(2)
        self.tracker = RequestTracker(folder / "rt", tracker_port)
        self.network = BlueskyNetwork(folder / "bluesky", ports)
        self.hub_port = hub_port
        self.conversations: list[Conversation] = []
        self.outages: dict[str, int] = {}

    # The peers and the hub

    def start(self) -> None:
        """Start the peers, then the hub on them; return when it has made its first polls."""
        self.start_peers()
        self.agent = Agent(self.tracker.url, "anna", AGENT_PASSWORD)
        self.reader = Agent(self.tracker.url, "root", ROOT_PASSWORD)
        self.brand = BlueskyAccount(self.network.url, "acmecare.test")
        for number in range(CUSTOMERS):
            self.conversations.append(Conversation(BlueskyAccount(self.network.url, f"customer{number}.test")))
        self.hub = HubProcess(
            self.folder / "hub",
            self.hub_port,
            CONNECTIONS.format(bluesky=self.network.url, handle=self.brand.handle, tracker=self.tracker.url),
            {"PEERS_BLUESKY_PASSWORD": self.brand.app_password(), "PEERS_RT_TOKEN": self.tracker.hub_token()},
        )
        self.hub.configure()
        self.hub.command("connections", "setup", "tracker", "--apply", *self.hub.where)
        self.hub.start()
        # Nothing written before the first poll is ever answered.
        self.until("the hub's first polls", self._polled)
        self.say("the hub is up")

    def start_peers(self) -> None:
        """Start both peers side by side."""
        with ThreadPoolExecutor() as pool:
            tracker, network = pool.submit(self._start_tracker), pool.submit(self.network.start)
            self.say(f"Request Tracker is up ({tracker.result():.1f} s), Bluesky is up ({network.result():.1f} s)")

    def _start_tracker(self) -> float:
        started = time.monotonic()
        self.tracker.make()
        self.tracker.start()
        return time.monotonic() - started

    def _polled(self) -> bool:
        return all(one["next_poll_at"] and one["health"] == "ok" for one in self.hub.ask("connections", "list"))

    def close(self) -> None:
        """End all that was started."""
        if hasattr(self, "hub"):
            self.hub.stop(signal.SIGKILL)
        self.tracker.stop()
        self.network.close()

    # Telling and waiting

    def say(self, text: str) -> None:
        """Tell where the run is."""
        print(f"peers: {time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def until(self, what: str, seen: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait for ``seen``; :class:`NotSeen` when it does not come."""
        deadline = time.monotonic() + patience
        while not seen():
            if time.monotonic() > deadline:
                raise NotSeen(f"not seen within {patience:.0f} s: {what}")
            time.sleep(0.7)

    def broken(self, what: str) -> None:
        """Note an outage."""
        self.outages[what] = self.outages.get(what, 0) + 1
        self.say(what)

    # What people do

    def writes(self, *numbers: int) -> None:
        """Each of these customers writes: first a post that names the brand, later an answer in the thread."""
        for number in numbers:
            one = self.conversations[number]
            word = nonce("q")
            text = f"{word} my parcel has not arrived, what now?"
            if not one.posts:
                one.posts[word] = one.customer.write(text, mention=self.brand)
                continue
            theirs = [post for post in self.brand.thread(one.root) if post.uri.startswith(f"at://{self.brand.did}/")]
            # Who answers the brand need not name it; who goes on below the own post does.
            under, mention = (theirs[-1], None) if theirs else (one.root, self.brand)
            one.posts[word] = one.customer.write(text, under=under, mention=mention)

    def answers(self, history: list[Entry] | None = None) -> None:
        """The agent answers every customer's text that stands unanswered in Request Tracker; once per customer with a
        note to colleagues before."""
        ends = Ends(self.reader.history() if history is None else history, [], {})
        for one in self.conversations:
            for word in one.posts:
                found = ends.in_tracker(word)
                if not found or word in one.answers:
                    continue
                if not one.notes:
                    one.notes.append(nonce("n"))
                    self.agent.comment(found[0].ticket, f"{one.notes[-1]} between us: he is right")
                one.answers[word] = nonce("a")
                self.agent.correspond(found[0].ticket, f"{one.answers[word]} it is on its way, here is how we help.")

    def whole(self) -> bool:
        """True when everything said so far is answered and stands at the other end; the agent goes on answering."""
        begun = self.begun()
        ends = Ends.look(self.reader, self.brand, begun)
        answered = all(word in one.answers for one in begun for word in one.posts)
        self.answers(ends.entries)
        return answered and figures(begun, ends)["lost"] == 0

    def begun(self) -> list[Conversation]:
        """The conversations in which something was said."""
        return [one for one in self.conversations if one.posts]

    def count(self) -> dict[str, int]:
        """The figures now."""
        return figures(self.begun(), Ends.look(self.reader, self.brand, self.begun()))

    def amiss(self) -> list[str]:
        """What is wrong now, text by text."""
        return amiss(self.begun(), Ends.look(self.reader, self.brand, self.begun()))

    def ticket(self, number: int) -> str:
        """The Request Tracker ticket of a conversation."""
        found = Ends(self.reader.history(), [], {}).in_tracker(next(iter(self.conversations[number].posts)))
        return found[0].ticket

    # The story

    def story(self) -> None:
        """Everything a run shows, in order; :class:`NotSeen` at the first thing that does not happen."""
        self.calm()
        self.network_breaks()
        self.tracker_breaks()
        self.hub_restarts()
        self.hub_is_killed()
        self.settles()

    def calm(self) -> None:
        """A mention, an answer, a second post, a deletion, a resolution, with nothing broken."""
        self.writes(0, 1)
        self.until("two mentions as tickets, two answers in their threads", self.whole)
        before = self.ticket(0)
        self.writes(0, 1)
        self.until("the second posts as second correspondences, and their answers", self.whole)
        if self.ticket(0) != before:
            raise NotSeen("the second post in the first ticket")
        self.say("mentions, answers, second posts and second answers are through")
        one = self.conversations[1]
        word = list(one.posts)[-1]
        one.customer.delete(one.posts[word])
        one.deleted.add(word)
        self.until("a customer's deletion in Request Tracker", lambda: self._deletion_shows(word))
        self.agent.resolve(self.ticket(0))
        self.until("resolved in Request Tracker, solved in the hub", lambda: self._status(0) == "solved")
        self.say("a deletion shows in Request Tracker, a resolution in the hub")

    def _deletion_shows(self, word: str) -> bool:
        notes = [e for e in self.reader.history() if e.kind == "Comment" and e.creator == "hub" and word in e.text]
        return any("deleted" in note.text for note in notes)

    def _status(self, number: int) -> str:
        word = next(iter(self.conversations[number].posts))
        return "".join(one["status"] for one in self.hub.ask("ticket", "list", "--search", word))

    def network_breaks(self) -> None:
        """Bluesky goes away with an answer on its way to it, and right after a customer wrote."""
        self.writes(2, 3)
        self.until("two more tickets", lambda: all(self._in_tracker(number) for number in (2, 3)))
        self.network.stop()
        self.broken("bluesky_killed")
        self.answers()
        time.sleep(1.5)
        self.network.start()
        self.writes(4)
        self.network.stop()
        self.broken("bluesky_killed")
        self.network.start()
        self.until("all that was said round Bluesky's outages", self.whole)
        self.say("Bluesky's restarts lost nothing")

    def _in_tracker(self, number: int) -> bool:
        ends = Ends(self.reader.history(), [], {})
        return all(ends.in_tracker(word) for word in self.conversations[number].posts)

    def tracker_breaks(self) -> None:
        """Request Tracker goes away while tickets are being made and an answer was just written."""
        self.writes(5, 2)
        time.sleep(self.random.uniform(0.5, 1.5))
        self.tracker.stop()
        self.broken("rt_killed")
        self.writes(3)
        time.sleep(1)
        self.tracker.start()
        self.answers()
        self.tracker.stop()
        self.broken("rt_killed")
        self.tracker.start()
        self.until("all that was said round Request Tracker's outages", self.whole)
        self.say("Request Tracker's restarts lost nothing")

    def hub_restarts(self) -> None:
        """The hub is restarted; both sides talk while it is away."""
        self.writes(6)
        self.until("one more ticket", lambda: self._in_tracker(6))
        self.hub.stop(signal.SIGTERM)
        self.broken("hub_stopped")
        self.answers()
        self.writes(7, 4)
        self.hub.start()
        self.until("all that was said while the hub was away", self.whole)
        self.say("the hub's restart lost nothing")

    def hub_is_killed(self) -> None:
        """``kill -9`` at random moments while both sides talk."""
        for numbers in [(4, 5), (6, 7), (2, 3)]:
            self.writes(*numbers)
            deadline = time.monotonic() + self.random.uniform(0.3, 2.5)
            while time.monotonic() < deadline:
                self.answers()
            self.hub.stop(signal.SIGKILL)
            self.broken("hub_kill_9")
            self.hub.start()
        self.until("all that was said round the kills of the hub", self.whole)
        self.say("the kills of the hub lost nothing")

    def settles(self) -> None:
        """The agent resolves the rest; wait until nothing is on its way any more."""
        for number in range(1, CUSTOMERS):
            self.agent.resolve(self.ticket(number))
        self.until("every ticket solved in the hub", self._all_solved)
        self.until("a hub with nothing left to do", self._idle)

    def _all_solved(self) -> bool:
        rows = self.hub.ask("ticket", "list", "--limit", "1000")
        return len(rows) == CUSTOMERS and all(one["status"] == "solved" for one in rows)

    def _idle(self) -> bool:
        return not any(one["backlog"] or one["parked"] for one in self.hub.ask("connections", "list"))

    # After the story

    def mails(self) -> tuple[int, int]:
        """How many mails Request Tracker would have sent, and how many of them to addresses nobody has."""
        sent = re.findall(r"^===\ntest .*\nfrom: .*\nto: (.*)$", self.tracker.mails(), re.MULTILINE)
        wrong = [to for to in sent if not set(to.replace(",", " ").split()) <= KNOWN_ADDRESSES]
        return len(sent), len(wrong)

    def counters_count(self) -> dict[str, int]:
        """Make at both ends, by hand and with the hub stopped, what a broken hub would make: one text that nobody
        brings over, one answer published twice, one customer's text twice in its ticket, one note said in public.

        Return by how much the figures rose: a counter that cannot rise proves nothing.
        """
        self.hub.stop(signal.SIGKILL)
        before = self.count()
        one, other = self.conversations[2], self.conversations[3]
        self.writes(2)
        answer = next(iter(one.answers.values()))
        self.brand.write(f"{answer} again", under=one.root)
        self.brand.write(f"{other.notes[0]} not for you", under=other.root)
        self.agent.correspond(self.ticket(3), f"{next(iter(other.posts))} again")
        after: dict[str, int] = {}

        def risen() -> bool:
            after.update(self.count())
            return all(after[name] > before[name] for name in ("lost", "doubled", "leaked_notes"))

        self.until("the planted mistakes in the figures", risen, patience=20)
        return {name: after[name] - before[name] for name in ("lost", "doubled", "leaked_notes")}


def free_ports(number: int) -> list[int]:
    """Ports nobody uses now."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    found = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found
