"""A house with a history, its web, and a browser before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.fakes.house import House
from tests.web.desk import Browser, live_through, make_app


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A hub on a fresh SQLite file."""
    made = House(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    yield made
    made.close()


@pytest.fixture
def app(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its web."""
    return make_app(house, tmp_path, monkeypatch)


@pytest.fixture
def browser(house: House, app: Flask) -> Browser:
    """Logged in, and something to look at."""
    live_through(house)
    browser = Browser(house, app)
    browser.log_in()
    return browser
