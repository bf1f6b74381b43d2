"""The contract of a source: the social side. A capability is a role class that the connector inherits."""

from __future__ import annotations

from hub.sdk.connecting import AsksConsent, CleansUp, Guides, HoldsTokens
from hub.sdk.connectors import Completes, Connector, Delivers, Finds, Polls, ReceivesWebhooks, ServesMedia, SetsUp


class Source(Connector):
    """Speaks to a network where customers write."""

    network: str
    """The network's name in natural keys, the same for every connection to it (``mastodon``). A class attribute, which
    ``__init__`` may replace when the settings decide."""


class PollsForMessages(Polls):
    """Reads what customers wrote, page by page."""


class RepliesInPublic(Delivers):
    """Answers under the customer's post (``Reply`` with a privacy other than ``direct``)."""


class RepliesInPrivate(Delivers):
    """Answers in a private chat (``Reply`` with privacy ``direct``)."""


class FindsReplies(Finds):
    """Finds a reply of ours whose outcome is unknown."""


class EditsReplies(Delivers):
    """Can replace the text of a published reply (``EditReply``)."""


class DeletesReplies(Delivers):
    """Can remove a published reply (``DeleteReply``), on an explicit human command only."""


__all__ = [
    "AsksConsent",
    "CleansUp",
    "Completes",
    "DeletesReplies",
    "EditsReplies",
    "FindsReplies",
    "Guides",
    "HoldsTokens",
    "PollsForMessages",
    "ReceivesWebhooks",
    "RepliesInPrivate",
    "RepliesInPublic",
    "ServesMedia",
    "SetsUp",
    "Source",
]
