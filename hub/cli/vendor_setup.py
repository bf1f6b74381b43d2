"""``hub connections setup``: what must be so at the vendor before a connection works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import Misused, Stop, config_option, json_option, keep_private, load_config, must_know, open_hub

if TYPE_CHECKING:
    from hub.flow.hub import Hub
    from hub.sdk import SetupStep


@click.command()
@click.argument("name")
@click.option("--apply", "do", flag_value="apply", help="Do the missing steps that are the hub's.")
@click.option("--dry-run", "do", flag_value=None, default=True, help="Only show the plan; so without any of these.")
@click.option("--remove", "do", flag_value="remove", help="Take back what --apply made, and nothing else.")
@config_option
@json_option
def setup(name: str, do: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show what must be so at the vendor (fields, queues, webhooks) before NAME works; do it with --apply.

    Works whether the hub runs or not. Exit code 0 when nothing that must be there is missing afterwards (with
    --remove: nothing is left for a person to remove), 1 otherwise, so that a script can wait for it.

    As JSON: "connection", "webhook_url", "before" and "steps" (the plan before and after; each step with "title",
    "state": done, missing or unknown, "by": hub or person, "optional", "instructions" and "stays": what --remove
    leaves of it) and "ready". Texts are in the hub's language.
    """
    from hub.cli.printing import print_json
    from hub.flow.set_up import SetupFailed, set_up, webhook_url
    from hub.store import migrate

    config = load_config(config_path)
    if name not in config.connections and not config.trial.enabled:
        must_know(config.connections, name)
    keep_private(config)
    # A connection is set up before the hub first runs, and its rotating tokens need the vault.
    migrate(config.database_url)
    with open_hub(config, with_connections=True) as hub:
        must_know(hub.connected, name)
        _must_set_up(hub, name)
        address = webhook_url(hub, name)
        try:
            before = as_told(set_up(hub, name, "plan"), hub.language)
            if not as_json:
                show_steps(f"{name}: the plan", before)
            steps = before
            if do == "apply":
                steps = as_told(set_up(hub, name, "apply"), hub.language)
            elif do == "remove":
                steps = as_told(set_up(hub, name, "remove"), hub.language)
        except SetupFailed as error:
            raise Stop(f"{name}: {error}") from error
    # After a removal every step that stays is a person's to do, whatever it was in the plan.
    left = steps if do == "remove" else [step for step in steps if step["state"] == "missing" and not step["optional"]]
    if as_json:
        told = {"connection": name, "webhook_url": address, "before": before, "steps": steps, "ready": not left}
        print_json(told)
    else:
        _tell_outcome(name, do, steps, left)
    if left:
        raise click.exceptions.Exit(1)


def _must_set_up(hub: Hub, name: str) -> None:
    """Raises :class:`Misused` when the connector cannot set its vendor up."""
    from hub.sdk import SetsUp

    connector = hub.connected[name].connector
    if not issubclass(connector, SetsUp):
        raise Misused(
            f"{name}: there is nothing the hub can set up at {connector.display_name}. Its plugin says what a person "
            f"does there: hub plugins show {connector.name}; then: hub connections check {name}"
        )


def _tell_outcome(name: str, do: str | None, steps: list[dict[str, Any]], left: list[dict[str, Any]]) -> None:
    if do == "remove" and not steps:
        click.echo(f"\n{name}: everything the hub had made is removed.")
        return
    if do == "remove":
        show_steps(f"\n{name}: what is left for a person to remove", steps)
        return
    if do == "apply":
        show_steps(f"\n{name}: after --apply", steps)
    if not left:
        unseen = [step for step in steps if step["state"] == "unknown"]
        seen = "; what is unknown the hub's credentials cannot see: look yourself" if unseen else ""
        wishes = [step for step in steps if step["state"] == "missing"]
        verb = "is" if len(wishes) == 1 else "are"
        there = f"nothing that must be there is missing; {_steps(wishes, 'optional ')} {verb}"
        click.echo(f"\n{name}: {there if wishes else 'nothing is missing'}{seen}.")
        return
    mine = [step for step in left if step["by"] == "hub"]
    if mine and do is None:
        click.echo(f"\nLet the hub do its {_steps(mine)}: hub connections setup {name} --apply")
    elif mine:
        click.echo(f"\n{_steps(mine).capitalize()} of the hub did not take.")
    if len(left) > len(mine):
        yours = [step for step in left if step["by"] == "person"]
        click.echo(f"\nYours: {_steps(yours)}, as written above. Then look again: hub connections setup {name}")


def _steps(steps: Sequence[object], kind: str = "") -> str:
    return f"one {kind}step" if len(steps) == 1 else f"{len(steps)} {kind}steps"


def as_told(steps: Sequence[SetupStep], language: str) -> list[dict[str, Any]]:
    """The steps with their texts in one language."""
    from hub.sdk import in_language

    texts = ("title", "instructions", "stays")
    return [
        {**step.model_dump(mode="json"), **{key: in_language(getattr(step, key), language) for key in texts}}
        for step in steps
    ]


def show_steps(head: str, steps: list[dict[str, Any]]) -> None:
    """Each step with its state. Instructions stand unindented and unwrapped: they are there to be copied."""
    from hub.cli.printing import clean

    click.echo(f"{head}\n")
    if not steps:
        click.echo("  nothing to do")
    for number, step in enumerate(steps, 1):
        wish = " (optional)" if step["optional"] and step["state"] != "done" else ""
        click.echo(f"  {number}. {step['state']:<7}  {step['by']:<6}  {clean(step['title'])}{wish}")
        if step["instructions"] and step["state"] != "done":
            text = "\n".join(clean(part).rstrip() for part in step["instructions"].expandtabs(4).splitlines())
            click.echo(f"\n{text}\n")
