"""The pytest side of the conformance kit: which checks a connector has, waivers, ``--update-expected`` and the report.

pytest imports this module at every start, before coverage is measured, in projects that test no connector too: it
imports nothing of the hub until a suite is there.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check: ``passed``, ``failed`` or ``waived`` (with the reason)."""

    outcome: str
    reason: str = ""


RESULTS: pytest.StashKey[dict[type, dict[str, Result]]] = pytest.StashKey()
"""Suite -> check -> result."""

TOLD: pytest.StashKey[list[str]] = pytest.StashKey()
"""The lines of the summary that processes of pytest-xdist have told."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the kit."""
    group = parser.getgroup("conformance", "conformance of Social Care Hub connectors")
    group.addoption(
        "--update-expected", action="store_true", help="write the .expected.json of every fixture anew, to be reviewed"
    )
    group.addoption(
        "--conformance-report", metavar="DIR", type=Path, help="write results (JSON) and a badge (SVG) per connector"
    )


def _suite(item: Any) -> type | None:
    """The suite an item belongs to, or ``None``."""
    cls = getattr(item, "cls", None)
    return cls if isinstance(cls, type) and getattr(cls, "is_conformance", False) else None


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> list[pytest.Item] | None:
    """A check for roles the connector does not play does not exist."""
    suite = _suite(collector)
    if suite is None or not name.startswith("test_") or not hasattr(suite, "connector"):
        return None
    from hub.testing.checks import applies

    return None if applies(obj, suite) else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Waived checks must fail; those that look back run last in their class."""
    suites = {suite for item in items if (suite := _suite(item)) is not None}
    if not suites:
        return
    from hub.testing.quality import quality_of

    waivers = {suite: quality_of(suite.connector).waivers for suite in suites if hasattr(suite, "connector")}
    for item in items:
        suite = _suite(item)
        reason = waivers.get(suite, {}).get(check_name(item)) if suite else None
        if reason:
            item.add_marker(pytest.mark.xfail(reason=f"waived: {reason}", strict=True))
    # A stable sort within each run of neighbours of one suite: other tests keep their places.
    start = 0
    while start < len(items):
        end, suite = start, _suite(items[start])
        while end < len(items) and _suite(items[end]) is suite:
            end += 1
        if suite is not None:
            items[start:end] = sorted(items[start:end], key=_order)
        start = end


def _order(item: Any) -> int:
    if check_name(item) == "claimed_tier_is_held":
        return 2
    return int(getattr(item.obj, "last", False)) - int(getattr(item.obj, "first", False))


def check_name(item: pytest.Item) -> str:
    """The check's name as in waivers."""
    return item.name.removeprefix("test_")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the result of each check."""
    report = yield
    suite = _suite(item)
    ours = str(getattr(getattr(item, "obj", None), "__module__", "")).startswith("hub.testing.")
    if suite is not None and ours and (report.when == "call" or report.failed):
        results = item.config.stash.setdefault(RESULTS, {}).setdefault(suite, {})
        waived = hasattr(report, "wasxfail") and report.skipped
        outcome = "waived" if waived else "passed" if report.passed else "failed"
        reason = report.wasxfail.removeprefix("waived: ") if waived else ""
        results[check_name(item)] = Result(outcome, reason)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A line per connector with every waiver; all checks with ``-v``."""
    told = [*config.stash.get(TOLD, []), *_lines(config)]
    if told:
        terminalreporter.section("conformance")
        for line in told:
            terminalreporter.write_line(line)


def _lines(config: pytest.Config) -> list[str]:
    results = config.stash.get(RESULTS, None)
    if not results:
        return []
    from hub.testing.report import lines

    return list(lines(results, every=config.get_verbosity() > 0))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """With pytest-xdist a suite runs as a whole in another process (``--dist loadfile``), which tells its lines."""
    node.config.stash.setdefault(TOLD, []).extend(getattr(node, "workeroutput", {}).get("conformance", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, if asked for."""
    folder = session.config.getoption("conformance_report")
    results = session.config.stash.get(RESULTS, None)
    if folder and results:
        from hub.testing.report import write

        write(folder, results)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["conformance"] = _lines(session.config)
