"""A sandbox server for this folder's tests, and connectors that speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from mastodon_stage import make_toolbox, running

from hub.sdk import HttpSession
from plugins.sources.mastodon.sandbox import MastodonSandbox
from plugins.sources.mastodon.source import MastodonSource


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastodonSandbox]:
    with running(tmp_path_factory.mktemp("mastodon")) as (sandbox, _):
        yield sandbox


@pytest.fixture
def http() -> Iterator[HttpSession]:
    with HttpSession(user_agent="social-care-hub-tests", timeout=(5.0, 20.0)) as session:
        yield session


@pytest.fixture
def make_source(sandbox: MastodonSandbox, http: HttpSession) -> Callable[..., MastodonSource]:
    def make(**settings: Any) -> MastodonSource:
        given = {**sandbox.connection_settings(webhook_url=""), **settings}
        return MastodonSource(MastodonSource.Settings.model_validate(given), make_toolbox(http))

    return make


@pytest.fixture
def source(make_source: Callable[..., MastodonSource]) -> MastodonSource:
    return make_source()


@pytest.fixture
def fault(sandbox: MastodonSandbox) -> Iterator[Callable[..., None]]:
    """Make the server's next answers to a path go wrong."""
    control = sandbox.base_url + "/api/v1/_mock/faults"

    def inject(effect: dict[str, Any], *, method: str = "GET", path_regex: str, count: int = 1) -> None:
        rule = {"match": {"methods": [method], "path_regex": path_regex}, "effect": effect, "count": count}
        requests.post(control, json=rule, timeout=5).raise_for_status()

    yield inject
    requests.delete(control, timeout=5).raise_for_status()
