"""make bench-load PERF=../shared/perf: the tools there load a real `hub run` and count at the other end.

The tools (a load generator and a dummy helpdesk in C, a driver in Python) are not part of this project; they are built
in a temporary folder. Saturation, then 30 events a second, then every event twice, then a helpdesk that fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.ports import free_port, wait_until_up

HUB = """
[hub]
listen = "127.0.0.1:{port}"
database = "sqlite"
var = "{var}"
senders = {senders}

[connections.bench-in]
connector = "source:webhook"
mode = "observe"
signature = "x_hub"
secrets = ["s3cret"]
format = "pointers"
permalink_format = "https://bench.example/{{id}}"

[connections.bench-in.pointers]
items = "/entry/*/changes/*/value"
id = "/comment_id"
text = "/message"
author_id = "/comment_id"  # a customer per event, so a ticket per event
author_name = "/from/name"

[connections.bench-desk]
connector = "sink:webhook"
mode = "live"
url = "http://127.0.0.1:{helpdesk}/tickets"
signature = "x_hub"
secrets = ["s3cret"]
ping = false
id_pointer = ""
idempotent_hours = 24

{rules}
"""
SHIPPED = Path(__file__).parents[2] / "config"
TEAMS = """
default_team = "care"

[teams.care]
sink = "bench-desk"
label = { en = "Care", it = "Assistenza" }
"""


def build(perf: Path, folder: Path) -> None:
    """The tools, ready to run in ``folder``."""
    for name in ("bench.py", "evload.c", "helpdesk.c"):
        shutil.copyfile(perf / name, folder / name)
    for command in ("gcc -O2 -o helpdesk helpdesk.c", "gcc -O2 -o evload evload.c -lcrypto"):
        built = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode:
            raise SystemExit(f"{command} failed (gcc and libssl-dev are needed):\n{built.stderr}")


class Bench:
    """A hub and a dummy helpdesk, loaded by the neutral driver."""

    def __init__(self, folder: Path, senders: int) -> None:
        self.folder, self.port, self.helpdesk = folder, free_port(), free_port()
        self.children = [subprocess.Popen([folder / "helpdesk", str(self.helpdesk)])]
        config = folder / "config"
        config.mkdir()
        shipped = (SHIPPED / "hub.toml").read_text()
        shutil.copyfile(SHIPPED / "categories.toml", config / "categories.toml")
        values = {"port": self.port, "helpdesk": self.helpdesk, "var": folder / "var", "senders": senders}
        values["rules"] = shipped[shipped.index("[[routers]]") :]
        (config / "hub.toml").write_text(HUB.format(**values))
        (config / "teams.toml").write_text(TEAMS)
        command = [str(Path(sys.executable).with_name("hub")), "run", "--config", str(config)]
        with (folder / "hub.log").open("w") as log:
            self.hub = subprocess.Popen(command, stdout=log, stderr=log)
        self.children.append(self.hub)
        wait_until_up(self.port, folder / "hub.log")

    def run(self, name: str, *options: str) -> dict[str, Any]:
        """One measured run; its figures."""
        fixed = ["--port", str(self.port), "--path", "/hooks/bench-in", "--helpdesk", str(self.helpdesk)]
        command = [sys.executable, "bench.py", name, *fixed, "--pid", str(self.hub.pid), "--runs", "1", *options]
        out = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout
        print(out.strip(), flush=True)
        found: dict[str, Any] = json.loads(out.splitlines()[0])
        return found

    def fail(self, count: int) -> None:
        """Let the helpdesk answer 503 to the next ``count`` tickets."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.helpdesk}/_fail?n={count}", timeout=5).close()

    def close(self) -> None:
        """End everything that was started here."""
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait(60)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--perf", default=os.environ.get("HUB_PERF", ""), help="the folder with the tools")
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--saturation-only", action="store_true")
    options = parser.parse_args()
    perf = Path(options.perf)
    if not (perf / "bench.py").is_file():
        raise SystemExit("Say where the load tools are: make bench-load PERF=../shared/perf")
    with tempfile.TemporaryDirectory(prefix="hub-load-") as name:
        folder = Path(name)
        build(perf.resolve(), folder)
        bench = Bench(folder, options.senders)
        try:
            bench.run("warm", "--n", "500", "--conns", "32")
            events = ["--n", str(options.events), "--conns", "32", "--drain", "30"]
            full = [bench.run("saturation", *events) for _ in range(options.runs)]
            figures = {
                "cpu_ms_per_event": statistics.median(run["cpu_ms_per_event"] for run in full),
                "events_per_s": statistics.median(run["delivered_s"] for run in full),
                "rss_mb": max(run["rss_peak_mb"] for run in full),
            }
            others = []
            if not options.saturation_only:
                low = bench.run("low", "--n", "300", "--rate", "30", "--conns", "8")
                twice = bench.run("twice", "--n", "2000", "--dup", "2", "--conns", "32", "--drain", "30")
                bench.fail(20)
                errors = bench.run("errors", "--n", "60", "--rate", "6", "--drain", "30")
                others = [low, twice, errors]
                figures.update(low_p50_ms=low["e2e_p50"], low_p99_ms=low["e2e_p99"])
            figures["lost"] = sum(run["lost"] for run in (*full, *others))
            figures["doubled"] = sum(run["dup_posts"] for run in (*full, *others))
        finally:
            bench.close()
    print(f"events={options.events} " + " ".join(f"{key}={value}" for key, value in figures.items()))
    sys.exit(1 if figures["lost"] or figures["doubled"] else 0)


if __name__ == "__main__":
    main()
