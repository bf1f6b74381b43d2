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

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


@hookspec
def register_sources() -> Sequence[type[Source]]:  # type: ignore[empty-body]
    """Called once when the plugin is loaded. Return the source classes this plugin brings. Since plugin API 1."""


@hookspec
def register_sinks() -> Sequence[type[Sink]]:  # type: ignore[empty-body]
    """Called once when the plugin is loaded. Return the sink classes this plugin brings. Since plugin API 1."""


@hookspec
def register_routers() -> Sequence[type[Router]]:  # type: ignore[empty-body]
    """Called once when the plugin is loaded. Return the router classes this plugin brings. Since plugin API 1."""
