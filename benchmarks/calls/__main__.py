"""make bench-calls: vendor calls per 1,000 messages in a burst and at a trickle, and a storm within real quotas.

A real ``hub run`` with a webhook source and the Zendesk sink; the other end is the Zendesk sandbox, which counts. Every
message is from a customer of its own, so each needs a user and a ticket. The hub's polls, its webhooks' consequences
and its checks count as well.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.calls.zendesk import REAL_QUOTAS, Zendesk
from benchmarks.ports import free_port, wait_until_up

HUB = """
[hub]
listen = "127.0.0.1:{port}"
database = "sqlite"
var = "{var}"

[connections.bench-in]
connector = "source:webhook"
mode = "observe"
signature = "x_hub"
secrets = ["s3cret"]
format = "pointers"

[connections.bench-in.pointers]
id = "/id"
text = "/text"
author_id = "/author"
author_name = "/author"

[connections.desk]
connector = "zendesk"
mode = "live"
base_url = "{zendesk}"
email = "{email}"
api_token = "{token}"
webhook_secrets = ["{secret}"]

{rules}
"""
TEAMS = """
default_team = "care"

[teams.care]
sink = "desk"
label = { en = "Care", it = "Assistenza" }
"""
SHIPPED = Path(__file__).parents[2] / "config"
URGENT = "the phone caught fire in my hand"
ORDINARY = "my parcel is late, where is it"
QUIET = 45.0
"""Seconds after the last ticket in which what follows from it is still counted: webhooks, a poll, completions."""


class Hub:
    """A hub in a process of its own."""

    def __init__(self, folder: Path, zendesk: Zendesk) -> None:
        self.port = free_port()
        config = folder / "config"
        config.mkdir(parents=True)
        shipped = (SHIPPED / "hub.toml").read_text()
        (config / "categories.toml").write_text((SHIPPED / "categories.toml").read_text())
        account = zendesk.accounts["hub"]
        values = {
            "port": self.port,
            "var": folder / "var",
            "zendesk": zendesk.url,
            "email": account["email"],
            "token": account["token"],
            "secret": zendesk.webhook_secret(f"http://127.0.0.1:{self.port}/hooks/desk"),
            "rules": shipped[shipped.index("[[routers]]") :],
        }
        (config / "hub.toml").write_text(HUB.format(**values))
        (config / "teams.toml").write_text(TEAMS)
        self.log = folder / "hub.log"
        command = [str(Path(sys.executable).with_name("hub")), "run", "--config", str(config)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until_up(self.port, self.log)

    def post(self, connection: http.client.HTTPConnection, number: str, text: str) -> None:
        """A customer writes."""
        body = json.dumps({"id": number, "text": f"{number} {text}", "author": f"customer-{number}"}).encode()
        signature = "sha256=" + hmac.digest(b"s3cret", body, "sha256").hex()
        headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
        connection.request("POST", "/hooks/bench-in", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"the hub answered {answer.status}")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)


def marks_in(zendesk: Zendesk, limit: int) -> dict[str, list[datetime]]:
    """What has arrived: each message's number, and when its ticket was made, one entry a ticket."""
    found: dict[str, list[datetime]] = {}
    for record in zendesk.records(limit):
        for comment in record["comments"]:
            if comment["role"] == "end-user":
                made = datetime.fromisoformat(comment["created_at"])
                found.setdefault(comment["text"].split()[0], []).append(made)
    return found


def wait_for(zendesk: Zendesk, numbers: list[str], *, at_most: float) -> dict[str, list[datetime]]:
    """Until every one of ``numbers`` is there; what is there by then."""
    deadline = time.monotonic() + at_most
    while True:
        there = marks_in(zendesk, 2 * len(numbers) + 100)
        if all(number in there for number in numbers) or time.monotonic() > deadline:
            return there
        time.sleep(max(0.5, len(numbers) / 2000))


class Figures(dict[str, float]):
    """Name -> figure; ``wrong`` counts what was lost or came twice."""

    wrong = 0

    def count(self, numbers: list[str], there: dict[str, list[datetime]]) -> None:
        """Add what is lost or doubled."""
        lost = sum(number not in there for number in numbers)
        doubled = sum(len(there.get(number, [])) > 1 for number in numbers)
        self.wrong += lost + doubled
        print(f"  messages={len(numbers)} lost={lost} doubled={doubled}", flush=True)


def fixed(name: str, count: int, figures: Figures, folder: Path, *, seconds: float) -> None:
    """``count`` messages, within ``seconds`` (0: at once); the calls until everything has settled, per thousand."""
    zendesk = Zendesk(folder)
    zendesk.settings(**{**REAL_QUOTAS, "rate_limit": 700})
    hub = Hub(folder, zendesk)
    try:
        time.sleep(3)  # the first check and the first poll are no cost of the messages
        zendesk.clear_calls()
        numbers = [f"{name}{number}" for number in range(count)]
        began = time.monotonic()
        send(hub, numbers, seconds)
        there = wait_for(zendesk, numbers, at_most=300)
        took = time.monotonic() - began
        time.sleep(QUIET)
        told = zendesk.calls()["accounts"].get("hub", {"total": 0, "throttled": 0, "calls": {}})
        figures.count(numbers, there)
        for call, statuses in sorted(told["calls"].items(), key=lambda item: -sum(item[1].values())):
            print(f"  {sum(statuses.values()):5} {call} {statuses}")
        print(f"  all in after {took:.1f} s; {told['total']} calls, {told['throttled']} of them refused", flush=True)
        figures[f"zendesk_{name}"] = round(told["total"] * 1000 / count, 1)
    finally:
        hub.close()
        zendesk.close()


def send(hub: Hub, numbers: list[str], seconds: float, urgent: int = 0) -> dict[str, datetime]:
    """Post them, spread evenly; every ``urgent``-th is urgent. When each was taken by the hub."""
    taken: dict[str, datetime] = {}
    began = time.monotonic()
    lock = threading.Lock()
    waiting = list(enumerate(numbers))[::-1]

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
        while True:
            with lock:
                if not waiting:
                    return
                place, number = waiting.pop()
            due = began + seconds * place / len(numbers)
            time.sleep(max(0.0, due - time.monotonic()))
            taken[number] = datetime.now(UTC)
            hub.post(connection, number, URGENT if urgent and place % urgent == 0 else ORDINARY)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    return taken


class Colleagues(threading.Thread):
    """The agents' own integration: a call a second under another account, out of the same quota."""

    def __init__(self, zendesk: Zendesk) -> None:
        super().__init__(daemon=True)
        account = zendesk.accounts["agent"]
        pair = f"{account['email']}/token:{account['token']}".encode()
        self.headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        self.zendesk = zendesk
        self.asked = self.refused = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Ask until stopped."""
        while not self.stopped.wait(1.0):
            self.asked += 1
            try:
                self.zendesk.call("GET", "/api/v2/users/me.json", headers=self.headers)
            except urllib.error.HTTPError as error:
                self.refused += error.code == 429


def storm(count: int, seconds: float, figures: Figures, folder: Path) -> None:
    """``count`` posts in ``seconds`` against real quotas, one in a hundred urgent, while colleagues use the account."""
    zendesk = Zendesk(folder)
    hub = Hub(folder, zendesk)
    colleagues = Colleagues(zendesk)
    try:
        time.sleep(3)
        zendesk.settings(**REAL_QUOTAS)
        zendesk.clear_calls()
        numbers = [f"storm{number}" for number in range(count)]
        colleagues.start()
        began = time.monotonic()
        taken = send(hub, numbers, seconds, urgent=100)
        there = wait_for(zendesk, numbers, at_most=2 * seconds + 300)
        figures["all_in_min"] = round((time.monotonic() - began) / 60, 2)
        colleagues.stopped.set()
        figures.count(numbers, there)
        # Zendesk counts in whole seconds: half a second is its mean error.
        waits = sorted(max(0.0, (there[n][0] - taken[n]).total_seconds() + 0.5) for n in numbers[::100] if n in there)
        others = sorted(max(0.0, (there[n][0] - taken[n]).total_seconds() + 0.5) for n in numbers if n in there)
        told = zendesk.calls()["accounts"].get("hub", {"total": 0, "throttled": 0})
        figures["urgent_p95_s"] = round(waits[int(len(waits) * 0.95)], 1)
        figures["rate_limited"] = told["throttled"]
        figures["agents_refused"] = colleagues.refused
        print(f"  {told['total']} calls of the hub; {colleagues.asked} of colleagues, {colleagues.refused} refused")
        print(
            f"  urgent p50={statistics.median(waits):.1f} s; all p50={statistics.median(others):.1f} s, "
            f"p95={others[int(len(others) * 0.95)]:.1f} s",
            flush=True,
        )
    finally:
        colleagues.stopped.set()
        hub.close()
        zendesk.close()


def main() -> None:
    """Measure and print the figures; exit 1 when anything was lost or came twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=1000)
    parser.add_argument("--trickle", type=int, default=60, help="messages, one every two seconds")
    parser.add_argument("--storm", type=int, default=10_000)
    parser.add_argument("--storm-seconds", type=float, default=600)
    options = parser.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="hub-calls-") as name:
        folder = Path(name)
        if options.burst:
            print("burst", flush=True)
            fixed("burst", options.burst, figures, folder / "burst", seconds=0)
        if options.trickle:
            print("trickle", flush=True)
            fixed("trickle", options.trickle, figures, folder / "trickle", seconds=2 * options.trickle)
        if options.storm:
            print("storm", flush=True)
            storm(options.storm, options.storm_seconds, figures, folder / "storm")
    order = ("zendesk_burst", "zendesk_trickle", "urgent_p95_s", "all_in_min", "rate_limited")
    print(" ".join(f"{name}={figures[name]}" for name in figures if name not in order))
    print(" ".join(f"{name}={figures[name]}" for name in order if name in figures))
    sys.exit(1 if figures.wrong else 0)


if __name__ == "__main__":
    main()
