"""``hub init`` and ``hub config``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import (
    Misused,
    Stop,
    config_option,
    examine,
    find_config,
    json_option,
    keep_private,
    load_catalogue,
    open_hub,
    open_store,
)

if TYPE_CHECKING:
    from hub.catalogue import Catalogue
    from hub.configuration import HubConfig, Problem


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write FOLDER/config with the configuration that comes with the hub. Never overwrites a file."""
    from hub.configuration import shipped

    files = {folder / "config" / name: text for name, text in shipped().items()}
    present = [str(path) for path in files if path.exists()]
    if present:
        raise Misused(f"There already is {', '.join(present)}. Nothing was written.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")
    there = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    click.echo(f"\nStart the hub with its trial:  {there}hub run")


@click.group()
def config() -> None:
    """Check the configuration."""


@config.command()
@config_option
@json_option
@click.option("--online", is_flag=True, help="Also ask every vendor whether the credentials work.")
@click.option("--diff", is_flag=True, help="Also show what a restart would change.")
def check(config_path: Path | None, as_json: bool, online: bool, diff: bool) -> None:
    """Find everything that is wrong, each with its place and an example.

    Exit code 2 when the configuration is wrong, 1 when a vendor says no (--online).
    """
    from hub.cli.printing import print_json
    from hub.configuration import survey

    path = find_config(config_path)
    loaded, told_first = survey(path)
    catalogue = load_catalogue()
    problems = examine(loaded, told_first, catalogue)
    if loaded is not None:
        problems += _check_key(loaded)
    wrong = [problem for problem in problems if not problem.warning]
    told: dict[str, Any] = {"file": path, "ok": not wrong, "problems": problems}
    if loaded is not None and not wrong:
        if diff:
            told["changes"] = _changes(loaded)
        if online:
            told["online"] = _ask_vendors(loaded, catalogue)
    refused = [answer for answer in told.get("online", ()) if not answer["ok"]]
    if as_json:
        print_json(told)
    else:
        _tell(told, wrong, diff=diff, online=online)
    if wrong or refused:
        raise click.exceptions.Exit(2 if wrong else 1)


def _check_key(loaded: HubConfig) -> list[Problem]:
    """What is wrong with the secret key: its form, and whether it is the one of the database, if there is one."""
    from hub.configuration import ConfigurationProblems, Problem, secret_key
    from hub.configuration.secrets import KEY_NAME, KeyLost
    from hub.work.assembly import WrongKey, key_of

    try:
        with suppress(KeyLost):
            secret_key(loaded, make=False)
        with open_store(loaded) as store:
            key_of(loaded, store)
    except ConfigurationProblems as error:
        return list(error.problems)
    except WrongKey as error:
        return [Problem("", str(error), file=KEY_NAME)]
    except Stop:  # never ran: any key will do
        pass
    except Exception as error:  # noqa: BLE001 - whatever a database driver raises
        words = f"could not be held against the database: {type(error).__name__}: {str(error).splitlines()[0]}"
        return [Problem("", words, file=KEY_NAME, fatal=False, warning=True)]
    return []


def _tell(told: dict[str, Any], wrong: list[Problem], *, diff: bool, online: bool) -> None:
    from hub.cli.printing import print_table

    for problem in told["problems"]:
        click.echo(f"{'warning: ' if problem.warning else ''}{problem}")
    if wrong:
        many = "one thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        click.echo(f"{told['file']}: {many} wrong.")
        return
    click.echo(f"{told['file']}: good.")
    if diff:
        rows = [(change["connection"], change["change"], change["now"], change["then"]) for change in told["changes"]]
        print_table(("connection", "change", "now", "after a restart"), rows, empty="A restart would change nothing.")
    if online:
        answers = [(one["connection"], "ok" if one["ok"] else "FAILED", one["says"]) for one in told["online"]]
        print_table(("connection", "answer", "who, or why not"), answers, empty="No connection of your own to ask.")


def _changes(loaded: HubConfig) -> list[dict[str, str]]:
    """What a restart would change in the connections, against what the database has."""
    from hub.store import views
    from hub.work.assembly import utc_now

    try:
        with open_hub(loaded) as hub, hub.store.read() as connection:
            running = {row.name: row for row in views.overview(connection, utc_now()) if not row.gone}
    except Stop:  # never ran: everything is new
        running = {}
    wanted = {name: one.connector for name, one in loaded.connections.items() if one.enabled}
    modes = {name: one.mode for name, one in loaded.connections.items()}
    wanted |= {name: name.removeprefix("trial-") for name in loaded.trial.connections}
    changes: list[dict[str, str]] = []

    def add(what: str, now: str, then: str) -> None:
        changes.append({"connection": name, "change": what, "now": now, "then": then})

    for name in sorted(wanted.keys() | running.keys()):
        row = running.get(name)
        if row is None:
            add("new", "", f"{wanted[name]}, {modes.get(name, 'live')}")
            continue
        if name not in wanted:
            add("gone", row.connector, "")
            continue
        connector = wanted[name].rpartition(":")[2]
        if row.connector != connector:
            add("connector", row.connector, connector)
        if name in modes and row.mode != modes[name]:
            # A mode a person set in the running hub stays, and that is what one should know before restarting.
            add(f"mode was set by hand, the file says {modes[name]}", row.mode, row.mode)
    return changes


def _ask_vendors(loaded: HubConfig, catalogue: Catalogue) -> list[dict[str, Any]]:
    from hub.store import migrate

    keep_private(loaded)
    # A token that rotates while it is tried must be kept: the vault needs the hub's own database, made if need be.
    migrate(loaded.database_url)
    answers = []
    with open_hub(loaded, with_connections=True, catalogue=catalogue) as hub:
        for name in loaded.connections:
            if name not in hub.connected:
                continue
            try:
                account = hub.instance(name).check_connection()
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its answer
                answers.append({"connection": name, "ok": False, "says": f"{type(error).__name__}: {error}"})
            else:
                who = account.handle or account.display_name or account.fingerprint
                answers.append({"connection": name, "ok": True, "says": who})
    return answers
