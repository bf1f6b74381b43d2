"""From configuration and plugins to a hub that can work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.catalogue import Catalogue
from hub.configuration import ConfigurationProblems, HubConfig, Problem, secret_key
from hub.configuration.secrets import KEY_NAME, KeyLost
from hub.flow.hub import Connected, Hub, Timing
from hub.store import Store, Tx, connections
from hub.store.engine import has_tables
from hub.store.rekey import KEY_CHECK
from hub.store.secrets import Cipher, SecretUnreadable

__all__ = ["KEY_CHECK", "NEW_KEY", "Assembled", "WrongKey", "assemble", "key_of", "settle_key", "utc_now"]

log = logging.getLogger("hub")

_KNOWN_WORD = "social care hub"

NEW_KEY = "secret.key.new"
"""A key that is about to take the place of ``secret.key``; there while it is being changed only."""


class WrongKey(Exception):
    """The secret key is not the one this database was written with; the message says what to do."""


@dataclass(frozen=True)
class Assembled:
    """A hub, and the problems of the connections it had to leave out."""

    hub: Hub
    left_out: list[Problem]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def key_of(config: HubConfig, store: Store) -> bytes | None:
    """The secret key, if it is the one this database was written with. ``None`` when there is neither a key nor
    anything written under one yet. Raises :class:`WrongKey`, and :class:`ConfigurationProblems` for a malformed key."""
    with store.read() as connection:
        canary = connections.read_switch(connection, KEY_CHECK) if has_tables(connection) else None
    try:
        key = secret_key(config, make=False)
        if canary is not None:
            Cipher(key).decrypt(canary)
    except KeyLost as error:
        if canary is None:
            return None
        raise WrongKey(f"The secret key is lost: {error}. {_restore(config)}") from error
    except SecretUnreadable as error:
        raise WrongKey(f"The secret key is not the one this database was written with. {_restore(config)}") from error
    return key


def _restore(config: HubConfig) -> str:
    if (config.var_dir / NEW_KEY).exists():
        return "A change of the key was cut off; finish it: hub secrets rotate"
    return (
        f"Tokens and personal fields in the database open with that key only: restore {config.var_dir / 'secret.key'} "
        f"from your backup, or set {KEY_NAME} to the old key. No new key was made. When it is lost for good: "
        "hub secrets forget-lost-key --dry-run"
    )


def settle_key(config: HubConfig, store: Store, now: Callable[[], datetime] = utc_now) -> bytes:
    """As :func:`key_of`, for a hub that will write: makes the key at the first start, and the mark in the database by
    which a later start knows it again."""
    key = key_of(config, store) or secret_key(config)

    def mark(tx: Tx) -> None:
        if connections.read_switch(tx.connection, KEY_CHECK) is None:
            connections.set_switch(tx, KEY_CHECK, Cipher(key).encrypt(_KNOWN_WORD), now=now())

    with store.read() as connection:
        marked = connections.read_switch(connection, KEY_CHECK) is not None
    if not marked:
        store.run(mark)
    return key


def assemble(
    config: HubConfig,
    catalogue: Catalogue,
    store: Store,
    *,
    now: Callable[[], datetime] = utc_now,
    timing: Timing | None = None,
) -> Assembled:
    """Build the hub of ``config``. A connection with a problem of its own is left out; a problem of the whole is
    raised as :class:`ConfigurationProblems`, another secret key than the database's as :class:`WrongKey`."""
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
        cipher=Cipher(settle_key(config, store, now)),
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
        local_media=config.http.local_media,
        media_hosts=config.http.media_hosts,
        left_out={name: one for name, one in config.connections.items() if one.enabled and name in broken},
    )
    return Assembled(hub, problems)
