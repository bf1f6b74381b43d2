"""What a check is: a test method of a suite that runs when the connector plays the roles it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_args

import pytest
from pydantic.fields import FieldInfo

from hub.catalogue.found import is_secret
from hub.testing.vendor import NetworkVendor

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


def has_credentials(suite: Any) -> bool:
    """Whether the connector's settings hold a secret. Without one there is nothing a vendor could revoke."""
    model = getattr(suite.connector, "Settings", None)
    return model is None or any(is_secret(field) for field in _fields(model))


def _fields(kind: Any) -> Iterator[FieldInfo]:
    """Every field of the models in a type, nested ones included."""
    for field in getattr(kind, "model_fields", {}).values():
        yield field
        yield from _fields(field.annotation)
    for part in get_args(kind):
        yield from _fields(part)


def takes_posts_back(suite: Any) -> bool:
    """Whether customers of this vendor can delete. A vendor without ``customer_deletes`` fails ``deletions_are_told``,
    or waives it for all to see: what asks for deletions is left out in silence only beside that."""
    try:
        return type(suite().vendor()).customer_deletes is not NetworkVendor.customer_deletes
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
