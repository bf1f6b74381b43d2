# SPDX-License-Identifier: GPL-3.0-or-later
"""The deliveries of one call, what came of each, and when the rest meets the same fate."""

from __future__ import annotations

from collections.abc import Sequence

from hub.sdk import (
    Accepted,
    AuthenticationFailed,
    ConfigurationError,
    ConnectorError,
    Delivery,
    Failure,
    RateLimited,
    Receipt,
    RedactComment,
    Refused,
)

Outcome = Receipt | Failure | Accepted


class Stop(Exception):
    """What is left of the batch meets the same failure."""

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(str(error))
        self.error = error


class Batch:
    """The deliveries of one call and what came of each."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._deliveries = list(deliveries)
        self._outcomes: dict[int, Outcome] = {}

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Write an outcome down."""
        self._outcomes[id(delivery)] = outcome

    def open(self) -> list[Delivery]:
        """Those without an outcome, in order."""
        return [one for one in self._deliveries if id(one) not in self._outcomes]

    def must_wait(self, delivery: Delivery) -> bool:
        """Whether an earlier delivery to the same record has not ended yet: it must not be overtaken. Only a redaction
        may, which no order matters to."""
        record = getattr(delivery.body, "record_id", "")
        if not record or isinstance(delivery.body, RedactComment):
            return False
        for one in self._deliveries:
            if one is delivery:
                return False
            if getattr(one.body, "record_id", "") == record and not _ended(self._outcomes.get(id(one))):
                return True
        return False

    def outcomes(self) -> list[Outcome]:
        """All of them, in order."""
        return [self._outcomes[id(one)] for one in self._deliveries]


def _ended(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Receipt) or (isinstance(outcome, Failure) and isinstance(outcome.error, Refused))


def later() -> RateLimited:
    """For what did not fit into this call."""
    return RateLimited("the other deliveries took all the time", retry_after=1.0, scope="lane")


def is_urgent(delivery: Delivery) -> bool:
    """Whether it goes also when the account's calls run short."""
    view = getattr(delivery.body, "ticket", None)
    return isinstance(delivery.body, RedactComment) or (view is not None and view.priority == "urgent")


def is_of_the_connection(error: ConnectorError) -> bool:
    """Whether the next delivery would only meet the same failure."""
    limited = isinstance(error, RateLimited) and error.scope == "connection"
    return limited or isinstance(error, AuthenticationFailed | ConfigurationError)
