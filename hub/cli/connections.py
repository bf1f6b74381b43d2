"""``hub connections``."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.connecting import connect
from hub.cli.credentials import credentials_json, standings_of, tell_credentials, unreadable
from hub.cli.opening import Stop, actor, config_option, json_option, load_catalogue, load_config, must_know, open_hub
from hub.cli.proving import prove
from hub.cli.removing import remove
from hub.cli.vendor_setup import setup

if TYPE_CHECKING:
    from hub.configuration import HubConfig
    from hub.store.views import ConnectionView


@click.group()
def connections() -> None:
    """See and steer the connections. Works while the hub runs: it follows within a second."""


@connections.command("list")
@config_option
@json_option
def list_connections(config_path: Path | None, as_json: bool) -> None:
    """Every connection: mode, health, what waits, what stopped."""
    from hub.cli.printing import as_dict, print_json
    from hub.store import views
    from hub.work.assembly import utc_now

    config = load_config(config_path)
    with open_hub(config) as hub:
        with hub.store.read() as connection:
            rows = views.overview(connection, utc_now())
        standings = standings_of(hub, config)
        why, locked = unreadable(hub, config)
    if as_json:
        webhooks = _webhooks(config, rows)
        told = {row.name: credentials_json(standings.get(row.name)) for row in rows}
        health = {row.name: {"health": health_of(row, locked)} for row in rows}
        print_json(
            [{**as_dict(row), **health[row.name], "webhook": webhooks[row.name], **told[row.name]} for row in rows]
        )
        return
    print_connections(rows, locked=locked)
    if why:
        click.secho(why, fg="red")
    for name, standing in standings.items():
        tell_credentials(name, standing, soon_only=True)


@connections.command()
@click.argument("name")
@config_option
@json_option
def show(name: str, config_path: Path | None, as_json: bool) -> None:
    """All about one connection, with the address for the vendor's webhook if it takes one."""
    from hub.cli.printing import as_dict, print_facts, print_json
    from hub.store import views
    from hub.work.assembly import utc_now

    config = load_config(config_path)
    with open_hub(config) as hub:
        must_know(hub.connected, name)
        with hub.store.read() as connection:
            (row,) = (one for one in views.overview(connection, utc_now()) if one.name == name)
        standing = standings_of(hub, config).get(name)
        why, locked = unreadable(hub, config)
    facts = {**as_dict(row), "health": health_of(row, locked), "webhook": _webhooks(config, [row])[name]}
    if as_json:
        print_json({**facts, **credentials_json(standing)})
        return
    print_facts((key.replace("_", " "), value) for key, value in facts.items())
    if standing is not None:
        tell_credentials(name, standing)
    if why:
        click.secho(why, fg="red")


def health_of(row: ConnectionView, locked: Container[str], *, running: bool = True) -> str:
    """As the hub left it; nothing is in good health while the hub does not run, or where the tokens lie ``locked``
    under a key that is lost."""
    if row.name in locked and not row.paused:
        return "no key"
    return row.health if running or row.health != "ok" else "stopped"


def _webhooks(config: HubConfig, rows: list[ConnectionView]) -> dict[str, str]:
    """The address each connection's vendor may call; empty for those that take no webhook."""
    from hub.sdk import ReceivesWebhooks
    from hub.trial.address import local_url

    catalogue, origin = load_catalogue(), config.hub.public_url or local_url(config)
    found = {}
    for row in rows:
        classes = catalogue.sources if row.side == "source" else catalogue.sinks
        takes = issubclass(classes.get(row.connector.rpartition(":")[2], object), ReceivesWebhooks)
        found[row.name] = f"{origin}/hooks/{row.name}" if takes else ""
    return found


def _tried_again(row: ConnectionView) -> str:
    """When a failing connection is tried next; empty when that is now, or up to a person."""
    from datetime import UTC, datetime

    times = [at for at in (row.blocked_until, row.next_poll_at) if at is not None]
    if row.paused or not times or max(times) <= datetime.now(UTC):
        return ""
    return f"{max(times).astimezone():%H:%M:%S}"


def print_connections(rows: list[ConnectionView], *, running: bool = True, locked: Container[str] = ()) -> None:
    """The table of ``connections list`` and ``status``; for ``locked`` see :func:`health_of`."""
    from hub.cli.printing import ago, print_table

    lines = []
    for row in rows:
        trouble = row.paused or (row.last_error if row.health != "ok" else "")
        if trouble and running and (again := _tried_again(row)):
            trouble += f"; tries again at {again}"
        who = row.handle or row.fingerprint
        lines.append(
            (
                row.name,
                row.side,
                row.mode,
                health_of(row, locked, running=running),
                who,
                ago(row.last_success_at),
                row.backlog,
                row.parked,
                row.calls,
                trouble,
            )
        )
    columns = ("connection", "side", "mode", "health", "account", "worked", "waiting", "parked", "calls", "trouble")
    whole = ("connection", "side", "mode", "health", "worked", "waiting", "parked", "calls")
    print_table(
        columns,
        lines,
        empty="No connection yet: the hub has never run.",
        whole=whole,
        dispensable=("calls", "account", "worked", "side"),
    )


@connections.command()
@click.argument("name")
@config_option
@json_option
def check(name: str, config_path: Path | None, as_json: bool) -> None:
    """Ask the vendor now whose account this is. A connection the hub itself paused resumes when it is mended.

    A hub that runs works with the settings it read at its start: what it paused resumes when they work, and after a
    change of hub.toml or of a secret's file it must be restarted.

    Exit code 1 when the vendor refuses, or another account answers: then the connection is paused. Also when it answers
    here and stays paused in the hub that runs.
    """
    from hub.cli.checking import check_here
    from hub.cli.printing import print_facts, print_json
    from hub.cli.status import is_running
    from hub.flow import radar
    from hub.sdk import ConnectorError
    from hub.store import connections as rows

    config = load_config(config_path)
    with open_hub(config, with_connections=True) as hub:
        must_know(hub.connected, name)
        try:
            account, stays = check_here(hub, name, beside=is_running(config))
        except ConnectorError as error:
            raise Stop(f"{name}: {type(error).__name__}: {error.summary}") from error
        with hub.store.read() as connection:
            row = rows.get(connection, name)
        standing = radar.look(hub, name)
    if as_json:
        print_json({**account.model_dump(mode="json"), "paused": row.paused, **credentials_json(standing)})
    else:
        who = account.handle or account.display_name
        print_facts([("connection", name), ("account", who), ("address", account.url)])
        print_facts([("fingerprint", account.fingerprint), *account.details.items()])
        if row.paused:
            print_facts([("paused", row.paused)])
        tell_credentials(name, standing)
    if stays:
        raise Stop(stays)
    if row.paused_by == "hub":  # a person's pause is no refusal
        raise Stop(
            f"{name} is paused, its queue is kept: {row.paused}.\n"
            f"Put the right credentials in, or accept this account: hub connections resume {name}"
        )


@connections.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; others will read it.")
@config_option
def pause(name: str, reason: str, config_path: Path | None) -> None:
    """Stop asking and sending; what comes in is kept, what goes out waits."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        must_know(hub.connected, name)
        changed = control.pause(hub, name, actor=actor(), reason=reason)
    click.echo(f"{name} is paused." if changed else f"{name} was paused already.")


@connections.command()
@click.argument("name")
@config_option
def resume(name: str, config_path: Path | None) -> None:
    """Go on; what waited goes out."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        must_know(hub.connected, name)
        changed = control.resume(hub, name, actor=actor())
    click.echo(f"{name} works again." if changed else f"{name} was not paused.")


@connections.command()
@click.argument("name")
@click.argument("mode", type=click.Choice(["observe", "draft", "live"]))
@config_option
def mode(name: str, mode: str, config_path: Path | None) -> None:
    """How far NAME may go: observe shows, draft asks the agent, live publishes. A helpdesk has no draft."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        must_know(hub.connected, name)
        try:
            changed = control.set_mode(hub, name, mode, actor=actor())
        except control.ModeNotPossible as error:
            raise Stop(f"{error}.") from error
    click.echo(f"{name} is in mode {mode}." if changed else f"{name} was in mode {mode} already.")


for command in (connect, setup, prove, remove):
    connections.add_command(command)
