"""make bench-flow: CPU milliseconds per event for webhook -> ticket delivered, and for a bare endpoint."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.crash.__main__ import Run, free_port
from benchmarks.crash.vendors import SECRET


def load(port: int, first: int, events: int, connections: int) -> float:
    """Post ``events`` webhooks over keep-alive connections; return the seconds it took. All must be answered 200."""
    failures: list[int] = []

    def work(numbers: range) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in numbers:
            entry = {
                "kind": "post",
                "id": f"e{number}",
                "author": f"c{number}",
                "text": f"m{number} my parcel is late",
                "reply_to": "",
                "thread": f"e{number}",
                "at": time.time(),
                "edited": None,
                "private": False,
            }
            body = json.dumps([entry]).encode()
            signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            client.request("POST", "/hooks/network", body, {"X-Signature": signature})
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append(answer.status)
        client.close()

    began = time.perf_counter()
    threads = [
        threading.Thread(target=work, args=(range(first + part, first + events, connections),))
        for part in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} webhooks were not answered 200, the first with {failures[0]}")
    return time.perf_counter() - began


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def arrived(run: Run) -> list[str]:
    """The marks of the comments that stand in the helpdesk."""
    records: list[dict[str, Any]] = run.hand("dump")["records"]
    return [c["text"].split()[0] for record in records for c in record["comments"] if c["role"] == "end-user"]


def measure_hub(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The hub: from the first webhook until the last ticket stands in the helpdesk."""
    run = Run(Namespace(db="sqlite", bug="", rate=0.0, seed=1), folder)
    try:
        run.start_vendors()
        run.start_hub()
        run.wait_for_first_poll()
        while not run.hub_is_up():
            time.sleep(0.05)
        assert run.hub is not None
        load(run.hub_port, 0, 100, options.connections)  # warm
        while len(arrived(run)) < 100:
            time.sleep(0.1)
        time.sleep(1)
        before, began = cpu(run.hub.pid), time.perf_counter()
        load(run.hub_port, 100, options.events, options.connections)
        wanted, deadline = 100 + options.events, time.perf_counter() + 120
        while len(arrived(run)) < wanted and time.perf_counter() < deadline:
            time.sleep(0.2)
        seconds = time.perf_counter() - began
        spent = cpu(run.hub.pid) - before
        marks = arrived(run)
        rss = psutil.Process(run.hub.pid).memory_info().rss
    finally:
        run.close()
    return {
        "hub_cpu_ms": spent * 1000 / options.events,
        "hub_events_per_s": options.events / seconds,
        "lost": wanted - len(set(marks)),
        "doubled": len(marks) - len(set(marks)),
        "rss_mb": rss / 1e6,
    }


def measure_bare(options: argparse.Namespace) -> float:
    """The bare endpoint: CPU milliseconds per event."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.flow.bare", str(port)])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        load(port, 0, 100, options.connections)
        before = cpu(server.pid)
        load(port, 100, options.events, options.connections)
        return (cpu(server.pid) - before) * 1000 / options.events
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Measure both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-flow-") as folder:
        figures = measure_hub(options, Path(folder))
    bare = measure_bare(options)
    print(
        f"events={options.events} hub_cpu_ms_per_event={figures['hub_cpu_ms']:.2f} bare_cpu_ms_per_event={bare:.2f} "
        f"ratio={figures['hub_cpu_ms'] / bare:.1f} hub_events_per_s={figures['hub_events_per_s']:.0f} "
        f"rss_mb={figures['rss_mb']:.0f} lost={figures['lost']:.0f} doubled={figures['doubled']:.0f}"
    )
    sys.exit(1 if figures["lost"] or figures["doubled"] else 0)


if __name__ == "__main__":
    main()
