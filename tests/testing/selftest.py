"""Runs a suite without pytest, to see which of its checks fail."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from hub.testing.checks import applies
from hub.testing.faults import READ_TIMEOUT_AFTER, SERVER_ERROR, SLOW_DOWN_FOR, UNPROCESSABLE
from hub.testing.watching import Conduct

T = TypeVar("T", bound=type)

FEW = (READ_TIMEOUT_AFTER, UNPROCESSABLE, SLOW_DOWN_FOR, SERVER_ERROR)

FOLDERS: dict[type, Path] = {}
"""The folders of connectors that pretend to live elsewhere."""

PLANTED: list[tuple[str, type]] = []
"""Every planted bad suite with the one check that must catch it."""

GOOD: dict[str, type] = {}
"""side -> the suite of the good connector that the bad ones come from."""


def folder_of(connector: type) -> Path:
    """Where a planted connector pretends to live."""
    return FOLDERS.get(connector, Path(__file__).parent / "planted")


def good(side: str) -> Callable[[T], T]:
    """The suite of the good reference connector of a side: nothing fails."""

    def register(suite: T) -> T:
        GOOD[side] = suite
        return suite

    return register


def breaks(check: str, side: str = "source") -> Callable[[T], T]:
    """The class (a connector, or a whole suite) does one thing wrong, and the check ``check`` alone tells."""

    def register(bad: T) -> T:
        suite: type = bad
        if not hasattr(bad, "is_conformance"):
            suite = type(bad.__name__ + "Suite", (GOOD[side],), {"connector": bad, "__module__": bad.__module__})
        PLANTED.append((check, suite))
        return bad

    return register


def run(suite: type, planted: str = "") -> dict[str, str]:
    """Run every check of the suite: its name (without the case) -> what its failure says. With ``planted`` only that
    check meets every fault, the others a few."""
    failed: dict[str, str] = {}
    names = [name for name in dir(suite) if name.startswith("test_") and applies(getattr(suite, name), suite)]
    names.sort(key=lambda name: (name == "test_claimed_tier_is_held", getattr(getattr(suite, name), "last", False)))
    for name in names:
        check = getattr(suite, name)
        for arguments in _arguments(check):
            if planted not in ("", name.removeprefix("test_")) and arguments.get("fault", FEW[0]) not in FEW:
                continue
            try:
                instance = suite()
                config = SimpleNamespace(stash=pytest.Stash(), getoption=lambda *_: False)
                given = {"rig": lambda i=instance: i.new_rig()} | {
                    "request": lambda c=config: SimpleNamespace(config=c)
                }
                wanted = [key for key in inspect.signature(check).parameters if key not in {"self", *arguments}]
                check(instance, **arguments, **{key: given[key]() for key in wanted})
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever it is, the check failed
                said = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:300]
                failed.setdefault(name.removeprefix("test_"), said)
    suite.conduct = Conduct()  # its errors hold every rig
    return failed


def _arguments(check: Any) -> list[dict[str, Any]]:
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    return [{mark.args[0]: value} for mark in marks for value in mark.args[1]] or [{}]
