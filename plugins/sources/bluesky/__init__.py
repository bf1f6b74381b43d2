"""Bluesky as a source of the hub."""

from collections.abc import Sequence

from plugins.sources.bluesky.source import BlueskySource

from hub.sdk import Source, hookimpl


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """The one source of this plugin."""
    return [BlueskySource]
