"""One sandbox for all tests of a module; each test uses tickets of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from zendesk_cases import Account, running_sandbox

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
