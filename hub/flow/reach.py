"""Can the world reach this hub under its public address? Asked through that address, with a word only we can answer."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from hub.flow.hub import USER_AGENT, Hub
from hub.sdk import HttpSession
from hub.store import Tx, connections, reaching

PATH = "/connect/reach/"
TIMEOUT = (5.0, 10.0)

Cause = Literal[
    "",
    "no_address",
    "plain_http",
    "dns",
    "refused",
    "timeout",
    "tls",
    "proxy",
    "gateway",
    "host",
    "redirect",
    "other_server",
]
LAST = "reach-last"

WORDS: dict[Cause, str] = {
    "": "its public address leads to this hub",
    "no_address": "there is no public_url in hub.toml: vendors cannot call this hub, and only a browser on this "
    "machine can come back from a vendor's page",
    "plain_http": "it leads here, but public_url begins with http://: vendors call https:// only",
    "dns": "the name is not known: look at its DNS entry, as seen from this machine",
    "refused": "the connection is refused or there is no route: nothing listens there, or a firewall says no",
    "timeout": "no answer in time: a firewall drops it, or this network does not let a machine call its own outside "
    "address (then try it from a phone)",
    "tls": "the certificate is not trusted: expired, for another name, or of a CA of your own (then: [http] ca_file)",
    "proxy": "the proxy that this hub uses for its calls ([http] proxy) did not let it through",
    "gateway": "the web server in front answers, but does not reach the hub behind it: look where it sends /",
    "host": "this hub answered, but does not know the name: put it into [hub] allowed_hosts, or mend public_url",
    "redirect": "the address leads elsewhere (a login page, another name): let /hooks/ and /connect/ pass as they are",
    "other_server": "another server answers under this address: the name or the web server in front points elsewhere",
}
"""What each cause means and what to look at."""


@dataclass(frozen=True)
class Reached:
    """``cause`` is empty when all is well; ``detail`` is for engineers (a status, the error's kind)."""

    cause: Cause
    detail: str = ""

    @property
    def works(self) -> bool:
        """True when a call to the public address came to this very hub."""
        return self.cause == ""


def reach(hub: Hub) -> Reached:
    """Call the hub by its public address, as a stranger would, and remember what came of it."""
    found = _reach(hub)

    def unit(tx: Tx) -> None:
        value = {"cause": found.cause, "detail": found.detail, "at": hub.now().timestamp(), "url": hub.public_url}
        connections.set_switch(tx, LAST, value, now=hub.now())

    hub.store.run(unit)
    return found


def last(hub: Hub) -> dict[str, Any] | None:
    """What the last test showed (``cause``, ``detail``, ``at``), if it was of today's public address."""
    with hub.store.read() as connection:
        value: dict[str, Any] | None = connections.read_switch(connection, LAST)
    return value if value and value["url"] == hub.public_url else None


def _reach(hub: Hub) -> Reached:
    if not hub.public_url:
        return Reached("no_address")
    asked, word = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    hub.store.run(lambda tx: reaching.expect(tx, asked, word, now=hub.now()))
    http = HttpSession(user_agent=USER_AGENT, proxy=hub.proxy, ca_file=hub.ca_file, timeout=TIMEOUT)
    try:
        answer = http.get(f"{hub.public_url}{PATH}{asked}", allow_redirects=False)
    except requests.RequestException as error:
        return _cause(hub, error)
    finally:
        http.close()
        hub.store.run(lambda tx: reaching.forget(tx, asked))
    status = f"status {answer.status_code}"
    if answer.ok and answer.text.strip() == word:
        local = urlsplit(hub.public_url).hostname in ("127.0.0.1", "localhost", "::1")
        return Reached("" if local or hub.public_url.startswith("https://") else "plain_http")
    if answer.status_code in (502, 503, 504):
        return Reached("gateway", status)
    if answer.is_redirect:
        return Reached("redirect", status)
    if answer.status_code == 400 and answer.text.strip() == reaching.NOT_OUR_NAME:
        return Reached("host", status)
    return Reached("other_server", status)


def _cause(hub: Hub, error: requests.RequestException) -> Reached:
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.ProxyError):
        return Reached("proxy", kind)
    if isinstance(error, requests.exceptions.SSLError):
        return Reached("tls", kind)
    if isinstance(error, requests.Timeout):
        return Reached("timeout", kind)
    host = urlsplit(hub.public_url).hostname or ""
    if not hub.proxy:
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            return Reached("dns", kind)
    return Reached("refused", kind)
