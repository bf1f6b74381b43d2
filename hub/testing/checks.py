"""What a check is: a test method of a suite that runs when the connector plays the roles it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest

F = TypeVar("F", bound=Callable[..., Any])


def needs(*roles: type, when: Callable[[type], bool] = lambda _: True) -> Callable[[F], F]:
    """The check runs only for connectors that play every one of ``roles`` and for which ``when(connector)`` holds;
    for others it does not exist."""

    def mark(check: F) -> F:
        earlier = getattr(check, "applies", lambda _: True)
        check.applies = lambda connector: (  # type: ignore[attr-defined]
            earlier(connector) and all(issubclass(connector, role) for role in roles) and when(connector)
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


def applies(check: Any, connector: type) -> bool:
    """Whether a connector has this check."""
    return bool(getattr(check, "applies", lambda _: True)(connector))


def checks_of(suite: type, connector: type) -> Iterator[str]:
    """The names of every check of this connector, as waivers name them, in order."""
    seen: set[str] = set()
    for kind in reversed(suite.__mro__):
        if not kind.__module__.startswith("hub.testing."):
            continue
        for name, check in vars(kind).items():
            if name.startswith("test_") and name not in seen and applies(check, connector):
                seen.add(name)
                for case in getattr(check, "cases", None) or [""]:
                    yield name.removeprefix("test_") + (f"[{case}]" if case else "")
