"""One request over a kept connection: as requests does it, without its comforts."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter

from hub.sdk import HttpSession, OutcomeUnknown, TemporaryFailure, failure_of_transport
from hub.sdk.wire import NotConnected


class Echo(BaseHTTPRequestHandler):
    """Answers what was asked; ``seen`` counts connections and keeps requests."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, Any]]
    server: Any

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/slow":
            time.sleep(0.5)
        if self.path.endswith("/rude"):
            self.close_connection = True
            return
        if self.path in ("/early", "/drip"):
            begin = b"HTTP/1.1 103 Early Hints\r\n\r\n" if self.path == "/early" else b"HTTP/1.1 200 OK\r\nX: "
            self.wfile.write(begin)
            for _ in range(20 if self.path == "/drip" else 0):
                time.sleep(0.1)
                self.wfile.write(b"y")
            self.wfile.write(b"\r\nContent-Length: 0\r\n\r\n")
            return
        if self.path == "/odd":
            self.wfile.write(b"what?\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(302 if self.path == "/away" else 201)
        if self.path == "/away":
            self.send_header("Location", "/elsewhere")
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
            return
        if self.path == "/last":
            self.close_connection = True  # without a word in the headers, as some gateways do
        cut = 3 if self.path == "/short" else 0
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)
        if cut:
            self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the name the server asks for

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.seen: list[Any] = []
        self.connections = 0
        self.handle_error = lambda *_: None  # type: ignore[method-assign]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


@pytest.fixture
def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def http() -> Iterator[HttpSession]:
    with HttpSession(user_agent="hub-test", timeout=(1.0, 0.2)) as session:
        yield session


def test_a_request_and_its_answer(server: Server, address: str, http: HttpSession) -> None:
    """Method, path with query, headers and body arrive as given; the answer is one of requests."""
    response = http.exchange("POST", f"{address}/a/b?c=d%20e", body=b'{"x": 1}', headers={"X-Key": "k"})
    assert (response.status_code, response.json(), response.headers["content-type"]) == (
        201,
        {"x": 1},
        "application/json",
    )
    method, path, headers, body = server.seen[0]
    assert (method, path, body) == ("POST", "/a/b?c=d%20e", b'{"x": 1}')
    assert (headers["X-Key"], headers["User-Agent"], headers["Host"]) == ("k", "hub-test", address[7:])
    assert http.vendor_time is not None


def test_connections_are_kept_and_a_dropped_one_is_noticed_before_it_is_used(
    server: Server, address: str, http: HttpSession
) -> None:
    """Two calls share a connection; after the server closed it silently, the next call opens another and succeeds."""
    for _ in range(3):
        http.exchange("POST", f"{address}/a", body=b"1")
    assert server.connections == 1
    http.exchange("POST", f"{address}/last", body=b"1")
    deadline = time.monotonic() + 5
    while not _closed(http) and time.monotonic() < deadline:
        pass
    assert http.exchange("POST", f"{address}/a", body=b"1").status_code == 201
    assert server.connections == 2


def _closed(http: HttpSession) -> bool:
    from hub.sdk.wire import _has_something_to_say

    return all(_has_something_to_say(connection.sock) for connection, _ in http._wire._kept.values())


def test_redirects_are_answers_and_chunks_are_joined(server: Server, address: str, http: HttpSession) -> None:
    """A redirect is not followed; a chunked answer is whole."""
    assert http.exchange("POST", f"{address}/away").status_code == 302
    assert http.exchange("GET", f"{address}/chunks").text == "hello world"
    assert [path for _, path, _, _ in server.seen] == ["/away", "/chunks"]


@pytest.mark.parametrize("path", ["/slow", "/rude", "/odd", "/short"])
def test_what_breaks_after_the_bytes_left_has_an_unknown_outcome(address: str, http: HttpSession, path: str) -> None:
    """Silence, a dropped connection, nonsense and half an answer: nobody knows. The next call works."""
    with pytest.raises(requests.RequestException) as caught:
        http.exchange("POST", f"{address}{path}", body=b"1")
    assert isinstance(failure_of_transport(caught.value, effect_possible=True), OutcomeUnknown)
    assert http.exchange("POST", f"{address}/a", body=b"1").status_code == 201


def test_an_early_answer_is_not_the_answer(address: str, http: HttpSession) -> None:
    """After 103 the real answer may still come, and may be a refusal."""
    with pytest.raises(requests.ConnectionError) as caught:
        http.exchange("POST", f"{address}/early", body=b"1")
    assert isinstance(failure_of_transport(caught.value, effect_possible=True), OutcomeUnknown)


def test_an_answer_that_drips_is_given_up(address: str, http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then never runs into the timeout between two bytes; the whole has its own."""
    monkeypatch.setattr("hub.sdk.wire.MOST_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        http.exchange("POST", f"{address}/drip", body=b"1")
    assert time.monotonic() - began < 1.5


def test_an_odd_date_takes_no_answer_back(address: str, http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor did it, whatever its clock says."""
    odd = "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"
    monkeypatch.setattr(Echo, "date_time_string", lambda *_: odd)
    assert http.exchange("POST", f"{address}/a", body=b"1").status_code == 201
    assert http.post(f"{address}/a", data=b"1").status_code == 201
    assert http.vendor_time is None


def test_an_answer_lost_behind_a_proxy_is_not_sent_again(server: Server, address: str) -> None:
    """The proxy took the request and hung up: urllib3 says ProxyError, and still nobody knows."""
    with HttpSession(user_agent="t", proxy=address, timeout=(1, 1)) as behind:
        for call in (behind.exchange, behind.request):
            with pytest.raises(requests.exceptions.ProxyError) as caught:
                call("POST", "http://example.com/rude")
            assert isinstance(failure_of_transport(caught.value, effect_possible=True), OutcomeUnknown)
    assert len(server.seen) == 2
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    nowhere = HttpSession(user_agent="t", proxy=gone, timeout=(1, 1))
    with nowhere, pytest.raises(requests.exceptions.ProxyError) as refused:
        nowhere.exchange("POST", "http://example.com/a")
    assert isinstance(failure_of_transport(refused.value, effect_possible=True), TemporaryFailure)


def test_without_a_connection_nothing_was_sent(http: HttpSession) -> None:
    """A closed port and a name that does not exist are safe to try again."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://no-such-name.invalid/", f"https://127.0.0.1:{port}/"):
        with pytest.raises(NotConnected) as caught:
            http.exchange("POST", url, body=b"1")
        assert isinstance(failure_of_transport(caught.value, effect_possible=True), TemporaryFailure)


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "a\nb"}, {"X": "\u20ac"}])
def test_a_header_cannot_smuggle_another(
    server: Server, address: str, http: HttpSession, headers: dict[str, str]
) -> None:
    """Line breaks and letters outside of Latin-1 never leave."""
    with pytest.raises(requests.exceptions.InvalidHeader):
        http.exchange("POST", f"{address}/a", headers=headers)
    assert server.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "nothing",
        "http:///x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX: y",
        "http://[::1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://a\x00/",
    ],
)
def test_an_address_that_is_none_is_refused(http: HttpSession, url: str) -> None:
    """Before any connection."""
    with pytest.raises(requests.exceptions.RequestException) as caught:
        http.exchange("GET", url)
    assert isinstance(caught.value, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema)


class Tap(HTTPAdapter):
    """An adapter somebody mounted."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.sent.append(request)
        return super().send(request, **options)


def test_a_mounted_adapter_and_a_proxy_are_respected(server: Server, address: str, http: HttpSession) -> None:
    """Whoever put something between sees these calls too."""
    tap = Tap()
    http.mount("http://127.0.0.1", tap)
    assert http.exchange("POST", f"{address}/a", body=b"1", headers={"X-Key": "k"}).status_code == 201
    assert (tap.sent[0].body, tap.sent[0].headers["X-Key"]) == (b"1", "k")
    with HttpSession(user_agent="t", proxy=address) as behind:
        assert behind.exchange("POST", "http://example.com/x", body=b"2").status_code == 201
    assert server.seen[-1][1] == "http://example.com/x"


def test_calls_are_counted(address: str) -> None:
    """Each call stands on the connection's bill."""
    calls: list[int] = []
    with HttpSession(user_agent="t", on_call=lambda: calls.append(1)) as http:
        http.exchange("POST", f"{address}/a")
        http.exchange("POST", f"{address}/a")
    assert len(calls) == 2


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


def test_certificates_are_checked_and_an_own_authority_is_believed(server: Server, tmp_path: Path) -> None:
    """https works with the configured CA, and nothing leaves towards a certificate nobody vouches for."""
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/a"
    with HttpSession(user_agent="t", ca_file=str(cert), timeout=(2, 2)) as http:
        assert [http.exchange("POST", url, body=b"1").status_code for _ in range(2)] == [201, 201]
    with HttpSession(user_agent="t", timeout=(2, 2)) as stranger, pytest.raises(NotConnected):
        stranger.exchange("POST", url, body=b"secret")
    assert len(server.seen) == 2
