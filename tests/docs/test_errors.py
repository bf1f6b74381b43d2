"""Each error has one page, and what the page's table says is what a running hub does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.flow import poll, retry
from hub.flow.hub import Timing
from hub.flow.retry import ACTIONS
from hub.sdk import ConnectorError, RateLimited, errors
from hub.store import connections
from hub.work.engine import KEEP_ARRIVALS
from tests.docs.markdown import ROOT
from tests.docs.outcomes import HEADINGS, PLACES, check_connection, deliver

PAGES = ROOT / "docs" / "errors"
CLASSES = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ConnectorError)
}


def _rows(page: str) -> list[tuple[str, ...]]:
    lines = [line for line in (PAGES / f"{page}.md").read_text().splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_each_error_has_one_page_and_each_page_one_error() -> None:
    """No class without a page, no page of a class that is gone."""
    assert {page.stem for page in PAGES.glob("*.md")} - {"index"} == set(CLASSES)
    for name in CLASSES:
        assert (PAGES / f"{name}.md").read_text().startswith(f"# {name}\n")


@pytest.mark.parametrize("name", CLASSES)
def test_the_page_names_the_handler(name: str) -> None:
    """The handler of a failed delivery is the one in the table of the flow."""
    handler = ACTIONS.get(CLASSES[name], "bug")
    assert f"\nHandler: `{handler}`\n" in (PAGES / f"{name}.md").read_text()


@pytest.mark.parametrize("name", CLASSES)
def test_the_table_is_what_the_hub_does(name: str, tmp_path: Path) -> None:
    """Raised at each place in a running hub, the error has the effects its page tells."""
    head, _, *told = _rows(name)
    seen = [look(tmp_path, CLASSES[name]("the summary")).cells() for look in PLACES.values()]
    right = "\n".join(f"| {' | '.join(row)} |" for row in seen)
    assert head == HEADINGS
    assert told == seen, f"docs/errors/{name}.md should say:\n{right}"


def test_a_foreign_exception_is_treated_as_the_base_class(tmp_path: Path) -> None:
    """The page of ConnectorError speaks for every exception that is none of ours."""
    _, _, *told = _rows("ConnectorError")
    assert [look(tmp_path, ZeroDivisionError("a bug")).cells() for look in PLACES.values()] == told


def test_a_rate_limit_of_a_lane_lets_the_connection_go_on(tmp_path: Path) -> None:
    """With ``scope="lane"`` only the ticket waits."""
    seen = deliver(tmp_path, RateLimited("slow down", retry_after=30, scope="lane"))
    assert (seen.becomes, seen.counted, seen.connection) == ("delivery `waiting`", "no", "goes on")


def test_the_experiments_can_tell_the_difference(tmp_path: Path) -> None:
    """Two errors with different handlers give different rows at the places that matter."""
    kinds = (errors.TemporaryFailure, errors.Refused, errors.AuthenticationFailed, errors.RateLimited)
    assert len({deliver(tmp_path, kind("x")).cells() for kind in kinds}) == len(kinds)
    assert check_connection(tmp_path, errors.AuthenticationFailed("x")).alarm == "`authentication`"


def test_the_numbers_on_the_pages_are_those_of_the_hub() -> None:
    """Waits, attempts, looks and the breaker are as patient as the pages say."""
    timing = Timing()
    said = {page.stem: " ".join(page.read_text().split()) for page in PAGES.glob("*.md")}
    first, longest = timing.first_retry.seconds, timing.longest_retry.seconds // 60
    assert f"after {first} seconds, doubling up to {longest} minutes" in said["TemporaryFailure"]
    assert f"gave up after {timing.attempts} attempts" in said["TemporaryFailure"]
    assert f"one call is let through every {connections.PROBE_EVERY.seconds} seconds" in said["TemporaryFailure"]
    assert connections.BREAKER_OPENS_AFTER == 5
    assert "Five failures of a connection in a row" in said["TemporaryFailure"]
    assert (poll.LONGEST_RETRY.seconds, timing.probe_paused_every.seconds) == (60, 60)
    assert "waits of at most a minute" in said["TemporaryFailure"]
    assert f"without it for {timing.unsaid_rate_limit.seconds} to 39 seconds" in said["RateLimited"]
    assert timedelta(hours=1) == retry.RATE_LIMIT_ALARM_AFTER
    assert (timing.looks, timing.attempts) == (8, 10)
    assert "After the eighth look" in said["OutcomeUnknown"]
    assert "one of the 10 attempts of a delivery (`deliver`), one of its 8 looks" in said["index"]
    assert timedelta(days=7) == KEEP_ARRIVALS
    assert "kept for a week" in said["UnsupportedEvent"]
