"""Where the hub answers."""

from __future__ import annotations

import ipaddress

from hub.configuration import HubConfig


def local_url(config: HubConfig) -> str:
    """The hub's address for this machine itself."""
    host, port = config.hub.address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - "everywhere" includes here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_private(config: HubConfig) -> bool:
    """True when nobody outside this machine can reach the hub, be it directly or through a proxy on this machine."""
    if config.hub.public_url or config.hub.trusted_proxies or config.hub.allowed_hosts:
        return False
    host, _ = config.hub.address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
