"""A house for each flow test, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.house import House


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A hub with fake vendors that has made its first polls."""
    house = House(database_url)
    house.step()
    house.clock.forward(2)
    yield house
    house.close()
