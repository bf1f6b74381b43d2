"""Bluesky as a source of the hub."""

from collections.abc import Sequence

from hub.sdk import Source, hookimpl
from plugins.sources.bluesky.source import BlueskySource


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """The one source of this plugin."""
    return [BlueskySource]
