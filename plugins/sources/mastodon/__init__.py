"""Mastodon as a source of the hub."""

from collections.abc import Sequence

from hub.sdk import Source, hookimpl
from plugins.sources.mastodon.source import MastodonSource


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """The one source of this plugin."""
    return [MastodonSource]
