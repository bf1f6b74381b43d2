"""The contract of a sink: the helpdesk side. A capability is a role class that the connector inherits."""

from __future__ import annotations

from hub.sdk.connecting import AsksConsent, CleansUp, Guides, HoldsTokens
from hub.sdk.connectors import Completes, Connector, Delivers, Finds, Polls, ReceivesWebhooks, ServesMedia, SetsUp
from hub.sdk.history import Backfills, ReportsAgents


class Sink(Connector):
    """Speaks to a helpdesk where agents work."""


class DeliversTickets(Delivers):
    """Opens records, adds comments and sets fields (``OpenTicket``, ``AddComment``, ``UpdateFields``)."""


class FindsTickets(Finds):
    """Finds a record, comment or update of ours whose outcome is unknown."""


class ReportsChanges(Polls):
    """Reports comments and field changes of records, page by page."""


class RedactsComments(Delivers):
    """Can remove a comment's text for good (``RedactComment``)."""


__all__ = [
    "AsksConsent",
    "Backfills",
    "CleansUp",
    "Completes",
    "DeliversTickets",
    "FindsTickets",
    "Guides",
    "HoldsTokens",
    "ReceivesWebhooks",
    "RedactsComments",
    "ReportsAgents",
    "ReportsChanges",
    "ServesMedia",
    "SetsUp",
    "Sink",
]
