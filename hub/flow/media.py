"""Fetch the file behind an attachment, from public addresses and the company's own hosts only."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress, filter_host
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from hub.sdk import HttpSession, Media, Refused, TemporaryFailure, failure_of_transport

MOST_SECONDS = 60.0
"""For one file. Who chose the address may let it drip, a byte before each timeout, and hold a sender for ever."""


PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
"""Whatever else IPv6 has is link-local, site-local (fec0::/10), private or given out to nobody (RFC 4291, 2.4)."""
METADATA_IPV6 = ipaddress.ip_network("fd00:ec2::/32")
"""Where a rented machine asks for its own credentials (AWS); over IPv4 that is a link-local address everywhere."""


class MediaUnavailable(TemporaryFailure):
    """The file cannot be had now: no fault of the connection that asks for it."""


class MediaFetcher:
    """What a toolbox hands out as ``fetch_media``. A customer chooses the address, so names are resolved once, the
    connection goes to that very address, and private ones are refused (SSRF), except where the URL names one of
    ``own_hosts`` (``name`` at the scheme's port, or ``name:port``). Behind a proxy the proxy decides.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        proxy: str = "",
        ca_file: str = "",
        from_this_machine: bool = False,
        own_hosts: Collection[str] = (),
    ) -> None:
        self._http = HttpSession(user_agent=user_agent, proxy=proxy, ca_file=ca_file)
        self._http.max_redirects = 3
        self._watch = _Watch()
        if not proxy:
            for scheme, https in (("https://", True), ("http://", False)):
                adapter = _Guard(https, from_this_machine, own_hosts)
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
            media.close()
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
    return Media.of_answer(response, max_bytes=max_bytes, name=unquote(PurePosixPath(urlsplit(url).path).name))


class _Guard(HTTPAdapter):
    """Judges each request, a redirect's too, by what will be dialled: the address, not the name."""

    def __init__(self, https: bool, from_this_machine: bool, own_hosts: Collection[str]) -> None:
        super().__init__()
        self._https, self._from_this_machine, self._port = https, from_this_machine, 443 if https else 80
        parts = [one.casefold().partition(":") for one in own_hosts]
        self._own = {(name, int(port or self._port)) for name, _, port in parts}

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Where to connect to, as an address, and the name to greet it by. Raises :class:`InvalidIPAddress`."""
        host: Any
        pool: Any
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        name, port = host["host"], host["port"]
        greeted = f"[{name}]" if ":" in name else name
        request.headers["Host"] = greeted if port is None else f"{greeted}:{port}"
        if self._https:
            pool["assert_hostname"] = pool["server_hostname"] = name
        own = (name, port or self._port) in self._own
        host["host"] = _inside(name, port) if own else self._outside(name, port)
        return host, pool

    def _outside(self, name: str, port: int | None) -> str:
        found: str = filter_host(name, port, allow_loopback=self._from_this_machine)
        address = ipaddress.ip_address(found.strip("[]"))
        here = self._from_this_machine and address.is_loopback
        if address.version == 6 and address not in PUBLIC_IPV6 and not here:
            raise InvalidIPAddress(address)
        return found


def _inside(name: str, port: int | None) -> str:
    """The address of one of the company's own hosts, fit for a URL. Those that no host of anybody's has stay refused,
    whatever the name server says."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise requests.ConnectionError("the name of the attachment's host is not known") from error
    address = ipaddress.ip_address(found[0][4][0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in METADATA_IPV6:
        raise InvalidIPAddress(address)
    return f"[{address}]" if address.version == 6 else str(address)


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
