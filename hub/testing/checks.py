"""What a check is: a test method of a suite that runs when the connector plays the roles it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest

F = TypeVar("F", bound=Callable[..., Any])


def needs(
    *roles: type, when: Callable[[type], bool] = lambda _: True, given: Callable[[Any], bool] = lambda _: True
) -> Callable[[F], F]:
    """The check runs only for connectors that play every one of ``roles`` and for which ``when(connector)`` holds, and
    for suites for which ``given(suite)`` does: what the settings decide. For others it does not exist."""

    def mark(check: F) -> F:
        earlier = getattr(check, "applies", lambda _: True)
        check.applies = lambda suite: (  # type: ignore[attr-defined]
            earlier(suite)
            and all(issubclass(suite.connector, role) for role in roles)
            and when(suite.connector)
            and given(suite)
        )
        return check

    return mark


def cases(name: str, values: Sequence[Any]) -> Callable[[F], F]:
    """The check runs once for each of ``values`` (their ``str`` names the case, in a waiver: ``check[case]``)."""

    def mark(check: F) -> F:
        check.cases = [str(value) for value in values]  # type: ignore[attr-defined]
        marked: F = pytest.mark.parametrize(name, values, ids=str)(check)
        return marked

    return mark


def last(check: F) -> F:
    """The check looks back on all others of its suite, so it runs after them."""
    check.last = True  # type: ignore[attr-defined]
    return check


def first(check: F) -> F:
    """The check runs before all others of its suite: who starts a plugin starts here."""
    check.first = True  # type: ignore[attr-defined]
    return check


def remembers_keys(suite: Any) -> bool:
    """Whether the vendor remembers keys for this suite's connector: settings may decide it for an instance."""
    try:
        return suite().new_rig().connector.idempotent_for is not None
    except Exception:  # noqa: BLE001 - whatever is wrong with it shows in the checks, not while they are gathered
        return True


def applies(check: Any, suite: Any) -> bool:
    """Whether a suite has this check."""
    return bool(getattr(check, "applies", lambda _: True)(suite))


def checks_of(suite: Any) -> Iterator[str]:
    """The names of every check of this suite, as waivers name them, in order."""
    seen: set[str] = set()
    for kind in reversed(suite.__mro__):
        if not kind.__module__.startswith("hub.testing."):
            continue
        for name, check in vars(kind).items():
            if name.startswith("test_") and name not in seen and applies(check, suite):
                seen.add(name)
                for case in getattr(check, "cases", None) or [""]:
                    yield name.removeprefix("test_") + (f"[{case}]" if case else "")
