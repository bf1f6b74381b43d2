"""How a command gets at the hub: its configuration, its database, and a hub object that is not at work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from hub.catalogue import Catalogue
    from hub.configuration import HubConfig, Problem
    from hub.flow.hub import Connected, Hub
    from hub.store import Store
    from hub.store.secrets import Cipher

F = TypeVar("F", bound=Callable[..., object])


class Stop(click.ClickException):
    """End the command with a message for the operator: something is wrong with what was asked."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """To standard error, as it stands."""
        click.echo(self.message, err=True)


class Misused(Stop):
    """The configuration or the command line is wrong."""

    exit_code = 2


class CannotStart(Stop):
    """The hub cannot start here and now."""

    exit_code = 3


def config_option(command: F) -> F:
    """``--config``: a folder or hub.toml itself."""
    option = click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="hub.toml or its folder. Default: ./config/hub.toml, else $HUB_CONFIG.",
    )
    return option(command)


def json_option(command: F) -> F:
    """``--json``: for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def explain(error: Exception) -> Stop:
    """What an operator is told about an exception that a command did not expect."""
    from hub.catalogue import DuplicatePlugin
    from hub.configuration import ConfigurationProblems
    from hub.sdk import ConnectorError
    from hub.store import DatabaseBusy, SchemaTooNew, StoreBusy
    from hub.work.assembly import WrongKey

    if isinstance(error, ConfigurationProblems):
        return Misused(problem_lines(error.problems))
    if isinstance(error, DuplicatePlugin):
        return Misused(str(error))
    if isinstance(error, DatabaseBusy | SchemaTooNew | WrongKey):
        return CannotStart(str(error))
    if isinstance(error, StoreBusy | ConnectorError):
        return Stop(str(error))
    return Stop(f"unexpected: {type(error).__name__}: {error}\n(`hub --debug …` shows where it came from)")


def problem_lines(problems: Iterable[Problem]) -> str:
    """All problems, one a line, after a line that counts them."""
    lines = [str(problem) for problem in problems]
    head = "One thing is" if len(lines) == 1 else f"{len(lines)} things are"
    return f"{head} wrong with the configuration:\n" + "\n".join(f"  {line}" for line in lines)


def find_config(given: Path | None) -> Path:
    """The path of hub.toml; raises :class:`Stop` when there is none."""
    candidates = [given] if given is not None else [Path("config/hub.toml")]
    if given is None and (named := os.environ.get("HUB_CONFIG")):
        candidates.append(Path(named))
    for path in candidates:
        for file in (path, path / "hub.toml", path / "config/hub.toml"):
            if file.is_file():
                return file
    raise Misused(
        f"There is no configuration at {candidates[-1]}. Write one with `hub init .`, or say where it is: --config."
    )


def load_config(given: Path | None) -> HubConfig:
    """The configuration; raises with everything that is wrong in it, in the light of the plugins too."""
    from hub.configuration import ConfigurationProblems, survey

    config, problems = survey(find_config(given))
    if config is None or problems:
        raise ConfigurationProblems(one for one in examine(config, problems, load_catalogue()) if not one.warning)
    return config


def examine(config: HubConfig | None, told: Sequence[Problem], catalogue: Catalogue) -> list[Problem]:
    """All problems and warnings at once: those of reading, and as far as one can tell those of the plugins' settings.
    What was told of a place is not told again by whoever stumbles over it next."""
    found = list(told)
    if config is not None:
        places = {(one.file, one.path) for one in told}
        found += [one for one in catalogue.check(config) if (one.file, one.path) not in places]
    return list(dict.fromkeys(found))


def load_catalogue() -> Catalogue:
    """The plugins; a broken one is reported and stops only what needs it."""
    from hub.catalogue import Catalogue

    catalogue = Catalogue.load()
    for broken in catalogue.broken:
        click.echo(f"broken plugin: {broken}", err=True)
    return catalogue


@contextmanager
def open_store(config: HubConfig) -> Iterator[Store]:
    """The hub's database, beside a hub that may be running on it.

    Safe without the hub's lock, also on SQLite: the store is not started, so a write runs here as one short
    BEGIN IMMEDIATE with a busy timeout, and SQLite lets the running hub's writer and this one take turns. The flow
    keeps no copy of what is in the database; the running hub's ticker sees the change within a second. What must
    never run twice on one file is the engine, and that is what the lock is for.
    """
    from hub.store import Store

    url = config.database_url
    # A start that was refused early (port taken) leaves an empty file: that is no database either.
    if url.startswith("sqlite:///") and not _size(Path(url.removeprefix("sqlite:///"))):
        raise Stop("There is no database yet: this hub has never run. Start it with `hub run`.")
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def keep_private(config: HubConfig) -> None:
    """Make the hub's folder, or close it, so that others on this machine cannot look into it: it holds what customers
    wrote. Raises :class:`CannotStart` when the folder cannot be used."""
    folder = config.var_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        present = folder.stat()
    except OSError as error:
        raise cannot_write(config, error) from error
    if not present.st_mode & 0o077:
        return
    try:
        if present.st_uid != os.getuid():
            raise PermissionError
        folder.chmod(0o700)
    except OSError:
        click.echo(
            f"warning: other users can look into {folder}; its owner must close it: chmod 700 {folder}", err=True
        )
    else:
        click.echo(f"warning: other users could look into {folder}; it is closed now (mode 0700).", err=True)


def cannot_write(config: HubConfig, error: OSError) -> CannotStart:
    """What an operator is told when the hub's folder takes no file."""
    where = error.filename or config.var_dir
    return CannotStart(
        f"The hub cannot write to {where}: {error.strerror or error}.\n"
        f"It needs a folder of its own that this user may write to: mend that one, or choose another one: [hub] var in "
        f"{config.path}."
    )


@contextmanager
def open_hub(config: HubConfig, *, with_connections: bool = False, catalogue: Catalogue | None = None) -> Iterator[Hub]:
    """A hub object on the database for what people do to it: it delivers nothing and polls nothing.

    It knows the connections that the database knows, by name. ``with_connections``: it has the configured ones (and
    those of a running trial) instead, and can talk to their vendors.
    """
    from hub.flow.hub import Hub
    from hub.work.assembly import assemble, utc_now

    with open_store(config) as store:
        if with_connections:
            from hub.trial.children import Sandboxes

            if config.trial.enabled:
                config = config.with_connections(*Sandboxes(config).connections_if_running())
            yield assemble(config, catalogue or load_catalogue(), store).hub
            return
        yield Hub(
            store=store,
            cipher=_cipher(config, store),
            connected=_known_connections(store, config),
            routers=[],
            teams=config.teams,
            categories=config.categories,
            now=utc_now,
            language=config.hub.language,
            public_url=config.hub.public_url,
        )


def key_trouble(config: HubConfig, store: Store) -> str:
    """Why nothing that the database holds encrypted can be read here; empty when it can."""
    key = _key(config, store)
    return key if isinstance(key, str) else ""


def _key(config: HubConfig, store: Store) -> bytes | str | None:
    """The database's key, or what is wrong with the one there is; ``None`` while none is needed."""
    from hub.configuration import ConfigurationProblems
    from hub.work.assembly import WrongKey, key_of

    try:
        return key_of(config, store)
    except (WrongKey, ConfigurationProblems) as error:
        return str(error)


def _cipher(config: HubConfig, store: Store) -> Cipher:
    """The cipher. Without the database's key one that says so when it is needed: an operator whose shell does not have
    it must still be able to halt the hub."""
    from hub.store.secrets import Cipher
    from hub.work.assembly import WrongKey

    class Keyless(Cipher):
        def __init__(self, reason: str) -> None:
            self._reason = reason

        def encrypt(self, text: str) -> str:
            raise WrongKey(self._reason)

        def decrypt(self, token: str) -> str:
            raise WrongKey(self._reason)

    key = _key(config, store)
    if isinstance(key, bytes):
        return Cipher(key)
    return Keyless(key or "There is no secret key yet: start the hub with `hub run`.")


def _known_connections(store: Store, config: HubConfig) -> dict[str, Connected]:
    """The connections of the database, to be named and switched only: no settings, no vendor behind them."""
    from hub.configuration import Connection
    from hub.flow.hub import Connected
    from hub.sdk import Sink, Source
    from hub.store import connections

    with store.read() as connection:
        rows = connections.every(connection)
    return {
        row.name: Connected(
            config=config.connections.get(row.name)
            or Connection(name=row.name, connector=row.connector, mode=row.mode),
            connector=Source if row.side == "source" else Sink,
            settings=None,
        )
        for row in rows
    }


def must_know(connections: Iterable[str], name: str) -> None:
    """Raises :class:`Stop` with a suggestion when there is no connection of this name."""
    from hub.configuration import did_you_mean

    known = list(connections)
    if name not in known:
        raise Stop(f'There is no connection "{name}"; {did_you_mean(name, known)}')


def actor() -> str:
    """Who acts, for the audit: ``cli (user anna)``."""
    import getpass

    try:
        return f"cli (user {os.environ.get('SUDO_USER') or getpass.getuser()})"
    except (OSError, KeyError):  # a container's user may have no name
        return f"cli (user {os.getuid()})"


def is_terminal() -> bool:
    """True when a person reads the output."""
    return sys.stdout.isatty()
