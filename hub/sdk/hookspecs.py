"""The three hooks of a plugin. They only register: each returns a list of classes and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from hub.sdk.routers import Router
    from hub.sdk.sinks import Sink
    from hub.sdk.sources import Source

ENTRY_POINT_GROUP = "social_care_hub"
"""The entry-point group in which a distribution names its plugin."""

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)
"""Marks a function of a plugin's module as one of the hooks."""


@hookspec
def register_sources() -> Sequence[type[Source]]:  # type: ignore[empty-body]
    """Name the source classes of this plugin.

    Called once when the plugin is loaded. Return a list of subclasses of ``Source``. It should raise nothing: an
    exception makes the plugin a broken one, which ``hub plugins list`` shows and which stops only the connections
    that need it. The hub then holds each class against the contract and refuses those that break it. Since plugin API
    1.
    """


@hookspec
def register_sinks() -> Sequence[type[Sink]]:  # type: ignore[empty-body]
    """Name the sink classes of this plugin.

    Called once when the plugin is loaded. Return a list of subclasses of ``Sink``. It should raise nothing: an
    exception makes the plugin a broken one, which ``hub plugins list`` shows and which stops only the connections
    that need it. The hub then holds each class against the contract and refuses those that break it. Since plugin API
    1.
    """


@hookspec
def register_routers() -> Sequence[type[Router]]:  # type: ignore[empty-body]
    """Name the router classes of this plugin.

    Called once when the plugin is loaded. Return a list of subclasses of ``Router``. It should raise nothing: an
    exception makes the plugin a broken one, which ``hub plugins list`` shows and which stops only the connections
    that need it. The hub then holds each class against the contract and refuses those that break it. Since plugin API
    1.
    """
