"""The file behind an attachment is fetched from public addresses only, and never a byte too many."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest

from hub.flow.media import MediaFetcher
from hub.sdk import Refused, TemporaryFailure
from tests.fakes.serving import serving


class Files(BaseHTTPRequestHandler):
    greeted = ""
    poured = 0

    def do_GET(self) -> None:
        Files.greeted = self.headers["Host"]
        if self.path.startswith("/drip"):
            end = b"\r\nContent-Length: 0\r\n\r\n" if self.path == "/drip-head" else b""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + (b"" if end else b"y\r\n\r\n"))
            for _ in range(20):
                time.sleep(0.1)
                self.wfile.write(b"y")
            self.wfile.write(end)
            return
        if self.path == "/bomb-away":
            self.send_response(302)
            self.send_header("Location", "/a.png")
            self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):  # whoever asked hangs up
                for _ in range(256):
                    self.wfile.write(b"z" * 2**20)
                    Files.poured += 1
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
    with serving(Files) as url:
        yield url


@pytest.fixture
def fetch() -> MediaFetcher:
    return MediaFetcher(user_agent="test", from_this_machine=True)


def test_a_file_comes_with_its_kind_and_name(address: str, fetch: MediaFetcher) -> None:
    """Bytes, mime type and name arrive."""
    with fetch(f"{address}/a%20b.png", max_bytes=1000) as media:
        assert (media.content, media.size, media.mime_type, media.name) == (b"x" * 1000, 1000, "image/png", "a b.png")


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
    with fetch(f"{address}/a.png", max_bytes=1000) as media:
        assert media.size == 1000


def test_the_body_of_a_redirect_is_not_read(address: str, fetch: MediaFetcher) -> None:
    """It would be held in memory whole, and unpacked: two megabytes of gzip were two gigabytes."""
    with fetch(f"{address}/bomb-away", max_bytes=1000) as media:
        assert media.size == 1000
    assert Files.poured < 32


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


NAMES = {
    "mastodon.intern": "127.0.0.1",
    "sitelocal.test": "fec0::1",
    "linklocal.intern": "169.254.169.254",
    "linklocal6.intern": "fe80::1",
    "mapped.intern": "::ffff:169.254.169.254",
    "metadata.intern": "fd00:ec2::254",
    "nowhere.intern": "0.0.0.0",
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that knows the company's hosts."""
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: known(NAMES.get(host, host), *rest, **more))


@pytest.mark.usefixtures("names")
def test_the_company_s_own_hosts_are_fetched_from(address: str) -> None:
    """What is named in ``media_hosts`` may have a private address, and is greeted by its name; redirects are judged
    anew."""
    port = address.rpartition(":")[2]
    own = MediaFetcher(user_agent="test", own_hosts=[f"mastodon.intern:{port}"])
    with own(f"http://Mastodon.intern:{port}/host", max_bytes=1000) as media:
        assert media.size == 1000
    assert Files.greeted == f"mastodon.intern:{port}"
    with pytest.raises(Refused, match="public"):
        own(f"http://mastodon.intern:{port}/away", max_bytes=1000)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("own", ["mastodon.intern", "mastodon.intern:1", "intern:{port}", "stodon.intern:{port}"])
def test_only_the_very_host_and_port_are_our_own(address: str, own: str) -> None:
    """Another port, a domain above and a part of the name are not what was named."""
    port = address.rpartition(":")[2]
    fetch = MediaFetcher(user_agent="test", own_hosts=[own.format(port=port)])
    for url in (f"http://mastodon.intern:{port}/a", f"http://x@mastodon.intern:{port}/a", f"{address}/a"):
        with pytest.raises(Refused, match="public"):
            fetch(url, max_bytes=1000)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "name", ["linklocal.intern", "linklocal6.intern", "mapped.intern", "metadata.intern", "nowhere.intern"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_addresses_of_the_machine_itself_stay_refused(scheme: str, name: str) -> None:
    """No name server may lead one of our own hosts to where a rented machine keeps its credentials."""
    with pytest.raises(Refused, match="public"):
        MediaFetcher(user_agent="test", own_hosts=[name])(f"{scheme}://{name}/latest", max_bytes=10)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "url", ["http://[fec0::1]/a", "https://sitelocal.test/a", "http://[4000::1]/a", "http://[::2]/a"]
)
def test_what_is_no_public_ipv6_is_never_dialled(fetch: MediaFetcher, url: str) -> None:
    """Site-local addresses, and those given out to nobody."""
    with pytest.raises(Refused, match="public"):
        fetch(url, max_bytes=10)
