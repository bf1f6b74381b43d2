"""The unit of work: whoever wants to write submits a function; one writer runs what waits in one commit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Row
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from hub.store.engine import alone, open_engines
from hub.store.later import Later

T = TypeVar("T")
Job = tuple[Callable[["Tx"], Any], Future[Any]]

MAX_WAITING = 2_000
MAX_GROUP = 64


class StoreBusy(Exception):
    """The queue before the writer is full, or the database cannot take more now. Callers answer 503."""


class RunAgain(Exception):
    """A unit met what another writer just wrote; run again, it will see it."""


class Tx:
    """One write transaction. ``after_commit`` holds what must not happen before it; it must not raise."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.after_commit: list[Callable[[], None]] = []
        self.execute = connection.execute
        self.connections: dict[str, Row[Any]] = {}  # what hub.store.connections has read or written already
        self.customers: dict[int, int] = {}  # identity -> customer, of those first seen in this transaction
        self.later = Later()

    def write_later(self) -> None:
        """Write what waits in ``later`` now: for a unit that must see it."""
        self.later.write(self.connection)


class Store:
    """The database of one hub. Without :meth:`start` units run in the caller's thread, each in its own commit."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.writer_engine, self.reader_engine = open_engines(url)
        self._queue: queue.Queue[list[Job] | None] = queue.Queue(MAX_WAITING)
        self._threads: list[threading.Thread] = []
        self._inline = threading.RLock()

    def start(self, *, writers: int = 1) -> None:
        """Start the writer (on PostgreSQL: ``writers`` of them)."""
        for number in range(1 if self.is_sqlite else writers):
            thread = threading.Thread(target=self._write, name=f"writer-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Let the writer finish what waits, then close every connection."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(10)
        self._threads.clear()
        self.writer_engine.dispose()
        self.reader_engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only snapshot."""
        with self.reader_engine.connect() as connection, connection.begin():
            yield connection

    def alone(self, what: str) -> AbstractContextManager[None]:
        """Nobody else is at ``what`` meanwhile, in whatever process. For what must happen once at a vendor, and cannot
        be one transaction: never inside a unit."""
        return alone(self.reader_engine, what)

    def submit(self, unit: Callable[[Tx], T]) -> Future[T]:
        """Queue ``unit``; the future is done after its commit. A unit does no I/O, takes at most about 20 ms, and may
        be run again: it must not change anything but the database. Raises :class:`StoreBusy` when too much waits."""
        future: Future[T] = Future()
        if not self._threads:
            with self._inline:
                self._run_group([(unit, future)])
            return future
        try:
            self._queue.put_nowait([(unit, future)])
        except queue.Full:
            raise StoreBusy("too many writes are waiting") from None
        return future

    def run(self, unit: Callable[[Tx], T]) -> T:
        """Submit and wait for the commit. Raises what the unit raised; full queues are waited out here."""
        if not self._threads:
            return self.submit(unit).result()
        return self.run_all([unit])[0].result()

    def run_all(self, units: Sequence[Callable[[Tx], T]]) -> list[Future[T]]:
        """Submit at most ``MAX_GROUP`` units that share one commit, and wait until all futures are done.

        They run one after the other in this order. When one of them raises, each gets a commit of its own, still in
        this order: its trouble is not the others'.
        """
        jobs: list[tuple[Callable[[Tx], T], Future[T]]] = [(unit, Future()) for unit in units]
        if not jobs:
            return []
        if self._threads:
            # One entry of the queue: with several writers on PostgreSQL the order would be lost otherwise.
            self._queue.put(list(jobs))
            wait([future for _, future in jobs])
        else:
            with self._inline:
                self._run_group(list(jobs))
        return [future for _, future in jobs]

    def _write(self) -> None:
        while True:
            jobs = self._queue.get()
            if jobs is None:
                return
            group = jobs
            stop = False
            while len(group) < MAX_GROUP:
                try:
                    jobs = self._queue.get_nowait()
                except queue.Empty:
                    break
                if jobs is None:
                    stop = True
                    break
                group = group + jobs
            self._run_group(group)
            if stop:
                return

    def _run_group(self, group: list[Job]) -> None:
        try:
            tx, results = self._commit([unit for unit, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever one unit raised must not cost the others their commit
            if len(group) > 1:
                for job in group:
                    self._run_group([job])
            elif _is_collision(error):
                self._run_again(*group[0])
            else:
                group[0][1].set_exception(_as_busy(error))
            return
        for after in tx.after_commit:
            after()
        for (_, future), result in zip(group, results, strict=True):
            future.set_result(result)

    def _run_again(self, unit: Callable[[Tx], Any], future: Future[Any]) -> None:
        # Two writers on PostgreSQL met on one row; a unit may always be run again.
        for attempt in range(5):
            try:
                tx, results = self._commit([unit])
            except Exception as error:  # noqa: BLE001 - it belongs to the submitter, who gets it here
                if attempt == 4 or not _is_collision(error):
                    future.set_exception(_as_busy(error))
                    return
            else:
                for after in tx.after_commit:
                    after()
                future.set_result(results[0])
                return

    def _commit(self, units: list[Callable[[Tx], Any]]) -> tuple[Tx, list[Any]]:
        with self.writer_engine.begin() as connection:
            tx = Tx(connection)
            results = [unit(tx) for unit in units]
            tx.write_later()
        return tx, results


def _is_collision(error: Exception) -> bool:
    if isinstance(error, RunAgain):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") in ("40001", "40P01", "23505")


def _as_busy(error: Exception) -> Exception:
    if isinstance(error, OperationalError):
        busy = StoreBusy(f"the database does not take writes now: {error.orig}")
        busy.__cause__ = error
        return busy
    return error
