"""From configuration and plugins to a hub that can work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.catalogue import Catalogue
from hub.configuration import ConfigurationProblems, HubConfig, Problem, secret_key
from hub.flow.hub import Connected, Hub, Timing
from hub.store import Store
from hub.store.secrets import Cipher

log = logging.getLogger("hub")


@dataclass(frozen=True)
class Assembled:
    """A hub, and the problems of the connections it had to leave out."""

    hub: Hub
    left_out: list[Problem]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def assemble(
    config: HubConfig,
    catalogue: Catalogue,
    store: Store,
    *,
    now: Callable[[], datetime] = utc_now,
    timing: Timing | None = None,
) -> Assembled:
    """Build the hub of ``config``. A connection with a problem of its own is left out; a problem of the whole is
    raised as :class:`ConfigurationProblems`."""
    problems = [problem for problem in catalogue.check(config) if not problem.warning]
    if any(problem.fatal for problem in problems):
        raise ConfigurationProblems(problems)
    broken = {problem.connection for problem in problems}
    connected = {
        name: Connected(
            config=connection,
            connector=catalogue.connector_of(connection),
            settings=catalogue.settings_for(connection),
        )
        for name, connection in config.connections.items()
        if connection.enabled and name not in broken
    }
    for problem in problems:
        log.error("%s does not start: %s", problem.connection, problem)
    hub = Hub(
        store=store,
        cipher=Cipher(secret_key(config)),
        connected=connected,
        routers=[catalogue.build_router(block) for block in config.routers],
        teams=config.teams,
        categories=config.categories,
        now=now,
        timing=timing or Timing(),
        language=config.hub.language,
        public_url=config.hub.public_url,
        proxy=config.http.proxy,
        ca_file=config.http.ca_file,
    )
    return Assembled(hub, problems)
