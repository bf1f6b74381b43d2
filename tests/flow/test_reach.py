"""Can the world reach this hub? Another server's answer is no proof, and each way to fail has its name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer, SimpleHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from hub.catalogue import Catalogue
from hub.flow import reach
from hub.web import create_connecting_app
from tests.fakes.consenting import ConsentDesk
from tests.fakes.guided import GuidedHouse
from tests.web.desk import config_for
from tests.web.serving import serving


@pytest.fixture
def house(database_url: str) -> Iterator[GuidedHouse]:
    """A hub, on each database."""
    made = GuidedHouse(database_url, "http://127.0.0.1:9")
    yield made
    made.close()


@pytest.fixture
def outside(house: GuidedHouse, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The hub behind a real socket; its address."""
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    app = create_connecting_app(house.hub, config_for(tmp_path), Catalogue.of(ConsentDesk))
    with serving(app) as (host, port):
        yield f"http://{host}:{port}"


def test_reaching_ourselves(house: GuidedHouse, outside: str) -> None:
    """Through the outside the question comes to us, and the answer is remembered."""
    house.hub.public_url = outside
    assert reach.reach(house.hub).works
    assert reach.last(house.hub)["cause"] == ""  # type: ignore[index]
    assert house.rows("SELECT * FROM switch WHERE name LIKE 'reach:%'") == []


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (("ok", 200, {}), "other_server"),
        (("bad", 502, {}), "gateway"),
        (("", 302, {"Location": "/login"}), "redirect"),
        (("", 404, {}), "other_server"),
    ],
)
def test_what_answers_is_not_us(house: GuidedHouse, answer: tuple[str, int, dict[str, str]], cause: str) -> None:
    """A 200 of another server is no proof; a login page and a web server without us behind it are told apart."""
    app = Flask("other")
    app.add_url_rule("/<path:any>", view_func=lambda any: answer)
    with serving(app) as (host, port):
        house.hub.public_url = f"http://{host}:{port}"
        assert reach.reach(house.hub).cause == cause


def test_why_nothing_answers(house: GuidedHouse, outside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, no such name, nobody there, a proxy that is not there, too slow, a name we do not know."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hub = house.hub
    assert reach.reach(hub).cause == "no_address"
    hub.public_url = "http://hub.invalid"
    monkeypatch.setattr(socket, "getaddrinfo", _no_such_name(socket.getaddrinfo))
    assert reach.reach(hub).cause == "dns"
    hub.public_url = f"http://127.0.0.1:{port}"
    assert reach.reach(hub).cause == "refused"
    hub.public_url, hub.proxy = "http://hub.invalid", f"http://127.0.0.1:{port}"
    assert reach.reach(hub).cause == "proxy"
    hub.proxy = ""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub.public_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(reach, "TIMEOUT", (0.2, 0.2))
        assert reach.reach(hub).cause == "timeout"
    port = outside.rpartition(":")[2]
    monkeypatch.setattr(reach, "TIMEOUT", (5.0, 5.0))
    with serving_elsewhere(port) as forwarded:
        hub.public_url = forwarded
        assert reach.reach(hub).cause == "host"


@contextmanager
def serving_elsewhere(port: str) -> Iterator[str]:
    """A web server in front that passes our requests on under a name we do not know."""
    app = Flask("front")

    @app.get("/<path:rest>")
    def forward(rest: str) -> tuple[str, int]:
        answer = requests.get(f"http://127.0.0.1:{port}/{rest}", headers={"Host": "care.example.com"}, timeout=5)
        return answer.text, answer.status_code

    with serving(app) as (host, front):
        yield f"http://{host}:{front}"


def test_a_certificate_nobody_trusts(house: GuidedHouse, tmp_path: Path) -> None:
    """Told as what it is; with the company's own CA in [http] ca_file it is trusted."""
    certificate = own_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        house.hub.public_url = f"https://127.0.0.1:{server.server_port}"
        assert reach.reach(house.hub).cause == "tls"
        house.hub.ca_file = str(certificate)
        assert reach.reach(house.hub).cause == "other_server"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def own_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "our own CA")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "own.pem"
    file.write_bytes(made.public_bytes(pem) + private)
    return file


def _no_such_name(real: Any) -> Any:
    def resolve(host: Any, *more: Any, **options: Any) -> Any:
        if host == "hub.invalid":
            raise socket.gaierror(-2, "Name or service not known")
        return real(host, *more, **options)

    return resolve
