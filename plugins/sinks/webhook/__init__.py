"""Any helpdesk without a plugin of its own, as a sink of the hub."""

from collections.abc import Sequence

from hub.sdk import Sink, hookimpl
from plugins.sinks.webhook.sink import WebhookSink


@hookimpl
def register_sinks() -> Sequence[type[Sink]]:
    """The one sink of this plugin."""
    return [WebhookSink]
