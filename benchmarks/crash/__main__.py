"""make crash KILLS=50 DB=sqlite|postgresql SINK=fake|zendesk [BUG=commit_after_send|dedupe_outside]."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.crash.desks import Desk, FakeDesk, ZendeskDesk
from benchmarks.ports import free_port
from tests.databases import Postgres


class Run:
    """One crash run: starts the vendors and the hub, plays customers and agent, kills, counts."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.vendor_port, self.hub_port = free_port(), free_port()
        self.vendors = f"http://127.0.0.1:{self.vendor_port}"
        self.children: list[subprocess.Popen[bytes]] = []
        self.hub: subprocess.Popen[bytes] | None = None
        self.postgres = Postgres.start() if options.db == "postgresql" else None
        self.url = (
            self.postgres.new_database(f"crash{uuid.uuid4().hex[:8]}")
            if self.postgres
            else f"sqlite:///{folder}/hub.sqlite"
        )
        self.desk: Desk = FakeDesk(self.hand)
        self.looked_at = 0.0
        self.posted: list[str] = []
        self.answered: set[str] = set()

    def start_vendors(self) -> None:
        """Start them and wait until they answer."""
        if self.options.sink == "zendesk":
            self.desk = ZendeskDesk(self.folder, self.hub_port, self.options.seed)
        seed = str(self.options.seed)
        command = [sys.executable, "-m", "benchmarks.crash.vendors", "--port", str(self.vendor_port), "--seed", seed]
        self.children.append(subprocess.Popen([*command, "--rate", str(self.options.rate)]))
        for _ in range(200):
            try:
                self.hand("webhooks", url=f"http://127.0.0.1:{self.hub_port}/hooks/network")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit("the fake vendors did not start")

    def start_hub(self) -> None:
        """Start the hub; it is not waited for: a kill may come at any moment."""
        command = [sys.executable, "-m", "benchmarks.crash.hub_process", "--db", self.url, "--vendors", self.vendors]
        command += ["--port", str(self.hub_port), "--bug", self.options.bug, "--var", str(self.folder)]
        command += self.desk.options()
        with Path(self.folder, "hub.log").open("ab") as log:
            self.hub = subprocess.Popen(command, stdout=log, stderr=log)

    def hand(self, path: str, **data: Any) -> Any:
        """Do something at the vendors as a person."""
        request = urllib.request.Request(f"{self.vendors}/hand/{path}", json.dumps(data).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def hub_is_up(self) -> bool:
        """True when the hub listens."""
        try:
            socket.create_connection(("127.0.0.1", self.hub_port), timeout=0.2).close()
        except OSError:
            return False
        return True

    def wait_for_first_poll(self) -> None:
        """History is never read: nobody writes before the hub has stored its first cursor."""
        deadline = time.monotonic() + 60
        enough = 8 if self.options.sink == "fake" else 4
        while self.hand("dump")["calls"] < enough:
            if time.monotonic() > deadline:
                raise SystemExit("the hub did not start; see its log")
            time.sleep(0.1)

    def people_act(self, posts: int) -> None:
        """Customers write ``posts`` messages; the agent answers what is new in the helpdesk."""
        for _ in range(posts):
            if len(self.posted) < self.options.messages // 2:
                mark = f"m{len(self.posted)}"
                self.hand("post", author=self.author(), text=f"{mark} please help")
                self.posted.append(mark)
        if time.monotonic() < self.looked_at + self.desk.every:
            return
        records, self.looked_at = self.desk.records(), time.monotonic()
        for record in records:
            for comment in record["comments"]:
                mark = comment["text"].split()[0]
                if comment["role"] == "end-user" and mark.startswith("m") and mark not in self.answered:
                    self.answered.add(mark)
                    number = mark[1:]
                    if int(number) % 10 == 0:
                        self.desk.answer(record["id"], f"n{number} internal", public=False)
                    self.desk.answer(record["id"], f"a{number} here you are")

    def author(self) -> str:
        """Everybody writes once, some of them again."""
        number = len(self.posted)
        return f"customer{number if number < self.options.customers else self.random.randrange(self.options.customers)}"

    def kill_often(self) -> int:
        """Kill the hub at random moments while people act; return how often it was at work when killed."""
        kills = 0
        per_round = -(-self.options.messages // 2 // max(1, self.options.kills))
        self.wait_for_first_poll()
        while kills < self.options.kills:
            deadline = time.monotonic() + self.random.uniform(0.2, self.desk.lives)
            up = self.hub_is_up()
            while time.monotonic() < deadline or not up:
                self.people_act(0)
                up = up or self.hub_is_up()
                time.sleep(0.05)
            self.people_act(per_round)
            time.sleep(self.random.uniform(0.0, 0.4))
            assert self.hub is not None
            self.hub.send_signal(signal.SIGKILL)
            self.hub.wait()
            kills += 1
            print(f"\rkilled {kills} times, {len(self.posted)} posts, {len(self.answered)} answers", end="", flush=True)
            self.start_hub()
        print()
        return kills

    def drain(self) -> None:
        """Let everything arrive, with vendors that still fail."""
        deadline = time.monotonic() + self.options.drain
        quiet = 0
        before: Any = None
        while time.monotonic() < deadline and quiet < 12:
            self.people_act(5)
            time.sleep(0.5)
            now = self.figures()
            complete = len(self.posted) >= self.options.messages // 2 and now["lost"] == 0
            quiet = quiet + 1 if complete and now == before else 0
            before = now

    def figures(self) -> dict[str, int]:
        """What is there, counted at the vendors by mark."""
        dump, records = self.hand("dump"), self.desk.records()
        comments = [comment for record in records for comment in record["comments"]]
        arrived = Counter(c["text"].split()[0] for c in comments if c["role"] == "end-user")
        own = [post for post in dump["posts"] if post["author"] == "brand"]
        published = Counter(post["text"].split()[0] for post in own)
        answers = [f"a{mark[1:]}" for mark in self.posted]
        return {
            "lost": sum(arrived[mark] == 0 for mark in self.posted) + sum(published[mark] == 0 for mark in answers),
            "doubled": sum(max(0, arrived[mark] - 1) for mark in self.posted)
            + sum(max(0, published[mark] - 1) for mark in answers),
            "leaked_notes": sum(count for mark, count in published.items() if mark.startswith("n")),
            "out_of_order": self.out_of_order(records),
        }

    @staticmethod
    def out_of_order(records: list[dict[str, Any]]) -> int:
        """Customers' messages that stand before an earlier one of theirs in a record, of those that were only polled: a
        webhook repeated after a kill comes when it comes."""
        wrong = 0
        for record in records:
            marks = [c["text"].split()[0] for c in record["comments"] if c["role"] == "end-user"]
            numbers = [int(mark[1:]) for mark in marks if mark[0] == "m"]
            polled = [number for number in numbers if (number + 1) % 3 == 0]
            wrong += sum(later < earlier for earlier, later in itertools.pairwise(polled))
        return wrong

    def close(self) -> None:
        """End what was started here."""
        for child in [*self.children, *([self.hub] if self.hub else [])]:
            child.kill()
            child.wait()
        self.desk.close()
        if self.postgres:
            self.postgres.stop()


def main() -> None:
    """Run, print the figures, exit 0 when they are as they must be (with a bug: when it was detected)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--bug", default="", choices=["", "commit_after_send", "dedupe_outside"])
    parser.add_argument("--sink", choices=["fake", "zendesk"], default="fake")
    parser.add_argument("--messages", type=int, help="of customers and agents together (500; zendesk 24 a kill)")
    parser.add_argument("--customers", type=int, help="how many (40; zendesk 10 a kill, each a conversation)")
    parser.add_argument("--rate", type=float, default=0.1, help="share of vendor calls that fail")
    parser.add_argument("--drain", type=float, default=420)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    options.messages = options.messages or (24 * options.kills if options.sink == "zendesk" else 500)
    options.customers = options.customers or (10 * options.kills if options.sink == "zendesk" else 40)
    with tempfile.TemporaryDirectory(prefix="hub-crash-") as folder:
        run = Run(options, Path(folder))
        try:
            run.start_vendors()
            run.start_hub()
            kills = run.kill_often()
            run.drain()
            figures = run.figures()
            print(Path(folder, "hub.log").read_text()[-3000:], file=sys.stderr)
            dump, conversations = run.hand("dump"), len(run.desk.records())
        finally:
            run.close()
    wrong = figures["lost"] or figures["doubled"] or figures["leaked_notes"] or figures["out_of_order"]
    messages = len(run.posted) + len(run.answered)
    line = f"kills={kills} conversations={conversations} messages={messages} "
    line += f"calls={dump['calls']} webhooks={dump['webhooks']} "
    line += " ".join(f"{name}={value}" for name, value in figures.items())
    print(f"{line} detected={int(bool(wrong))}" if options.bug else line)
    sys.exit(0 if bool(wrong) == bool(options.bug) else 1)


if __name__ == "__main__":
    main()
