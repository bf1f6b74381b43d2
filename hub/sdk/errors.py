"""Errors a connector may raise, grouped by what the hub does next. Each has exactly one handler in the hub."""

from __future__ import annotations

from typing import Any, Literal


class ConnectorError(Exception):
    """Base of every error a connector raises on purpose.

    ``summary`` is safe for an operator to read (no secrets, no customer text); ``detail`` is for engineers;
    ``vendor_request_id`` is what the vendor's support asks for. Raise it ``from`` the cause.
    """

    def __init__(self, summary: str, *, detail: str = "", vendor_request_id: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.vendor_request_id = vendor_request_id

    def __reduce__(self) -> tuple[Any, ...]:
        # The default reduces to cls(*args) and would lose the keyword fields.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[ConnectorError], args: tuple[Any, ...], fields: dict[str, Any]) -> ConnectorError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(fields)
    return error


class ConfigurationError(ConnectorError):
    """The settings cannot work. The hub does not start that connection and says why."""


class TemporaryFailure(ConnectorError):
    """Timeout before anything was sent, reset, 5xx. The hub retries with backoff and jitter, then parks."""


class RateLimited(ConnectorError):
    """The vendor asks to slow down. The hub waits; it does not count as an attempt.

    ``retry_after`` is in seconds (``None``: the vendor did not say); ``scope`` tells whether one lane or the whole
    connection waits.
    """

    def __init__(
        self,
        summary: str,
        *,
        retry_after: float | None = None,
        scope: Literal["lane", "connection"] = "connection",
        detail: str = "",
        vendor_request_id: str = "",
    ) -> None:
        super().__init__(summary, detail=detail, vendor_request_id=vendor_request_id)
        self.retry_after = retry_after
        self.scope = scope


class AuthenticationFailed(ConnectorError):
    """The credentials are refused. The hub pauses the connection, keeps its queue, raises one alarm, and resumes
    by itself when ``check_connection`` succeeds again."""


class Refused(ConnectorError):
    """The vendor refuses this one delivery for good (validation, blocked, gone). The hub parks it with the reason."""


class RecordClosed(Refused):
    """The record takes no comment any more. The hub opens a follow-up with the same content.

    For an ``AddComment``; of anything else it is a ``Refused``.
    """


class OutcomeUnknown(ConnectorError):
    """The bytes may have left and no answer came. The hub looks before it ever sends again."""


class UnsupportedEvent(ConnectorError):
    """A signed, well-formed event this connector does not handle. The hub records it as ignored, with the reason."""


class PayloadNotUnderstood(ConnectorError):
    """The body has a shape the connector does not know. The hub keeps it, parked, for a person to look at."""


class SignatureRejected(ConnectorError):
    """The signature is missing or wrong. The hub answers 401, counts it and keeps nothing of the body."""
