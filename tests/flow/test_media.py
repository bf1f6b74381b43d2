"""The file behind an attachment is fetched from public addresses only, and never a byte too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub.flow.media import MediaFetcher
from hub.sdk import Refused, TemporaryFailure


class Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/drip"):
            end = b"\r\nContent-Length: 0\r\n\r\n" if self.path == "/drip-head" else b""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + (b"" if end else b"y\r\n\r\n"))
            for _ in range(20):
                time.sleep(0.1)
                self.wfile.write(b"y")
            self.wfile.write(end)
            return
        away = {"/away": "http://10.0.0.1/inside", "/to-half": "http://[::1", "/to-file": "file:///etc/passwd"}
        status = 302 if self.path in away else {"/busy": 503, "/gone.png": 404}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", away[self.path])
        self.send_header("Content-Type", "image/png; charset=binary")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"x" * 1000)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def fetch() -> MediaFetcher:
    return MediaFetcher(user_agent="test", from_this_machine=True)


def test_a_file_comes_with_its_kind_and_name(address: str, fetch: MediaFetcher) -> None:
    """Bytes, mime type and name arrive."""
    media = fetch(f"{address}/a%20b.png", max_bytes=1000)
    assert (len(media.content), media.mime_type, media.name) == (1000, "image/png", "a b.png")


def test_a_file_too_large_is_refused(address: str, fetch: MediaFetcher) -> None:
    """One byte over the limit is too much."""
    with pytest.raises(Refused, match="larger than 999"):
        fetch(f"{address}/a.png", max_bytes=999)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/a.png", "http://localhost:{port}/a.png", "http://[::1]:{port}/a"]
)
def test_this_machine_is_not_public(address: str, url: str) -> None:
    """A customer's address into our own machine is refused, whichever way it is written."""
    with pytest.raises(Refused, match="public"):
        MediaFetcher(user_agent="test")(url.format(port=address.rpartition(":")[2]), max_bytes=10)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/a", "http://169.254.169.254/latest", "http://192.168.1.1/", "http://0xA9FEA9FE/"]
)
def test_private_networks_are_refused_without_a_connection(fetch: MediaFetcher, url: str) -> None:
    """Private and link-local addresses are never dialled."""
    with pytest.raises(Refused, match="public"):
        fetch(url, max_bytes=10)


@pytest.mark.parametrize("url", ["http://[::1", "http://[x/a.png", "/to-half", "/to-file"])
def test_an_address_that_cannot_work_is_refused(address: str, fetch: MediaFetcher, url: str) -> None:
    """Half an address and another scheme, also in a redirect: no bug of the plugin, and never tried again."""
    with pytest.raises(Refused, match="address"):
        fetch(url if url.startswith("http") else address + url, max_bytes=10)


@pytest.mark.parametrize("path", ["/drip-head", "/drip-body"])
def test_a_file_that_drips_is_given_up(
    address: str, fetch: MediaFetcher, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then must not hold a sender for ever, and half a file is none."""
    monkeypatch.setattr("hub.flow.media.MOST_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(TemporaryFailure):
        fetch(address + path, max_bytes=1000)
    assert time.monotonic() - began < 1.5
    monkeypatch.undo()
    assert len(fetch(f"{address}/a.png", max_bytes=1000).content) == 1000


def test_a_redirect_into_a_private_network_is_refused(address: str, fetch: MediaFetcher) -> None:
    """A public address that sends us inside is not followed."""
    with pytest.raises(Refused, match="public"):
        fetch(f"{address}/away", max_bytes=10)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/a", "", "no address"])
def test_only_web_addresses_are_fetched(fetch: MediaFetcher, url: str) -> None:
    """Other schemes are refused."""
    with pytest.raises(Refused, match="no web address"):
        fetch(url, max_bytes=10)


def test_gone_and_busy_are_told_apart(address: str, fetch: MediaFetcher) -> None:
    """A missing file is refused for good, a busy server is tried again."""
    with pytest.raises(Refused, match="404"):
        fetch(f"{address}/gone.png", max_bytes=10)
    with pytest.raises(TemporaryFailure, match="503"):
        fetch(f"{address}/busy", max_bytes=10)
