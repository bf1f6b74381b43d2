"""The whole hub in one process: threads that wait for a nudge, and a ticker for what is due by time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from hub.flow import deliver, poll, take
from hub.store import StoreBusy, deliveries, inbox
from hub.work.engine import Engine

log = logging.getLogger("hub.work")

TICK = 0.25
PRUNE_EVERY = 3600.0


class Wake:
    """Wakes one worker, however often it is nudged before that: the worker does all there is."""

    def __init__(self) -> None:
        self._one = threading.Semaphore(0)
        self._asked = False

    def nudge(self) -> None:
        """Wake one, unless one is waking up already."""
        if not self._asked:  # two at once may both pass: then two wake up, which does no harm
            self._asked = True
            self._one.release()

    def wait(self, seconds: float) -> None:
        """Until somebody nudges, or the time is over."""
        if self._one.acquire(timeout=seconds):
            # Before the work is looked for: what comes from now on nudges again.
            self._asked = False


class Embedded:
    """Runs an engine with threads. Each connection has one for its inbox, one that polls, and some senders."""

    def __init__(self, engine: Engine, *, senders: int = 4) -> None:
        self.engine = engine
        self.hub = engine.hub
        self.senders = senders
        self._stop = threading.Event()
        inboxes = [inbox.nudged(name) for name in engine.hub.connected]
        self._wake = {name: Wake() for name in (*engine.sending, *inboxes)}
        self._threads: list[threading.Thread] = []
        self.hub.nudge = self.nudge

    def nudge(self, what: str) -> None:
        """Wake one thread that works for ``what``: a connection's senders, or its inbox."""
        wake = self._wake.get(what)
        if wake is not None:
            wake.nudge()

    def start(self, *, alone: bool) -> None:
        """Recover, then start every thread."""
        self.engine.prepare(alone=alone)
        self._run("ticker", self._tick)
        self._run("aside", self._aside)
        for name in self.hub.connected:
            # One thread each: a slow vendor's completions hold nobody else's events.
            work = lambda name=name: take.take(self.hub, name)  # noqa: E731
            self._run(inbox.nudged(name), lambda name=name, work=work: self._worker(inbox.nudged(name), work))  # type: ignore[misc]
        for name in self.engine.polling:
            self._run(f"poll-{name}", lambda name=name: self._poller(name))  # type: ignore[misc]
        for name in self.engine.sending:
            for number in range(self.senders):
                work = lambda name=name: deliver.drain(self.hub, name)  # noqa: E731
                self._run(f"send-{name}-{number}", lambda name=name, work=work: self._worker(name, work))  # type: ignore[misc]

    def stop(self) -> None:
        """Let every thread finish what it does; what was not sent stays in its lane."""
        self._stop.set()
        for wake in self._wake.values():
            wake.nudge()
        deadline = time.monotonic() + self.hub.timing.call.total_seconds()
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _worker(self, name: str, work: Callable[[], int]) -> None:
        wake = self._wake[name]
        while not self._stop.is_set():
            wake.wait(1.0)
            try:
                while not self._stop.is_set() and work():
                    pass
            except StoreBusy as error:
                log.warning("%s waits: %s", name, error)
                self._stop.wait(1.0)
            except Exception:
                # A thread that dies would stop its connection for ever without a word.
                log.exception("%s: unexpected error, going on in a second", name)
                self._stop.wait(1.0)

    def _poller(self, name: str) -> None:
        while not self._stop.wait(0.1):
            try:
                while not self._stop.is_set() and poll.due(self.hub, name) and poll.poll(self.hub, name):
                    pass
            except Exception:
                log.exception("polling %s: unexpected error, going on in a second", name)
                self._stop.wait(1.0)

    def _aside(self) -> None:
        # A thread of its own: a slow vendor's answers must not hold what the ticker wakes.
        while not self._stop.wait(1.0):
            try:
                self.engine.staff()
                self.engine.late.step()
                while not self._stop.is_set() and self.engine.nightly.step():
                    pass
            except Exception:
                log.exception("staff or nightly comparison: unexpected error, going on in a second")

    def _tick(self) -> None:
        pruned_at = time.monotonic()
        while not self._stop.wait(TICK):
            try:
                self.engine.check()
                self.engine.sweep()
                now = self.hub.now()
                with self.hub.store.read() as connection:
                    waiting = [name for name in self.engine.sending if deliveries.any_due(connection, name, now=now)]
                    waiting += [inbox.nudged(name) for name in inbox.with_due(connection, now=now)]
                for name in waiting:
                    self.nudge(name)
                self.engine.alert()
                if time.monotonic() - pruned_at > PRUNE_EVERY:
                    pruned_at = time.monotonic()
                    self.engine.prune()
            except Exception:
                log.exception("ticker: unexpected error, going on")
