"""Trying something of a connector, and judging the error that came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.sdk import ConnectorError, RateLimited
from hub.testing import faults
from hub.testing.rig import Rig


def attempt(call: Callable[[], Any]) -> Any:
    """What ``call`` returns, or the connector's error that it raised. A foreign exception is not caught."""
    try:
        return call()
    except ConnectorError as error:
        return error


def assert_kind(result: Any, allowed: tuple[type[ConnectorError], ...], where: str) -> None:
    """``result`` is an error of one of the allowed kinds."""
    names = " or ".join(dict.fromkeys(kind.__name__ for kind in allowed))
    said = f"{type(result).__name__}: {result}"
    assert isinstance(result, allowed), f"{where}: expected {names}, got {said}"


def assert_wait(result: Any, fault: faults.Fault) -> None:
    """A RateLimited carries what the vendor asked for."""
    if isinstance(result, RateLimited) and fault is faults.SLOW_DOWN_FOR:
        assert result.retry_after is not None, "the vendor said how long to wait (Retry-After), and it is lost"
        assert abs(result.retry_after - faults.RETRY_AFTER) <= 1, (
            f"Retry-After was {faults.RETRY_AFTER} s, the connector says {result.retry_after}"
        )


def assert_no_repeats(rig: Rig, since: int) -> None:
    """No call was made twice."""
    calls = [call.same for call in rig.calls[since:]]
    twice = [call for call in calls if calls.count(call) > 1]
    assert not twice, f"asked again without being told: {twice[0][0]} {twice[0][1]} ({calls.count(twice[0])} times)"
