"""``hub connections remove``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hub.cli.opening import Misused, actor, config_option, json_option, load_config, must_know, open_hub


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
@json_option
def remove(name: str, dry_run: bool, yes: bool, config_path: Path | None, as_json: bool) -> None:
    """Take back what the hub made at the vendor for NAME, revoke and forget its tokens; keep its history.

    Only the hub's own things: what a person or another program made there stays. Also when the vendor cannot be
    reached: then it says what is left there. Exit code 1 when something is left for a person at the vendor.

    As JSON: "connection", "done", "stays" (of what the hub made), "left" (for a person), "waiting" (in the hub),
    "dry_run". Texts are in the hub's language.
    """
    from hub.cli.printing import print_json
    from hub.flow.disconnect import plan_removal
    from hub.flow.disconnect import remove as remove_now
    from hub.store import connections as rows

    config = load_config(config_path)
    with open_hub(config, with_connections=True) as hub:
        with hub.store.read() as connection:
            known = rows.names(connection)
        must_know(known, name)
        removal = plan_removal(hub, name)
        if not as_json:
            head = f"{name}: what would be done" if dry_run else f"{name}: what will be done"
            _tell(head, removal.in_language(hub.language))
            if removal.waiting:
                click.echo(f"\n{removal.waiting} event(s) and deliveries wait for it; they stay, and are not sent.")
        if not dry_run:
            if not yes and as_json:
                raise Misused("With --json it does not ask: say --yes.")
            if not yes:
                click.confirm(f"\nRemove {name}?", abort=True)
            removal = remove_now(hub, name, actor=actor())
            if not as_json:
                _tell(f"\n{name}: done", removal.in_language(hub.language))
        in_file = name in config.connections
    if as_json:
        print_json({"connection": name, "dry_run": dry_run, **removal.in_language(hub.language)})
    elif in_file and not dry_run:
        click.echo(f"\nNow take [connections.{name}] out of {config.path}; until then it stays there, paused.")
    if removal.left and not dry_run:
        raise click.exceptions.Exit(1)


def _tell(head: str, told: dict[str, Any]) -> None:
    from hub.cli.printing import clean

    heads = {"done": head, "stays": "What stays of it, at the vendor:", "left": "Left for a person, at the vendor:"}
    for name, words in heads.items():
        if told[name]:
            click.echo(words)
        for text in told[name]:
            click.echo(f"  - {clean(text)}")
