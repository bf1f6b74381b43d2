"""One sandbox for all tests of a module; each test uses tickets of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from zendesk_bursts import Clock
from zendesk_cases import Account, running_sandbox
from zendesk_sandbox_calls import settings

_numbers = count(1)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A running sandbox."""
    with running_sandbox(tmp_path_factory.mktemp("zendesk")) as running:
        yield running


@pytest.fixture
def uid() -> str:
    """An external id no other test uses."""
    return f"sch-test-{next(_numbers)}"


@pytest.fixture
def clock() -> Clock:
    """The clock of the connectors of a test."""
    return Clock()


@pytest.fixture
def quick_jobs(account: Account) -> Iterator[None]:
    """A job is done when somebody calls next, unless a test says otherwise."""
    settings(account, job_delay=0)
    yield
    settings(account, job_delay=0, job_item_seconds=0, job_fails_after="", user_imports="", clock_ahead=0)
    account.http.delete(f"{account.url}/_sandbox/faults", timeout=5)
