"""The conformance kit: what a plugin's tests subclass to prove that the connector keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.testing.routers import RouterConformance
    from hub.testing.sinks import SinkConformance
    from hub.testing.sources import SourceConformance
    from hub.testing.vendor import HelpdeskVendor, NetworkVendor, Record, Said, Vendor, reply

_WHERE = {
    "HelpdeskVendor": "vendor",
    "NetworkVendor": "vendor",
    "Record": "vendor",
    "RouterConformance": "routers",
    "Said": "vendor",
    "SinkConformance": "sinks",
    "SourceConformance": "sources",
    "Vendor": "vendor",
    "reply": "vendor",
}

__all__ = [
    "HelpdeskVendor",
    "NetworkVendor",
    "Record",
    "RouterConformance",
    "Said",
    "SinkConformance",
    "SourceConformance",
    "Vendor",
    "reply",
]


def __getattr__(name: str) -> Any:
    """Each name on first use: pytest imports this package at every start, and needs none of them."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hub.testing.{_WHERE[name]}"), name)
