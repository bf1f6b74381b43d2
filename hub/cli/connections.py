"""``hub connections``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Stop, actor, config_option, json_option, load_config, open_hub

if TYPE_CHECKING:
    from hub.flow.hub import Hub
    from hub.store.views import ConnectionView


@click.group()
def connections() -> None:
    """See and steer the connections. Works while the hub runs: it follows within a second."""


@connections.command("list")
@config_option
@json_option
def list_connections(config_path: Path | None, as_json: bool) -> None:
    """Every connection: mode, health, what waits, what stopped."""
    from hub.cli.printing import print_json
    from hub.store import views
    from hub.work.assembly import utc_now

    with open_hub(load_config(config_path)) as hub, hub.store.read() as connection:
        rows = views.overview(connection, utc_now())
    if as_json:
        print_json(rows)
        return
    print_connections(rows)


def print_connections(rows: list[ConnectionView]) -> None:
    """The table of ``connections list`` and ``status``."""
    from hub.cli.printing import ago, print_table

    lines = []
    for row in rows:
        trouble = row.paused or (row.last_error if row.health != "ok" else "")
        who = row.handle or row.fingerprint
        lines.append(
            (
                row.name,
                row.side,
                row.mode,
                row.health,
                who,
                ago(row.last_success_at),
                row.backlog,
                row.parked,
                row.calls,
                trouble,
            )
        )
    columns = ("connection", "side", "mode", "health", "account", "worked", "waiting", "parked", "calls", "trouble")
    print_table(columns, lines, empty="No connection yet: the hub has never run.")


@connections.command()
@click.argument("name")
@config_option
@json_option
def check(name: str, config_path: Path | None, as_json: bool) -> None:
    """Ask the vendor now whose account this is. A connection the hub itself paused resumes when it is mended."""
    from hub.cli.printing import print_facts, print_json
    from hub.flow import check as checking
    from hub.sdk import ConnectorError

    with open_hub(load_config(config_path), with_connections=True) as hub:
        _must_know(hub, name)
        try:
            account = checking.check(hub, name)
        except ConnectorError as error:
            raise Stop(f"{name}: {type(error).__name__}: {error.summary}") from error
    if as_json:
        print_json(account.model_dump(mode="json"))
        return
    print_facts([("connection", name), ("account", account.handle or account.display_name), ("address", account.url)])
    print_facts([("fingerprint", account.fingerprint), *account.details.items()])


@connections.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; others will read it.")
@config_option
def pause(name: str, reason: str, config_path: Path | None) -> None:
    """Stop asking and sending; what comes in is kept, what goes out waits."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        _must_know(hub, name)
        changed = control.pause(hub, name, actor=actor(), reason=reason)
    click.echo(f"{name} is paused." if changed else f"{name} was paused already.")


@connections.command()
@click.argument("name")
@config_option
def resume(name: str, config_path: Path | None) -> None:
    """Go on; what waited goes out."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        _must_know(hub, name)
        changed = control.resume(hub, name, actor=actor())
    click.echo(f"{name} works again." if changed else f"{name} was not paused.")


@connections.command()
@click.argument("name")
@click.argument("mode", type=click.Choice(["observe", "draft", "live"]))
@config_option
def mode(name: str, mode: str, config_path: Path | None) -> None:
    """How far NAME may go: observe shows, draft asks the agent, live publishes."""
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        _must_know(hub, name)
        changed = control.set_mode(hub, name, mode, actor=actor())
    click.echo(f"{name} is in mode {mode}." if changed else f"{name} was in mode {mode} already.")


def _must_know(hub: Hub, name: str) -> None:
    from hub.configuration import did_you_mean

    if name not in hub.connected:
        raise Stop(f'There is no connection "{name}"; {did_you_mean(name, hub.connected)}')
