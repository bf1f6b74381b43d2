"""Fetch the file behind an attachment, from public addresses only."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from hub.sdk import HttpSession, Media, Refused, TemporaryFailure, failure_of_transport

CHUNK = 64 * 1024
MOST_SECONDS = 60.0
"""For one file. Who chose the address may let it drip, a byte before each timeout, and hold a sender for ever."""


class MediaUnavailable(TemporaryFailure):
    """The file cannot be had now: no fault of the connection that asks for it."""


class MediaFetcher:
    """What a toolbox hands out as ``fetch_media``. A customer chooses the address, so names are resolved once, the
    connection goes to that very address, and private ones are refused (SSRF). Behind a proxy the proxy decides.
    """

    def __init__(self, *, user_agent: str, proxy: str = "", ca_file: str = "", from_this_machine: bool = False) -> None:
        self._http = HttpSession(user_agent=user_agent, proxy=proxy, ca_file=ca_file)
        self._http.max_redirects = 3
        self._watch = _Watch()
        if not proxy:
            for scheme, https in (("https://", True), ("http://", False)):
                adapter = IPFilterAdapter(is_https_proto=https, allow_loopback=from_this_machine)
                self._watch.over(adapter)
                self._http.mount(scheme, adapter)

    def __call__(self, url: str, *, max_bytes: int) -> Media:
        """See :class:`hub.sdk.FetchesMedia`."""
        self._watch.begin()
        try:
            media = self._fetch(url, max_bytes)
        except TemporaryFailure as error:
            raise MediaUnavailable(error.summary, detail=error.detail) from error
        finally:
            too_long = self._watch.end()
            self._http.close()  # a kept connection would not be watched
        if too_long:  # what ends with its connection looks whole
            raise MediaUnavailable("the attachment takes too long")
        return media

    def _fetch(self, url: str, max_bytes: int) -> Media:
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise Refused("the attachment has no web address")
            with self._http.get(url, stream=True) as response:
                return _read(response, url, max_bytes)
        except InvalidIPAddress as error:
            raise Refused("the attachment is not at a public address") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.TooManyRedirects) as error:
            raise Refused("the attachment's address does not work") from error
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error
        except ValueError as error:  # half an IPv6 address, here or in a redirect
            raise Refused("the attachment's address does not work") from error


def _read(response: requests.Response, url: str, max_bytes: int) -> Media:
    if response.status_code == 429 or response.status_code >= 500:
        raise TemporaryFailure(f"the attachment cannot be had now ({response.status_code})")
    if response.status_code != 200:
        raise Refused(f"the attachment is gone ({response.status_code})")
    content = bytearray()
    for chunk in response.iter_content(CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise Refused(f"the attachment is larger than {max_bytes} bytes")
    mime_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Media(bytes(content), mime_type, unquote(PurePosixPath(urlsplit(url).path).name))


class _Watch:
    """Shuts what one fetch has opened when its time is over, whatever it is waiting for."""

    def __init__(self) -> None:
        self._opened: list[socket.socket] = []
        self._until = 0.0
        self._timer = threading.Timer(0, self._shut)

    def begin(self) -> None:
        """From now on."""
        self._until = time.monotonic() + MOST_SECONDS
        self._timer = threading.Timer(MOST_SECONDS, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> bool:
        """True when it took too long."""
        self._timer.cancel()
        while self._opened:
            self._opened.pop().close()
        return time.monotonic() >= self._until

    def over(self, adapter: HTTPAdapter) -> None:
        """Watch the connections of an adapter."""
        watch = self

        class Http(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return watch.note(self, super()._new_conn())

        class Https(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return watch.note(self, super()._new_conn())

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        adapter.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

    def note(self, connection: HTTPConnection, sock: socket.socket) -> socket.socket:
        """A connection was made: a redirect may make another when it is too late already."""
        if time.monotonic() >= self._until:
            sock.close()
            raise NewConnectionError(connection, "the attachment takes too long")
        self._opened.append(sock.dup())  # TLS takes the socket itself away
        return sock

    def _shut(self) -> None:
        for sock in list(self._opened):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
