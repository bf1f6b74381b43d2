"""One request, one answer over a kept connection: what ``HttpSession.exchange`` uses for the hot path.

``requests`` spends five to ten times the processor time on a small call (measured: 390 against 45 µs), most of it on
cookies, redirects, hooks and compression, none of which a connector's own calls need.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import certifi
import requests
from requests.structures import CaseInsensitiveDict

MAX_ANSWER = 32 * 1024 * 1024
MOST_SECONDS = 40.0
"""For a whole answer, from the first byte sent: a timeout between two bytes alone lets a slow one take for ever."""
MAX_IDLE = 60.0
"""Seconds after which a connection is not trusted any more: gateways drop idle ones without a word."""


class NotConnected(requests.ConnectionError):
    """No connection came about: certainly nothing was sent."""


class Wire:
    """The kept connections of one thread. Follows no redirect, keeps no cookie, asks for no compression."""

    def __init__(self, ca_file: str = "") -> None:
        self._ca_file = ca_file
        self._kept: dict[tuple[str, str, int], tuple[HTTPConnection, float]] = {}
        self._context: ssl.SSLContext | None = None

    def exchange(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        """Send and return the whole answer. Raises what ``requests`` raises: :class:`NotConnected` (nothing left),
        ``ReadTimeout``, ``ConnectionError``, ``InvalidURL``, ``InvalidHeader``."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise requests.exceptions.InvalidURL(f"not an address: {url!r}") from error
        plain = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise requests.exceptions.InvalidURL(f"not an address: {url!r}")
        message = _request(method, parts, body, headers)
        place = (parts.scheme, parts.hostname, port)
        connection = self._connection(place, timeout)
        answer = None
        try:
            connection.sock.sendall(message)
            answer = HTTPResponse(cast(socket.socket, _Patient(connection.sock, timeout[1])), method=method)
            answer.begin()
            if answer.status < 200:  # only "100 Continue" is passed over; the real answer may still come
                raise HTTPException(f"an answer of {answer.status}")
            content = answer.read(MAX_ANSWER + 1)
            if len(content) > MAX_ANSWER or answer.length:
                raise IncompleteRead(content, answer.length)  # given an amount, read() is content with less
            if answer.will_close:
                connection.close()
            else:
                self._kept[place] = connection, time.monotonic()
        except TimeoutError as error:
            connection.close()
            raise requests.ReadTimeout(f"no answer from {place[1]} in {timeout[1]:g} s") from error
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise requests.ConnectionError(f"the connection to {place[1]} broke ({type(error).__name__})") from error
        finally:
            if answer is not None:
                answer.close()
        return _response(answer, content, method, url, headers, body)

    def close(self) -> None:
        """Close every connection."""
        for connection, _ in self._kept.values():
            connection.close()
        self._kept.clear()

    def _connection(self, place: tuple[str, str, int], timeout: tuple[float, float]) -> HTTPConnection:
        # Taken out while it is used: whatever goes wrong, a connection in the middle of an answer is not used again.
        connection, used_at = self._kept.pop(place, (None, 0.0))
        if connection is not None:
            if time.monotonic() - used_at < MAX_IDLE and not _has_something_to_say(connection.sock):
                connection.sock.settimeout(timeout[1])
                return connection
            connection.close()
        scheme, host, port = place
        if scheme == "https":
            self._context = self._context or ssl.create_default_context(cafile=self._ca_file or certifi.where())
            connection = HTTPSConnection(host, port, timeout=timeout[0], context=self._context)
        else:
            connection = HTTPConnection(host, port, timeout=timeout[0])
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:  # no name, refused, no route, too slow, an untrusted certificate
            connection.close()
            raise NotConnected(f"no connection to {host}:{port} ({error})") from error
        connection.sock.settimeout(timeout[1])
        return connection


class _Patient(io.RawIOBase):
    """What comes over a socket, as a file, until the whole of it has taken too long."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._until = time.monotonic() + MOST_SECONDS

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(left, self._timeout))
        return self._sock.recv_into(buffer)


def _has_something_to_say(sock: socket.socket) -> bool:
    """True when a resting connection is readable: the other side closed it, or is out of step."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _request(method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise requests.exceptions.InvalidHeader("a header holds a line break")
    try:
        return head.encode("latin-1") + b"\r\n\r\n" + body
    except UnicodeError as error:
        raise requests.exceptions.InvalidHeader("a header holds letters that headers cannot carry") from error


def _response(
    answer: HTTPResponse, content: bytes, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> requests.Response:
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, url, body
    request.headers = CaseInsensitiveDict(headers)
    response = requests.Response()
    response.status_code, response.reason, response.url = answer.status, answer.reason, url
    response.headers = CaseInsensitiveDict(answer.getheaders())
    response.encoding = "utf-8"
    response.request = request
    response._content = content  # noqa: SLF001 - as requests' own adapters and every fake of it do
    return response
