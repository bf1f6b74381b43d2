"""The endpoint behind the real server: what a client can do wrong on a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from flask import Flask

from hub.flow.receive import MAX_BODY
from tests.fakes.house import House
from tests.web.serving import serving
from tests.web.test_hooks import post_body, signed


@pytest.fixture
def address(house: House, app: Flask) -> Iterator[tuple[str, int]]:
    """A server as `hub run` starts it."""
    with serving(app) as where:
        yield where


def ask(address: tuple[str, int], head: str, body: bytes = b"") -> str:
    """Send raw bytes, say that nothing more follows, and return the status line."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").readline().decode().strip()


def test_on_a_socket(address: tuple[str, int]) -> None:
    """Chunked bodies are taken; nonsense in lengths, chunks, requests and names gets a 4xx."""
    body = post_body("hello")
    signature = f"X-Signature: {signed(body)['X-Signature']}\n"
    start = "POST /hooks/network HTTP/1.1\nHost: localhost\nConnection: close\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:20], body[20:])) + b"0\r\n\r\n"
    chunked = "Transfer-Encoding: chunked\n"
    assert " 200 " in ask(address, f"{start}{signature}{chunked}", chunks)
    assert " 200 " in ask(address, f"{start}{signature}Content-Length: {len(body)}\n", body)
    for head, sent in (
        (f"{start}{signature}Content-Length: {len(body) - 3}\n", body),
        (f"{start}{signature}Content-Length: -5\n", body),
        (f"{start}{signature}Content-Length: many\n", body),
        (f"{start}{signature}{chunked}", b"zz\r\nhello\r\n0\r\n\r\n"),
        (f"{start}Content-Length: {MAX_BODY * 50}\n", b""),
        (f"{start}{chunked}", b"%x\r\n%s\r\n0\r\n\r\n" % (MAX_BODY + 10, b"x" * (MAX_BODY + 10))),
        ("POST /hooks/network?\xff\xfe=\x80 HTTP/1.1\nHost: localhost\nConnection: close\n", b""),
        ("GET /hooks/network HTTP/1.1\nHost: evil.example\nConnection: close\n", b""),
        ("nonsense\n", b""),
    ):
        status = ask(address, head, sent)
        assert status.split(" ")[1].startswith("4"), (head, status)
