"""Sinks that break one rule each, by the side of the contract that they break; and the good one."""

from __future__ import annotations

from tests.testing.planted import sinks_changes, sinks_outcomes, sinks_tickets
from tests.testing.planted.good_sink import GoodSink, GoodSinkSuite

__all__ = ["GoodSink", "GoodSinkSuite", "sinks_changes", "sinks_outcomes", "sinks_tickets"]
