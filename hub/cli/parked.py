"""``hub parked``: what stopped and waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import Stop, actor, config_option, json_option, load_config, open_hub

if TYPE_CHECKING:  # the store is heavy, and `hub --help` is not to wait for it
    from hub.store.views import Door

DOOR = click.Choice(["inbox", "outbox"])


@click.group()
def parked() -> None:
    """See what stopped, with its reason; try it again or give it up."""


@parked.command("list")
@config_option
@json_option
@click.option("--connection", "name", default="", help="Only at this connection.")
def list_parked(config_path: Path | None, as_json: bool, name: str) -> None:
    """Everything that stopped, newest first."""
    from hub.cli.printing import ago, print_json, print_table
    from hub.store import views

    with open_hub(load_config(config_path)) as hub, hub.store.read() as connection:
        rows = views.parked(connection, name=name)
    if as_json:
        print_json(rows)
        return
    lines = [(one.door, one.id, one.connection, one.what, ago(one.since), one.ticket_code, one.reason) for one in rows]
    columns = ("door", "id", "connection", "what", "stopped", "ticket", "why")
    whole = ("door", "id", "connection", "what", "stopped", "ticket")
    print_table(columns, lines, empty="Nothing is parked.", whole=whole, dispensable=("stopped", "what"))


@parked.command()
@click.argument("door", type=DOOR)
@click.argument("number", metavar="ID", type=int)
@config_option
@json_option
def show(door: Door, number: int, config_path: Path | None, as_json: bool) -> None:
    """All there is about one: what it holds, why it stopped, what was tried. Secrets are masked."""
    import json

    from hub.cli.printing import indented, print_facts, print_json, when
    from hub.store import views

    with open_hub(load_config(config_path)) as hub, hub.store.read() as connection:
        found = views.parked_one(connection, door, number)
    if found is None:
        raise Stop(f"There is no {door} {number}.")
    if as_json:
        print_json(found)
        return
    one = found.view
    facts = [("what", f"{door} {number}: {one.what} at {one.connection}"), ("state", found.state), ("why", one.reason)]
    print_facts([*facts, ("since", one.since), ("ticket", one.ticket_code)])
    for attempt in found.attempts:
        click.echo(f"tried {when(attempt.started_at)}: {attempt.outcome} {attempt.summary}".rstrip())
    click.echo(indented(json.dumps(found.payload, ensure_ascii=False, indent=2)))
    if found.trace:
        click.echo(indented(found.trace))


@parked.command()
@click.argument("door", type=DOOR)
@click.argument("number", metavar="ID", type=click.IntRange(0, 2**63 - 1))
@click.option("--publish-draft", is_flag=True, help="Publish a draft without waiting for the agent's word.")
@config_option
def retry(door: Door, number: int, publish_draft: bool, config_path: Path | None) -> None:
    """Try it again. What may have been sent is looked up first, never simply sent again.

    A draft waits for the agent; it is published from here only with --publish-draft.
    """
    from hub.flow import parked as flow

    _act(config_path, lambda hub: flow.retry(hub, door, number, actor=actor(), publish_draft=publish_draft))
    click.echo(f"{door} {number} is tried again.")


@parked.command()
@click.argument("door", type=DOOR)
@click.argument("number", metavar="ID", type=click.IntRange(0, 2**63 - 1))
@click.option("--reason", default="", help="Why; it stays in the audit.")
@config_option
def discard(door: Door, number: int, reason: str, config_path: Path | None) -> None:
    """Give it up. It stays in the database, with who and why."""
    from hub.flow import parked as flow

    _act(config_path, lambda hub: flow.discard(hub, door, number, actor=actor(), reason=reason))
    click.echo(f"{door} {number} is discarded.")


def _act(config_path: Path | None, do: Callable[[Any], None]) -> None:
    from hub.flow.parked import DraftWaits, NotParked

    with open_hub(load_config(config_path)) as hub:
        try:
            do(hub)
        except NotParked as error:
            raise Stop(str(error)) from error
        except DraftWaits as error:
            raise Stop(f"{error}. To publish it from here: --publish-draft") from error
