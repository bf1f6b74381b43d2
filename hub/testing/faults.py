"""What goes wrong between a connector and its vendor, and what the connector may make of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from hub.sdk import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectorError,
    OutcomeUnknown,
    PayloadNotUnderstood,
    RateLimited,
    Refused,
    TemporaryFailure,
)
from hub.testing.vendor import reply

Forward = Callable[[], requests.Response]
"""Brings the request to the vendor, with its effect."""

RETRY_AFTER = 7
"""What the 429 with a header asks for, in seconds."""

HTML = "<!doctype html><title>Sign in to the network</title><p>This is not the page you wanted.</p>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way a call fails. ``happens`` gets the request and the way to the vendor; it answers or raises.

    ``reading`` are the errors a call without an effect may become, ``writing`` those of the call that makes the
    effect. ``reaches_vendor``: the effect has happened, only its answer is lost or spoiled.
    """

    name: str
    happens: Callable[[requests.PreparedRequest, Forward], requests.Response]
    reading: tuple[type[ConnectorError], ...]
    writing: tuple[type[ConnectorError], ...]
    reaches_vendor: bool = False

    def __str__(self) -> str:
        return self.name


def _refused_connection(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
    reason = NewConnectionError(HTTPConnection("vendor.invalid"), "[Errno 111] Connection refused")
    # No pool: its only use is the text of the error.
    raise requests.ConnectionError(MaxRetryError(None, request.path_url, reason), request=request)  # type: ignore[arg-type]


def _no_name(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
    from urllib3.exceptions import NameResolutionError

    missing = socket.gaierror(-2, "Name or service not known")
    reason = NameResolutionError("vendor.invalid", HTTPConnection("vendor.invalid"), missing)
    raise requests.ConnectionError(MaxRetryError(None, request.path_url, reason), request=request)  # type: ignore[arg-type]


def _connect_timeout(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
    reason = ConnectTimeoutError(None, "Connection to vendor.invalid timed out")
    raise requests.ConnectTimeout(MaxRetryError(None, request.path_url, reason), request=request)  # type: ignore[arg-type]


def _read_timeout(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
    reason = ReadTimeoutError(None, request.path_url, "Read timed out")  # type: ignore[arg-type]
    raise requests.ReadTimeout(reason, request=request)


def _reset(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
    reason = ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
    raise requests.ConnectionError(reason, request=request)


def _after(
    happens: Callable[[requests.PreparedRequest, Forward], requests.Response],
) -> Callable[[requests.PreparedRequest, Forward], requests.Response]:
    def after(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
        _ = forward().content
        return happens(request, forward)

    return after


def _answers(
    status: int, body: Any = None, **headers: str
) -> Callable[[requests.PreparedRequest, Forward], requests.Response]:
    def answers(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return reply(request, status, body if body is not None else {"error": f"planned {status}"}, headers=named)

    return answers


def _spoils(
    spoil: Callable[[bytes], bytes], content_type: str = ""
) -> Callable[[requests.PreparedRequest, Forward], requests.Response]:
    def spoils(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
        answer = forward()
        kind = content_type or answer.headers.get("Content-Type", "application/json")
        return reply(request, answer.status_code, spoil(answer.content), content_type=kind)

    return spoils


def _other_type(raw: bytes) -> bytes:
    """A text where an object or a list is expected: valid JSON, and nothing can be read from it."""
    return b'"ok"'


def _another_shape(change: Callable[[Any], Any]) -> Callable[[requests.PreparedRequest, Forward], requests.Response]:
    """The effect happens, and its answer is good JSON of another shape. A refusal, and what was no JSON, stays."""

    def answers(request: requests.PreparedRequest, forward: Forward) -> requests.Response:
        answer = forward()
        raw = answer.content
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if answer.ok and isinstance(body, dict | list):
            raw = json.dumps(change(body)).encode()
        return reply(request, answer.status_code, raw, content_type=answer.headers.get("Content-Type", ""))

    return answers


def _without_ids(node: Any) -> Any:
    """The same without whatever names a thing."""
    if isinstance(node, dict):
        return {name: _without_ids(value) for name, value in node.items() if not _is_id(name)}
    return [_without_ids(value) for value in node] if isinstance(node, list) else node


def _is_id(name: str) -> bool:
    return name in ("id", "uri") or name.endswith(("_id", "Id"))


_LOST = (OutcomeUnknown,)
_READ = (TemporaryFailure, OutcomeUnknown)
_NOT_SENT = (TemporaryFailure, OutcomeUnknown)
_TOLD_NO = (Refused, AuthenticationFailed, ConfigurationError, TemporaryFailure, OutcomeUnknown, PayloadNotUnderstood)
_GARBLED = (TemporaryFailure, PayloadNotUnderstood, OutcomeUnknown)
_WHOSE = (AuthenticationFailed, ConfigurationError, Refused)

CONNECT_REFUSED = Fault("connect_refused", _refused_connection, (TemporaryFailure,), (TemporaryFailure,))
NO_SUCH_NAME = Fault("no_such_name", _no_name, (TemporaryFailure,), (TemporaryFailure,))
CONNECT_TIMEOUT = Fault("connect_timeout", _connect_timeout, (TemporaryFailure,), (TemporaryFailure,))
READ_TIMEOUT = Fault("read_timeout", _read_timeout, _READ, _LOST)
READ_TIMEOUT_AFTER = Fault("read_timeout_after_effect", _after(_read_timeout), _READ, _LOST, True)
RESET_AFTER = Fault("reset_after_effect", _after(_reset), _READ, _LOST, True)
UNAUTHORIZED = Fault("401", _answers(401), (AuthenticationFailed,), (AuthenticationFailed,))
FORBIDDEN = Fault("403", _answers(403), _WHOSE, _WHOSE)
NOT_FOUND = Fault("404", _answers(404), _TOLD_NO, _TOLD_NO)
CONFLICT = Fault("409", _answers(409), _TOLD_NO, _TOLD_NO)
UNPROCESSABLE = Fault("422", _answers(422), _TOLD_NO, _TOLD_NO)
SLOW_DOWN = Fault("429", _answers(429), (RateLimited,), (RateLimited,))
SLOW_DOWN_FOR = Fault("429_retry_after", _answers(429, Retry_After=str(RETRY_AFTER)), (RateLimited,), (RateLimited,))
SERVER_ERROR = Fault("500", _answers(500), (TemporaryFailure,), _NOT_SENT)
SERVER_ERROR_AFTER = Fault("500_after_effect", _after(_answers(500)), (TemporaryFailure, OutcomeUnknown), _LOST, True)
UNAVAILABLE = Fault("503", _answers(503), (TemporaryFailure,), _NOT_SENT)
HTML_BAD_GATEWAY = Fault("502_html", _answers(502, HTML), (TemporaryFailure,), _NOT_SENT)
HTML_OK = Fault("200_html", _answers(200, HTML), _GARBLED, _GARBLED)
TRUNCATED = Fault("truncated_json", _spoils(lambda raw: raw[: max(1, len(raw) // 2)]), _GARBLED, _LOST, True)
EMPTY = Fault("empty_body", _spoils(lambda raw: b""), _GARBLED, _LOST, True)
OTHER_JSON = Fault("json_of_another_type", _spoils(_other_type), _GARBLED, _LOST, True)
OBJECT_WITHOUT_ID = Fault("object_without_id", _another_shape(_without_ids), _GARBLED, _LOST, True)
EMPTY_OBJECT = Fault("empty_object", _another_shape(lambda _: {}), _GARBLED, _LOST, True)
EMPTY_LIST = Fault("empty_list", _another_shape(lambda _: []), _GARBLED, _LOST, True)
NULL = Fault("null", _another_shape(lambda _: None), _GARBLED, _LOST, True)

TRANSPORT = (
    CONNECT_REFUSED,
    NO_SUCH_NAME,
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    READ_TIMEOUT_AFTER,
    RESET_AFTER,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    CONFLICT,
    UNPROCESSABLE,
    SLOW_DOWN,
    SLOW_DOWN_FOR,
    SERVER_ERROR,
    SERVER_ERROR_AFTER,
    UNAVAILABLE,
    HTML_BAD_GATEWAY,
    HTML_OK,
    TRUNCATED,
    EMPTY,
    OTHER_JSON,
)
"""Every fault of one call."""

SHAPES = (OBJECT_WITHOUT_ID, EMPTY_OBJECT, EMPTY_LIST, NULL)
"""The answer to what was done is JSON, and not the thing that was made. Only where there was an effect: to a question,
an empty list or object may be the vendor's true answer."""

DELIVERING = (*TRANSPORT, *SHAPES)
"""Every fault of a call that makes an effect."""

SOME = (CONNECT_REFUSED, READ_TIMEOUT_AFTER, UNAUTHORIZED, UNPROCESSABLE, SLOW_DOWN_FOR, SERVER_ERROR, HTML_OK)
"""One of each family, where all would say the same."""

BUT_NOT_FOUND = tuple(fault for fault in TRANSPORT if fault is not NOT_FOUND)
"""For what may be gone: there 404 is an answer and no failure."""

LOSING_THE_ANSWER = (READ_TIMEOUT, READ_TIMEOUT_AFTER, RESET_AFTER, SERVER_ERROR_AFTER, TRUNCATED, EMPTY)
"""After these nobody knows whether the effect has happened: the hub looks."""
