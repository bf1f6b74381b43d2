"""Any system without a plugin of its own, as a source of the hub."""

from collections.abc import Sequence

from hub.sdk import Source, hookimpl
from plugins.sources.webhook.source import WebhookSource


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """The one source of this plugin."""
    return [WebhookSource]
