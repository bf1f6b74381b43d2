"""The Request Tracker plugin: registers its sink and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from hub.sdk import Sink, hookimpl


@hookimpl
def register_sinks() -> Sequence[type[Sink]]:
    """The one sink of this plugin."""
    from plugins.sinks.request_tracker.sink import RequestTrackerSink

    return [RequestTrackerSink]
