"""make peers: the hub between a real Bluesky network and a real Request Tracker, with restarts and ``kill -9``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.install import install

if TYPE_CHECKING:
    from benchmarks.peers.run import Run

ROOT = Path(__file__).parents[2]
LIVE = (("sources", "bluesky"), ("sinks", "request_tracker"))
PLANTED = {"lost": 1, "doubled": 2, "leaked_notes": 1}


def main() -> None:
    """Install, run, print the figures; exit 0 when every step was seen and nothing was lost, doubled or leaked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install-only", action="store_true", help="install what is missing and end")
    parser.add_argument("--serve", action="store_true", help="start both peers for development, until Ctrl-C")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    install()
    if options.install_only:
        return
    # Installing needs nothing but Python itself: CI does it before the environment is there.
    from benchmarks.peers.run import Run

    with tempfile.TemporaryDirectory(prefix="hub-peers-") as folder:
        run = Run(Path(folder), options.seed)
        try:
            if options.serve:
                serve(run)
            elif not tell(run):
                sys.exit(1)
        finally:
            run.close()


def tell(run: Run) -> bool:
    """The run and its figures; true when all is as it must be."""
    from benchmarks.peers.run import NotSeen

    missed, planted = "", {}
    run.start()
    try:
        run.story()
    except NotSeen as error:
        missed = str(error)
    figures = run.count()
    live = not missed and live_tests(run)
    texts = sum(len(one.posts) + len(one.answers) + len(one.notes) for one in run.conversations)
    mails, mails_to_nobody = run.mails()
    if missed:
        print(run.hub.log.read_text()[-6000:], file=sys.stderr)
        print(run.hub.command("connections", "list", *run.hub.where), missed, sep="\n", file=sys.stderr)
        print(*run.amiss(), sep="\n", file=sys.stderr)
    else:
        planted = run.counters_count()
        run.say(f"the counters find what was planted by hand: {planted == PLANTED} {planted}")
    outages = " ".join(f"{what}={times}" for what, times in run.outages.items())
    seconds = time.monotonic() - run.started
    print(f"seconds={seconds:.0f} texts={texts} mails={mails} mails_to_nobody={mails_to_nobody} {outages}")
    print(" ".join(f"{name}={value}" for name, value in figures.items()))
    wrong = figures["lost"] or figures["doubled"] or figures["leaked_notes"] or mails_to_nobody
    return not missed and not wrong and planted == PLANTED and live


def live_tests(run: Run) -> bool:
    """The plugins' own tests against the same servers; true when all pass and none is skipped."""
    from benchmarks.peers.request_tracker import AGENT_PASSWORD
    from benchmarks.peers.run import KNOWN_ADDRESSES

    where = {
        "HUB_TEST_REQUIRE": "1",
        "HUB_TEST_BLUESKY_URL": run.network.url,
        "HUB_TEST_RT_URL": run.tracker.url,
        "HUB_TEST_RT_TOKEN": run.tracker.hub_token(),
        "HUB_TEST_RT_AGENT": f"anna:{AGENT_PASSWORD}",
        "HUB_TEST_RT_STAFF": " ".join(KNOWN_ADDRESSES),
        "HUB_TEST_RT_MAILS": str(run.tracker.folder / "mails"),
    }
    tests = [str(folder) for side, name in LIVE for folder in (ROOT / "tests/plugins" / side / name).glob("test_*.py")]
    command = [sys.executable, "-m", "pytest", "-m", "peers", *tests]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **where}, check=False).returncode == 0


def serve(run: Run) -> None:
    """Both peers on their own until Ctrl-C, for whoever works on a plugin."""
    from benchmarks.peers.request_tracker import AGENT_PASSWORD, ROOT_PASSWORD

    # Blocked before anything is started, so that whenever it comes it ends this wait and nothing else.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    run.start_peers()
    print(f"Bluesky: {run.network.url}/xrpc/ (accounts: com.atproto.server.createAccount, handles end in .test)")
    print(f"Request Tracker: {run.tracker.url} (root/{ROOT_PASSWORD}, anna/{AGENT_PASSWORD}), queue Social")
    print(f"The hub's token there: {run.tracker.hub_token()}\nCtrl-C ends both and removes {run.folder}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
