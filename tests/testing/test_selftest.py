"""The kit against connectors that break one rule each: the right check fails, and it alone."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest

from hub.testing import RouterConformance, SinkConformance, SourceConformance, quality
from hub.testing import plugins as plugin_checks
from tests.testing.planted import conduct, plugins, reading, replying, routers, sinks
from tests.testing.selftest import GOOD, PLANTED, folder_of, run

SUITES = {"source": SourceConformance, "sink": SinkConformance, "router": RouterConformance}
imported = plugin_checks.imported
PLANTERS = (conduct, plugins, reading, replying, routers, sinks)  # they plant when they are imported


@pytest.fixture(autouse=True)
def entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the folder of planted connectors were an installed plugin."""
    monkeypatch.setattr(plugin_checks, "installed", lambda: {"planted": "tests.testing.planted"})
    monkeypatch.setattr(plugin_checks, "folder_of", folder_of)
    monkeypatch.setattr(quality, "folder_of", folder_of)
    # The others share modules that import the whole kit.
    slow = "tests.testing.planted.slow"
    monkeypatch.setattr(plugin_checks, "imported", lambda module: imported(slow) if module == slow else ("", 0.0))


@pytest.mark.parametrize("side", SUITES)
def test_a_good_connector_passes_every_check(side: str) -> None:
    """Nothing fails for the reference connectors."""
    assert run(GOOD[side]) == {}


def _names() -> list[str]:
    return [f"{suite.__name__}-{check}" for check, suite in PLANTED]


@pytest.mark.parametrize(("check", "suite"), PLANTED, ids=_names())
def test_a_planted_fault_fails_its_check_alone(check: str, suite: type) -> None:
    """One rule is broken, one check tells."""
    failed = run(suite, check)
    assert check in failed, f"{check} does not notice it; what fails: {failed}"
    assert set(failed) == {check}, f"other checks fail too: {failed}"


def test_every_check_has_a_planted_fault() -> None:
    """A check that nothing can fail proves nothing."""
    planted = {check for check, _ in PLANTED}
    checks = {
        name.removeprefix("test_") for suite in SUITES.values() for name in dir(suite) if name.startswith("test_")
    }
    assert checks - planted == set(), f"without a planted fault: {sorted(checks - planted)}"
    assert planted - checks == set(), f"planted for no check: {sorted(planted - checks)}"


def test_no_two_plants_have_one_name() -> None:
    """Their names are the ids of the tests."""
    twice = [name for name, count in Counter(_names()).items() if count > 1]
    assert twice == []


def test_every_check_says_what_it_checks() -> None:
    """The first sentence of its docstring is what the report shows."""
    for suite in SUITES.values():
        for name in dir(suite):
            if name.startswith("test_"):
                assert inspect.getdoc(getattr(suite, name)), f"{suite.__name__}.{name} has no docstring"
