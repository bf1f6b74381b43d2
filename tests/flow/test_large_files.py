"""A file that does not fit into memory: by the disk, whole, and nothing of it stays."""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest

from hub.flow.media import MediaFetcher, _Watch
from hub.sdk import HttpSession, Media, Refused, TemporaryFailure
from hub.sdk.toolbox import IN_MEMORY
from tests.fakes.serving import serving

LARGE = 3 * IN_MEMORY + 5


def content(path: str) -> bytes:
    """What stands behind an address."""
    return random.Random(path).randbytes(LARGE)


class Vendor(BaseHTTPRequestHandler):
    """Serves large files, honestly or not, and answers an upload with its digest."""

    def do_GET(self) -> None:
        told = {"/cut": LARGE + 1, "/boasts": 10**12}.get(self.path, LARGE)
        self.send_response(200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(told))
        self.end_headers()
        try:
            self.wfile.write(content(self.path))
        except OSError:  # the other side has seen enough
            return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with serving(Vendor) as url:
        yield url


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every temporary file that was made for a file."""
    made: list[Any] = []

    def noted(**how: Any) -> Any:
        made.append(SpooledTemporaryFile(**how))  # noqa: SIM115 - looked at afterwards
        return made[-1]

    monkeypatch.setattr("hub.sdk.toolbox.SpooledTemporaryFile", noted)
    return made


def fetched(url: str, max_bytes: int = LARGE) -> Media:
    """As a sender thread gets it, with an instance of its own."""
    return MediaFetcher(user_agent="test", from_this_machine=True)(url, max_bytes=max_bytes)


def test_two_large_files_go_by_the_disk_at_once_and_arrive_whole(address: str, opened: list[Any]) -> None:
    """Each sender's own, sent from its start however often; the disk is free when they are closed."""
    both_are_here = threading.Barrier(2, timeout=10)

    def passed_on(path: str) -> list[str]:
        with fetched(address + path) as media, HttpSession(user_agent="test") as http:
            both_are_here.wait()
            return [http.post(address, data=media).text for _ in range(2)]

    with ThreadPoolExecutor(2) as senders:
        digests = list(senders.map(passed_on, ("/a.mp4", "/b.mp4")))
    assert digests == [[hashlib.sha256(content(path)).hexdigest()] * 2 for path in ("/a.mp4", "/b.mp4")]
    assert [(file._rolled, file.closed) for file in opened] == [(True, True)] * 2


@pytest.mark.parametrize(
    ("path", "max_bytes", "error"),
    [
        ("/cut", 2 * LARGE, TemporaryFailure),
        ("/endless", LARGE - 1, Refused),
        ("/late", 2 * LARGE, TemporaryFailure),
        ("/no-room", LARGE, TemporaryFailure),
    ],
)
def test_of_what_does_not_come_whole_nothing_stays(
    address: str, opened: list[Any], monkeypatch: pytest.MonkeyPatch, path: str, max_bytes: int, error: type[Exception]
) -> None:
    """Shorter than its Content-Length, larger than allowed, over its time, and no place to put it."""
    if path == "/late":
        ends = _Watch.end
        monkeypatch.setattr(_Watch, "end", lambda self: ends(self) or True)
    if path == "/no-room":
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(error):
        fetched(address + path, max_bytes)
    assert [file.closed for file in opened] == [True]


def test_what_says_that_it_is_too_large_is_not_even_read(address: str, opened: list[Any]) -> None:
    """A terabyte, by its Content-Length."""
    with pytest.raises(Refused, match="larger"):
        fetched(f"{address}/boasts", LARGE)
    assert opened == []


def test_a_vendor_that_takes_a_file_slowly_does_not_hold_the_sender(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file sent is a failure for now, and the session goes on with another connection."""
    with fetched(f"{address}/a.mp4") as media, HttpSession(user_agent="test") as http:
        with monkeypatch.context() as patch:
            patch.setattr("hub.sdk.toolbox.MOST_SECONDS_TO_SEND", -1.0)
            with pytest.raises(TemporaryFailure, match="too long to send"):
                http.post(address, data=media)
        assert http.post(address, data=media).text == hashlib.sha256(content("/a.mp4")).hexdigest()
