"""Post a recording into the trial network and measure, in the helpdesk, what the hub made of it."""

from __future__ import annotations

import re
import statistics
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from hub.sdk.sandboxes import SandboxRecord, SocialSandbox
from hub.trial.recording import Memory, Posted, Row


@dataclass(frozen=True, slots=True)
class Arrived:
    """One post of the recording in one comment of the helpdesk, in the order of the helpdesk."""

    row: int
    record_id: str
    requester: str
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the helpdesk holds of the recording. Lags are upper bounds, in seconds."""

    rows: int
    posted: int
    skipped: int
    arrived: int
    missing: int
    doubled: int
    out_of_order: int
    wrong_conversation: int
    lag_p50_s: float
    lag_p99_s: float

    @property
    def is_right(self) -> bool:
        """Every posted row is there once, in order, at its customer's."""
        return not (self.missing or self.doubled or self.out_of_order or self.wrong_conversation)

    def line(self) -> str:
        """``name=value`` pairs."""
        return " ".join(
            f"{name}={value:.2f}" if isinstance(value, float) else f"{name}={value}"
            for name in self.__dataclass_fields__
            for value in [getattr(self, name)]
        )


def post_all(
    rows: Sequence[Row],
    memory: Memory,
    new_hands: Callable[[], SocialSandbox],
    *,
    speed: float,
    threads: int,
    after_each: Callable[[], None],
    stop: threading.Event,
) -> list[tuple[Row, str]]:
    """Post what was not posted before; return the rows the network refused, with its words.

    An author's rows are posted by one thread, so they stay in order. ``speed`` 0: as fast as possible.
    """
    known = memory.posted()
    waiting: list[list[Row]] = [[] for _ in range(threads)]
    for row in rows:
        if row.number in known:
            after_each()
        else:
            waiting[zlib.crc32(row.author.encode()) % threads].append(row)
    started = time.monotonic()

    def work(mine: list[Row]) -> list[tuple[Row, str]]:
        hands, refused = new_hands(), []
        for row in sorted(mine, key=lambda one: one.due):
            if speed > 0 and stop.wait(max(0.0, started + row.due / speed - time.monotonic())):
                break
            if stop.is_set():
                break
            sent_at = time.time()
            try:
                post_id = hands.post(row.author, row.text, key=memory.key(row))
            except requests.HTTPError as error:
                if error.response.status_code >= 500:
                    raise
                refused.append((row, f"{error.response.status_code}"))
            else:
                memory.remember(row, Posted(post_id, sent_at))
            after_each()
        return refused

    with ThreadPoolExecutor(threads, thread_name_prefix="replay") as pool:
        jobs = [pool.submit(work, mine) for mine in waiting if mine]
        try:
            return [refused for job in jobs for refused in job.result()]
        except BaseException:
            stop.set()
            raise


def find_arrivals(records: Iterable[SandboxRecord], posted: Mapping[int, Posted], network_url: str) -> list[Arrived]:
    """Every comment that carries the permalink of a post of ours, as the helpdesk has them."""
    row_of = {one.post_id: row for row, one in posted.items()}
    permalink = re.compile(re.escape(network_url) + r"/\S*?([A-Za-z0-9]+)(?=\s|$)")
    found = []
    for record in records:
        for comment in record.comments:
            # The first permalink is the post itself; quoted earlier posts come below it.
            ids = (match.group(1) for match in permalink.finditer(comment.text))
            row = next((row_of[post_id] for post_id in ids if post_id in row_of), None)
            if row is not None:
                at = comment.created_at.timestamp()
                # A helpdesk that counts in whole seconds cut the rest off: the comment may be up to a second younger.
                at += 0 if comment.created_at.microsecond else 1
                found.append(Arrived(row, record.id, record.requester, at))
    return found


def judge(rows: Sequence[Row], posted: Mapping[int, Posted], arrivals: Sequence[Arrived]) -> Outcome:
    """Hold what arrived against what was posted."""
    author_of = {row.number: row.author for row in rows}
    wanted = [row.number for row in rows if row.number in posted]
    places: dict[int, list[Arrived]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.row in author_of:
            places[arrival.row].append(arrival)
    first = {row: found[0] for row, found in places.items()}
    lags = sorted(max(0.0, first[row].at - posted[row].at) for row in wanted if row in first)
    return Outcome(
        rows=len(rows),
        posted=len(wanted),
        skipped=len(rows) - len(wanted),
        arrived=sum(row in places for row in wanted),
        missing=sum(row not in places for row in wanted),
        doubled=sum(len(found) - 1 for found in places.values()),
        out_of_order=_out_of_order(arrivals, author_of),
        wrong_conversation=sum(arrival.requester != author_of[arrival.row] for arrival in first.values())
        + _split(first, author_of),
        lag_p50_s=statistics.median(lags) if lags else 0.0,
        lag_p99_s=lags[min(len(lags) - 1, int(len(lags) * 0.99))] if lags else 0.0,
    )


def _out_of_order(arrivals: Sequence[Arrived], author_of: Mapping[int, str]) -> int:
    """Comments that stand in a record after a later post of the same customer."""
    highest: dict[tuple[str, str], int] = {}
    wrong = 0
    for arrival in arrivals:
        if arrival.row not in author_of:
            continue
        lane = (arrival.record_id, author_of[arrival.row])
        if arrival.row < highest.get(lane, 0):
            wrong += 1
        highest[lane] = max(arrival.row, highest.get(lane, 0))
    return wrong


def _split(first: Mapping[int, Arrived], author_of: Mapping[int, str]) -> int:
    """Rows outside the one ticket their customer should have: within a day, while it is not solved, it is one."""
    home: dict[str, str] = {}
    return sum(home.setdefault(author_of[row], first[row].record_id) != first[row].record_id for row in sorted(first))
